//! Holds a run back while its target is under pressure: lanes that are at a shard finish it, none
//! begins another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::error::{Error, Result};
use crate::ledger::Claim;
use crate::plugin::Writer;
use crate::progress::Progress;
use crate::throttle::Gate;

/// How often the target is asked.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Questions in a row that fail before the last answer no longer counts.
const TRIES: u32 = 3;

/// Asks the target, and keeps the run's gate. Dropping it opens the gate.
pub(super) struct Governor {
    task: JoinHandle<()>,
}

impl Governor {
    /// Starts to ask, if a bound is configured. The first answer is waited for, so that a run does
    /// not begin on a target that is over its bound already.
    pub(super) async fn start(
        claim: &Claim,
        writer: &Arc<dyn Writer>,
        progress: &Arc<Progress>,
    ) -> (Option<Self>, Gate) {
        if !writer.has_bounds() {
            return (None, Gate::open());
        }
        let (keeper, gate) = Gate::new(true);
        let mut watchman = Watchman {
            label: (claim.task_id, claim.run_id.to_string()),
            writer: Arc::clone(writer),
            progress: Arc::clone(progress),
            keeper,
            failures: 0,
        };
        watchman.look().await;
        let watching = async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                watchman.look().await;
            }
        };
        let task = tokio::spawn(watching.in_current_span());
        (Some(Self { task }), gate)
    }
}

impl Drop for Governor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watchman {
    label: (i64, String),
    writer: Arc<dyn Writer>,
    progress: Arc<Progress>,
    keeper: watch::Sender<bool>,
    failures: u32,
}

impl Watchman {
    async fn look(&mut self) {
        match ask(self.writer.as_ref()).await {
            Ok(why) => {
                self.failures = 0;
                self.decide(why);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn decide(&self, why: Option<String>) {
        let (task, run) = (self.label.0, &self.label.1);
        let was_open = *self.keeper.borrow();
        match &why {
            Some(why) if was_open => tracing::warn!(task, %run, "held back: {why}"),
            None if !was_open => tracing::info!(task, %run, "goes on, no longer held back"),
            _ => {}
        }
        let open = why.is_none();
        self.progress.hold_back(why);
        self.keeper.send_if_modified(|state| std::mem::replace(state, open) != open);
    }

    /// A question that fails says nothing about the target, and never fails a run: until it has
    /// failed some times in a row, the last answer counts.
    fn fail(&mut self, error: &Error) {
        let (task, run) = (self.label.0, &self.label.1);
        let remedy = error.remedy().unwrap_or_default();
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            tracing::warn!(task, %run, %error, remedy, "can't ask the target how it is");
        }
        if self.failures == TRIES {
            tracing::warn!(task, %run, "the target's bounds are not watched until it answers");
            self.decide(None);
        }
    }
}

async fn ask(writer: &dyn Writer) -> Result<Option<String>> {
    tokio::time::timeout(ANSWER, writer.pressure())
        .await
        .unwrap_or_else(|_| Err(Error::transient(format!("no answer within {ANSWER:?}"))))
}
