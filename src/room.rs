//! Memory for large rows, which all lanes of a process share.
//!
//! Rows of the common sizes are bounded by what each lane may hold. One of many megabytes is held
//! several times on its way, by the drivers too: lanes that carry such rows take turns. A lane claims
//! room before it reads, by the largest payload that its run has met of late; the first lane of a run
//! goes ahead to meet one. A lane waits only while its shard has written nothing: one that meets a
//! larger payload in the middle either gets more room at once, or gives up and begins again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::{Error, Result};
use crate::fence::Pulse;
use crate::throttle::beating;

/// Payloads up to this size need no room.
const COMMON: u64 = 512 * 1024;
/// How often a row is held on its way: in a driver's buffer as it grows, in a batch before and one
/// behind the channel, encoded (bytes as digits take twice as many), and in the other driver.
const COPIES: u64 = 8;
/// What the semaphore counts in.
const UNIT: u64 = 1024;
/// How long lanes wait for the first one to meet a row: it may search a long time.
const SCOUTING: Duration = Duration::from_millis(100);

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

    /// Rounded up, so that slowly growing rows don't ask again and again.
    fn units(&self, payload: u64) -> u32 {
        match payload {
            0..=COMMON => 0,
            _ => {
                let bytes = payload.checked_next_power_of_two().unwrap_or(u64::MAX);
                (bytes.saturating_mul(COPIES) / UNIT).min(u64::from(self.units)) as u32
            }
        }
    }
}

/// What the lanes of one run know of its rows.
#[derive(Debug, Clone)]
pub struct RunRoom(Arc<Run>);

#[derive(Debug)]
struct Run {
    room: Room,
    /// Bytes of the largest payload of late; 0 before the first.
    largest: watch::Sender<u64>,
    has_scout: AtomicBool,
}

impl RunRoom {
    /// Waits for the room that a shard of this run may need, which has payloads of `known` bytes.
    pub async fn enter(&self, known: u64) -> Arc<Stay> {
        let mut largest = self.0.largest.subscribe();
        if self.0.has_scout.swap(true, Ordering::Relaxed) {
            // The sender is held here: only the time can run out.
            tokio::time::timeout(SCOUTING, largest.wait_for(|&bytes| bytes > 0)).await.ok();
        }
        let room = &self.0.room;
        loop {
            let units = room.units(known.max(*largest.borrow_and_update()));
            let held = match units {
                0 => None,
                // Never closed.
                _ => Arc::clone(&room.free).acquire_many_owned(units).await.ok(),
            };
            // What has been met while this waited counts too.
            if room.units(*largest.borrow()) <= units {
                return Arc::new(Stay {
                    run: Arc::clone(&self.0),
                    largest: AtomicU64::new(0),
                    held: Mutex::new(held),
                    is_short: AtomicBool::new(false),
                });
            }
        }
    }
}

/// The room that a shard has, until it leaves.
#[derive(Debug)]
pub struct Stay {
    run: Arc<Run>,
    /// Bytes of the shard's largest payload so far; 0 before the first.
    largest: AtomicU64,
    held: Mutex<Option<OwnedSemaphorePermit>>,
    is_short: AtomicBool,
}

impl Stay {
    /// Makes room for a payload of so many bytes. Waits only for a shard's first one: behind it
    /// the shard has written rows, for which others may wait.
    ///
    /// # Errors
    /// Kind `Transient` when there is none: to begin the shard again.
    pub async fn hold(&self, payload: usize, pulse: &Pulse) -> Result<()> {
        let payload = payload.max(1) as u64;
        let before = self.largest.fetch_max(payload, Ordering::Relaxed);
        if payload <= before {
            return Ok(());
        }
        self.run.note(payload);
        let needed = self.run.room.units(payload);
        let has = self.held().as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u32;
        let more = needed.saturating_sub(has);
        if more == 0 {
            return Ok(());
        }
        let free = Arc::clone(&self.run.room.free);
        if before == 0 {
            // Two lanes that each kept what they have would wait for each other for ever.
            *self.held() = None;
            let permit = beating(free.acquire_many_owned(needed), pulse).await.ok();
            *self.held() = permit;
            return Ok(());
        }
        let Ok(permit) = free.try_acquire_many_owned(more) else {
            self.is_short.store(true, Ordering::Relaxed);
            return Err(Error::transient("a large row waits for memory (worker.row_memory)"));
        };
        let mut held = self.held();
        match &mut *held {
            Some(all) => all.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }

    /// The payload that the shard failed for, for want of room: it is to be begun again.
    pub fn missed(&self) -> Option<u64> {
        let is_short = self.is_short.load(Ordering::Relaxed);
        is_short.then(|| self.largest.load(Ordering::Relaxed))
    }

    /// The shard is over. What a thread that hangs still keeps of it does not count.
    pub fn leave(&self) {
        *self.held() = None;
        self.run.settle(self.largest.load(Ordering::Relaxed));
    }

    fn held(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
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

    /// A shard with rows up to this size is over. One large row among many must not slow down all that
    /// come after it.
    fn settle(&self, bytes: u64) {
        self.largest.send_modify(|largest| *largest = bytes.max(*largest / 2).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const MIB: usize = 1024 * 1024;
    const BATCH: usize = crate::batch::BATCH_BYTES;

    #[tokio::test(start_paused = true)]
    async fn lanes_with_large_rows_take_turns_and_others_do_not() {
        let (room, pulse) = (Room::new(16 * MIB), Pulse::default());
        let large = room.of_run();
        let first = large.enter(0).await;
        let mut second = Box::pin(large.enter(0));
        assert!((&mut second).now_or_never().is_none(), "nobody knows how large the rows are");
        first.hold(4 * MIB, &pulse).await.unwrap();
        assert!((&mut second).now_or_never().is_none(), "8 times 4 MiB are all there is");
        let common = room.of_run();
        common.enter(0).await.hold(BATCH, &pulse).await.unwrap();
        assert!(common.enter(0).now_or_never().is_some(), "common rows need no room");
        first.leave();
        second.await.leave();
        assert_eq!(room.free.available_permits(), 16 * 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_once_it_has_written() {
        let (room, pulse) = (Room::new(16 * MIB), Pulse::default());
        let run = room.of_run();
        let (first, second) = (run.enter(0).await, run.enter(0).await);
        first.hold(BATCH, &pulse).await.unwrap();
        first.hold(8 * MIB, &pulse).await.unwrap();
        let mut waiting = Box::pin(second.hold(8 * MIB, &pulse));
        assert!((&mut waiting).now_or_never().is_none(), "its first payload: nothing written yet");
        first.leave();
        waiting.await.unwrap();
        let third = room.of_run().enter(0).await;
        third.hold(BATCH, &pulse).await.unwrap();
        assert!(third.hold(MIB, &pulse).await.is_err());
        assert_eq!((third.missed(), second.missed()), (Some(MIB as u64), None));
    }

    #[tokio::test(start_paused = true)]
    async fn one_large_row_among_many_is_forgotten() {
        let (room, pulse) = (Room::new(16 * MIB), Pulse::default());
        let run = room.of_run();
        let stay = run.enter(0).await;
        stay.hold(16 * MIB, &pulse).await.unwrap();
        stay.leave();
        for _ in 0..5 {
            let stay = run.enter(0).await;
            stay.hold(BATCH, &pulse).await.unwrap();
            stay.leave();
        }
        let _stay = run.enter(0).await;
        assert_eq!(room.free.available_permits(), 16 * 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_do_not_wait_for_ever_for_the_first_rows() {
        let run = Room::new(MIB).of_run();
        let first = run.enter(0).await;
        run.enter(0).await;
        first.leave();
        assert!(run.enter(0).now_or_never().is_some());
    }
}
