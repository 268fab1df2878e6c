//! Where a run stands when it is taken up: what earlier attempts have left.

use uuid::Uuid;

use super::ending::lease_lost;
use super::shards::read_shard;
use super::submission::parse_id;
use super::{Attempt, Claim, Ledger, Role, get};
use crate::error::Result;
use crate::plugin::KeyRange;
use crate::task::Consistency;

/// What a run's shards are cut for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanNote {
    /// See [`crate::plan::Plan::fingerprint`].
    pub hash: String,
    /// The estimate of the table's rows.
    pub rows: Option<u64>,
    /// As of which moments they are read; `None` when nothing of the run is in its target.
    pub consistency: Option<Consistency>,
}

/// What the ledger knows of a run's shards, to go on from there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredShards {
    /// Whether shards are left that were cut before and are not in yet.
    pub open: bool,
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
    /// As of which moments the run's rows were read, by all attempts so far.
    pub consistency: Option<Consistency>,
    /// How many workers may share the run; 1 while it isn't shared.
    pub participants: u64,
    /// Shards of the task's runs that are not in and that a lost worker may have held: its
    /// transactions may still be open in the target.
    pub left_behind: Vec<(Uuid, u64)>,
    /// Not in the ledger yet: goes there with the first shards.
    pub note: Option<PlanNote>,
    /// The only shards there are to be, for a run that is not for the whole table.
    pub only: Option<Vec<KeyRange>>,
}

impl Ledger {
    /// Notes what the shards of a run that was tried before are cut for. With `restart` every
    /// shard that was cut before is forgotten.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn note_plan(&self, claim: &Claim, note: &PlanNote, restart: bool) -> Result<()> {
        self.transact("noting the plan", || self.try_note_plan(claim, note, restart)).await
    }

    async fn try_note_plan(
        &self,
        claim: &Claim,
        note: &PlanNote,
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
                "UPDATE goshift_run SET plan_hash = ?, rows_estimated = ?, consistency = ?{zero} \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'"
            ))
            .bind(note.hash.as_str())
            .bind(note.rows.map(|rows| rows as i64))
            .bind(note.consistency.map(Consistency::name))
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() == 0 {
            return Err(lease_lost(claim).into());
        }
        if restart {
            for table in ["goshift_shard", "goshift_rejected"] {
                self.query(&format!("DELETE FROM {table} WHERE run_id = ?"))
                    .bind(claim.run_id.to_string())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes as of which moments all that is in of a run was read.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn note_consistency(&self, claim: &Claim, level: Consistency) -> Result<()> {
        let noting = self
            .query(
                "UPDATE goshift_run SET consistency = ? \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'",
            )
            .bind(level.name())
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(self.pool());
        let noted = self.answer("noting how a run was read", noting).await?;
        if noted.rows_affected() == 0 { Err(lease_lost(claim)) } else { Ok(()) }
    }

    /// Adds rows that the run has deleted in the target.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn note_deleted(&self, claim: &Claim, rows: u64) -> Result<()> {
        let noting = self
            .query(
                "UPDATE goshift_run SET rows_deleted = rows_deleted + ? \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'",
            )
            .bind(rows as i64)
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(self.pool());
        let noted = self.answer("noting deleted rows", noting).await?;
        if noted.rows_affected() == 0 { Err(lease_lost(claim)) } else { Ok(()) }
    }

    /// Rows that all attempts and participants of a run have written, and deleted, as far as the ledger
    /// has heard.
    ///
    /// # Errors
    /// What the task database says.
    pub async fn written_and_deleted(&self, run_id: Uuid) -> Result<(u64, u64)> {
        let asking = self
            .query("SELECT rows_written, rows_deleted FROM goshift_run WHERE run_id = ?")
            .bind(run_id.to_string())
            .fetch_one(self.pool());
        let row = self.answer("asking what a run has written", asking).await?;
        let count = |name| get::<i64>(&row, name).map(|rows| rows.max(0) as u64);
        let failed = |error| self.failure("asking what a run has written", error);
        Ok((count("rows_written").map_err(failed)?, count("rows_deleted").map_err(failed)?))
    }

    /// What is known of a run's shards, once what nobody holds any more is free.
    ///
    /// # Errors
    /// When the ledger can't be read, or kind `LeaseLost`.
    pub async fn stored_shards(&self, claim: &Claim) -> Result<StoredShards> {
        if claim.role == Role::Owner && claim.epoch > 1 {
            self.evict(claim).await?;
        }
        self.transact("reading shards", || self.read_shards(claim)).await
    }

    async fn read_shards(&self, claim: &Claim) -> Result<StoredShards, Attempt> {
        let run = self
            .query(
                "SELECT {bigint:split_done} AS split_done, rows_done, shards_done, shards_total, \
                 {bigint:participants} AS participants, plan_hash, consistency, \
                 (SELECT {bigint:COUNT(*)} FROM goshift_run old WHERE old.task_id = \
                  goshift_run.task_id AND old.lost_holder = 1) AS lost_holders \
                 FROM goshift_run WHERE run_id = ?",
            )
            .bind(claim.run_id.to_string())
            .fetch_one(self.pool())
            .await?;
        let mut stored = StoredShards {
            split_done: get::<i64>(&run, "split_done")? == 1,
            rows_done: get::<i64>(&run, "rows_done")?.max(0) as u64,
            shards_done: get::<i64>(&run, "shards_done")?.max(0) as u64,
            plan_hash: get(&run, "plan_hash")?,
            consistency: get::<Option<String>>(&run, "consistency")?
                .and_then(|name| Consistency::by_name(&name)),
            participants: get::<i64>(&run, "participants")?.max(1) as u64,
            ..Default::default()
        };
        stored.open = get::<i64>(&run, "shards_total")? > get::<i64>(&run, "shards_done")?;
        if get::<i64>(&run, "shards_total")? > 0 {
            let last = self
                .query(
                    "SELECT shard_no, key_range FROM goshift_shard WHERE run_id = ? \
                     ORDER BY shard_no DESC LIMIT 1",
                )
                .bind(claim.run_id.to_string())
                .fetch_optional(self.pool())
                .await?;
            stored.last = last.map(|row| read_shard(&row, claim.run_id)).transpose()?;
        }
        if get::<i64>(&run, "lost_holders")? > 0 {
            stored.left_behind = self.left_behind(claim).await?;
        }
        Ok(stored)
    }

    async fn left_behind(&self, claim: &Claim) -> Result<Vec<(Uuid, u64)>, Attempt> {
        let rows = self
            .query(
                "SELECT s.run_id, s.shard_no FROM goshift_shard s JOIN goshift_run r \
                 ON r.run_id = s.run_id WHERE r.task_id = ? AND r.lost_holder = 1 \
                 AND (s.state = 'open' OR (s.state = 'held' AND r.state <> 'running')) ORDER BY s.run_id, s.shard_no",
            )
            .bind(claim.task_id)
            .fetch_all(self.pool())
            .await?;
        rows.iter()
            .map(|row| {
                let run_id = parse_id(&get::<String>(row, "run_id")?)?;
                Ok((run_id, get::<i64>(row, "shard_no")?.max(0) as u64))
            })
            .collect()
    }

    /// Notes that no lost worker has anything open in the task's target any more.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn settle_lost_holders(&self, claim: &Claim) -> Result<()> {
        self.answer(
            "noting what was left behind",
            self.query(
                "UPDATE goshift_run SET lost_holder = 0 WHERE task_id = ? AND lost_holder = 1",
            )
            .bind(claim.task_id)
            .execute(self.pool()),
        )
        .await
        .map(|_| ())
    }
}
