//! The background task behind a consumer.
//!
//! While messages wait it fetches them one by one, the most urgent queue first; only when all
//! queues are empty does it subscribe and let the broker push. So a busy worker takes exactly what
//! it runs, and a message in a less urgent queue isn't delivered and given back over and over,
//! which would use up its delivery limit.
//!
//! A quorum queue can be in the broker's books without a process behind it (reported up to 3.12; in
//! 3.10 all that dead-letter at least once come to it, once rabbit_fifo_dlx_sup has given up after two
//! crashes of its workers within five seconds). To subscribe to it ends the connection, each time, until that node is
//! started again. The others must be served meanwhile: then all is fetched.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use futures::stream::{BoxStream, SelectAll, StreamExt};
use lapin::Channel;
use lapin::message::Delivery as Message;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::connect::Link;
use super::consumer::Shared;
use super::dial::Dialer;
use super::{delivery, topology};

/// How long the broker may take to agree to a pause.
pub(super) const PAUSE: Duration = Duration::from_secs(2);
/// How long it may take to answer anything else.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a count of what waits holds: an urgent message may stand back for so long.
const COUNTED: Duration = Duration::from_millis(20);
/// Connections lost by subscribing, one after the other, before it is left alone.
const UNSUBSCRIBABLE: u32 = 2;
/// How often to look for messages while there is no subscription.
const LOOK: Duration = Duration::from_secs(1);
/// How long to do without a subscription before it is tried again.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// What the consumer asks of its background task.
pub(super) enum Command {
    /// `next` waits.
    Resume,
    /// Give everything back, then answer.
    Pause(oneshot::Sender<()>),
}

enum End {
    Closed,
    Lost(String),
}

/// Runs until the consumer is dropped.
pub(super) async fn run(
    mut dialer: Dialer,
    mut commands: mpsc::Receiver<Command>,
    shared: std::sync::Arc<Shared>,
) {
    let mut lost_by_subscribing = 0;
    while let Some(mut link) = dial(&mut dialer, &mut commands, &shared).await {
        let since = Instant::now();
        shared.set_connection(Some(std::sync::Arc::clone(&link.connection)));
        let mut session = Session {
            channel: link.channel.clone(),
            queues: topology::task_queues(&dialer.config().prefix),
            shared: &shared,
            pushed: SelectAll::new(),
            counts: Vec::new(),
            counted: since,
            subscribing: false,
            subscribe_after: if lost_by_subscribing < UNSUBSCRIBABLE {
                since
            } else {
                since + LEFT_ALONE
            },
        };
        let end = session.serve(&mut link, &mut commands).await;
        lost_by_subscribing = if session.subscribing { lost_by_subscribing + 1 } else { 0 };
        drop(session);
        shared.set_connection(None);
        shared.forget();
        match end {
            // Dropping the link closes it when the last delivery has been answered.
            End::Closed => return,
            End::Lost(cause) => {
                if lost_by_subscribing == UNSUBSCRIBABLE {
                    tracing::warn!(
                        "RabbitMQ ends the connection when it is asked to deliver: messages are \
                         fetched instead; its log names the queue, and a restart of the node mends it"
                    );
                }
                link.close().await;
                dialer.lost(cause, since.elapsed()).await;
            }
        }
    }
}

/// Connects while commands are answered; `None` when the consumer is gone.
async fn dial(
    dialer: &mut Dialer,
    commands: &mut mpsc::Receiver<Command>,
    shared: &Shared,
) -> Option<Link> {
    let mut dialing = std::pin::pin!(dialer.dial());
    loop {
        tokio::select! {
            link = &mut dialing => return Some(link),
            command = commands.recv() => match command? {
                Command::Resume => {}
                Command::Pause(done) => {
                    shared.stop();
                    done.send(()).ok();
                }
            },
        }
    }
}

/// A queue's urgency with a message, or `None` at the subscription's end.
type Pushed = (usize, Option<lapin::Result<Message>>);

/// Consuming on one link.
struct Session<'a> {
    channel: Channel,
    /// The most urgent first: a position is an urgency.
    queues: Vec<String>,
    shared: &'a Shared,
    /// The subscriptions; empty while not subscribed.
    pushed: SelectAll<BoxStream<'static, Pushed>>,
    /// What waited in each queue, less what was fetched since.
    counts: Vec<u32>,
    counted: Instant,
    /// Whether the broker was asked for the subscriptions and has not agreed.
    subscribing: bool,
    /// Messages are fetched until then.
    subscribe_after: Instant,
}

impl Session<'_> {
    async fn serve(&mut self, link: &mut Link, commands: &mut mpsc::Receiver<Command>) -> End {
        if let Err(cause) = in_time(self.channel.basic_qos(1, BasicQosOptions::default())).await {
            return End::Lost(cause);
        }
        if let Err(cause) = self.resume().await {
            return End::Lost(cause);
        }
        loop {
            let result = tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Resume) => self.resume().await,
                    Some(Command::Pause(done)) => {
                        let result = self.pause().await;
                        done.send(()).ok();
                        result
                    }
                    None => match self.pause().await {
                        Ok(()) => return End::Closed,
                        lost => lost,
                    },
                },
                Some((urgency, message)) = self.pushed.next() => match message {
                    Some(Ok(message)) => {
                        self.hand_over(urgency, message);
                        Ok(())
                    }
                    Some(Err(error)) => Err(error.to_string()),
                    None => Err("the broker has cancelled the consumer".to_owned()),
                },
                () = sleep(LOOK), if self.pushed.is_empty() && self.shared.is_hungry() => {
                    self.resume().await
                }
                cause = link.lost() => Err(cause),
            };
            if let Err(cause) = result {
                return End::Lost(cause);
            }
        }
    }

    fn hand_over(&self, urgency: usize, message: Message) {
        self.shared.push(urgency, delivery::hand_out(message, &self.channel));
    }

    /// Fetches one message if one is wanted; subscribes if none waits.
    async fn resume(&mut self) -> Result<(), String> {
        if !self.pushed.is_empty() || !self.shared.is_hungry() {
            return Ok(());
        }
        if self.fetch().await? || Instant::now() < self.subscribe_after {
            return Ok(());
        }
        self.subscribing = true;
        let subscriptions = try_join_all(self.queues.iter().enumerate().map(|(urgency, queue)| {
            self.channel.basic_consume(
                queue.as_str().into(),
                tag(urgency).into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
        }));
        for (urgency, messages) in in_time(subscriptions).await?.into_iter().enumerate() {
            let messages = messages.map(move |message| (urgency, Some(message)));
            let end = futures::stream::once(async move { (urgency, None) });
            self.pushed.push(messages.chain(end).boxed());
        }
        self.subscribing = false;
        Ok(())
    }

    /// Fetches one message, of the most urgent queue that has any; `false` when all are empty.
    async fn fetch(&mut self) -> Result<bool, String> {
        if self.counted.elapsed() >= COUNTED || self.counts.iter().all(|&count| count == 0) {
            self.counts = in_time(topology::counts(&self.channel, &self.queues)).await?;
            self.counted = Instant::now();
        }
        while let Some(urgency) = self.counts.iter().position(|&count| count > 0) {
            let queue = self.queues[urgency].as_str().into();
            let fetched = self.channel.basic_get(queue, BasicGetOptions::default());
            if let Some(message) = in_time(fetched).await? {
                self.counts[urgency] -= 1;
                self.hand_over(urgency, message.delivery);
                return Ok(true);
            }
            // Others were faster.
            self.counts[urgency] = 0;
        }
        Ok(false)
    }

    /// Ends the subscriptions and gives back what was not handed out.
    async fn pause(&mut self) -> Result<(), String> {
        match timeout(PAUSE, self.give_back()).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            // Closing the connection gives everything back.
            Err(_) => Err("no answer to a pause".to_owned()),
        }
    }

    async fn give_back(&mut self) -> lapin::Result<()> {
        if !self.pushed.is_empty() {
            let cancelled = (0..self.queues.len()).map(|urgency| {
                self.channel.basic_cancel(tag(urgency).into(), BasicCancelOptions::default())
            });
            try_join_all(cancelled).await?;
            // What was on its way before the broker agreed.
            while let Some((urgency, message)) = self.pushed.next().await {
                if let Some(message) = message {
                    self.hand_over(urgency, message?);
                }
            }
        }
        let back = self.shared.stop();
        if back.is_empty() {
            return Ok(());
        }
        join_all(back.into_iter().map(|(_, delivery)| delivery.answer.requeue())).await;
        // The broker works in order: its answer to this says that it has taken everything back.
        self.channel.basic_qos(1, BasicQosOptions::default()).await
    }
}

fn tag(urgency: usize) -> String {
    format!("goshift-{urgency}")
}

async fn in_time<T>(asked: impl Future<Output = lapin::Result<T>>) -> Result<T, String> {
    match timeout(ANSWER, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("RabbitMQ did not answer in time".to_owned()),
    }
}
