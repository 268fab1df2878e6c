//! What slows a run down so that its databases stay well: a limit of rows and bytes a second, and
//! a gate that is shut while the target is under pressure.

use std::future::Future;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fence::Pulse;

/// How long a lane waits without showing that it is alive.
const PIECE: Duration = Duration::from_secs(1);

/// What may be caught up on, in seconds of the limit: timers are late, and without this each late
/// one would make the run slower than it may be.
const CREDIT: f64 = 0.1;

/// Payloads a second under a limit: none is more than a quarter of what a second allows.
const PAYLOADS: u64 = 4;

/// A run's limit of rows and bytes a second. Clones share it: all lanes of a run in this process.
///
/// A payload passes once everything before it is paid for, and is then owed itself: the average
/// holds exactly, whatever the payloads' sizes.
#[derive(Debug, Clone, Default)]
pub struct Throttle(Option<Arc<Limiter>>);

#[derive(Debug)]
struct Limiter {
    rows: Option<NonZeroU64>,
    bytes: Option<NonZeroU64>,
    /// Processes that share the limit.
    share: AtomicUsize,
    /// Whoever holds it is next; fair.
    turn: Mutex<Debt>,
}

/// What was passed and is not paid for yet.
#[derive(Debug)]
struct Debt {
    rows: f64,
    bytes: f64,
    at: Instant,
}

impl Throttle {
    /// At most so many rows and bytes a second.
    pub fn new(rows: Option<NonZeroU64>, bytes: Option<NonZeroU64>) -> Self {
        if rows.is_none() && bytes.is_none() {
            return Self::default();
        }
        let turn = Mutex::new(Debt { rows: 0.0, bytes: 0.0, at: Instant::now() });
        Self(Some(Arc::new(Limiter { rows, bytes, share: AtomicUsize::new(1), turn })))
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// The limit is shared by so many processes: each takes an equal part from now on.
    pub fn set_share(&self, processes: usize) {
        if let Some(limiter) = &self.0 {
            limiter.share.store(processes.max(1), Ordering::Relaxed);
        }
    }

    /// The rows and bytes that one payload may have, so that the flow is smooth.
    pub(crate) fn payload(&self) -> (usize, usize) {
        let Some(limiter) = &self.0 else { return (usize::MAX, usize::MAX) };
        let parts = limiter.share() as u64 * PAYLOADS;
        let part = |limit: Option<NonZeroU64>| {
            limit.map_or(usize::MAX, |limit| {
                usize::try_from(limit.get().div_ceil(parts)).unwrap_or(usize::MAX)
            })
        };
        (part(limiter.rows), part(limiter.bytes))
    }

    /// Waits until these rows and bytes may pass. Nothing is owed for a wait that is given up.
    pub(crate) async fn pass(&self, rows: usize, bytes: usize, pulse: &Pulse) {
        let Some(limiter) = &self.0 else { return };
        let mut debt = beating(limiter.turn.lock(), pulse).await;
        loop {
            let left = limiter.settle(&mut debt);
            if left <= 0.0 {
                break;
            }
            tokio::time::sleep(PIECE.mul_f64(left.min(1.0))).await;
            pulse.beat();
        }
        debt.rows += rows as f64;
        debt.bytes += bytes as f64;
    }
}

impl Limiter {
    fn share(&self) -> usize {
        self.share.load(Ordering::Relaxed)
    }

    /// Pays for the time that has passed, and returns the seconds until nothing is owed.
    fn settle(&self, debt: &mut Debt) -> f64 {
        let now = Instant::now();
        let elapsed = now.duration_since(debt.at).as_secs_f64();
        debt.at = now;
        let share = self.share() as f64;
        let pay = |owed: &mut f64, limit: Option<NonZeroU64>| {
            let Some(limit) = limit else { return 0.0 };
            let rate = limit.get() as f64 / share;
            *owed = (*owed - elapsed * rate).max(-rate * CREDIT);
            *owed / rate
        };
        pay(&mut debt.rows, self.rows).max(pay(&mut debt.bytes, self.bytes))
    }
}

/// Waits and shows that it is alive.
pub(crate) async fn beating<T>(waiting: impl Future<Output = T>, pulse: &Pulse) -> T {
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            done = &mut waiting => return done,
            () = tokio::time::sleep(PIECE) => pulse.beat(),
        }
    }
}

/// What lanes pass before they begin a shard: shut while the target is under pressure, so that no
/// transaction is held open while they wait.
#[derive(Debug, Clone)]
pub struct Gate(watch::Receiver<bool>);

impl Gate {
    /// A gate, and what shuts it by sending `false`. Without its keeper it is open.
    pub fn new(open: bool) -> (watch::Sender<bool>, Self) {
        let (keeper, gate) = watch::channel(open);
        (keeper, Self(gate))
    }

    /// A gate that nobody shuts.
    pub fn open() -> Self {
        Self::new(true).1
    }

    /// Waits until the gate is open, or the run is to start no new shard.
    pub async fn pass(&self, drain: &CancellationToken) {
        let mut gate = self.0.clone();
        tokio::select! {
            // An error says that the keeper is gone, and that counts as open.
            _ = async { while !*gate.borrow_and_update() && gate.changed().await.is_ok() {} } => {}
            () = drain.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(rows: u64, bytes: u64) -> Throttle {
        Throttle::new(NonZeroU64::new(rows), NonZeroU64::new(bytes))
    }

    async fn seconds(work: impl Future<Output = ()>) -> f64 {
        let started = Instant::now();
        work.await;
        started.elapsed().as_secs_f64()
    }

    fn about(seconds: f64, wanted: f64) -> bool {
        (seconds - wanted).abs() < 0.12
    }

    #[tokio::test(start_paused = true)]
    async fn the_average_holds_whatever_the_payloads_sizes() {
        for size in [1, 7, 100, 5000] {
            let (throttle, pulse) = (throttle(1000, 0), Pulse::default());
            let took = seconds(async {
                for _ in 0..20_000 / size {
                    throttle.pass(size, 1 << 20, &pulse).await;
                }
                throttle.pass(0, 0, &pulse).await;
            });
            let took = took.await;
            assert!(about(took, (20_000 / size * size) as f64 / 1000.0), "{size}: {took}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_tighter_limit_decides() {
        let (throttle, pulse) = (throttle(1000, 2000), Pulse::default());
        let took = seconds(async {
            for _ in 0..100 {
                throttle.pass(10, 100, &pulse).await;
            }
            throttle.pass(0, 0, &pulse).await;
        });
        let took = took.await;
        assert!(about(took, 5.0), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_share_the_limit_and_take_turns() {
        let throttle = throttle(100, 0);
        let lane = || async {
            let pulse = Pulse::default();
            for _ in 0..10 {
                throttle.pass(50, 0, &pulse).await;
            }
            Instant::now()
        };
        let started = Instant::now();
        let (one, two) = tokio::join!(lane(), lane());
        let (one, two) = ((one - started).as_secs_f64(), (two - started).as_secs_f64());
        // 1000 rows; the last payload passes when those before it are paid for.
        assert!(about(one.max(two), 9.5) && (one - two).abs() < 1.1, "{one} {two}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_counts_from_now_on() {
        let (throttle, pulse) = (throttle(100, 0), Pulse::default());
        throttle.pass(100, 0, &pulse).await;
        throttle.set_share(4);
        let took = seconds(throttle.pass(100, 0, &pulse)).await;
        assert!(about(took, 4.0), "{took}");
        assert_eq!(throttle.payload(), (7, usize::MAX), "a quarter of 25 rows a second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_caught_up_on() {
        let (throttle, pulse) = (throttle(100, 0), Pulse::default());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let took = seconds(async {
            for _ in 0..11 {
                throttle.pass(100, 0, &pulse).await;
            }
        });
        let took = took.await;
        assert!(about(took, 10.0), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_owes_nothing() {
        let (throttle, pulse) = (throttle(1, 0), Pulse::default());
        throttle.pass(10, 0, &pulse).await;
        let given_up = throttle.pass(1_000_000, 0, &pulse);
        assert!(tokio::time::timeout(Duration::from_secs(5), given_up).await.is_err());
        let took = seconds(throttle.pass(1, 0, &pulse)).await;
        assert!(about(took, 5.0), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_lets_through_when_it_opens_when_its_keeper_is_gone_and_on_a_drain() {
        let drain = CancellationToken::new();
        Gate::open().pass(&drain).await;
        let (keeper, gate) = Gate::new(false);
        let passing = gate.pass(&drain);
        tokio::pin!(passing);
        assert!(futures::poll!(&mut passing).is_pending());
        keeper.send_replace(true);
        passing.await;
        keeper.send_replace(false);
        let passing = gate.pass(&drain);
        tokio::pin!(passing);
        assert!(futures::poll!(&mut passing).is_pending());
        drop(keeper);
        passing.await;
        let (_keeper, gate) = Gate::new(false);
        drain.cancel();
        gate.pass(&drain).await;
    }
}
