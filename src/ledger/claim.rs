//! Claiming and renewing runs. A claim is a compare-and-set that raises the epoch; every
//! later write for the run must carry that epoch.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::ending::{Step, lease_lost};
use super::{Attempt, Ledger, RunLimits, Standing, State, Waiting, get};
use crate::error::Result;
use crate::event::Priority;
use crate::fence::Moment;

/// What a claim is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The run: plans it, cuts its shards and ends it. One at a time.
    Owner,
    /// Shards of a run that somebody else owns.
    Participant,
}

/// Proof that this process may write for a run, until another claim raises the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run.
    pub run_id: Uuid,
    /// Its task.
    pub task_id: i64,
    /// The run's mode.
    pub mode: String,
    /// Params of this run only, as JSON text.
    pub params: String,
    /// Its queue.
    pub priority: Priority,
    /// Raised by every claim.
    pub epoch: i64,
    /// Attempts so far, this one included.
    pub attempt: u32,
    /// Times the run was taken over from a dead worker since it was submitted.
    pub rescues: u32,
    /// Whether this claim has taken it over from a worker that was lost.
    pub rescued: bool,
    /// Its trace, if it has one (see [`crate::telemetry::trace`]).
    pub traceparent: Option<String>,
    /// Who holds it.
    pub worker: String,
    /// Whether the run itself is held, or a part in it.
    pub role: Role,
    /// Somebody wanted it cancelled while its worker was lost.
    pub cancel_requested: bool,
    /// A worker was lost in a run of this task, and may have left something open in the target.
    pub lost_holder: bool,
    /// When the claim was sent, on this process's clock: the lease ends no earlier than a lease's
    /// length after that.
    pub claimed_at: Moment,
}

/// What became of a wish to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The run is ours.
    Claimed(Claim),
    /// It is due later, in this many milliseconds.
    NotDue(u64),
    /// Another worker holds it, or another run of the task is active: nothing to do now.
    Held,
    /// This connection has as many runs as it may: the run waits in the ledger.
    Full(String),
    /// The fleet or its queue is paused; it is woken when that ends.
    Paused,
    /// It is over.
    Over,
    /// The ledger has no such run.
    Unknown,
}

impl Claim {
    /// The run once it is given back: what a message that wakes somebody for it says.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            run_id: self.run_id,
            task_id: self.task_id,
            priority: self.priority,
            traceparent: self.traceparent.clone(),
        }
    }
}

impl Ledger {
    /// Tries to become the run's owner for `lease`, unless one of its connections has as many runs
    /// as it may.
    ///
    /// # Errors
    /// When the ledger can't be reached.
    pub async fn claim(
        &self,
        run_id: Uuid,
        worker: &str,
        lease: Duration,
        limits: &RunLimits,
    ) -> Result<ClaimOutcome> {
        self.transact("claiming a run", || self.try_claim(run_id, worker, lease, limits, true))
            .await
    }

    /// [`Ledger::claim`] for a person who wants this run now, whatever is paused.
    ///
    /// # Errors
    /// As [`Ledger::claim`].
    pub async fn claim_though_paused(
        &self,
        run_id: Uuid,
        worker: &str,
        lease: Duration,
        limits: &RunLimits,
    ) -> Result<ClaimOutcome> {
        self.transact("claiming a run", || self.try_claim(run_id, worker, lease, limits, false))
            .await
    }

    async fn try_claim(
        &self,
        run_id: Uuid,
        worker: &str,
        lease: Duration,
        limits: &RunLimits,
        heeds_pauses: bool,
    ) -> Result<ClaimOutcome, Attempt> {
        let claimed_at = Moment::now();
        let mut tx = self.begin().await?;
        let row = self.claimable(&mut tx, run_id).await?;
        let Some(row) = row else { return Ok(ClaimOutcome::Unknown) };
        let state: String = get(&row, "state")?;
        if let Some(refused) = refusal(&row, &state)? {
            return Ok(refused);
        }
        let rescued = state == State::Running.name();
        // A run that is taken over is at work already.
        if !limits.is_empty() && !rescued {
            let task_id = get(&row, "task_id")?;
            if let Some(connection) = self.pass_gates(&mut tx, run_id, task_id, limits).await? {
                self.note_full(&mut tx, run_id, &state, &connection).await?;
                tx.commit().await?;
                return Ok(ClaimOutcome::Full(connection));
            }
        }
        let last_epoch: i64 = get(&row, "last_epoch")?;
        // MySQL evaluates SET from left to right with the new values, so `state` comes last.
        let changed = self
            .query(
                "UPDATE goshift_run SET epoch = last_epoch + 1, last_epoch = last_epoch + 1, \
                 worker = ?, lease_until = {now_plus}, halt = 0, waits_for = NULL, \
                 attempt = attempt + ?, rescues = rescues + ?, \
                 lost_holder = CASE WHEN state = 'running' THEN 1 ELSE lost_holder END, \
                 active_task = task_id, pending_task = NULL, \
                 started_at = COALESCE(started_at, {now}), state = ? \
                 WHERE run_id = ? AND last_epoch = ? AND state = ? \
                 AND (state <> 'running' OR lease_until IS NULL OR lease_until < {now})",
            )
            .bind(worker)
            .bind(lease.as_millis() as i64)
            .bind(i64::from(!rescued))
            .bind(i64::from(rescued))
            .bind(State::Running.name())
            .bind(run_id.to_string())
            .bind(last_epoch)
            .bind(state.as_str())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if changed == 0 {
            return Ok(ClaimOutcome::Held);
        }
        // Only now that the run's row is locked: a pause waits for those who have not seen it.
        if heeds_pauses && !rescued && self.is_paused(&mut tx, run_id).await? {
            return Ok(ClaimOutcome::Paused);
        }
        let claim = Claim { claimed_at, ..read_claim(&row, run_id, worker, rescued)? };
        let step = Step {
            run_id,
            task_id: claim.task_id,
            from: &state,
            to: State::Running,
            worker: Some(worker),
            attempt: claim.attempt,
            epoch: claim.epoch,
            reason: rescued.then_some("taken over: the lease had expired"),
        };
        self.record(&mut tx, &step).await?;
        tx.commit().await?;
        crate::fault::point("claim.committed");
        Ok(ClaimOutcome::Claimed(claim))
    }

    /// What decides whether a run can be claimed.
    async fn claimable(
        &self,
        tx: &mut Transaction<'static, Any>,
        run_id: Uuid,
    ) -> Result<Option<AnyRow>, sqlx::Error> {
        self.query(
            "SELECT task_id, mode, params, priority, state, attempt, rescues, epoch, last_epoch, \
                 traceparent, \
                 {bigint:cancel_requested} AS cancel_requested, \
                 (SELECT {bigint:COUNT(*)} FROM goshift_run old \
                  WHERE old.task_id = goshift_run.task_id AND old.lost_holder = 1) AS lost_holders, \
                 {ms_until:due_at} AS due_ms, {ms_until:lease_until} AS lease_ms, \
                 (SELECT {bigint:COUNT(*)} FROM goshift_run other \
                  WHERE other.active_task = goshift_run.task_id \
                  AND other.run_id <> goshift_run.run_id) AS others \
                 FROM goshift_run WHERE run_id = ?",
        )
        .bind(run_id.to_string())
        .fetch_optional(&mut **tx)
        .await
    }

    /// Extends the lease, and tells how the run stands.
    ///
    /// # Errors
    /// Kind `LeaseLost` once another worker has taken over, `Transient` when the ledger can't be
    /// reached.
    pub async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing> {
        let renewal = match claim.role {
            Role::Owner => {
                "UPDATE goshift_run SET lease_until = {now_plus} \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'"
            }
            Role::Participant => {
                "UPDATE goshift_participant SET lease_until = {now_plus} \
                 WHERE run_id = ? AND epoch = ? AND state = 'active'"
            }
        };
        let renewed = self
            .answer(
                "renewing a lease",
                self.query(renewal)
                    .bind(lease.as_millis() as i64)
                    .bind(claim.run_id.to_string())
                    .bind(claim.epoch)
                    .execute(self.pool()),
            )
            .await?;
        if renewed.rows_affected() == 0 {
            return Err(lease_lost(claim));
        }
        self.standing(claim.run_id).await
    }
}

/// Why the run can't be claimed now, if so.
fn refusal(row: &AnyRow, state: &str) -> Result<Option<ClaimOutcome>, sqlx::Error> {
    if State::is_terminal(state) {
        return Ok(Some(ClaimOutcome::Over));
    }
    if state == State::Running.name() {
        // Without a lease a running run could never be rescued: that counts as expired.
        let left = get::<Option<i64>>(row, "lease_ms")?.unwrap_or(-1);
        return Ok((left >= 0).then_some(ClaimOutcome::Held));
    }
    let due: i64 = get(row, "due_ms")?;
    if due > 0 {
        return Ok(Some(ClaimOutcome::NotDue(due as u64)));
    }
    Ok((get::<i64>(row, "others")? > 0).then_some(ClaimOutcome::Held))
}

fn read_claim(
    row: &AnyRow,
    run_id: Uuid,
    worker: &str,
    rescued: bool,
) -> Result<Claim, sqlx::Error> {
    Ok(Claim {
        run_id,
        task_id: get(row, "task_id")?,
        mode: get(row, "mode")?,
        params: get::<Option<String>>(row, "params")?.unwrap_or_default(),
        priority: Priority::from_rank(get(row, "priority")?),
        epoch: get::<i64>(row, "last_epoch")? + 1,
        attempt: (get::<i64>(row, "attempt")? + i64::from(!rescued)) as u32,
        rescues: (get::<i64>(row, "rescues")? + i64::from(rescued)) as u32,
        rescued,
        traceparent: get(row, "traceparent")?,
        worker: worker.to_owned(),
        role: Role::Owner,
        cancel_requested: get::<i64>(row, "cancel_requested")? != 0,
        lost_holder: rescued || get::<i64>(row, "lost_holders")? != 0,
        claimed_at: Moment::now(),
    })
}
