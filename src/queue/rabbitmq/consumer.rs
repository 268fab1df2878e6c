//! Receives events, on a connection of its own that a background task keeps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lapin::Connection;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::consuming::{self, Command, PAUSE};
use super::dial::Dialer;
use super::{RabbitConfig, topology};
use crate::queue::{Consumer, Delivery};

/// For the broker's word on how much is waiting.
const COUNT: Duration = Duration::from_secs(5);

/// Consumes the three task queues, the most urgent first. Dropping it gives back what was not
/// handed out and ends the background task.
pub struct RabbitConsumer {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    prefix: String,
}

impl RabbitConsumer {
    /// Connects in the background, for ever. Needs a running tokio runtime.
    pub fn start(config: RabbitConfig, name: &str) -> Self {
        let (commands, incoming) = mpsc::channel(16);
        let shared = Arc::new(Shared::default());
        let prefix = config.prefix.clone();
        let dialer = Dialer::new(config, format!("consume {name}"));
        tokio::spawn(consuming::run(dialer, incoming, Arc::clone(&shared)));
        Self { commands, shared, prefix }
    }
}

/// What the consumer and its background task both see.
#[derive(Default)]
pub(super) struct Shared {
    ready: Mutex<Ready>,
    arrived: Notify,
    connection: Mutex<Option<Arc<Connection>>>,
}

#[derive(Default)]
struct Ready {
    /// By urgency (0 is the most urgent), then by arrival. At most one a queue.
    deliveries: VecDeque<(usize, Delivery)>,
    /// Whether `next` was called and has not got anything yet.
    wanted: bool,
}

impl Shared {
    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a delivery where `next` finds it.
    pub fn push(&self, urgency: usize, delivery: Delivery) {
        let mut ready = self.ready();
        let place = ready.deliveries.partition_point(|(other, _)| *other <= urgency);
        ready.deliveries.insert(place, (urgency, delivery));
        self.arrived.notify_one();
    }

    /// The most urgent delivery; without one, remembers that one is wanted.
    fn take(&self) -> Option<Delivery> {
        let mut ready = self.ready();
        let taken = ready.deliveries.pop_front();
        ready.wanted = taken.is_none();
        taken.map(|(_, delivery)| delivery)
    }

    /// Whether `next` waits and nothing is there for it.
    pub fn is_hungry(&self) -> bool {
        let ready = self.ready();
        ready.wanted && ready.deliveries.is_empty()
    }

    /// Takes everything back: nothing is wanted any more.
    pub fn stop(&self) -> VecDeque<(usize, Delivery)> {
        let mut ready = self.ready();
        ready.wanted = false;
        std::mem::take(&mut ready.deliveries)
    }

    /// Forgets deliveries whose connection is gone.
    pub fn forget(&self) {
        self.ready().deliveries.clear();
    }

    pub fn set_connection(&self, connection: Option<Arc<Connection>>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    fn connection(&self) -> Option<Arc<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.shared.take() {
                return Some(delivery);
            }
            self.commands.send(Command::Resume).await.ok()?;
            tokio::select! {
                () = self.shared.arrived.notified() => {}
                () = self.commands.closed() => return None,
            }
        }
    }

    async fn pause(&mut self) {
        let (done, agreed) = oneshot::channel();
        // Only fails when the background task has ended: nothing is consumed then.
        if self.commands.send(Command::Pause(done)).await.is_ok()
            && timeout(PAUSE * 2, agreed).await.is_err()
        {
            tracing::warn!("RabbitMQ did not stop delivering in time");
        }
    }

    async fn waiting(&self) -> Option<u64> {
        let connection = self.shared.connection()?;
        match timeout(COUNT, count(&connection, &self.prefix)).await {
            Ok(Ok(messages)) => Some(messages),
            Ok(Err(error)) => {
                tracing::debug!(%error, "RabbitMQ can't say how many messages wait");
                None
            }
            Err(_) => None,
        }
    }
}

async fn count(connection: &Connection, prefix: &str) -> lapin::Result<u64> {
    let channel = connection.create_channel().await?;
    let counts = topology::counts(&channel, &topology::task_queues(prefix)).await?;
    channel.close(200, "counted".into()).await?;
    Ok(counts.into_iter().map(u64::from).sum())
}
