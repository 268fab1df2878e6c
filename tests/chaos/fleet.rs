//! The workers: real processes, kept alive.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::support::{Worker, pause};
use crate::world::World;

/// How many.
pub const WORKERS: usize = 4;
/// How long a worker may take to end after SIGTERM: its grace, and what it may wait for a broker or
/// a database that is away.
const TERM_PATIENCE: Duration = Duration::from_secs(90);
/// How long one may take to begin to listen, on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// The workers of a round.
#[derive(Default)]
pub struct Fleet {
    slots: [tokio::sync::Mutex<Slot>; WORKERS],
    /// Who was killed or paused, and when.
    pub blows: Mutex<Vec<Blow>>,
    /// Workers that could not start because the task database was away.
    pub failed_starts: AtomicU32,
}

/// A worker was killed or paused.
pub struct Blow {
    /// Its name, as `--name` gave it.
    pub worker: String,
    /// By the system's clock.
    pub at: SystemTime,
}

/// The place of one worker after another.
#[derive(Default)]
pub struct Slot {
    generation: u32,
    name: String,
    since: Option<Instant>,
    worker: Option<Worker>,
}

impl World {
    /// Starts every worker.
    pub async fn start_fleet(&self) {
        for number in 0..WORKERS {
            let mut slot = self.fleet.slots[number].lock().await;
            self.start(number, &mut slot);
        }
    }

    fn start(&self, number: usize, slot: &mut Slot) {
        slot.generation += 1;
        slot.name = format!("worker-{}.{}", number + 1, slot.generation);
        slot.since = Some(Instant::now());
        let concurrency = ["2", "3"][number % 2];
        slot.worker = Some(self.site.worker(&slot.name, &["--concurrency", concurrency]));
    }

    /// Starts again what could not start, and finds what ended by itself. For ever.
    pub async fn keep_fleet(&self) {
        loop {
            for (number, slot) in self.fleet.slots.iter().enumerate() {
                // One that is being disturbed is not to be looked at.
                let Ok(mut slot) = slot.try_lock() else { continue };
                self.keep(number, &mut slot).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn keep(&self, number: usize, slot: &mut Slot) {
        let Some(worker) = &mut slot.worker else {
            self.start(number, slot);
            return;
        };
        if worker.is_alive() {
            return;
        }
        let code = worker.ended().await;
        let log = worker.log();
        let since = slot.since.unwrap_or_else(Instant::now);
        let has_started = log.contains("listening");
        if !has_started && self.task_database_troubled_since(since) {
            self.fleet.failed_starts.fetch_add(1, Ordering::Relaxed);
        } else {
            let end = last_lines(&log);
            self.broken(format!("{} ended by itself (exit code {code:?}):\n{end}", slot.name));
        }
        slot.worker = None;
    }

    /// kill -9, and a new one after a while.
    pub async fn kill(&self, number: usize, back: Duration) {
        let mut slot = self.fleet.slots[number].lock().await;
        let Some(worker) = slot.worker.take() else { return };
        self.say(&format!("kill -9 {}", slot.name));
        self.note_blow(&slot.name);
        worker.kill();
        tokio::time::sleep(back).await;
        self.start(number, &mut slot);
    }

    /// SIGSTOP, and SIGCONT after a while.
    pub async fn pause(&self, number: usize, length: Duration) {
        let mut slot = self.fleet.slots[number].lock().await;
        if !slot.worker.as_mut().is_some_and(Worker::is_alive) {
            self.say(&format!("left out: {} is not there to be paused", slot.name));
            return;
        }
        self.say(&format!("SIGSTOP {} for {:.1} s", slot.name, length.as_secs_f64()));
        self.note_blow(&slot.name);
        if let Some(worker) = &slot.worker {
            worker.signal("STOP");
            tokio::time::sleep(length).await;
            worker.signal("CONT");
        }
        self.say(&format!("SIGCONT {}", slot.name));
    }

    /// SIGTERM: it must end with 0. A new one after a while.
    pub async fn term(&self, number: usize, back: Duration) {
        let mut slot = self.fleet.slots[number].lock().await;
        if !self.is_listening(&mut slot).await {
            self.say(&format!("left out: {} is not there to be ended", slot.name));
            return;
        }
        self.say(&format!("SIGTERM {}", slot.name));
        self.end(&mut slot).await;
        tokio::time::sleep(back).await;
        self.start(number, &mut slot);
    }

    /// Ends every worker: each must end with 0.
    pub async fn stop_fleet(&self) {
        let ending = self.fleet.slots.iter().map(|slot| async {
            let mut slot = slot.lock().await;
            if self.is_listening(&mut slot).await {
                self.end(&mut slot).await;
            }
        });
        futures::future::join_all(ending).await;
    }

    /// Kills every worker, when the round is broken off.
    pub async fn kill_fleet(&self) {
        for slot in &self.fleet.slots {
            if let Ok(mut slot) =
                tokio::time::timeout(Duration::from_millis(200), slot.lock()).await
            {
                slot.worker = None;
            }
        }
    }

    /// Before it listens, it has no handler for signals.
    async fn is_listening(&self, slot: &mut Slot) -> bool {
        let started = Instant::now();
        while let Some(worker) = &mut slot.worker {
            if !worker.is_alive() || started.elapsed() > START_PATIENCE {
                return false;
            }
            if worker.log().contains("listening") {
                return true;
            }
            pause().await;
        }
        false
    }

    async fn end(&self, slot: &mut Slot) {
        let Some(mut worker) = slot.worker.take() else { return };
        worker.signal("TERM");
        let told = Instant::now();
        while worker.is_alive() {
            if told.elapsed() > TERM_PATIENCE {
                let end = last_lines(&worker.log());
                self.broken(format!(
                    "{} has not ended {TERM_PATIENCE:?} after SIGTERM:\n{end}",
                    slot.name
                ));
                return;
            }
            pause().await;
        }
        let code = worker.ended().await;
        if code != Some(0) {
            let end = last_lines(&worker.log());
            self.broken(format!("{} ended with {code:?} after SIGTERM:\n{end}", slot.name));
        }
    }

    fn note_blow(&self, name: &str) {
        let blow = Blow { worker: name.to_owned(), at: SystemTime::now() };
        self.fleet.blows.lock().unwrap().push(blow);
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
