//! One worker process: takes runs from the queue and from the ledger, as many at once as it has
//! slots.
//!
//! A message is claimed in the ledger, then acknowledged, then worked on: an hours-long run never
//! sits on an unacknowledged message. A worker that gives its last free slot to a message stops
//! consuming before that is acknowledged, so that no message waits behind it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, WorkerRow};
use crate::metrics::WorkerMetrics;
use crate::metrics::listener::Listener;
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
mod life;
mod runs;
mod sweep;

pub use life::process_name;
pub use runs::run_limits;

use backlog::Backlog;
use desk::Desk;
use life::identity;

/// With the embedded queue the ledger is asked this often at least: it is the only way to hear of
/// work.
const EMBEDDED_POLL: Duration = Duration::from_millis(200);
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
    let metrics = WorkerMetrics::default();
    let listener = listen(&settings, &metrics, &shutdown).await?;
    let ledger = open_ledger(&settings, &options, &shutdown).await?;
    if let Some(listener) = &listener {
        listener.set_ledger(ledger.clone());
    }
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
        metrics: metrics.clone(),
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
        metrics,
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
    let worked = worker.work().await;
    drop(listener);
    worked
}

async fn listen(
    settings: &Settings,
    metrics: &WorkerMetrics,
    shutdown: &Shutdown,
) -> Result<Option<Listener>> {
    let Some(address) = settings.worker.metrics_listen else { return Ok(None) };
    Listener::start(address, metrics, shutdown.drain.clone()).await.map(Some)
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
        self.start_clock();
        self.start_messenger()?;
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
