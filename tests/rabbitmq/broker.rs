//! What the tests need around the broker.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use goshift::config::connection::Secret;
use goshift::event::{Event, Priority};
use goshift::queue::rabbitmq::{RabbitConfig, RabbitConsumer, RabbitPublisher, delete};
use goshift::queue::{Consumer, Delivery};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

pub const DEADLINE: Duration = Duration::from_secs(30);

pub fn queue_url() -> String {
    if let Ok(url) = std::env::var("GOSHIFT_QUEUE_URL") {
        return url;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/local.env");
    let entries = std::fs::read_to_string(&file).unwrap_or_default();
    let url = entries.lines().find_map(|line| line.strip_prefix("GOSHIFT_QUEUE_URL="));
    url.expect("RabbitMQ is not reachable: GOSHIFT_QUEUE_URL is not set: run `make services`")
        .into()
}

pub fn config_for(url: &str) -> RabbitConfig {
    RabbitConfig {
        url: Secret::new(url),
        prefix: format!("test-{}", Uuid::now_v7().simple()),
        place: "queue.url".into(),
    }
}

/// Runs a test with a prefix of its own and removes what it left, whether it passes or not.
pub async fn with_broker<F: Future<Output = ()>>(test: impl FnOnce(RabbitConfig) -> F) {
    let config = config_for(&queue_url());
    if let Err(error) = RabbitPublisher::connect(config.clone(), "test").await {
        panic!("RabbitMQ is not reachable ({error}): run `make services`");
    }
    let result = AssertUnwindSafe(timeout(DEADLINE * 2, test(config.clone()))).catch_unwind().await;
    delete(&config).await.unwrap();
    match result {
        Ok(done) => done.expect("the test takes too long"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

pub async fn publisher(config: &RabbitConfig) -> RabbitPublisher {
    RabbitPublisher::connect(config.clone(), "test").await.unwrap()
}

pub fn consumer(config: &RabbitConfig) -> RabbitConsumer {
    RabbitConsumer::start(config.clone(), "test")
}

pub async fn next(consumer: &mut RabbitConsumer) -> Delivery {
    timeout(DEADLINE, consumer.next()).await.expect("no message in time").expect("it has ended")
}

/// Takes one message and acknowledges it.
pub async fn take(consumer: &mut RabbitConsumer) -> Event {
    let delivery = next(consumer).await;
    delivery.answer.ack().await;
    Event::parse(&delivery.body).unwrap()
}

pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn event(task_id: i64, priority: Priority) -> Event {
    Event::wake(task_id, Uuid::now_v7(), priority)
}

/// A channel without goshift, as any other AMQP client has it.
pub async fn raw(config: &RabbitConfig) -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(config.url.expose(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Messages ready in a queue.
pub async fn ready(channel: &Channel, queue: &str) -> u32 {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let declared = channel.queue_declare(queue.into(), passive, FieldTable::default());
    declared.await.unwrap().message_count()
}

/// The broker's URL with another address.
pub fn through(broker: &str, address: SocketAddr) -> String {
    let mut url = url::Url::parse(broker).unwrap();
    url.set_host(Some(&address.ip().to_string())).unwrap();
    url.set_port(Some(address.port())).unwrap();
    url.into()
}

/// A network that can be cut: forwards to the broker.
pub struct Network {
    pub url: String,
    cut: Arc<Notify>,
}

impl Network {
    pub async fn start(broker: &str, address: SocketAddr) -> Self {
        let url = url::Url::parse(broker).unwrap();
        let target = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5672));
        let listener = TcpListener::bind(address).await.unwrap();
        let cut = Arc::new(Notify::new());
        let network =
            Self { url: through(broker, listener.local_addr().unwrap()), cut: Arc::clone(&cut) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target.clone(), Arc::clone(&cut)));
            }
        });
        network
    }

    /// Breaks every connection that is open now.
    pub fn cut(&self) {
        self.cut.notify_waiters();
    }
}

async fn forward(mut client: TcpStream, target: (String, u16), cut: Arc<Notify>) {
    let mut server = TcpStream::connect(target).await.unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        () = cut.notified() => {}
    }
}
