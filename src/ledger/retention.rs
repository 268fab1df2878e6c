//! Deleting runs that ended long ago, with everything that belongs to them.

use std::time::Duration;

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::inspect::DEAD;
use super::submission::parse_id;
use super::{Attempt, Ledger, get};
use crate::error::Result;

/// Shards that one transaction deletes at most.
const SHARDS: i64 = 5_000;
/// Runs that one transaction deletes at most.
const RUNS: i64 = 200;

/// A run that ended long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OldRun {
    run_id: Uuid,
    last_shard: i64,
}

impl Ledger {
    /// Deletes a batch of the runs that ended longer ago than `age`, in the order of their ids
    /// behind `after`, with their shards, participants and changes of state. Runs that are dead
    /// stay, those whose lost worker may still have something open in the target, and those of mode
    /// cursor until a later one has the task's watermark. Returns the deleted; none are left when there
    /// are none.
    ///
    /// # Errors
    /// When the ledger can't be written. What a batch has deleted stays deleted; the next call
    /// goes on.
    pub async fn delete_old_runs(&self, age: Duration, after: Option<Uuid>) -> Result<Vec<Uuid>> {
        let mut batch = Vec::new();
        let mut shards = 0;
        for run in self.old_runs(age, after).await? {
            // Of a large run the shards go first, in pieces.
            let mut from = run.last_shard;
            while from >= SHARDS {
                from -= SHARDS;
                self.delete_shards(run.run_id, from).await?;
            }
            shards += from.max(0);
            if !batch.is_empty() && shards > SHARDS {
                break;
            }
            batch.push(run.run_id);
        }
        if !batch.is_empty() {
            self.transact("deleting old runs", || self.try_delete_runs(&batch)).await?;
        }
        Ok(batch)
    }

    /// Whether a run that ended longer ago than `age` may have a message in the dead queue.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn old_dead_letters(&self, age: Duration) -> Result<bool> {
        let reading = self
            .query(
                "SELECT run_id FROM goshift_run WHERE dead_letter > 1 \
                 AND finished_at < {now_plus} LIMIT 1",
            )
            .bind(before(age))
            .fetch_optional(self.pool());
        Ok(self.answer("looking for old runs", reading).await?.is_some())
    }

    /// Dead runs that failed longer ago than `age`.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn old_dead(&self, age: Duration) -> Result<Vec<Uuid>> {
        let reading = self
            .query(&format!(
                "SELECT run_id FROM goshift_run WHERE {DEAD} AND finished_at < {{now_plus}}"
            ))
            .bind(before(age))
            .fetch_all(self.pool());
        let rows = self.answer("looking for old runs", reading).await?;
        let read: Result<_, _> =
            rows.iter().map(|row| parse_id(&get::<String>(row, "run_id")?)).collect();
        read.map_err(|error| self.failure("looking for old runs", error))
    }

    async fn old_runs(&self, age: Duration, after: Option<Uuid>) -> Result<Vec<OldRun>> {
        let reading = self
            .query(&format!(
                "SELECT run_id, (SELECT MAX(shard_no) FROM goshift_shard \
                  WHERE goshift_shard.run_id = goshift_run.run_id) AS last_shard FROM goshift_run \
                 WHERE run_id > ? AND state IN ('succeeded', 'failed', 'cancelled') \
                 AND lost_holder = 0 AND finished_at < {{now_plus}} AND NOT ({DEAD}) \
                 AND NOT EXISTS (SELECT 1 FROM goshift_cursor WHERE goshift_cursor.run_id = goshift_run.run_id) \
                 ORDER BY run_id LIMIT ?"
            ))
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(before(age))
            .bind(RUNS)
            .fetch_all(self.pool());
        let rows = self.answer("looking for old runs", reading).await?;
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(OldRun {
                run_id: parse_id(&get::<String>(row, "run_id")?)?,
                last_shard: get::<Option<i64>>(row, "last_shard")?.unwrap_or(-1),
            })
        };
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("looking for old runs", error))
    }

    async fn delete_shards(&self, run_id: Uuid, from: i64) -> Result<()> {
        let deleting = self
            .query("DELETE FROM goshift_shard WHERE run_id = ? AND shard_no > ?")
            .bind(run_id.to_string())
            .bind(from)
            .execute(self.pool());
        self.answer("deleting old shards", deleting).await.map(|_| ())
    }

    /// The runs' rows go last and with the rest, so that nothing is left without its run.
    async fn try_delete_runs(&self, runs: &[Uuid]) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        let marks = vec!["?"; runs.len()].join(", ");
        for table in [
            "goshift_shard",
            "goshift_rejected",
            "goshift_participant",
            "goshift_transition",
            "goshift_run",
        ] {
            let mut query = self.query(&format!("DELETE FROM {table} WHERE run_id IN ({marks})"));
            for run_id in runs {
                query = query.bind(run_id.to_string());
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// So long ago, for `{now_plus}`.
fn before(age: Duration) -> i64 {
    -i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}
