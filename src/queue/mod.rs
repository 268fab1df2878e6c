//! The broker is the wake-up call; the ledger is the truth.
//!
//! Losing, repeating or reordering a message here never loses or doubles a run: every worker also
//! looks into the ledger for what is stale.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::event::Event;

pub mod rabbitmq;

/// Why an event is in the dead queue; becomes message headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadReason {
    /// What happened.
    pub reason: String,
    /// What to do next.
    pub remedy: Option<String>,
    /// Attempts made; 0 when it never became a run.
    pub attempts: u32,
}

/// Sends events. Implementations reconnect by themselves.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes to the queue of the event's priority and waits for the broker's confirm.
    ///
    /// # Errors
    /// Kind `Transient` when the broker did not confirm in time: the ledger's sweep will do it.
    async fn publish(&self, event: &Event) -> Result<()>;

    /// [`Publisher::publish`] for many, with all confirms in flight at once. One result an event,
    /// in order.
    async fn publish_all(&self, events: &[Event]) -> Vec<Result<()>>;

    /// Publishes so that the event arrives about `delay` from now, by the longest fixed delay that
    /// is not longer; the receiver sends it on if it is early.
    async fn publish_delayed(&self, event: &Event, delay: Duration) -> Result<()>;

    /// Puts the body into the dead queue with the reason in its headers.
    async fn publish_dead(
        &self,
        body: &[u8],
        message_id: Option<&str>,
        reason: &DeadReason,
    ) -> Result<()>;

    /// How many messages can be fetched from each queue, by its name; `None` while the broker can't
    /// say. Answers within a few seconds.
    async fn waiting(&self) -> Option<Vec<(String, u64)>>;
}

/// What to do with a delivered message, once it is known.
#[async_trait]
pub trait Acknowledge: Send + Sync {
    /// The message is dealt with. A failure is only logged: the broker delivers again and the
    /// ledger says that it is done.
    async fn ack(self: Box<Self>);

    /// Give it back for another worker.
    async fn requeue(self: Box<Self>);
}

/// A message that was delivered and not yet acknowledged.
pub struct Delivery {
    /// The event's JSON, unchecked.
    pub body: Vec<u8>,
    /// The AMQP `message_id`, if the publisher set one.
    pub message_id: Option<String>,
    /// Whether the broker has delivered it before, perhaps to a worker that died.
    pub redelivered: bool,
    /// The W3C `traceparent` header, if any.
    pub traceparent: Option<String>,
    /// The way to answer.
    pub answer: Box<dyn Acknowledge>,
}

/// Receives events. Reconnects by itself, for ever.
#[async_trait]
pub trait Consumer: Send {
    /// The next message; waits while there is none or no broker. Safe to cancel. Starts consuming
    /// if it was paused. `None` only after the supervisor has ended.
    async fn next(&mut self) -> Option<Delivery>;

    /// Stops consuming and gives back what was delivered but not yet returned by
    /// [`Consumer::next`], so that no message waits behind a busy worker. Returns once the broker
    /// has agreed, or after a short time.
    async fn pause(&mut self);

    /// Messages waiting in the task queues; `None` when the broker can't say.
    async fn waiting(&self) -> Option<u64>;
}
