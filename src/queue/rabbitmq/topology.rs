//! The exchanges and queues of one prefix.
//!
//! Tunables are queue arguments, all in this file: a queue declared again with other arguments is
//! refused by the broker.

use std::time::Duration;

use futures::future::try_join_all;
use lapin::options::{
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::RabbitConfig;
use super::{connect, refusal};
use crate::error::Result;
use crate::event::Priority;

/// Deliveries of one message before the broker dead-letters it. Not small: a worker that pauses
/// gives messages back, and each time counts.
const DELIVERY_LIMIT: i64 = 100;

/// For queues whose messages must stay: RabbitMQ 4 drops a message after 20 deliveries unless
/// told otherwise, 3.10 refuses -1 (no limit), and both put a returned message back at the head
/// only where there is a limit.
const NO_DELIVERY_LIMIT: i64 = 1_000_000_000;

/// The routing key of dead messages.
pub(super) const DEAD_KEY: &str = "dead";

/// The fixed delays and their names. One queue each: expired messages leave only at the head, so
/// different delays must not share a queue.
const DELAYS: [(Duration, &str); 8] = [
    (Duration::from_secs(1), "1s"),
    (Duration::from_secs(5), "5s"),
    (Duration::from_secs(10), "10s"),
    (Duration::from_secs(30), "30s"),
    (Duration::from_secs(60), "1m"),
    (Duration::from_secs(300), "5m"),
    (Duration::from_secs(900), "15m"),
    (Duration::from_secs(3600), "1h"),
];

/// The routing key of a priority. It survives the delay queues.
pub(super) fn routing_key(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "task.high",
        Priority::Normal => "task",
        Priority::Low => "task.low",
    }
}

fn task_queue(prefix: &str, priority: Priority) -> String {
    match priority {
        Priority::High => format!("{prefix}.tasks.high"),
        Priority::Normal => format!("{prefix}.tasks"),
        Priority::Low => format!("{prefix}.tasks.low"),
    }
}

/// Where dead messages wait for a person.
pub(super) fn dead_queue(prefix: &str) -> String {
    format!("{prefix}.dead")
}

fn retry_name(prefix: &str, delay: &str) -> String {
    format!("{prefix}.retry.{delay}")
}

/// The exchange that holds a message back for the longest fixed delay of at most `delay`; `None`
/// for less than the shortest.
pub(super) fn retry_exchange(prefix: &str, delay: Duration) -> Option<String> {
    // What is almost due goes straight on; the rest of a second would be a busy loop.
    const SOON: Duration = Duration::from_millis(50);
    let fitting = DELAYS.iter().rev().find(|(fixed, _)| *fixed <= delay);
    let (_, name) = fitting.or_else(|| DELAYS.first().filter(|_| delay > SOON))?;
    Some(retry_name(prefix, name))
}

/// The task queues, the most urgent first.
pub(super) fn task_queues(prefix: &str) -> Vec<String> {
    Priority::ALL.map(|priority| task_queue(prefix, priority)).to_vec()
}

/// All queues.
pub(super) fn all_queues(prefix: &str) -> Vec<String> {
    queues(prefix).into_iter().map(|queue| queue.name).collect()
}

struct QueuePlan {
    name: String,
    exchange: String,
    routing_key: &'static str,
    arguments: FieldTable,
}

fn arguments(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (key, value) in entries {
        table.insert((*key).into(), value.clone());
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// At-least-once dead-lettering needs `reject-publish`, or it is silently at-most-once.
fn dead_lettering(prefix: &str) -> [(&'static str, AMQPValue); 3] {
    [
        ("x-dead-letter-exchange", text(prefix)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

fn queues(prefix: &str) -> Vec<QueuePlan> {
    let [exchange, strategy, overflow] = dead_lettering(prefix);
    let task_arguments = arguments(&[
        exchange.clone(),
        strategy.clone(),
        overflow.clone(),
        ("x-dead-letter-routing-key", text(DEAD_KEY)),
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
    ]);
    let tasks = Priority::ALL.map(|priority| QueuePlan {
        name: task_queue(prefix, priority),
        exchange: prefix.to_owned(),
        routing_key: routing_key(priority),
        arguments: task_arguments.clone(),
    });
    let dead = QueuePlan {
        name: dead_queue(prefix),
        exchange: prefix.to_owned(),
        routing_key: DEAD_KEY,
        arguments: arguments(&[("x-delivery-limit", AMQPValue::LongLongInt(NO_DELIVERY_LIMIT))]),
    };
    let retries = DELAYS.map(|(delay, name)| QueuePlan {
        name: retry_name(prefix, name),
        exchange: retry_name(prefix, name),
        routing_key: "",
        arguments: arguments(&[
            exchange.clone(),
            strategy.clone(),
            overflow.clone(),
            ("x-message-ttl", AMQPValue::LongLongInt(delay.as_millis() as i64)),
        ]),
    });
    tasks.into_iter().chain([dead]).chain(retries).collect()
}

fn exchanges(prefix: &str) -> Vec<(String, ExchangeKind)> {
    let retries = DELAYS.map(|(_, name)| (retry_name(prefix, name), ExchangeKind::Fanout));
    [(prefix.to_owned(), ExchangeKind::Direct)].into_iter().chain(retries).collect()
}

/// Declares everything; harmless where it exists. The requests of a kind go out together.
///
/// # Errors
/// The broker's refusal; 406 means that a queue exists with other arguments. It closes the
/// channel.
pub(super) async fn declare(channel: &Channel, prefix: &str) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    try_join_all(exchanges(prefix).into_iter().map(|(name, kind)| {
        channel.exchange_declare(name.into(), kind, durable, FieldTable::default())
    }))
    .await?;
    let queues = queues(prefix);
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    try_join_all(queues.iter().map(|queue| {
        channel.queue_declare(queue.name.as_str().into(), durable, queue.arguments.clone())
    }))
    .await?;
    try_join_all(queues.iter().map(|queue| {
        channel.queue_bind(
            queue.name.as_str().into(),
            queue.exchange.as_str().into(),
            queue.routing_key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
    }))
    .await?;
    Ok(())
}

/// How many messages can be fetched from each queue. Only a look: fetching from an empty queue
/// would cost a write to its log.
///
/// # Errors
/// A queue that isn't there closes the channel.
pub(super) async fn counts(channel: &Channel, queues: &[String]) -> lapin::Result<Vec<u32>> {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let declared = queues
        .iter()
        .map(|queue| channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()));
    let declared = try_join_all(declared).await?;
    Ok(declared.iter().map(lapin::Queue::message_count).collect())
}

/// Removes a prefix's queues and exchanges with every message in them. For tests.
///
/// # Errors
/// As for connecting.
pub async fn delete(config: &RabbitConfig) -> Result<()> {
    let link = connect::open(config, "delete").await?;
    for queue in queues(&config.prefix) {
        let deleted = link.channel.queue_delete(queue.name.into(), QueueDeleteOptions::default());
        deleted.await.map_err(|error| refusal::explain_operation(config, error))?;
    }
    for (name, _) in exchanges(&config.prefix) {
        let deleted = link.channel.exchange_delete(name.into(), ExchangeDeleteOptions::default());
        deleted.await.map_err(|error| refusal::explain_operation(config, error))?;
    }
    link.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_waits_in_the_longest_queue_that_is_not_longer() {
        let exchange = |seconds| retry_exchange("p", Duration::from_secs_f64(seconds));
        assert_eq!(exchange(0.04), None);
        assert_eq!(exchange(0.9).as_deref(), Some("p.retry.1s"));
        assert_eq!(exchange(1.0).as_deref(), Some("p.retry.1s"));
        assert_eq!(exchange(29.9).as_deref(), Some("p.retry.10s"));
        assert_eq!(exchange(86_400.0).as_deref(), Some("p.retry.1h"));
    }

    #[test]
    fn every_queue_has_its_own_name() {
        let mut names: Vec<_> = queues("p").into_iter().map(|queue| queue.name).collect();
        assert_eq!(names.len(), 12);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 12);
        assert!(task_queues("p").iter().all(|name| names.contains(name)));
    }
}
