//! Two small clocks that a run's parts share: how long its lease is surely good, and when a shard
//! last moved.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// An instant on a clock that goes on while the machine is suspended, as leases do. (Where the
/// system has no such clock, [`std::time::Instant`]'s.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// This one.
    #[cfg(target_os = "linux")]
    pub fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self(Duration::new(now.tv_sec.max(0) as u64, now.tv_nsec.max(0) as u32))
    }

    /// This one.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Self {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        Self(START.get_or_init(std::time::Instant::now).elapsed())
    }

    /// Time from an earlier moment to this one; nothing if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    fn millis(self) -> u64 {
        self.0.as_millis() as u64
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0 + later)
    }
}

/// Open for as long as the lease is surely good. Whoever is about to commit looks at it, so that a
/// process that was paused past its lease does not.
#[derive(Debug, Clone)]
pub struct Fence(Arc<AtomicU64>);

impl Fence {
    /// Open until then.
    pub fn until(at: Moment) -> Self {
        Self(Arc::new(AtomicU64::new(at.millis())))
    }

    /// Never closed: for reading without a claim.
    pub fn always() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// The lease was renewed: open until then.
    pub fn extend(&self, at: Moment) {
        self.0.store(at.millis(), Ordering::SeqCst);
    }

    /// Whether the lease is surely good now.
    pub fn is_open(&self) -> bool {
        Moment::now().millis() < self.0.load(Ordering::SeqCst)
    }

    /// The last look before a COMMIT.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the lease may have run out: roll back.
    pub fn check(&self) -> Result<()> {
        match self.is_open() {
            true => Ok(()),
            false => Err(Error::new(Kind::LeaseLost, "the lease may have run out: not committed")),
        }
    }
}

/// Beats whenever a shard moves, so that one that hangs can be told from one that is slow.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<AtomicU64>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(Moment::now().millis())))
    }
}

impl Pulse {
    /// Something moved.
    pub fn beat(&self) {
        self.0.store(Moment::now().millis(), Ordering::Relaxed);
    }

    /// Time since something moved.
    pub fn silence(&self) -> Duration {
        let last = self.0.load(Ordering::Relaxed);
        Duration::from_millis(Moment::now().millis().saturating_sub(last))
    }
}
