//! Keeps a claim alive while its holder works, and stops the work before the claim can run out.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Runner;
use crate::error::{Error, Kind, Result};
use crate::fence::{Fence, Moment};
use crate::ledger::{Claim, Halt, Ledger, Role, Standing, lease_lost};
use crate::metrics::WorkerMetrics;

/// How often the ledger is asked how the run stands, and whether somebody wants it cancelled.
const LOOK: Duration = Duration::from_secs(1);

/// A claim that is being renewed. Dropping it stops the renewal.
pub struct LeaseKeeper {
    /// Cancelled when the holder must write no more.
    pub stop: CancellationToken,
    /// Open while the lease is surely good.
    pub fence: Fence,
    /// How the run stands, a second old at most.
    pub standing: watch::Receiver<Standing>,
    why: Arc<Mutex<Option<Error>>>,
    task: JoinHandle<()>,
}

impl LeaseKeeper {
    /// Starts to renew. `standing` is how the run stands now.
    fn start(
        ledger: Ledger,
        claim: Claim,
        lease: Duration,
        standing: Standing,
        metrics: WorkerMetrics,
    ) -> Self {
        let stop = CancellationToken::new();
        let why = Arc::new(Mutex::new(None));
        // Counted from before a claim or renewal was sent: the ledger's clock can only be later.
        let good_until = claim.claimed_at + give_up(lease);
        let fence = Fence::until(good_until);
        let (sender, standing) = watch::channel(standing);
        let renewal = Renewal {
            ledger,
            metrics,
            claim,
            lease,
            good_until,
            fence: fence.clone(),
            standing: sender,
            stop: stop.clone(),
            why: Arc::clone(&why),
        };
        Self { stop, fence, standing, why, task: tokio::spawn(renewal.run().in_current_span()) }
    }

    /// Why the work had to stop.
    pub fn reason(&self) -> Error {
        let reason = self.why.lock().ok().and_then(|mut reason| reason.take());
        reason.unwrap_or_else(|| Error::new(Kind::Cancelled, "stopped"))
    }
}

impl Runner {
    /// Starts to renew a claim. `standing` is how the run stands now.
    pub(super) fn keeper(&self, claim: &Claim, standing: Standing) -> LeaseKeeper {
        let lease = self.settings.worker.lease;
        let metrics = self.metrics.clone();
        LeaseKeeper::start(self.ledger.clone(), claim.clone(), lease, standing, metrics)
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Stop well before the lease ends: a transaction in flight needs a moment to be rolled back.
fn give_up(lease: Duration) -> Duration {
    lease - lease / 4
}

struct Renewal {
    ledger: Ledger,
    metrics: WorkerMetrics,
    claim: Claim,
    lease: Duration,
    good_until: Moment,
    fence: Fence,
    standing: watch::Sender<Standing>,
    stop: CancellationToken,
    why: Arc<Mutex<Option<Error>>>,
}

impl Renewal {
    /// Renews until the claim is lost. A run that is to stop for another reason keeps its claim: it
    /// still has to be ended.
    async fn run(mut self) {
        let lost = loop {
            tokio::time::sleep(LOOK.min(self.lease / 3)).await;
            let sent = Moment::now();
            let left = self.good_until.since(sent);
            let renewed = match tokio::time::timeout(left, self.renew()).await {
                Ok(result) => result,
                Err(_) => Err(Error::transient("the task database did not answer")),
            };
            self.metrics.renewed(renewed.is_ok());
            match renewed {
                Ok(standing) => {
                    self.good_until = sent + give_up(self.lease);
                    self.fence.extend(self.good_until);
                    if let Some(reason) = self.reason_to_stop(&standing) {
                        self.stop(reason);
                    }
                    self.standing.send_replace(standing);
                }
                Err(error) if error.kind() == Kind::LeaseLost => break error,
                Err(error) if Moment::now() >= self.good_until => {
                    break lease_lost(&self.claim).caused_by(error);
                }
                Err(error) => {
                    tracing::warn!(%error, "can't renew the lease, trying again");
                }
            }
        };
        self.stop(lost);
    }

    async fn renew(&self) -> Result<Standing> {
        let standing = self.ledger.renew(&self.claim, self.lease).await?;
        if self.claim.role == Role::Owner && standing.participants > 1 {
            self.ledger.evict(&self.claim).await?;
        }
        Ok(standing)
    }

    fn reason_to_stop(&self, standing: &Standing) -> Option<Error> {
        let what = match self.claim.role {
            _ if standing.cancel_requested => "cancelled on request",
            Role::Participant if !standing.running => "the run is over",
            Role::Participant if standing.halt == Halt::Now => "the run's owner stops it",
            _ => return None,
        };
        Some(Error::new(Kind::Cancelled, what))
    }

    fn stop(&self, reason: Error) {
        if let Ok(mut why) = self.why.lock()
            && !self.stop.is_cancelled()
        {
            *why = Some(reason);
        }
        self.stop.cancel();
    }
}
