//! A message on its way to a worker, and the answer to the broker.

use std::time::Duration;

use async_trait::async_trait;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties, Channel};
use tokio::time::timeout;

use crate::queue::{Acknowledge, Delivery};

/// lapin's answer can hang on a channel that has died.
const ANSWER: Duration = Duration::from_secs(5);

/// The way to answer one delivery. Keeps its channel, and so the connection, open till then.
pub(super) struct Answer {
    acker: Acker,
    message_id: Option<String>,
    _channel: Channel,
}

impl Answer {
    pub fn new(delivery: &lapin::message::Delivery, channel: &Channel) -> Self {
        Self {
            acker: delivery.acker.clone(),
            message_id: message_id(&delivery.properties),
            _channel: channel.clone(),
        }
    }

    async fn settle(&self, what: &str, sending: impl Future<Output = lapin::Result<bool>>) {
        let message_id = self.message_id.as_deref();
        match timeout(ANSWER, sending).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => tracing::warn!(
                message_id,
                "cannot {what} a message: its connection is gone, RabbitMQ will deliver it again"
            ),
            Ok(Err(error)) => tracing::warn!(message_id, %error, "cannot {what} a message"),
            Err(_) => tracing::warn!(message_id, "cannot {what} a message: RabbitMQ is silent"),
        }
    }
}

#[async_trait]
impl Acknowledge for Answer {
    async fn ack(self: Box<Self>) {
        self.settle("acknowledge", self.acker.ack(BasicAckOptions::default())).await;
    }

    async fn requeue(self: Box<Self>) {
        let back = BasicNackOptions { requeue: true, ..Default::default() };
        self.settle("give back", self.acker.nack(back)).await;
    }
}

/// What the worker gets.
pub(super) fn hand_out(delivery: lapin::message::Delivery, channel: &Channel) -> Delivery {
    let answer = Box::new(Answer::new(&delivery, channel));
    Delivery {
        message_id: message_id(&delivery.properties),
        redelivered: delivery.redelivered,
        traceparent: text_header(&delivery.properties, "traceparent"),
        body: delivery.data,
        answer,
    }
}

/// The AMQP message id.
pub(super) fn message_id(properties: &BasicProperties) -> Option<String> {
    properties.message_id().as_ref().map(ToString::to_string)
}

/// A header, if it is there and text.
pub(super) fn text_header(properties: &BasicProperties, name: &str) -> Option<String> {
    match header(properties.headers().as_ref()?, name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// A header, if it is there.
pub(super) fn header<'a>(headers: &'a FieldTable, name: &str) -> Option<&'a AMQPValue> {
    headers.inner().get(name)
}
