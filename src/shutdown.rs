//! SIGTERM and SIGINT: the first drains, the second stops at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// The two stages of a stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Take nothing new and finish what is at hand.
    pub drain: CancellationToken,
    /// Drop what is at hand; it is rolled back.
    pub halt: CancellationToken,
}

impl Shutdown {
    /// Starts to listen for signals. With `at_once` the first one already halts: for a process
    /// that does a single run.
    ///
    /// # Errors
    /// Kind `Internal` when the system refuses a handler.
    pub fn listen(at_once: bool) -> Result<Self> {
        let shutdown = Self::default();
        let refused = |error| Error::internal("can't listen for signals").caused_by(error);
        let mut term = signal(SignalKind::terminate()).map_err(refused)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
        let stages = shutdown.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if at_once || stages.drain.is_cancelled() {
                    stages.drain.cancel();
                    stages.halt.cancel();
                } else {
                    tracing::info!("draining: a second signal stops at once");
                    stages.drain.cancel();
                }
            }
        });
        Ok(shutdown)
    }
}
