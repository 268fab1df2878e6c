//! Memory for large rows, which all lanes of a process share.
//!
//! Rows of the common sizes are bounded by what each lane may hold. One of many megabytes is held
//! several times on its way, by the drivers too: lanes that carry such rows take turns. A lane asks
//! for room before it reads, by the largest that its run has met; the first lane of a run goes ahead
//! to meet one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::fence::Pulse;
use crate::throttle::beating;

/// Payloads up to this size need no room.
const COMMON: u64 = 512 * 1024;
/// How often a row is held on its way: in a driver's buffer as it grows, in a batch before and one
/// behind the channel, encoded (bytes as digits take twice as many), and in the other driver.
const COPIES: u64 = 8;
/// A semaphore counts up to 2^29 at least: more than enough of these.
const UNIT: u64 = 1024;
/// How long lanes wait for the first one to meet a row: it may search a long time.
const SCOUTING: Duration = Duration::from_secs(1);

/// The room of a process.
#[derive(Debug, Clone)]
pub struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

impl Room {
    /// So many bytes; a row for which they are not enough has all of them.
    pub fn new(bytes: usize) -> Self {
        let units = (bytes as u64 / UNIT).clamp(1, u64::from(u32::MAX >> 3)) as u32;
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// For the lanes of one run.
    pub fn of_run(&self) -> RunRoom {
        let run = Run {
            room: self.clone(),
            largest: watch::Sender::new(0),
            has_scout: AtomicBool::new(false),
        };
        RunRoom(Arc::new(run))
    }

    fn units(&self, payload: u64) -> u32 {
        match payload {
            0..=COMMON => 0,
            _ => (payload.saturating_mul(COPIES) / UNIT).min(u64::from(self.units)) as u32,
        }
    }
}

/// What the lanes of one run know of its rows.
#[derive(Debug, Clone)]
pub struct RunRoom(Arc<Run>);

#[derive(Debug)]
struct Run {
    room: Room,
    /// Bytes of the largest payload so far; 0 before the first.
    largest: watch::Sender<u64>,
    has_scout: AtomicBool,
}

impl RunRoom {
    /// Waits for the room that a shard of this run may need.
    pub async fn enter(&self, pulse: &Pulse) -> Stay {
        let mut largest = self.0.largest.subscribe();
        let is_scout = !self.0.has_scout.swap(true, Ordering::Relaxed);
        if !is_scout {
            // The sender is held here: only the time can run out.
            tokio::time::timeout(SCOUTING, largest.wait_for(|&bytes| bytes > 0)).await.ok();
        }
        let bytes = *largest.borrow();
        let stay =
            Stay { run: Arc::clone(&self.0), bytes: AtomicU64::new(bytes), held: Mutex::default() };
        stay.take(bytes, pulse).await;
        stay
    }
}

/// The room that a shard has, until it is dropped.
#[derive(Debug)]
pub struct Stay {
    run: Arc<Run>,
    /// Bytes of the payloads that the room is for.
    bytes: AtomicU64,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Stay {
    /// Waits for the room that a payload of so many bytes needs, if it is larger than any before.
    pub async fn hold(&self, payload: usize, pulse: &Pulse) {
        let payload = payload.max(1) as u64;
        let before = self.bytes.fetch_max(payload, Ordering::Relaxed);
        if payload <= before {
            return;
        }
        self.run.note(payload);
        if self.run.room.units(payload) > self.run.room.units(before) {
            // Two lanes that each kept what they have would wait for each other for ever.
            drop(self.held().take());
            self.take(payload, pulse).await;
        }
    }

    async fn take(&self, bytes: u64, pulse: &Pulse) {
        let units = self.run.room.units(bytes);
        if units > 0 {
            let free = Arc::clone(&self.run.room.free);
            // Never closed.
            *self.held() = beating(free.acquire_many_owned(units), pulse).await.ok();
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn note(&self, bytes: u64) {
        self.largest.send_if_modified(|largest| {
            let is_news = bytes > *largest;
            *largest = bytes.max(*largest);
            is_news
        });
    }
}

impl Drop for Stay {
    /// A shard without rows has nothing to wait for either.
    fn drop(&mut self) {
        self.run.note(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const MIB: usize = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn lanes_with_large_rows_take_turns_and_others_do_not() {
        let (room, pulse) = (Room::new(16 * MIB), Pulse::default());
        let large = room.of_run();
        let first = large.enter(&pulse).await;
        let mut second = Box::pin(large.enter(&pulse));
        assert!((&mut second).now_or_never().is_none(), "nobody knows how large the rows are");
        first.hold(4 * MIB, &pulse).await;
        assert!((&mut second).now_or_never().is_none(), "8 times 4 MiB are all there is");
        let common = room.of_run();
        let stay = common.enter(&pulse).await;
        stay.hold(BATCH, &pulse).await;
        let other = common.enter(&pulse).now_or_never();
        assert!(other.is_some(), "common rows need no room");
        drop(first);
        second.await;
        assert_eq!(room.free.available_permits(), 16 * 1024);
    }

    const BATCH: usize = crate::batch::BATCH_BYTES;

    #[tokio::test(start_paused = true)]
    async fn lanes_that_meet_large_rows_at_once_do_not_wait_for_each_other() {
        let (room, pulse) = (Room::new(16 * MIB), Pulse::default());
        let run = room.of_run();
        let first = run.enter(&pulse).await;
        first.hold(MIB, &pulse).await;
        let second = run.enter(&pulse).await;
        assert_eq!(room.free.available_permits(), 0);
        let mut more = Box::pin(first.hold(8 * MIB, &pulse));
        assert!((&mut more).now_or_never().is_none());
        let mut also = Box::pin(second.hold(8 * MIB, &pulse));
        assert!((&mut also).now_or_never().is_none(), "the first was first");
        (&mut more).await;
        assert!((&mut also).now_or_never().is_none());
        drop(more);
        drop(first);
        also.await;
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_do_not_wait_for_ever_for_the_first_rows() {
        let (run, pulse) = (Room::new(MIB).of_run(), Pulse::default());
        let first = run.enter(&pulse).await;
        run.enter(&pulse).await;
        drop(first);
        assert!(run.enter(&pulse).now_or_never().is_some());
    }
}
