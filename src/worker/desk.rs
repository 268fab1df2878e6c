//! What happens in a slot, from a message or a due run to the end of the work. Claims go on beside
//! each other: one that waits for the ledger's disk holds up no other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::backlog::Won;
use crate::error::{Error, Result};
use crate::ledger::{Claim, ClaimOutcome, Due, Ledger, RunLimits};
use crate::metrics::WorkerMetrics;
use crate::queue::Delivery;
use crate::run::Runner;
use crate::submit::Submitter;

/// What every slot of a worker shares.
pub(super) struct Desk {
    pub ledger: Ledger,
    /// How many runs a connection takes at once.
    pub limits: Arc<RunLimits>,
    pub runner: Runner,
    pub metrics: WorkerMetrics,
    pub submitter: Submitter,
    /// The worker's name in the ledger.
    pub worker: String,
    pub lease: Duration,
    /// Everything that was started and has not ended.
    pub runs: TaskTracker,
    /// Hears of a ledger that can't be reached.
    pub trouble: mpsc::UnboundedSender<Error>,
}

impl Desk {
    /// Deals with a message in its slot.
    pub fn start_delivery(self: &Arc<Self>, delivery: Delivery, slot: OwnedSemaphorePermit) {
        self.start(|desk| async move { desk.on_delivery(delivery, slot).await });
    }

    /// Claims a run that the ledger has shown to be due, and runs it in its slot.
    pub fn start_due(self: &Arc<Self>, due: Due, slot: OwnedSemaphorePermit, won: Won) {
        self.start(|desk| async move {
            if let ClaimOutcome::Claimed(claim) = desk.claim(due.run_id).await? {
                won.note();
                desk.run(claim, None, slot).await;
            }
            Ok(())
        });
    }

    /// Takes part in another worker's run in its slot.
    pub fn start_part(self: &Arc<Self>, part: Claim, slot: OwnedSemaphorePermit) {
        self.start(|desk| async move {
            desk.take_part(part, None, slot).await;
            Ok(())
        });
    }

    fn start<F, Fut>(self: &Arc<Self>, work: F)
    where
        F: FnOnce(Arc<Self>) -> Fut,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let (working, trouble) = (work(Arc::clone(self)), self.trouble.clone());
        self.runs.spawn(async move {
            if let Err(error) = working.await {
                // Only fails when the worker has stopped listening: it is about to end.
                trouble.send(error).ok();
            }
        });
    }

    pub async fn claim(&self, run_id: Uuid) -> Result<ClaimOutcome> {
        self.ledger.claim(run_id, &self.worker, self.lease, &self.limits).await
    }

    /// A part in a run that another worker owns, if there is room for one more.
    pub async fn participate(&self, run_id: Uuid) -> Result<Option<Claim>> {
        self.ledger.participate(run_id, &self.worker, self.lease).await
    }
}
