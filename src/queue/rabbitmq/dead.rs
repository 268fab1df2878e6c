//! Looking into the dead queue, and taking messages out of it.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;

use super::connect::{self, Link};
use super::delivery::{self, Answer};
use super::{RabbitConfig, refusal, topology};
use crate::error::Result;
use crate::queue::Acknowledge;

const ANSWER: Duration = Duration::from_secs(10);
/// Messages to walk over, beyond need, so that the queue keeps its order: about two seconds.
const KEEPS_ORDER: u32 = 10_000;

/// A message that no worker will handle any more.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadMessage {
    /// The event's JSON as it came, unchecked.
    pub body: Vec<u8>,
    /// The AMQP message id: the run's id, if the message was ours.
    pub message_id: Option<String>,
    /// What happened.
    pub reason: String,
    /// What to do next.
    pub remedy: Option<String>,
    /// Attempts made; 0 when it never became a run.
    pub attempts: u32,
    /// From the body, if it could be read.
    pub task_id: Option<i64>,
    /// From the body, if it could be read.
    pub run_id: Option<Uuid>,
}

impl DeadMessage {
    fn read(message: &Delivery) -> Self {
        let properties = &message.properties;
        let headers = properties.headers().clone().unwrap_or_default();
        let body: Value = serde_json::from_slice(&message.data).unwrap_or_default();
        Self {
            message_id: delivery::message_id(properties),
            reason: delivery::text_header(properties, "x-goshift-reason")
                .unwrap_or_else(|| brokers_reason(properties)),
            remedy: delivery::text_header(properties, "x-goshift-remedy"),
            attempts: attempts(delivery::header(&headers, "x-goshift-attempts")),
            task_id: body.get("task_id").and_then(Value::as_i64),
            run_id: body.get("run_id").and_then(Value::as_str).and_then(|id| id.parse().ok()),
            body: message.data.clone(),
        }
    }
}

/// For a message that the broker itself dead-lettered.
fn brokers_reason(properties: &lapin::BasicProperties) -> String {
    match delivery::text_header(properties, "x-first-death-reason").as_deref() {
        Some("delivery_limit") => "no worker took it, however often it was delivered".to_owned(),
        Some(reason) => format!("RabbitMQ gave it up: {reason}"),
        None => "unknown: it was not put here by goshift".to_owned(),
    }
}

fn attempts(header: Option<&AMQPValue>) -> u32 {
    match header {
        Some(AMQPValue::LongLongInt(attempts)) => u32::try_from(*attempts).unwrap_or(u32::MAX),
        _ => 0,
    }
}

/// The first `limit` dead messages, the oldest first. They stay in the queue.
///
/// # Errors
/// As for connecting.
pub async fn list_dead(config: &RabbitConfig, limit: usize) -> Result<Vec<DeadMessage>> {
    let visit = Visit { config, link: connect::open_declared(config, "dead").await? };
    let walk = visit.walk(|_| true, limit).await?;
    let mut tags = walk.passed_over;
    tags.extend(walk.picked.iter().map(|(_, delivery)| delivery.delivery_tag));
    visit.give_back(tags).await?;
    visit.link.close().await;
    Ok(walk.picked.into_iter().map(|(message, _)| message).collect())
}

/// Up to `limit` dead messages that `wanted` picks, the oldest first, each with the way to answer:
/// acknowledge it once its new run is in the ledger. One that is given back or dropped stays in
/// the queue, like those that were not picked.
///
/// # Errors
/// As for connecting.
pub async fn take_dead(
    config: &RabbitConfig,
    wanted: impl Fn(&DeadMessage) -> bool,
    limit: usize,
) -> Result<Vec<(DeadMessage, Box<dyn Acknowledge>)>> {
    let visit = Visit { config, link: connect::open_declared(config, "dead").await? };
    let walk = visit.walk(wanted, limit).await?;
    visit.give_back(walk.passed_over).await?;
    let picked = walk.picked.into_iter().map(|(message, delivery)| {
        let answer = Answer::new(&delivery, &visit.link.channel);
        (message, Box::new(answer) as Box<dyn Acknowledge>)
    });
    Ok(picked.collect())
}

struct Visit<'a> {
    config: &'a RabbitConfig,
    link: Link,
}

struct Walk {
    picked: Vec<(DeadMessage, Delivery)>,
    /// Delivery tags of the others.
    passed_over: Vec<u64>,
}

impl Visit<'_> {
    /// Fetches the messages that are in the queue now; until they are answered nobody else sees
    /// them.
    ///
    /// A message given back goes behind those given back earlier. So the walk goes on to the end
    /// when it has enough, to give all of them back in their order, unless that is too far.
    async fn walk(&self, wanted: impl Fn(&DeadMessage) -> bool, limit: usize) -> Result<Walk> {
        let channel = &self.link.channel;
        let queue = topology::dead_queue(&self.config.prefix);
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let declared = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default());
        let count = self.in_time(declared).await?.message_count();
        let mut walk = Walk { picked: Vec::new(), passed_over: Vec::new() };
        for walked in 0..count {
            if walk.picked.len() >= limit && walked >= KEEPS_ORDER {
                break;
            }
            let fetched = channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
            let Some(message) = self.in_time(fetched).await? else { break };
            let dead = DeadMessage::read(&message);
            if walk.picked.len() < limit && wanted(&dead) {
                walk.picked.push((dead, message.delivery));
            } else {
                walk.passed_over.push(message.delivery_tag);
            }
        }
        Ok(walk)
    }

    /// Gives messages back in the order they came, and returns when the broker has them.
    async fn give_back(&self, mut tags: Vec<u64>) -> Result<()> {
        tags.sort_unstable();
        let channel = &self.link.channel;
        let back = BasicNackOptions { requeue: true, ..Default::default() };
        for tag in tags {
            self.in_time(channel.basic_nack(tag, back)).await?;
        }
        // The broker works in order: its answer to this says that it has taken everything back.
        self.in_time(channel.basic_qos(0, BasicQosOptions::default())).await
    }

    async fn in_time<T>(&self, asked: impl Future<Output = lapin::Result<T>>) -> Result<T> {
        timeout(ANSWER, asked)
            .await
            .map_err(|_| refusal::too_slow("reading the dead queue"))?
            .map_err(|error| refusal::explain_operation(self.config, error))
    }
}
