//! A claimed run in its slot, and what follows its end.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::desk::Desk;
use crate::config::{Settings, Side};
use crate::error::Result;
use crate::event::Event;
use crate::ledger::{Claim, Ending, Ledger, RunLimits};
use crate::queue::DeadReason;
use crate::run::{self, Finished};
use crate::submit::Submitter;
use crate::telemetry::trace;

/// How long a run's own worker has to publish its dead letter before the sweep does.
const DEAD_GRACE: Duration = Duration::from_secs(5);

/// The configuration's limits of runs, as the ledger keeps them.
///
/// # Errors
/// Kind `Config` for a limit that is not a number from 1.
pub fn run_limits(settings: &Settings) -> Result<RunLimits> {
    let mut limits = RunLimits::default();
    for limited in settings.run_limits()? {
        let side = if limited.side == Side::From { "from" } else { "to" };
        limits.add(side, limited.engine, &limited.key, (&limited.place, limited.max_runs));
    }
    Ok(limits)
}

impl Desk {
    /// Runs a claimed run in its slot.
    pub(super) async fn run(
        &self,
        claim: Claim,
        traceparent: Option<&str>,
        slot: OwnedSemaphorePermit,
    ) {
        let span = run::working(&claim, traceparent);
        Box::pin(self.run_within(claim, slot)).instrument(span.clone()).await;
        trace::end(&span);
    }

    async fn run_within(&self, claim: Claim, slot: OwnedSemaphorePermit) {
        tracing::info!("{}", if claim.rescues > 0 { "taken over" } else { "running" });
        let working = self.metrics.working(&claim);
        let finished = Box::pin(self.runner.execute(&claim, false)).await;
        // What follows may wait for the broker; the slot need not.
        drop((working, slot));
        match finished {
            Ok(finished) => {
                self.metrics.ended(&finished.ending);
                follow_up(&claim, &finished, &self.submitter, &self.ledger).await;
                wake_waiting(claim.task_id, &self.submitter, &self.ledger, &self.limits).await;
            }
            Err(error) => tracing::warn!(%error, "let go"),
        }
    }

    /// Takes part in another worker's run.
    pub(super) async fn take_part(
        &self,
        claim: Claim,
        traceparent: Option<&str>,
        slot: OwnedSemaphorePermit,
    ) {
        let span = run::working(&claim, traceparent);
        let part = async move {
            tracing::info!("taking part");
            let working = self.metrics.working(&claim);
            let done = Box::pin(self.runner.participate(&claim)).await;
            drop((working, slot));
            match done {
                Ok(rows) => tracing::info!("took part: {rows} rows"),
                Err(error) => tracing::warn!(%error, "let go"),
            }
        };
        part.instrument(span.clone()).await;
        trace::end(&span);
    }
}

/// Publishes dead letters that were not confirmed when their runs failed; stops at the first that
/// is not confirmed now.
pub(super) async fn publish_dead_runs(ledger: &Ledger, submitter: &Submitter) -> Result<()> {
    if submitter.publisher().is_none() {
        return Ok(());
    }
    for dead in ledger.unpublished_dead(DEAD_GRACE, 50).await? {
        let event = Event::wake(dead.task_id, dead.run_id, dead.priority);
        let reason =
            DeadReason { reason: dead.reason, remedy: dead.remedy, attempts: dead.attempts };
        publish_dead(&event, &reason, submitter, ledger).await?;
    }
    Ok(())
}

/// Tells the log and the broker how a run ended.
async fn follow_up(claim: &Claim, finished: &Finished, submitter: &Submitter, ledger: &Ledger) {
    match &finished.ending {
        Ending::Succeeded => {
            if let Ok(Some(summary)) = &finished.result {
                let seconds = summary.elapsed.as_secs_f64();
                tracing::info!(
                    "succeeded: {} rows, {} shards in {seconds:.2} s",
                    summary.rows,
                    summary.shards
                );
            }
        }
        Ending::Cancelled => tracing::info!("cancelled"),
        Ending::Released { reason } => {
            tracing::info!("{reason}");
            submitter.wake(&claim.waiting(), Duration::ZERO).await;
        }
        Ending::Retry { delay_ms, reason, .. } => {
            let delay = Duration::from_millis((*delay_ms).max(0) as u64);
            tracing::warn!("{reason}; retrying in {delay:?}");
            crate::fault::point("retry.before_publish");
            submitter.wake(&claim.waiting(), delay).await;
        }
        Ending::Failed { reason, remedy, dead } => {
            tracing::error!(remedy = remedy.as_deref().unwrap_or(""), "failed: {reason}");
            if *dead {
                let event = Event::wake(claim.task_id, claim.run_id, claim.priority);
                let reason = DeadReason {
                    reason: reason.clone(),
                    remedy: remedy.clone(),
                    attempts: claim.attempt,
                };
                if let Err(error) = publish_dead(&event, &reason, submitter, ledger).await {
                    tracing::warn!(%error, "its dead letter is published later");
                }
            }
        }
    }
    if let Some(next) = &finished.next {
        submitter.wake(next, Duration::ZERO).await;
    }
}

/// A run has ended: wakes those that waited for its connections. Without a broker, and for what is
/// lost here, the workers look at the oldest that wait.
async fn wake_waiting(task_id: i64, submitter: &Submitter, ledger: &Ledger, limits: &RunLimits) {
    match ledger.waiting_behind(task_id, limits).await {
        Ok(waiting) => {
            let waking = waiting.iter().map(|run| submitter.wake(run, Duration::ZERO));
            futures::future::join_all(waking).await;
        }
        Err(error) => tracing::warn!(%error, "runs that wait for a connection are found later"),
    }
}

async fn publish_dead(
    event: &Event,
    reason: &DeadReason,
    submitter: &Submitter,
    ledger: &Ledger,
) -> Result<()> {
    let (Some(publisher), Some(run_id)) = (submitter.publisher(), event.run_id) else {
        return Ok(());
    };
    crate::fault::point("dead.before_publish");
    publisher.publish_dead(&event.body(), Some(&run_id.to_string()), reason).await?;
    crate::fault::point("dead.published");
    ledger.mark_dead_published(run_id).await
}
