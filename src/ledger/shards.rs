//! A run's shards: recorded as they are cut, completed as their transactions commit.

use serde_json::{from_str, to_string};
use uuid::Uuid;

use super::ending::lease_lost;
use super::{Attempt, Claim, Ledger, get};
use crate::error::{Error, Result};
use crate::plugin::{KeyRange, Receipt};

/// What the ledger knows of a run's shards, to go on from there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredShards {
    /// Shards that are not in yet.
    pub open: Vec<(u64, KeyRange)>,
    /// The last range that was cut, to cut on behind it.
    pub last: Option<(u64, KeyRange)>,
    /// Whether every shard has been cut.
    pub split_done: bool,
    /// Rows that are in.
    pub rows_done: u64,
    /// Shards that are in.
    pub shards_done: u64,
    /// What the shards were cut for (see [`crate::plan::Plan::fingerprint`]).
    pub plan_hash: Option<String>,
}

/// A run's figures, for those who watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The run's state.
    pub state: String,
    /// Rows that are in.
    pub rows_done: u64,
    /// Rows in all, by the engine's estimate.
    pub rows_estimated: Option<u64>,
    /// Shards that are in.
    pub shards_done: u64,
    /// Shards cut so far.
    pub shards_total: u64,
    /// Whether every shard has been cut.
    pub split_done: bool,
    /// Why it failed or waits.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Ledger {
    /// Records freshly cut shards, numbered from `first`; `last` says that the table ends there.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn record_shards(
        &self,
        claim: &Claim,
        first: u64,
        ranges: &[KeyRange],
        last: bool,
    ) -> Result<()> {
        let texts =
            ranges.iter().map(to_string).collect::<Result<Vec<_>, _>>().map_err(|error| {
                Error::internal("a key range has no JSON form").caused_by(error)
            })?;
        self.transact("recording shards", || self.try_record(claim, first, &texts, last)).await
    }

    async fn try_record(
        &self,
        claim: &Claim,
        first: u64,
        texts: &[String],
        last: bool,
    ) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        // Changing the run's row first is the fence: a take-over waits for this transaction, or
        // has raised the epoch and this changes nothing.
        let changed = self
            .query(
                "UPDATE goshift_run SET shards_total = shards_total + ?, split_done = ? \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'",
            )
            .bind(texts.len() as i64)
            .bind(i64::from(last))
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() == 0 {
            return Err(lease_lost(claim).into());
        }
        if !texts.is_empty() {
            let values = vec!["(?, ?, ?, 'open')"; texts.len()].join(", ");
            let mut insert = self.query(&format!(
                "INSERT INTO goshift_shard (run_id, shard_no, key_range, state) VALUES {values}"
            ));
            for (number, text) in (first..).zip(texts) {
                insert =
                    insert.bind(claim.run_id.to_string()).bind(number as i64).bind(text.as_str());
            }
            insert.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Marks shards as in, after their target transactions have committed. A run that gets on is
    /// not poisonous: its rescues count from zero again.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn complete_shards(&self, claim: &Claim, done: &[(u64, Receipt)]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        self.transact("completing shards", || self.try_complete(claim, done)).await
    }

    async fn try_complete(&self, claim: &Claim, done: &[(u64, Receipt)]) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        let rows: u64 = done.iter().map(|(_, receipt)| receipt.rows).sum();
        let bytes: u64 = done.iter().map(|(_, receipt)| receipt.bytes).sum();
        let changed = self
            .query(
                "UPDATE goshift_run SET shards_done = shards_done + ?, rows_done = rows_done + ?, \
                 bytes_done = bytes_done + ?, rescues = 0 WHERE run_id = ? AND epoch = ? AND state = 'running'",
            )
            .bind(done.len() as i64)
            .bind(rows as i64)
            .bind(bytes as i64)
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() == 0 {
            return Err(lease_lost(claim).into());
        }
        for (number, receipt) in done {
            let changed = self
                .query(
                    "UPDATE goshift_shard SET state = 'done', epoch = ?, rows_done = ?, \
                     bytes_done = ?, finished_at = {now} \
                     WHERE run_id = ? AND shard_no = ? AND state = 'open'",
                )
                .bind(claim.epoch)
                .bind(receipt.rows as i64)
                .bind(receipt.bytes as i64)
                .bind(claim.run_id.to_string())
                .bind(*number as i64)
                .execute(&mut *tx)
                .await?;
            if changed.rows_affected() != 1 {
                let message = format!("run {}: shard {number} was completed twice", claim.run_id);
                return Err(Error::internal(message).into());
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes what the run's shards are cut for, and the estimate of the table's rows. With
    /// `restart` every shard that was cut before is forgotten.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn note_plan(
        &self,
        claim: &Claim,
        plan_hash: &str,
        rows: Option<u64>,
        restart: bool,
    ) -> Result<()> {
        self.transact("noting the plan", || self.try_note_plan(claim, plan_hash, rows, restart))
            .await
    }

    async fn try_note_plan(
        &self,
        claim: &Claim,
        plan_hash: &str,
        rows: Option<u64>,
        restart: bool,
    ) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        let zero = if restart {
            ", split_done = 0, shards_total = 0, shards_done = 0, rows_done = 0, bytes_done = 0"
        } else {
            ""
        };
        let changed = self
            .query(&format!(
                "UPDATE goshift_run SET plan_hash = ?, rows_estimated = ?{zero} \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'"
            ))
            .bind(plan_hash)
            .bind(rows.map(|rows| rows as i64))
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() == 0 {
            return Err(lease_lost(claim).into());
        }
        if restart {
            self.query("DELETE FROM goshift_shard WHERE run_id = ?")
                .bind(claim.run_id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What is known of a run's shards.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn stored_shards(&self, run_id: Uuid) -> Result<StoredShards> {
        self.transact("reading shards", || self.read_shards(run_id)).await
    }

    async fn read_shards(&self, run_id: Uuid) -> Result<StoredShards, Attempt> {
        let run = self
            .query(
                "SELECT {bigint:split_done} AS split_done, rows_done, shards_done, plan_hash \
                 FROM goshift_run WHERE run_id = ?",
            )
            .bind(run_id.to_string())
            .fetch_one(&self.pool)
            .await?;
        let rows = self
            .query(
                "SELECT shard_no, key_range, state FROM goshift_shard WHERE run_id = ? AND \
                 (state = 'open' OR shard_no = \
                  (SELECT MAX(shard_no) FROM goshift_shard WHERE run_id = ?)) ORDER BY shard_no",
            )
            .bind(run_id.to_string())
            .bind(run_id.to_string())
            .fetch_all(&self.pool)
            .await?;
        let mut stored = StoredShards {
            split_done: get::<i64>(&run, "split_done")? == 1,
            rows_done: get::<i64>(&run, "rows_done")?.max(0) as u64,
            shards_done: get::<i64>(&run, "shards_done")?.max(0) as u64,
            plan_hash: get(&run, "plan_hash")?,
            ..Default::default()
        };
        for row in &rows {
            let number = get::<i64>(row, "shard_no")?.max(0) as u64;
            let range: KeyRange = from_str(&get::<String>(row, "key_range")?).map_err(|error| {
                Error::internal(format!("run {run_id}: shard {number} can't be read"))
                    .caused_by(error)
            })?;
            if get::<String>(row, "state")? == "open" {
                stored.open.push((number, range.clone()));
            }
            stored.last = Some((number, range));
        }
        Ok(stored)
    }

    /// A run's figures.
    ///
    /// # Errors
    /// Kind `Usage` for an unknown run.
    pub async fn progress(&self, run_id: Uuid) -> Result<Progress> {
        let row = self
            .answer(
                "reading a run",
                self.query(
                    "SELECT state, rows_done, rows_estimated, shards_done, shards_total, \
                 {bigint:split_done} AS split_done, reason, remedy \
                 FROM goshift_run WHERE run_id = ?",
                )
                .bind(run_id.to_string())
                .fetch_optional(&self.pool),
            )
            .await?
            .ok_or_else(|| Error::usage(format!("there is no run {run_id}")))?;
        let count = |column| get::<i64>(&row, column).map(|n| n.max(0) as u64);
        let read = || {
            Ok::<_, sqlx::Error>(Progress {
                state: get(&row, "state")?,
                rows_done: count("rows_done")?,
                rows_estimated: get::<Option<i64>>(&row, "rows_estimated")?
                    .map(|n| n.max(0) as u64),
                shards_done: count("shards_done")?,
                shards_total: count("shards_total")?,
                split_done: get::<i64>(&row, "split_done")? == 1,
                reason: get(&row, "reason")?,
                remedy: get(&row, "remedy")?,
            })
        };
        read().map_err(|error| self.failure("reading a run", error))
    }
}
