//! Messages from clients that are not goshift.

use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Connection, ConnectionProperties};

use super::Site;

impl Site {
    /// Publishes a body as an AMQP client would.
    pub async fn publish(&self, body: &str, message_id: Option<&str>) {
        let url = self.rabbit().url;
        let connection =
            Connection::connect(url.expose(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mut properties = BasicProperties::default();
        if let Some(id) = message_id {
            properties = properties.with_message_id(ShortString::from(id));
        }
        let (exchange, key) = (self.id.as_str().into(), "task".into());
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(exchange, key, options, body.as_bytes(), properties);
        sent.await.unwrap().await.unwrap();
        connection.close(200, "done".into()).await.unwrap();
    }
}
