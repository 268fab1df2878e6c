//! Sends events and waits for the broker's confirms.

use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::Link;
use super::dial::{Dialer, Trouble};
use super::publishing::{self, Current, Request, WINDOW};
use super::{RabbitConfig, topology};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::queue::{DeadReason, Publisher};
use crate::telemetry::trace;

/// How long a call waits for the broker, reconnects included.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the broker's word on how much is waiting: whoever scrapes metrics does not wait long.
const COUNT: Duration = Duration::from_secs(2);
/// What each event of [`Publisher::publish_all`] adds to it: a slow disk confirms 500 a second.
const PATIENCE_PER_EVENT: Duration = Duration::from_millis(2);

/// Publishes on a connection of its own, which a background task keeps. Dropping it ends the
/// task. Cheap to share; all callers' messages are in flight together.
pub struct RabbitPublisher {
    requests: mpsc::Sender<Request>,
    prefix: String,
    trouble: Trouble,
    connection: Current,
}

impl RabbitPublisher {
    /// Connects and declares the queues, or says why it can't.
    ///
    /// # Errors
    /// Kind `Config` where only a change of the configuration helps, else `Transient`.
    pub async fn connect(config: RabbitConfig, name: &str) -> Result<Self> {
        let mut dialer = Dialer::new(config, format!("publish {name}"));
        let link = dialer.once().await?;
        Ok(Self::start(dialer, Some(link)))
    }

    /// Never fails: connects in the background, for ever. Needs a running tokio runtime.
    pub fn lazy(config: RabbitConfig, name: &str) -> Self {
        Self::start(Dialer::new(config, format!("publish {name}")), None)
    }

    fn start(dialer: Dialer, link: Option<Link>) -> Self {
        let (requests, incoming) = mpsc::channel(WINDOW);
        let connection = Current::default();
        let publisher = Self {
            requests,
            prefix: dialer.config().prefix.clone(),
            trouble: dialer.trouble(),
            connection: connection.clone(),
        };
        tokio::spawn(publishing::run(dialer, link, connection, incoming));
        publisher
    }

    /// Hands a message to the background task; the receiver gets the confirm.
    async fn submit(&self, message: Message, deadline: Instant) -> Result<oneshot::Receiver<()>> {
        let (confirm, confirmed) = oneshot::channel();
        let request = Request {
            exchange: message.exchange,
            routing_key: message.routing_key,
            body: message.body,
            properties: message.properties,
            confirm,
        };
        match timeout_at(deadline, self.requests.send(request)).await {
            Ok(Ok(())) => Ok(confirmed),
            Ok(Err(_)) => Err(Error::internal("the publisher's background task has ended")),
            Err(_) => Err(self.unconfirmed()),
        }
    }

    async fn confirmed(&self, confirmed: oneshot::Receiver<()>, deadline: Instant) -> Result<()> {
        match timeout_at(deadline, confirmed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.unconfirmed()),
        }
    }

    fn unconfirmed(&self) -> Error {
        let error = Error::transient("RabbitMQ did not confirm a message in time");
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match trouble {
            Some(trouble) => {
                let error = error.caused_by(trouble.to_string());
                match trouble.remedy() {
                    Some(remedy) => error.with_remedy(remedy),
                    None => error,
                }
            }
            None => error.with_remedy("look into RabbitMQ's log for alarms and full queues"),
        }
    }

    async fn publish_to(&self, exchange: &str, event: &Event) -> Result<()> {
        let (span, traceparent) = trace::publishing(event);
        let result = self.send(Message::event(exchange, event, traceparent.as_deref())).await;
        trace::note(&span, &result);
        result
    }

    async fn send(&self, message: Message) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let confirmed = self.submit(message, deadline).await?;
        self.confirmed(confirmed, deadline).await
    }
}

struct Message {
    exchange: String,
    routing_key: &'static str,
    body: Vec<u8>,
    properties: BasicProperties,
}

impl Message {
    /// `traceparent` is its W3C trace context.
    fn event(exchange: &str, event: &Event, traceparent: Option<&str>) -> Self {
        let mut properties = persistent();
        if let Some(traceparent) = traceparent {
            let mut headers = FieldTable::default();
            headers.insert("traceparent".into(), text(traceparent));
            properties = properties.with_headers(headers);
        }
        if let Some(run_id) = event.run_id {
            properties = properties.with_message_id(run_id.to_string().into());
        }
        Self {
            exchange: exchange.to_owned(),
            routing_key: topology::routing_key(event.priority),
            body: event.body(),
            properties,
        }
    }

    fn dead(prefix: &str, body: &[u8], message_id: Option<&str>, reason: &DeadReason) -> Self {
        let mut headers = FieldTable::default();
        headers.insert("x-goshift-reason".into(), text(&reason.reason));
        if let Some(remedy) = &reason.remedy {
            headers.insert("x-goshift-remedy".into(), text(remedy));
        }
        let attempts = AMQPValue::LongLongInt(i64::from(reason.attempts));
        headers.insert("x-goshift-attempts".into(), attempts);
        let mut properties = persistent().with_headers(headers);
        if let Some(message_id) = message_id {
            properties = properties.with_message_id(message_id.into());
        }
        Self {
            exchange: prefix.to_owned(),
            routing_key: topology::DEAD_KEY,
            body: body.to_vec(),
            properties,
        }
    }
}

fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into())
}

/// A header's text. Reasons may quote what a stranger sent: a frame holds only so much.
fn text(value: &str) -> AMQPValue {
    const LIMIT: usize = 2000;
    let end = value.char_indices().nth(LIMIT).map_or(value.len(), |(at, _)| at);
    AMQPValue::LongString(value[..end].into())
}

#[async_trait]
impl Publisher for RabbitPublisher {
    async fn publish(&self, event: &Event) -> Result<()> {
        self.publish_to(&self.prefix, event).await
    }

    async fn publish_all(&self, events: &[Event]) -> Vec<Result<()>> {
        let patience = PATIENCE + PATIENCE_PER_EVENT.saturating_mul(events.len() as u32);
        let deadline = Instant::now() + patience;
        let mut submitted = Vec::with_capacity(events.len());
        for event in events {
            let (span, traceparent) = trace::publishing(event);
            let message = Message::event(&self.prefix, event, traceparent.as_deref());
            submitted.push((span, self.submit(message, deadline).await));
        }
        let mut results = Vec::with_capacity(events.len());
        for (span, submission) in submitted {
            let result = match submission {
                Ok(confirmed) => self.confirmed(confirmed, deadline).await,
                Err(error) => Err(error),
            };
            trace::note(&span, &result);
            trace::end(&span);
            results.push(result);
        }
        results
    }

    async fn publish_delayed(&self, event: &Event, delay: Duration) -> Result<()> {
        let exchange = topology::retry_exchange(&self.prefix, delay);
        self.publish_to(exchange.as_deref().unwrap_or(&self.prefix), event).await
    }

    async fn publish_dead(
        &self,
        body: &[u8],
        message_id: Option<&str>,
        reason: &DeadReason,
    ) -> Result<()> {
        self.send(Message::dead(&self.prefix, body, message_id, reason)).await
    }

    async fn waiting(&self) -> Option<Vec<(String, u64)>> {
        let connection = self.connection.get()?;
        let queues = topology::all_queues(&self.prefix);
        match timeout(COUNT, count(&connection, &queues)).await {
            Ok(Ok(messages)) => Some(queues.into_iter().zip(messages).collect()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "RabbitMQ can't say how many messages wait");
                None
            }
            Err(_) => None,
        }
    }
}

async fn count(connection: &Connection, queues: &[String]) -> lapin::Result<Vec<u64>> {
    let channel = connection.create_channel().await?;
    let counts = topology::counts(&channel, queues).await?;
    channel.close(200, "counted".into()).await?;
    Ok(counts.into_iter().map(u64::from).collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::queue::rabbitmq::delivery::text_header;

    #[test]
    fn a_run_names_its_messages_and_its_trace() {
        let run_id = Uuid::now_v7();
        let event = Event::wake(5, run_id, crate::event::Priority::High);
        let (_, traceparent) = trace::publishing(&event);
        let message = Message::event("p", &event, traceparent.as_deref());
        assert_eq!(message.routing_key, "task.high");
        assert_eq!(*message.properties.delivery_mode(), Some(2));
        let id = message.properties.message_id().as_ref().map(ToString::to_string);
        assert_eq!(id, Some(run_id.to_string()));
        let trace = text_header(&message.properties, "traceparent").unwrap();
        assert_eq!(trace.len(), 55);
        assert!(trace.starts_with(&format!("00-{}-", run_id.simple())));
        let known = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (_, traceparent) = trace::publishing(&event.in_trace(Some(known)));
        assert_eq!(traceparent.as_deref(), Some(known), "no span of our own: as the ledger has it");
    }
}
