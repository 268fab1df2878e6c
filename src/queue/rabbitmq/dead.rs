//! Looking into the dead queue, and taking messages out of it.

use std::time::Duration;

use futures::future::{FutureExt, ready};
use futures::stream::StreamExt;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::connect;
use super::delivery::{self, Answer};
use super::{RabbitConfig, refusal, topology};
use crate::error::Result;
use crate::queue::Acknowledge;

const ANSWER: Duration = Duration::from_secs(10);
/// For messages given back to be there for others.
const SETTLE: Duration = Duration::from_secs(2);
/// For a message that is in the queue to arrive.
const ARRIVAL: Duration = Duration::from_secs(2);
/// Messages to fetch at once; a queue of no more keeps its order.
const ROUND: u32 = 2_000;

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
    let link = connect::open_declared(config, "dead").await?;
    let visit = Visit { config, channel: &link.channel };
    let walk = visit.walk(|_| true, limit).await?;
    let mut tags = walk.passed_over;
    tags.extend(walk.picked.iter().map(|(_, delivery)| delivery.delivery_tag));
    visit.give_back(tags).await?;
    link.close().await;
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
    let link = connect::open_declared(config, "dead").await?;
    let visit = Visit { config, channel: &link.channel };
    let walk = visit.walk(wanted, limit).await?;
    visit.give_back(walk.passed_over).await?;
    let picked = walk.picked.into_iter().map(|(message, delivery)| {
        let answer = Answer::new(&delivery, &link.channel);
        (message, Box::new(answer) as Box<dyn Acknowledge>)
    });
    Ok(picked.collect())
}

struct Visit<'a> {
    config: &'a RabbitConfig,
    channel: &'a Channel,
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
    /// A message given back goes behind those given back earlier. So a round is always walked to
    /// its end, to give all of them back in their order.
    async fn walk(&self, wanted: impl Fn(&DeadMessage) -> bool, limit: usize) -> Result<Walk> {
        let mut walk = Walk { picked: Vec::new(), passed_over: Vec::new() };
        let mut left = self.count().await?;
        while left > 0 && walk.picked.len() < limit {
            let fetched = self.fetch(left.min(ROUND) as u16).await?;
            if fetched.is_empty() {
                break;
            }
            left = left.saturating_sub(fetched.len() as u32);
            for delivery in fetched {
                let dead = DeadMessage::read(&delivery);
                if walk.picked.len() < limit && wanted(&dead) {
                    walk.picked.push((dead, delivery));
                } else {
                    walk.passed_over.push(delivery.delivery_tag);
                }
            }
        }
        Ok(walk)
    }

    /// Fetches up to `count` messages, fewer if others were faster. By a subscription, since
    /// fetching one by one costs a write to the queue's log for each.
    async fn fetch(&self, count: u16) -> Result<Vec<Delivery>> {
        let channel = self.channel;
        self.in_time(channel.basic_qos(count, BasicQosOptions::default())).await?;
        let queue = topology::dead_queue(&self.config.prefix).into();
        let options = BasicConsumeOptions::default();
        let subscribed = channel.basic_consume(queue, "".into(), options, FieldTable::default());
        let mut messages = self.in_time(subscribed).await?;
        let mut fetched = Vec::with_capacity(usize::from(count));
        while fetched.len() < usize::from(count)
            && let Ok(Some(message)) = timeout(ARRIVAL, messages.next()).await
        {
            fetched.push(self.in_time(ready(message)).await?);
        }
        let cancelled = channel.basic_cancel(messages.tag(), BasicCancelOptions::default());
        self.in_time(cancelled).await?;
        while let Some(message) = self.in_time(messages.next().map(Ok)).await? {
            fetched.push(self.in_time(ready(message)).await?);
        }
        Ok(fetched)
    }

    /// Gives messages back in the order they came, and returns when others can see them: the
    /// queue takes them back through its log, some time after the channel has.
    async fn give_back(&self, mut tags: Vec<u64>) -> Result<()> {
        tags.sort_unstable();
        let back = BasicNackOptions { requeue: true, ..Default::default() };
        for tag in &tags {
            self.in_time(self.channel.basic_nack(*tag, back)).await?;
        }
        let deadline = Instant::now() + SETTLE;
        // Others may take messages out meanwhile, so the count may never get there.
        while (self.count().await? as usize) < tags.len() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Messages that can be fetched.
    async fn count(&self) -> Result<u32> {
        let queues = [topology::dead_queue(&self.config.prefix)];
        Ok(self.in_time(topology::counts(self.channel, &queues)).await?[0])
    }

    async fn in_time<T>(&self, asked: impl Future<Output = lapin::Result<T>>) -> Result<T> {
        timeout(ANSWER, asked)
            .await
            .map_err(|_| refusal::too_slow("reading the dead queue"))?
            .map_err(|error| refusal::explain_operation(self.config, error))
    }
}
