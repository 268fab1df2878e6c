//! Keeps a claim alive while its run works, and stops the run before the claim can run out.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::fence::Fence;
use crate::ledger::{Claim, Ledger, lease_lost};

/// How often the ledger is asked whether somebody wants the run cancelled.
const LOOK: Duration = Duration::from_secs(1);

/// A claim that is being renewed. Dropping it stops the renewal.
pub struct LeaseKeeper {
    /// Cancelled when the run must write no more.
    pub stop: CancellationToken,
    /// Open while the lease is surely good.
    pub fence: Fence,
    why: Arc<Mutex<Option<Error>>>,
    task: JoinHandle<()>,
}

impl LeaseKeeper {
    /// Starts to renew.
    pub fn start(ledger: Ledger, claim: Claim, lease: Duration) -> Self {
        let stop = CancellationToken::new();
        let why = Arc::new(Mutex::new(None));
        let (token, reason) = (stop.clone(), Arc::clone(&why));
        let fence = Fence::until(claim.claimed_at + give_up(lease));
        let shared = fence.clone();
        let task = tokio::spawn(async move {
            let error = renew_until_lost(&ledger, &claim, lease, &shared).await;
            if let Ok(mut reason) = reason.lock() {
                *reason = Some(error);
            }
            token.cancel();
        });
        Self { stop, fence, why, task }
    }

    /// Why the run had to stop.
    pub fn reason(&self) -> Error {
        let reason = self.why.lock().ok().and_then(|mut reason| reason.take());
        reason.unwrap_or_else(|| Error::new(Kind::Cancelled, "stopped"))
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

async fn renew_until_lost(ledger: &Ledger, claim: &Claim, lease: Duration, fence: &Fence) -> Error {
    let pause = LOOK.min(lease / 3);
    // Counted from before a claim or renewal was sent: the ledger's clock can only be later.
    let mut good_until = claim.claimed_at + give_up(lease);
    loop {
        tokio::time::sleep(pause).await;
        let sent = Instant::now();
        let left = good_until.saturating_duration_since(sent);
        let renewed: Result<bool> =
            match tokio::time::timeout(left, ledger.renew(claim, lease)).await {
                Ok(result) => result,
                Err(_) => Err(Error::transient("the task database did not answer")),
            };
        match renewed {
            Ok(true) => return Error::new(Kind::Cancelled, "cancelled on request"),
            Ok(false) => {
                good_until = sent + give_up(lease);
                fence.extend(good_until);
            }
            Err(error) if error.kind() == Kind::LeaseLost => return error,
            Err(error) if Instant::now() >= good_until => {
                return lease_lost(claim).caused_by(error);
            }
            Err(error) => {
                tracing::warn!(run = %claim.run_id, %error, "can't renew the lease, trying again");
            }
        }
    }
}
