//! Runs that several workers share: an owner, who holds the run, and participants, who each hold
//! some of its shards. A participant has an epoch and a lease of its own, so that its death, or the
//! owner's, costs only the shards that it held.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::claim::{Claim, Role};
use super::ending::lease_lost;
use super::{Attempt, Due, Ledger, State, get};
use crate::error::Result;
use crate::event::Priority;
use crate::fence::Moment;

/// Participants that may die in a run before nobody joins it any more: a shard that kills whoever
/// takes it must not take the fleet down.
const MAX_LOST: i64 = 3;

/// Holds for a run that has room for this worker: bind its name twice, then [`MAX_LOST`].
const HAS_ROOM: &str = "state = 'running' AND halt = 0 AND cancel_requested = 0 \
     AND lease_until > {now} AND worker <> ? \
     AND participants > 1 + (SELECT COUNT(*) FROM goshift_participant p \
       WHERE p.run_id = goshift_run.run_id AND p.state = 'active') \
     AND NOT EXISTS (SELECT 1 FROM goshift_participant p \
       WHERE p.run_id = goshift_run.run_id AND p.worker = ? \
       AND (p.state <> 'left' OR p.reason IS NOT NULL)) \
     AND (SELECT COUNT(*) FROM goshift_participant p \
       WHERE p.run_id = goshift_run.run_id AND p.state = 'lost') < ? \
     AND (split_done = 0 OR EXISTS (SELECT 1 FROM goshift_shard s \
       WHERE s.run_id = goshift_run.run_id AND s.state = 'open'))";

/// How a run stands, as its participants need to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is running.
    pub running: bool,
    /// Whether its owner's lease has run out.
    pub owner_lost: bool,
    /// Somebody wants it cancelled.
    pub cancel_requested: bool,
    /// What its owner wants of the participants.
    pub halt: Halt,
    /// How many workers may share it; 1 while it isn't shared.
    pub participants: u64,
    /// Participants at work, the owner not counted.
    pub active: u64,
    /// Shards that nobody holds.
    pub open: u64,
    /// Whether every shard has been cut.
    pub split_done: bool,
    /// Shards cut so far.
    pub shards_total: u64,
    /// Shards that are in.
    pub shards_done: u64,
    /// Rows that are in.
    pub rows_done: u64,
    /// Bytes that are in.
    pub bytes_done: u64,
}

impl Standing {
    /// Whether every shard is cut and in.
    pub fn is_complete(&self) -> bool {
        self.split_done && self.shards_done == self.shards_total
    }
}

/// What a run's owner wants of its participants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Halt {
    /// Work.
    #[default]
    No,
    /// Finish the shards in hand, then leave.
    Drain,
    /// Drop everything and leave.
    Now,
}

impl Halt {
    fn code(self) -> i64 {
        match self {
            Halt::No => 0,
            Halt::Drain => 1,
            Halt::Now => 2,
        }
    }

    fn from_code(code: i64) -> Self {
        match code {
            0 => Halt::No,
            1 => Halt::Drain,
            _ => Halt::Now,
        }
    }
}

impl Ledger {
    /// Lets up to so many workers, the owner counted, share a run.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn share(&self, claim: &Claim, participants: u64) -> Result<()> {
        let shared = self
            .answer(
                "sharing a run",
                self.query(
                    "UPDATE goshift_run SET participants = ? \
                     WHERE run_id = ? AND epoch = ? AND state = 'running'",
                )
                .bind(participants as i64)
                .bind(claim.run_id.to_string())
                .bind(claim.epoch)
                .execute(self.pool()),
            )
            .await?;
        if shared.rows_affected() == 0 { Err(lease_lost(claim)) } else { Ok(()) }
    }

    /// Takes part in a run that another worker owns. `None` when there is no room or nothing to do,
    /// or when this worker is in it already or had to leave it because of an error.
    ///
    /// # Errors
    /// When the ledger can't be reached.
    pub async fn participate(
        &self,
        run_id: Uuid,
        worker: &str,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.transact("joining a run", || self.try_participate(run_id, worker, lease)).await
    }

    async fn try_participate(
        &self,
        run_id: Uuid,
        worker: &str,
        lease: Duration,
    ) -> Result<Option<Claim>, Attempt> {
        let claimed_at = Moment::now();
        let mut tx = self.begin().await?;
        let row = self
            .query(&format!(
                "SELECT task_id, mode, params, priority, attempt, rescues, last_epoch, traceparent \
                 FROM goshift_run WHERE run_id = ? AND {HAS_ROOM}"
            ))
            .bind(run_id.to_string())
            .bind(worker)
            .bind(worker)
            .bind(MAX_LOST)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let last_epoch: i64 = get(&row, "last_epoch")?;
        // Two that join at once, or one that joins while the run is claimed or halted: one of them
        // finds the number taken.
        let changed = self
            .query(
                "UPDATE goshift_run SET last_epoch = last_epoch + 1 \
                 WHERE run_id = ? AND last_epoch = ? AND state = 'running' AND halt = 0",
            )
            .bind(run_id.to_string())
            .bind(last_epoch)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() == 0 {
            return Ok(None);
        }
        self.query(
            "INSERT INTO goshift_participant (run_id, epoch, worker, state, lease_until, joined_at) \
             VALUES (?, ?, ?, 'active', {now_plus}, {now})",
        )
        .bind(run_id.to_string())
        .bind(last_epoch + 1)
        .bind(worker)
        .bind(lease.as_millis() as i64)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        crate::fault::point("join.committed");
        Ok(Some(Claim {
            run_id,
            task_id: get(&row, "task_id")?,
            mode: get(&row, "mode")?,
            params: get::<Option<String>>(&row, "params")?.unwrap_or_default(),
            priority: Priority::from_rank(get(&row, "priority")?),
            epoch: last_epoch + 1,
            attempt: get::<i64>(&row, "attempt")?.max(0) as u32,
            rescues: get::<i64>(&row, "rescues")?.max(0) as u32,
            rescued: false,
            traceparent: get(&row, "traceparent")?,
            worker: worker.to_owned(),
            role: Role::Participant,
            cancel_requested: false,
            lost_holder: false,
            claimed_at,
        }))
    }

    /// Ends a participation: gives back the shards that are not in. With a reason the worker does
    /// not take part in this run again.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn leave(&self, claim: &Claim, reason: Option<&str>) -> Result<()> {
        self.transact("leaving a run", || self.try_leave(claim, reason)).await
    }

    async fn try_leave(&self, claim: &Claim, reason: Option<&str>) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        // The run's row first: a claim of shards that is still committing is waited for, so that
        // what it holds is released here too.
        self.query("UPDATE goshift_run SET halt = halt WHERE run_id = ?")
            .bind(claim.run_id.to_string())
            .execute(&mut *tx)
            .await?;
        self.query(
            "UPDATE goshift_participant SET state = 'left', left_at = {now}, reason = ? \
             WHERE run_id = ? AND epoch = ? AND state = 'active'",
        )
        .bind(reason)
        .bind(claim.run_id.to_string())
        .bind(claim.epoch)
        .execute(&mut *tx)
        .await?;
        self.release_shards(&mut tx, claim).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes the shards that this claim holds free for others. Only once nothing of it writes to
    /// the target any more.
    pub(super) async fn release_shards(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
    ) -> Result<(), sqlx::Error> {
        self.query(
            "UPDATE goshift_shard SET state = 'open', epoch = NULL \
             WHERE run_id = ? AND epoch = ? AND state = 'held'",
        )
        .bind(claim.run_id.to_string())
        .bind(claim.epoch)
        .execute(&mut **tx)
        .await
        .map(|_| ())
    }

    /// Puts out participants whose leases have run out, and frees what nobody holds any more:
    /// theirs, and what earlier owners held. Only the owner does this.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn evict(&self, claim: &Claim) -> Result<()> {
        self.transact("freeing shards", || self.try_evict(claim)).await
    }

    async fn try_evict(&self, claim: &Claim) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        // The run's row first: whoever completes shards takes its locks in the same order.
        let ours = self
            .query(
                "UPDATE goshift_run SET halt = halt \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'",
            )
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(&mut *tx)
            .await?;
        if ours.rows_affected() == 0 {
            return Err(lease_lost(claim).into());
        }
        let lost = self
            .query(
                "UPDATE goshift_participant SET state = 'lost', left_at = {now} \
                 WHERE run_id = ? AND state = 'active' AND lease_until < {now}",
            )
            .bind(claim.run_id.to_string())
            .execute(&mut *tx)
            .await?;
        if lost.rows_affected() > 0 {
            self.query("UPDATE goshift_run SET lost_holder = 1 WHERE run_id = ?")
                .bind(claim.run_id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        self.query(
            "UPDATE goshift_shard SET state = 'open', epoch = NULL \
             WHERE run_id = ? AND state = 'held' AND epoch <> ? AND epoch NOT IN \
             (SELECT p.epoch FROM goshift_participant p \
              WHERE p.run_id = ? AND p.state = 'active')",
        )
        .bind(claim.run_id.to_string())
        .bind(claim.epoch)
        .bind(claim.run_id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tells the participants to leave, or to stay. Nobody joins a run that is halted.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn halt(&self, claim: &Claim, halt: Halt) -> Result<()> {
        let changed = self
            .answer(
                "halting a run",
                self.query(
                    "UPDATE goshift_run SET halt = ? \
                     WHERE run_id = ? AND epoch = ? AND state = 'running'",
                )
                .bind(halt.code())
                .bind(claim.run_id.to_string())
                .bind(claim.epoch)
                .execute(self.pool()),
            )
            .await?;
        if changed.rows_affected() == 0 { Err(lease_lost(claim)) } else { Ok(()) }
    }

    /// How a run stands.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn standing(&self, run_id: Uuid) -> Result<Standing> {
        let row = self
            .answer(
                "reading a run",
                self.query(
                    "SELECT state, {ms_until:lease_until} AS lease_ms, {bigint:cancel_requested} AS cancel_requested, \
                     {bigint:halt} AS halt, {bigint:participants} AS participants, \
                     {bigint:split_done} AS split_done, shards_total, shards_done, rows_done, \
                     bytes_done, (SELECT {bigint:COUNT(*)} FROM goshift_participant p \
                       WHERE p.run_id = goshift_run.run_id AND p.state = 'active') AS active, \
                     (SELECT {bigint:COUNT(*)} FROM goshift_shard s WHERE \
                       s.run_id = goshift_run.run_id AND s.state = 'open' \
                       AND goshift_run.participants > 1) AS open_shards \
                     FROM goshift_run WHERE run_id = ?",
                )
                .bind(run_id.to_string())
                .fetch_one(self.pool()),
            )
            .await?;
        read_standing(&row).map_err(|error| self.failure("reading a run", error))
    }

    /// Running runs with room for another participant, the most urgent first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn with_room(&self, worker: &str, limit: usize) -> Result<Vec<Due>> {
        let rows = self
            .answer(
                "looking for runs to join",
                self.query(&format!(
                    "SELECT run_id, task_id FROM goshift_run WHERE {HAS_ROOM} \
                     ORDER BY priority DESC, started_at LIMIT ?"
                ))
                .bind(worker)
                .bind(worker)
                .bind(MAX_LOST)
                .bind(limit as i64)
                .fetch_all(self.pool()),
            )
            .await?;
        self.read_due(&rows)
    }
}

fn read_standing(row: &AnyRow) -> Result<Standing, sqlx::Error> {
    let count = |column| get::<i64>(row, column).map(|n| n.max(0) as u64);
    Ok(Standing {
        running: get::<String>(row, "state")? == State::Running.name(),
        owner_lost: get::<Option<i64>>(row, "lease_ms")?.is_none_or(|left| left < 0),
        cancel_requested: get::<i64>(row, "cancel_requested")? != 0,
        halt: Halt::from_code(get(row, "halt")?),
        participants: count("participants")?,
        active: count("active")?,
        open: count("open_shards")?,
        split_done: get::<i64>(row, "split_done")? == 1,
        shards_total: count("shards_total")?,
        shards_done: count("shards_done")?,
        rows_done: count("rows_done")?,
        bytes_done: count("bytes_done")?,
    })
}
