//! RabbitMQ, 3.10 and later.
//!
//! A supervisor of our own reconnects and declares everything again; lapin's automatic recovery
//! stays off, because it gives up after a number of attempts.

use crate::config::connection::Secret;

mod connect;
mod consumer;
mod consuming;
mod dead;
mod delivery;
mod dial;
mod publisher;
mod publishing;
mod refusal;
mod topology;

pub use consumer::RabbitConsumer;
pub use dead::{DeadMessage, list_dead, take_dead};
pub use publisher::RabbitPublisher;
pub use topology::delete;

/// Where the broker is and how our queues are named there.
#[derive(Debug, Clone)]
pub struct RabbitConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…` for TLS.
    pub url: Secret,
    /// What the names of all exchanges and queues begin with; `goshift` unless configured.
    pub prefix: String,
    /// Where the URL stands in the configuration, for messages: `queue.url`.
    pub place: String,
}
