//! Taking part in a run that another worker owns, and sending participants away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Span;

use super::lease::LeaseKeeper;
use super::pressure::Governor;
use super::{Route, Runner, Stage};
use crate::error::{Context, Error, Kind, Result};
use crate::ledger::{Claim, Ending, Halt};
use crate::progress::{Progress, Reporter};
use crate::task::{Consistency, Params};
use crate::telemetry::trace;

/// How often an owner looks whether all participants have left.
const LOOK: Duration = Duration::from_millis(100);

impl Runner {
    /// Copies shards of a run that another worker owns, until none is left for this one. Whatever
    /// goes wrong here is the owner's to judge: it gets the shards back and meets the same.
    ///
    /// # Errors
    /// Only when the ledger itself can't be written, or the participation was lost.
    pub async fn participate(&self, claim: &Claim) -> Result<u64> {
        let standing = self.patiently(claim, || self.ledger.standing(claim.run_id)).await?;
        let keeper = self.keeper(claim, standing);
        let progress = Arc::new(Progress::default());
        let result = tokio::select! {
            result = self.copy_part(claim, &keeper, &progress) => result,
            () = keeper.stop.cancelled() => Err(keeper.reason()),
            () = self.halt.cancelled() => Err(Error::new(Kind::Cancelled, "stopped by a signal")),
        };
        trace::note(&Span::current(), &result);
        let reason = match result {
            Ok(()) => None,
            Err(error) if error.kind() == Kind::LeaseLost => return Err(error),
            Err(error) if error.kind() == Kind::Cancelled => {
                tracing::info!(task = claim.task_id, run = %claim.run_id, "left: {error}");
                None
            }
            Err(error) => {
                tracing::warn!(
                    task = claim.task_id, run = %claim.run_id, %error,
                    "left: its owner goes on without this worker"
                );
                Some(error.to_string())
            }
        };
        self.patiently(claim, || self.ledger.leave(claim, reason.as_deref())).await?;
        Ok(progress.rows())
    }

    async fn copy_part(
        &self,
        claim: &Claim,
        keeper: &LeaseKeeper,
        progress: &Arc<Progress>,
    ) -> Result<()> {
        let task = self.ledger.task(claim.task_id).await?;
        let overrides = Params::parse_object(&claim.params)?;
        let task = task.checked(&overrides, Some(&claim.mode))?;
        if task.params.consistency == Consistency::Snapshot {
            return Err(Error::permanent("a snapshot can't be shared with another worker")
                .with_remedy("nothing to do: the run's owner copies it alone"));
        }
        let stall = self.settings.worker.stall;
        let planning = async {
            let route = self.route(&task, Stage::TakePart(claim.run_id));
            let route = tokio::time::timeout(stall, route)
                .await
                .map_err(|_| Error::transient("no answer while planning"))??;
            self.require_same_plan(claim, &route).await.map(|()| route)
        };
        let route = trace::within(trace::step!("plan"), Box::pin(planning)).await?;
        let label = format!("task {} (part)", claim.task_id);
        let reporter = Reporter::start(self.display, label, Arc::clone(progress));
        let (_governor, gate) = Governor::start(claim, &route.writer, progress).await;
        let route = Arc::new(route);
        let salvage = self.salvage(claim, &task, &route).await?;
        let work = self.work(claim, keeper, (gate, salvage), (&route, &task), progress);
        let done = work.take_part().await;
        drop(reporter);
        done
    }

    /// Two workers must mean the same rows by a shard, and the same table: their configurations may
    /// differ.
    async fn require_same_plan(&self, claim: &Claim, route: &Route) -> Result<()> {
        let stored = self.ledger.stored_shards(claim).await?;
        let same = stored.plan_hash.as_deref() == Some(route.fingerprint().as_str());
        if same && !route.plan.creates_target {
            return Ok(());
        }
        Err(Error::permanent("this worker would copy it in another way than the run's owner")
            .with_remedy("give all workers the same configuration and version"))
    }

    /// Sends the participants away before a run ends without being complete: nobody may still be
    /// copying when it is tried again.
    pub(super) async fn dismiss(&self, claim: &Claim, ending: &Ending) -> Result<()> {
        let run_id = claim.run_id;
        let standing = self.patiently(claim, || self.ledger.standing(run_id)).await?;
        if standing.participants <= 1 {
            return Ok(());
        }
        let drains = matches!(ending, Ending::Released { .. }) && !self.halt.is_cancelled();
        self.quiesce(claim, if drains { Halt::Drain } else { Halt::Now }).await
    }

    /// Waits until every participant has left, or its lease has run out.
    pub(super) async fn quiesce(&self, claim: &Claim, halt: Halt) -> Result<()> {
        self.patiently(claim, || self.ledger.halt(claim, halt)).await?;
        let mut halted = halt;
        loop {
            self.patiently(claim, || self.ledger.evict(claim)).await?;
            let standing = self.patiently(claim, || self.ledger.standing(claim.run_id)).await?;
            if standing.active == 0 {
                return Ok(());
            }
            if halted != Halt::Now && self.halt.is_cancelled() {
                halted = Halt::Now;
                self.patiently(claim, || self.ledger.halt(claim, halted)).await?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Writes to the ledger, patiently: for as long as the lease is renewed or has not run out,
    /// nobody else can do it.
    pub(super) async fn patiently<T, F, Fut>(&self, claim: &Claim, write: F) -> Result<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let started = Instant::now();
        let mut wait = Duration::from_millis(100);
        loop {
            match write().await {
                Err(error)
                    if error.is_transient() && started.elapsed() < self.settings.worker.lease =>
                {
                    tracing::warn!(run = %claim.run_id, %error, "trying again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(2));
                }
                result => return result.context(|| format!("task {}", claim.task_id)),
            }
        }
    }
}
