//! One connection with one channel.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use lapin::tcp::AMQPUriTcpExt;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, Event};
use tokio::time::timeout;

use super::{RabbitConfig, refusal, topology};
use crate::error::{Error, Result};

/// For TCP and TLS, and again for the AMQP handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// For the channel and the topology: a new quorum queue takes a while on a busy disk.
const SETUP: Duration = Duration::from_secs(30);
const CLOSE: Duration = Duration::from_secs(2);
/// Seconds; shorter ones give false alarms.
const HEARTBEAT: u16 = 30;

/// A connection with its channel.
pub(super) struct Link {
    pub connection: Arc<Connection>,
    pub channel: Channel,
    events: BoxStream<'static, Event>,
}

impl Link {
    /// Returns, with the reason, when the connection or a channel on it has broken. Safe to
    /// cancel.
    pub async fn lost(&mut self) -> String {
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(Event::Error(error)) => return error.to_string(),
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(reason, "RabbitMQ is short of resources and takes no messages");
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!("RabbitMQ takes messages again");
                    }
                    Some(_) => {}
                    None => return "the connection has ended".to_owned(),
                },
                // An orderly close by the server raises no event.
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    if !self.connection.status().connected() || !self.channel.status().connected() {
                        return "the connection was closed".to_owned();
                    }
                }
            }
        }
    }

    /// Says goodbye, so that the broker gives back what was not acknowledged.
    pub async fn close(self) {
        if !self.connection.status().connected() {
            return;
        }
        let goodbye = self.connection.close(200, "goodbye".into());
        if !matches!(timeout(CLOSE, goodbye).await, Ok(Ok(()))) {
            tracing::debug!("RabbitMQ did not answer the closing of a connection");
        }
    }
}

/// Connects once and opens a channel. `label` names the connection in the broker's lists.
///
/// # Errors
/// Kind `Config` where only a change of the configuration helps, else `Transient`.
pub(super) async fn open(config: &RabbitConfig, label: &str) -> Result<Link> {
    let uri = parse(config)?;
    let properties = ConnectionProperties::default()
        .with_connection_name(format!("goshift {label}").into())
        .with_client_property("product".into(), "goshift".into())
        .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
    let connection = handshake(uri.clone(), properties)
        .await
        .map_err(|error| refusal::explain_connect(config, &uri, error))?;
    let events = connection.events_listener().boxed();
    let channel = timeout(SETUP, connection.create_channel())
        .await
        .map_err(|_| refusal::too_slow("opening a channel"))?
        .map_err(|error| refusal::explain_operation(config, error))?;
    Ok(Link { connection: Arc::new(connection), channel, events })
}

/// [`open`], and the prefix's exchanges and queues are there.
///
/// # Errors
/// As [`open`]; kind `Config` for a queue that exists with other arguments.
pub(super) async fn open_declared(config: &RabbitConfig, label: &str) -> Result<Link> {
    let link = open(config, label).await?;
    declare(config, &link.channel).await?;
    Ok(link)
}

/// Declares the prefix's exchanges and queues, in time.
///
/// # Errors
/// Kind `Config` for a queue that exists with other arguments.
pub(super) async fn declare(config: &RabbitConfig, channel: &Channel) -> Result<()> {
    timeout(SETUP, topology::declare(channel, &config.prefix))
        .await
        .map_err(|_| refusal::too_slow("declaring the queues"))?
        .map_err(|error| refusal::explain_operation(config, error))
}

fn parse(config: &RabbitConfig) -> Result<AMQPUri> {
    // The parser's own message may hold the URL with its password: it is never shown.
    let wrong = || {
        Error::config(format!("{} is not a RabbitMQ URL", config.place)).with_remedy(
            "write it as amqp://user:password@host:5672/%2f (amqps:// for TLS), with special \
             characters of the password percent-encoded",
        )
    };
    let url = url::Url::parse(config.url.expose()).map_err(|_| wrong())?;
    let mut uri: AMQPUri = config.url.expose().parse().map_err(|_| wrong())?;
    // lapin's parser takes an IPv6 address for localhost.
    if let Some(url::Host::Ipv6(address)) = url.host() {
        uri.authority.host = address.to_string();
    }
    // To the letter a closing slash means the virtual host with the empty name; nobody has one.
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    if config.prefix.is_empty() || config.prefix.len() > 200 {
        return Err(Error::config("the queue's prefix must have 1 to 200 characters"));
    }
    Ok(uri)
}

fn timed_out() -> lapin::Error {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// Connects with a time limit. A peer that accepts and then says nothing would keep lapin's thread
/// and the socket for ever, even after the future is dropped; so the socket is shut down then.
async fn handshake(uri: AMQPUri, properties: ConnectionProperties) -> lapin::Result<Connection> {
    let socket: Arc<Mutex<Option<TcpStream>>> = Arc::default();
    let slot = Arc::clone(&socket);
    let connecting = Connection::connector(
        uri,
        lapin::runtime::default_runtime()?,
        async move |uri, runtime| {
            let stream = timeout(CONNECT, uri.connect_async(&runtime)).await;
            let stream = stream.map_err(|_| timed_out())??;
            let plain = match &stream {
                AsyncTcpStream::Plain(plain) => Some(plain),
                AsyncTcpStream::Rustls(tls) => Some(tls.get_ref().0),
                _ => None,
            };
            if let Some(plain) = plain {
                let copy = plain.get_ref().as_fd().try_clone_to_owned()?;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy.into());
            }
            Ok(stream)
        },
        properties,
    );
    let result = timeout(CONNECT * 2, connecting).await;
    // Taken in any case: a forgotten copy would keep the connection open after lapin closed it.
    let socket = socket.lock().unwrap_or_else(PoisonError::into_inner).take();
    result.unwrap_or_else(|_| {
        if let Some(Err(error)) = socket.map(|socket| socket.shutdown(Shutdown::Both)) {
            tracing::debug!(%error, "cannot shut down an unanswered connection");
        }
        Err(timed_out())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::connection::Secret;
    use crate::error::Kind;

    fn config(url: &str) -> RabbitConfig {
        RabbitConfig { url: Secret::new(url), prefix: "p".into(), place: "queue.url".into() }
    }

    #[test]
    fn a_url_is_read_as_people_mean_it() {
        let uri = parse(&config("amqp://u:p%40ss@[::1]:5673/?heartbeat=20")).unwrap();
        assert_eq!(uri.authority.host, "::1");
        assert_eq!(uri.authority.userinfo.password, "p@ss");
        assert_eq!((uri.vhost.as_str(), uri.query.heartbeat), ("/", Some(20)));
        let uri = parse(&config("amqps://rabbit/some%2fplace")).unwrap();
        assert_eq!((uri.vhost.as_str(), uri.query.heartbeat), ("some/place", Some(HEARTBEAT)));
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        for url in ["hunter2", "http://u:hunter2@h/", "amqp://u:hunter2@h:99999/"] {
            let error = parse(&config(url)).unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            assert!(!format!("{error:?} {error}").contains("hunter2"));
            assert!(error.to_string().contains("queue.url"));
        }
    }

    #[tokio::test]
    async fn a_silent_peer_costs_neither_time_nor_a_thread() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("amqp://{}", listener.local_addr().unwrap());
        let attempt = tokio::spawn(async move { open(&config(&url), "test").await.err() });
        let (mut peer, _) = listener.accept().await.unwrap();
        let error = timeout(CONNECT * 3, attempt).await.unwrap().unwrap().unwrap();
        assert_eq!(error.kind(), Kind::Transient);
        let mut nowhere = tokio::io::sink();
        let drained = tokio::io::copy(&mut peer, &mut nowhere);
        assert!(timeout(CONNECT, drained).await.is_ok(), "our end is shut down");
    }
}
