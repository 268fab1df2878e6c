//! One worker process: takes runs from the queue and from the ledger, as many at once as it has
//! slots.
//!
//! A message is claimed in the ledger, then acknowledged, then worked on: an hours-long run never
//! sits on an unacknowledged message. A worker that gives its last free slot to a message stops
//! consuming before that is acknowledged, so that no message waits behind it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, WorkerRow};
use crate::progress::Display;
use crate::queue::rabbitmq::RabbitConsumer;
use crate::queue::{Consumer, Delivery};
use crate::retry::{self, Reconnect};
use crate::room::Room;
use crate::run::{Ahead, Runner};
use crate::shutdown::Shutdown;
use crate::submit::{self, Submitter};

mod backlog;
mod deliveries;
mod desk;
mod runs;

pub use runs::run_limits;

use backlog::{AHEAD, Backlog};
use desk::Desk;

/// With the embedded queue the ledger is asked this often at least: it is the only way to hear of
/// work.
const EMBEDDED_POLL: Duration = Duration::from_millis(200);
/// How many times longer a submitted run may be overdue while the broker still has messages
/// waiting: its own is probably among them.
const BACKLOG_PATIENCE: u32 = 12;

/// How to start a worker.
#[derive(Debug, Clone)]
pub struct Options {
    /// Runs at once.
    pub concurrency: usize,
    /// Work until nothing is left, then end.
    pub drain: bool,
    /// The worker's name; host and process without.
    pub name: Option<String>,
}

/// A worker at work.
struct Worker {
    options: Options,
    settings: Arc<Settings>,
    desk: Arc<Desk>,
    /// What went wrong with the ledger at the desk.
    trouble: mpsc::UnboundedReceiver<Error>,
    consumer: Option<Box<dyn Consumer>>,
    backlog: Backlog,
    slots: Arc<Semaphore>,
    shutdown: Shutdown,
    row: WorkerRow,
    /// Pauses while the ledger is in trouble; they grow until something succeeds.
    pauses: Reconnect,
}

/// Works until it is told to stop, or with `drain` until nothing is left to do.
///
/// # Errors
/// When it can't start: configuration, or a task database or broker that refuses the login.
pub async fn serve(settings: Arc<Settings>, options: Options, shutdown: Shutdown) -> Result<()> {
    let ledger = open_ledger(&settings, &options, &shutdown).await?;
    let row = identity(&options);
    let submitter = Submitter::open(&settings, ledger.clone(), &row.worker)?;
    let consumer: Option<Box<dyn Consumer>> = match submit::broker(&settings)? {
        Some(config) => Some(Box::new(RabbitConsumer::start(config, &row.worker))),
        None => None,
    };
    let runner = Runner {
        settings: Arc::clone(&settings),
        ledger: ledger.clone(),
        submitter: submitter.clone(),
        display: Display::Log,
        drain: shutdown.drain.clone(),
        halt: shutdown.halt.clone(),
        ahead: Ahead::default(),
        room: Room::new(settings.worker.row_memory),
    };
    let queue = if consumer.is_some() { "RabbitMQ" } else { "the ledger (no broker configured)" };
    tracing::info!(
        worker = row.worker,
        concurrency = options.concurrency,
        "listening to {queue}; tasks in {}",
        ledger.address()
    );
    let (trouble, heard) = mpsc::unbounded_channel();
    let desk = Desk {
        ledger,
        limits: Arc::new(run_limits(&settings)?),
        runner,
        submitter,
        worker: row.worker.clone(),
        lease: settings.worker.lease,
        runs: TaskTracker::new(),
        trouble,
    };
    let worker = Worker {
        slots: Arc::new(Semaphore::new(options.concurrency)),
        options,
        settings,
        desk: Arc::new(desk),
        trouble: heard,
        consumer,
        backlog: Backlog::new(),
        shutdown,
        row,
        pauses: retry::reconnect(),
    };
    worker.work().await
}

/// A worker that starts while the task database is away waits for it, as one that runs does. One
/// that is to end when nothing is left has nothing to wait for.
async fn open_ledger(
    settings: &Settings,
    options: &Options,
    shutdown: &Shutdown,
) -> Result<Ledger> {
    let mut pauses = retry::reconnect();
    loop {
        match Ledger::open(settings).await {
            Err(error) if error.is_transient() && !options.drain => {
                tracing::warn!(%error, "waiting for the task database");
                tokio::select! {
                    () = tokio::time::sleep(pauses.next()) => {}
                    () = shutdown.drain.cancelled() => return Err(error),
                }
            }
            opened => return opened,
        }
    }
}

fn identity(options: &Options) -> WorkerRow {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "localhost".to_owned());
    let pid = std::process::id();
    let name = options.name.clone().unwrap_or_else(|| format!("{host}-{pid}"));
    WorkerRow {
        worker: process_name(&name),
        host,
        pid: i64::from(pid),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: "working".to_owned(),
        concurrency: options.concurrency as i64,
        running: 0,
        started_at: String::new(),
        heartbeat_at: String::new(),
    }
}

/// A name that no other process has: the given one may be used again after a restart, and the
/// ledger must tell the processes apart.
pub fn process_name(name: &str) -> String {
    let unique = Uuid::now_v7().simple().to_string();
    // The end of a version 7 UUID is random.
    format!("{name}@{}", &unique[24..])
}

/// What a free slot is used for next.
enum Next {
    Message(Delivery),
    Poll,
    Trouble(Error),
    Stop,
}

impl Worker {
    async fn work(mut self) -> Result<()> {
        let mut ticks = tokio::time::interval(self.poll());
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let helpers = [self.start_heart(), self.start_undertaker()];
        // Between the broker and this process a message is in neither's count: nothing is left only
        // when that was seen twice.
        let mut idle_looks = 0;
        let result = loop {
            let Some(slot) = self.free_slot().await else { break Ok(()) };
            let next = tokio::select! {
                biased;
                () = self.shutdown.drain.cancelled() => Next::Stop,
                Some(error) = self.trouble.recv() => Next::Trouble(error),
                delivery = next_message(&mut self.consumer) => match delivery {
                    Some(delivery) => Next::Message(delivery),
                    None => break Err(Error::internal("the queue's supervisor has ended")),
                },
                () = std::future::ready(()), if self.backlog.waits() => Next::Poll,
                _ = ticks.tick() => Next::Poll,
            };
            match next {
                Next::Stop => break Ok(()),
                Next::Trouble(error) => {
                    drop(slot);
                    self.wait_for_ledger(error).await;
                }
                Next::Message(delivery) => {
                    self.pause_if_full().await;
                    self.desk.start_delivery(delivery, slot);
                }
                Next::Poll => {
                    drop(slot);
                    let swept = self.sweep().await;
                    idle_looks = if let Ok(true) = swept { idle_looks + 1 } else { 0 };
                    if self.options.drain && idle_looks >= 2 {
                        break self.tell_of_pauses().await;
                    }
                    match swept {
                        Ok(_) => self.pauses.reset(),
                        Err(error) => self.wait_for_ledger(error).await,
                    }
                }
            }
        };
        self.stop(helpers).await;
        result
    }

    /// How often to look into the ledger.
    fn poll(&self) -> Duration {
        let poll = self.settings.worker.poll;
        if self.consumer.is_some() { poll } else { poll.min(EMBEDDED_POLL) }
    }

    /// A slot, as soon as one is free; `None` when the worker is to stop.
    async fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = self.shutdown.drain.cancelled() => None,
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok(),
        }
    }

    /// Claims what is stale in the ledger. Returns whether nothing at all is left to do.
    async fn sweep(&mut self) -> Result<bool> {
        if self.backlog.is_fresh() {
            self.claim_backlog().await;
            return Ok(false);
        }
        let messages = match &self.consumer {
            Some(consumer) => consumer.waiting().await,
            None => Some(0),
        };
        let stale_after = self.settings.worker.stale_after;
        let overdue = match (&self.consumer, messages) {
            (None, _) => Duration::ZERO,
            // Without the broker the ledger is all there is.
            (Some(_), None | Some(0)) => stale_after,
            (Some(_), Some(_)) => stale_after * BACKLOG_PATIENCE,
        };
        let wanted = self.slots.available_permits() + AHEAD;
        let due = self.desk.ledger.due(overdue, wanted, &self.desk.limits).await?;
        self.backlog.fill(due, wanted, self.poll());
        self.claim_backlog().await;
        self.join_runs().await?;
        let idle = self.slots.available_permits() == self.options.concurrency;
        Ok(idle
            && messages == Some(0)
            && self.desk.ledger.waiting(self.settings.worker.lease).await? == 0)
    }

    /// Claims runs for the free slots.
    async fn claim_backlog(&mut self) {
        while !self.backlog.is_empty() {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
            let Some((due, won)) = self.backlog.pop() else { return };
            self.pause_if_full().await;
            self.desk.start_due(due, slot, won);
        }
    }

    /// Slots that are still free help with large runs of other workers.
    async fn join_runs(&mut self) -> Result<()> {
        let free = self.slots.available_permits();
        if free == 0 {
            return Ok(());
        }
        for run in self.desk.ledger.with_room(&self.row.worker, free).await? {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { break };
            if let Some(part) = self.desk.participate(run.run_id).await? {
                self.pause_if_full().await;
                self.desk.start_part(part, slot);
            }
        }
        Ok(())
    }

    /// With the last slot taken, messages are for other workers.
    async fn pause_if_full(&mut self) {
        if self.slots.available_permits() == 0 {
            pause(&mut self.consumer).await;
        }
    }

    /// What is paused is not waited for; whoever drains must know of it.
    async fn tell_of_pauses(&self) -> Result<()> {
        let held_back = self.desk.ledger.held_back().await?;
        for pause in self.desk.ledger.pauses().await? {
            tracing::warn!(
                "{} is paused: {held_back} run(s) wait until {}",
                pause.what(),
                pause.remedy()
            );
        }
        Ok(())
    }

    /// The ledger can't be reached: gives messages to others and asks until it is back.
    async fn wait_for_ledger(&mut self, error: Error) {
        tracing::warn!(%error, "waiting for the task database");
        pause(&mut self.consumer).await;
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.pauses.next()) => {}
                () = self.shutdown.drain.cancelled() => return,
            }
            if self.desk.ledger.ping().await.is_ok() {
                // The others met the same.
                while self.trouble.try_recv().is_ok() {}
                tracing::info!("the task database is back");
                return;
            }
        }
    }

    /// Keeps the worker's own row fresh.
    fn start_heart(&self) -> JoinHandle<()> {
        let (ledger, mut row) = (self.desk.ledger.clone(), self.row.clone());
        let (slots, drain) = (Arc::clone(&self.slots), self.shutdown.drain.clone());
        let pause = self.settings.worker.lease / 3;
        tokio::spawn(async move {
            loop {
                row.running = row.concurrency - slots.available_permits() as i64;
                if drain.is_cancelled() {
                    row.state = "draining".to_owned();
                }
                if let Err(error) = ledger.note_worker(&row).await {
                    tracing::debug!(%error, "can't note the worker's heartbeat");
                }
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// Publishes dead letters that were not confirmed when their runs failed.
    fn start_undertaker(&self) -> JoinHandle<()> {
        let (ledger, submitter) = (self.desk.ledger.clone(), self.desk.submitter.clone());
        let pause = self.settings.worker.poll;
        tokio::spawn(async move {
            loop {
                if let Err(error) = runs::publish_dead_runs(&ledger, &submitter).await {
                    tracing::debug!(%error, "dead letters are published later");
                }
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// Gives runs a grace period to end, then stops them; nothing that has committed is lost.
    async fn stop(mut self, helpers: [JoinHandle<()>; 2]) {
        pause(&mut self.consumer).await;
        self.desk.runs.close();
        let grace = self.settings.worker.grace;
        tokio::select! {
            () = self.desk.runs.wait() => {}
            () = tokio::time::sleep(grace) => {
                tracing::warn!("{} run(s) did not end within {grace:?}: stopping them", self.desk.runs.len());
                self.shutdown.halt.cancel();
            }
            () = self.shutdown.halt.cancelled() => {}
        }
        if tokio::time::timeout(Duration::from_secs(10), self.desk.runs.wait()).await.is_err() {
            tracing::warn!(
                "a run could not be given back: another worker takes it when its lease ends"
            );
        }
        helpers.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.desk.ledger.forget_worker(&self.row.worker).await {
            tracing::debug!(%error, "can't remove the worker's row");
        }
        tracing::info!(worker = self.row.worker, "stopped");
    }
}

async fn next_message(consumer: &mut Option<Box<dyn Consumer>>) -> Option<Delivery> {
    match consumer {
        Some(consumer) => consumer.next().await,
        None => std::future::pending().await,
    }
}

async fn pause(consumer: &mut Option<Box<dyn Consumer>>) {
    if let Some(consumer) = consumer {
        consumer.pause().await;
    }
}
