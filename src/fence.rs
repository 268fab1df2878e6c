//! Two small clocks that a run's parts share: how long its lease is surely good, and when a shard
//! last moved.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Milliseconds on this process's monotonic clock.
fn millis(at: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    // An hour of room, so that instants from before the first call count too.
    let start = *START.get_or_init(Instant::now);
    let hour = Duration::from_secs(3600);
    (at + hour).saturating_duration_since(start).as_millis() as u64
}

/// Open for as long as the lease is surely good. Whoever is about to commit looks at it, so that a
/// process that was paused past its lease does not.
#[derive(Debug, Clone)]
pub struct Fence(Arc<AtomicU64>);

impl Fence {
    /// Open until then.
    pub fn until(at: Instant) -> Self {
        Self(Arc::new(AtomicU64::new(millis(at))))
    }

    /// Never closed: for reading without a claim.
    pub fn always() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// The lease was renewed: open until then.
    pub fn extend(&self, at: Instant) {
        self.0.store(millis(at), Ordering::SeqCst);
    }

    /// Whether the lease is surely good now.
    pub fn is_open(&self) -> bool {
        millis(Instant::now()) < self.0.load(Ordering::SeqCst)
    }
}

/// Beats whenever a shard moves, so that one that hangs can be told from one that is slow.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<AtomicU64>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(millis(Instant::now()))))
    }
}

impl Pulse {
    /// Something moved.
    pub fn beat(&self) {
        self.0.store(millis(Instant::now()), Ordering::Relaxed);
    }

    /// Time since something moved.
    pub fn silence(&self) -> Duration {
        let last = self.0.load(Ordering::Relaxed);
        Duration::from_millis(millis(Instant::now()).saturating_sub(last))
    }
}
