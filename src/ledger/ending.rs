//! Ending a claim, and writing down every change of state.

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::claim::Claim;
use super::{Attempt, Ledger, State, Waiting, get};
use crate::error::{Error, Kind, Result};
use crate::plugin::Receipt;

/// How a claim ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every shard is in.
    Succeeded,
    /// Needs a person.
    Failed {
        /// What happened.
        reason: String,
        /// What to do next.
        remedy: Option<String>,
        /// Whether it goes to the dead queue.
        dead: bool,
    },
    /// Due again later.
    Retry {
        /// When, in milliseconds from now.
        delay_ms: i64,
        /// What happened.
        reason: String,
        /// What to do if it keeps happening.
        remedy: Option<String>,
    },
    /// Given back unfinished, at once due again; charges no attempt.
    Released {
        /// Why.
        reason: String,
    },
    /// Stopped on request.
    Cancelled,
}

impl Ending {
    fn state(&self) -> State {
        match self {
            Ending::Succeeded => State::Succeeded,
            Ending::Failed { .. } => State::Failed,
            Ending::Retry { .. } | Ending::Released { .. } => State::Retrying,
            Ending::Cancelled => State::Cancelled,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Ending::Succeeded => None,
            Ending::Failed { reason, .. }
            | Ending::Retry { reason, .. }
            | Ending::Released { reason } => Some(reason),
            Ending::Cancelled => Some("cancelled on request"),
        }
    }

    fn remedy(&self) -> Option<&str> {
        match self {
            Ending::Failed { remedy, .. } | Ending::Retry { remedy, .. } => remedy.as_deref(),
            _ => None,
        }
    }
}

/// A transition to be written down.
pub(super) struct Step<'a> {
    pub run_id: Uuid,
    pub task_id: i64,
    pub from: &'a str,
    pub to: State,
    pub worker: Option<&'a str>,
    pub attempt: u32,
    pub epoch: i64,
    pub reason: Option<&'a str>,
}

impl Ledger {
    /// Ends a claim, once the shards that are `done` but not yet in the ledger are noted there. Returns the
    /// task's pending run, which may start now.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours; `Internal` when `Succeeded` is claimed
    /// while a shard is open.
    pub async fn end(
        &self,
        claim: &Claim,
        ending: &Ending,
        done: &[(u64, Receipt)],
    ) -> Result<Option<Waiting>> {
        self.transact("ending a run", || self.try_end(claim, ending, done)).await
    }

    async fn try_end(
        &self,
        claim: &Claim,
        ending: &Ending,
        done: &[(u64, Receipt)],
    ) -> Result<Option<Waiting>, Attempt> {
        let mut tx = self.begin().await?;
        if !done.is_empty() {
            self.mark_done(&mut tx, claim, done).await?;
        }
        let state = ending.state();
        let changed = self.mark_ended(&mut tx, claim, ending).await?;
        if changed == 0 && state == State::Retrying {
            // Either the run is no longer ours, or somebody wants it cancelled: then it does not
            // come back.
            drop(tx);
            return Box::pin(self.try_end(claim, &Ending::Cancelled, done)).await;
        }
        if changed == 0 {
            return Err(lease_lost(claim).into());
        }
        if state == State::Succeeded {
            self.require_complete(&mut tx, claim).await?;
        } else {
            self.require_alone(&mut tx, claim).await?;
            self.release_shards(&mut tx, claim).await?;
        }
        let step = Step {
            run_id: claim.run_id,
            task_id: claim.task_id,
            from: State::Running.name(),
            to: state,
            worker: Some(&claim.worker),
            attempt: claim.attempt,
            epoch: claim.epoch,
            reason: ending.reason(),
        };
        self.record(&mut tx, &step).await?;
        let next = self
            .query(
                "SELECT run_id, task_id, priority, traceparent FROM goshift_run \
                 WHERE pending_task = ?",
            )
            .bind(claim.task_id)
            .fetch_optional(&mut *tx)
            .await?;
        let next = next.map(|row| Waiting::read(&row)).transpose()?;
        crate::fault::point("finish.before_commit");
        tx.commit().await?;
        crate::fault::point("finish.committed");
        Ok(next)
    }

    /// Writes the end into the run's row; 0 when it is no longer ours, or when it was to be tried
    /// again and somebody wants it cancelled.
    async fn mark_ended(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
        ending: &Ending,
    ) -> Result<u64, sqlx::Error> {
        let state = ending.state();
        let again = state == State::Retrying;
        let delay = if let Ending::Retry { delay_ms, .. } = ending { *delay_ms } else { 0 };
        let refund = i64::from(matches!(ending, Ending::Released { .. }));
        self.query(
            "UPDATE goshift_run SET worker = NULL, lease_until = NULL, reason = ?, \
                 remedy = ?, due_at = {now_plus}, attempt = attempt - ?, \
                 active_task = CASE WHEN ? = 1 THEN active_task ELSE NULL END, \
                 finished_at = CASE WHEN ? = 1 THEN NULL ELSE {now} END, \
                 dead_letter = ?, cancel_requested = 0, halt = 0, \
                 lost_holder = CASE WHEN ? = 1 THEN 0 ELSE lost_holder END, state = ? \
                 WHERE run_id = ? AND epoch = ? AND state = 'running' \
                 AND (cancel_requested = 0 OR ? = 0)",
        )
        .bind(ending.reason())
        .bind(ending.remedy())
        .bind(delay)
        .bind(refund)
        .bind(i64::from(again))
        .bind(i64::from(again))
        .bind(i64::from(matches!(ending, Ending::Failed { dead: true, .. })))
        .bind(i64::from(state == State::Succeeded))
        .bind(state.name())
        .bind(claim.run_id.to_string())
        .bind(claim.epoch)
        .bind(i64::from(again))
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
    }

    /// Nothing is reported as done that isn't: the ledger itself must say that every shard is in.
    async fn require_complete(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
    ) -> Result<(), Attempt> {
        let row = self
            .query(
                "SELECT {bigint:split_done} AS split_done, (SELECT {bigint:COUNT(*)} \
                 FROM goshift_shard WHERE goshift_shard.run_id = goshift_run.run_id \
                 AND goshift_shard.state <> 'done') AS open_shards \
                 FROM goshift_run WHERE run_id = ?",
            )
            .bind(claim.run_id.to_string())
            .fetch_one(&mut **tx)
            .await?;
        if get::<i64>(&row, "split_done")? == 1 && get::<i64>(&row, "open_shards")? == 0 {
            return Ok(());
        }
        Err(Error::internal(format!("run {} was ended with open shards", claim.run_id)).into())
    }

    /// A run that is not complete may be run again by somebody else at once: nobody may still be
    /// copying for it. (With every shard in, nobody does.)
    async fn require_alone(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
    ) -> Result<(), Attempt> {
        let row = self
            .query(
                "SELECT {bigint:COUNT(*)} AS others FROM goshift_participant \
                 WHERE run_id = ? AND state = 'active'",
            )
            .bind(claim.run_id.to_string())
            .fetch_one(&mut **tx)
            .await?;
        if get::<i64>(&row, "others")? == 0 {
            return Ok(());
        }
        Err(Error::transient(format!("run {}: other workers still take part", claim.run_id)).into())
    }

    /// Writes a transition and the task's `task_status` in the caller's transaction.
    pub(super) async fn record(
        &self,
        tx: &mut Transaction<'static, Any>,
        step: &Step<'_>,
    ) -> Result<(), sqlx::Error> {
        self.query(
            "INSERT INTO goshift_transition \
             (run_id, task_id, from_state, to_state, at, worker, attempt, epoch, reason) \
             VALUES (?, ?, ?, ?, {now}, ?, ?, ?, ?)",
        )
        .bind(step.run_id.to_string())
        .bind(step.task_id)
        .bind(step.from)
        .bind(step.to.name())
        .bind(step.worker)
        .bind(i64::from(step.attempt))
        .bind(step.epoch)
        .bind(step.reason)
        .execute(&mut **tx)
        .await?;
        // While another run of the task is active, that one's state is what people want to see.
        self.query(
            "UPDATE task_def_sync_manager SET task_status = ? WHERE id = ? AND NOT EXISTS \
             (SELECT 1 FROM goshift_run WHERE active_task = ? AND run_id <> ?)",
        )
        .bind(step.to.name())
        .bind(step.task_id)
        .bind(step.task_id)
        .bind(step.run_id.to_string())
        .execute(&mut **tx)
        .await?;
        self.note(tx, step).await
    }
}

/// The error of a process that no longer owns its run.
pub fn lease_lost(claim: &Claim) -> Error {
    Error::new(
        Kind::LeaseLost,
        format!(
            "run {}: another worker has taken over (epoch {} is past)",
            claim.run_id, claim.epoch
        ),
    )
    .with_remedy("nothing to do: the other worker finishes it")
}
