//! The background task behind a publisher: it owns the connection, keeps many confirms in flight,
//! and publishes again what the broker did not confirm.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connect::{self, Link};
use super::dial::Dialer;

/// Confirms in flight. Enough to hide the disk's latency, few enough to publish again at once.
pub(super) const WINDOW: usize = 1024;
/// Wait before a refused or returned message is published again.
const REFUSED: Duration = Duration::from_millis(200);
/// For subscribers to hear that their queue was deleted. They don't if it is declared again at once
/// (3.10: not within a few milliseconds, measured; with 50 ms they do), and would get nothing any more.
const DELETED: Duration = Duration::from_millis(500);
/// For the broker to answer anything but a message.
const ANSWER: Duration = Duration::from_secs(10);
/// Without any confirm for this long a connection is given up, though nobody says it is broken.
const STALLED: Duration = Duration::from_secs(60);

/// A message to publish until it is confirmed, or until nobody waits for that any more.
pub(super) struct Request {
    pub exchange: String,
    pub routing_key: &'static str,
    pub body: Vec<u8>,
    pub properties: BasicProperties,
    pub confirm: oneshot::Sender<()>,
}

/// The connection there is now, if there is one, for questions beside the messages.
#[derive(Clone, Default)]
pub(super) struct Current(Arc<Mutex<Option<Arc<Connection>>>>);

impl Current {
    pub fn get(&self) -> Option<Arc<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, connection: Option<Arc<Connection>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

enum End {
    Closed,
    Lost(String),
}

/// Runs until the publisher is dropped.
pub(super) async fn run(
    mut dialer: Dialer,
    mut link: Option<Link>,
    connection: Current,
    mut requests: mpsc::Receiver<Request>,
) {
    let mut backlog = VecDeque::new();
    loop {
        let connected = match link.take() {
            Some(link) => Some(link),
            None => dial(&mut dialer, &mut requests, &mut backlog).await,
        };
        let Some(mut current) = connected else { return };
        connection.set(Some(Arc::clone(&current.connection)));
        let since = Instant::now();
        let mut work = Work {
            dialer: &dialer,
            channel: current.channel.clone(),
            backlog,
            refused: Vec::new(),
            returned: Vec::new(),
            progress: since,
            again: since,
            told: false,
        };
        let end = work.serve(&mut current, &mut requests).await;
        backlog = work.backlog;
        connection.set(None);
        current.close().await;
        match end {
            End::Closed => return,
            End::Lost(cause) => dialer.lost(cause, since.elapsed()).await,
        }
    }
}

/// Connects while requests come in; `None` when the publisher is gone.
async fn dial(
    dialer: &mut Dialer,
    requests: &mut mpsc::Receiver<Request>,
    backlog: &mut VecDeque<Request>,
) -> Option<Link> {
    let mut dialing = std::pin::pin!(dialer.dial());
    loop {
        tokio::select! {
            link = &mut dialing => return Some(link),
            request = requests.recv() => {
                // Those whose callers have given up make room.
                if backlog.len() >= WINDOW {
                    backlog.retain(|request| !request.confirm.is_closed());
                }
                backlog.push_back(request?);
            }
        }
    }
}

/// What is on its way on one link.
struct Work<'a> {
    dialer: &'a Dialer,
    channel: Channel,
    /// To be published before anything new.
    backlog: VecDeque<Request>,
    /// To be published again after a pause.
    refused: Vec<Request>,
    /// Came back as unroutable; lapin hands them over with the confirm that is next to complete,
    /// which need not be their own.
    returned: Vec<BasicReturnMessage>,
    /// When the broker last confirmed, or was first asked to.
    progress: Instant,
    /// When the refused ones are due.
    again: Instant,
    /// Whether a person knows that the broker refuses messages.
    told: bool,
}

type Outcome = (Request, lapin::Result<Confirmation>);

async fn publish(channel: Channel, request: Request) -> Outcome {
    let sent = channel.basic_publish(
        request.exchange.as_str().into(),
        request.routing_key.into(),
        BasicPublishOptions { mandatory: true, ..Default::default() },
        &request.body,
        request.properties.clone(),
    );
    let confirmation = match sent.await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    (request, confirmation)
}

impl Work<'_> {
    async fn serve(&mut self, link: &mut Link, requests: &mut mpsc::Receiver<Request>) -> End {
        let confirms = self.channel.confirm_select(ConfirmSelectOptions::default());
        match timeout(ANSWER, confirms).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Lost(error.to_string()),
            Err(_) => return End::Lost("RabbitMQ did not answer in time".to_owned()),
        }
        let mut in_flight = FuturesUnordered::new();
        let cause = loop {
            if Instant::now() >= self.again {
                self.backlog.extend(self.refused.drain(..));
            }
            while in_flight.len() < WINDOW
                && let Some(request) = self.backlog.pop_front()
            {
                if !request.confirm.is_closed() {
                    if in_flight.is_empty() {
                        self.progress = Instant::now();
                    }
                    in_flight.push(publish(self.channel.clone(), request));
                }
            }
            tokio::select! {
                biased;
                Some(outcome) = in_flight.next() => {
                    // All that is ready, before any is answered: see `settle`.
                    let mut outcomes = vec![outcome];
                    while let Some(Some(outcome)) = in_flight.next().now_or_never() {
                        outcomes.push(outcome);
                    }
                    if let Err(cause) = self.settle(outcomes).await {
                        break cause;
                    }
                }
                request = requests.recv(), if in_flight.len() < WINDOW => match request {
                    Some(request) => self.backlog.push_back(request),
                    None => return End::Closed,
                },
                () = sleep_until(self.again), if !self.refused.is_empty() => {}
                () = sleep_until(self.progress + STALLED), if !in_flight.is_empty() => {
                    break "no confirm for a minute".to_owned();
                }
                cause = link.lost() => break cause,
            }
        };
        // Unknown whether the broker has them: published again with the same message id.
        while let Ok(Some((request, _))) = timeout(REFUSED, in_flight.next()).await {
            self.backlog.push_back(request);
        }
        self.backlog.extend(self.refused.drain(..));
        End::Lost(cause)
    }

    /// Answers what was confirmed and keeps the rest.
    ///
    /// A return precedes its confirm on the wire, but lapin attaches it to whichever confirm it
    /// completes next, in no order where one frame confirms several. That one is never later than
    /// the message's own confirm, so a batch of everything ready holds both or the first only.
    async fn settle(&mut self, outcomes: Vec<Outcome>) -> Result<(), String> {
        let mut confirmed = Vec::with_capacity(outcomes.len());
        let mut lost = None;
        let refused_before = !self.refused.is_empty();
        self.progress = Instant::now();
        for (request, outcome) in outcomes {
            match outcome {
                Ok(Confirmation::Ack(returned)) => {
                    self.returned.extend(returned);
                    confirmed.push(request);
                }
                Ok(Confirmation::Nack(returned)) => {
                    self.returned.extend(returned);
                    self.refuse(request);
                }
                Ok(Confirmation::NotRequested) => {
                    lost = Some("the channel does not confirm".to_owned());
                    self.backlog.push_back(request);
                }
                Err(error) => {
                    lost = Some(error.to_string());
                    self.backlog.push_back(request);
                }
            }
        }
        let mut unroutable = false;
        for request in confirmed {
            match self.returned.iter().position(|returned| is_of(returned, &request)) {
                Some(position) => {
                    self.returned.swap_remove(position);
                    self.refused.push(request);
                    unroutable = true;
                }
                // The caller may have stopped waiting.
                None => drop(request.confirm.send(())),
            }
        }
        if let Some(cause) = lost {
            return Err(cause);
        }
        if !refused_before {
            self.again = self.progress + REFUSED;
        }
        if unroutable { self.declare_again().await } else { Ok(()) }
    }

    fn refuse(&mut self, request: Request) {
        if !self.told {
            let routing_key = request.routing_key;
            tracing::warn!(routing_key, "RabbitMQ refuses a message; is its queue full?");
            self.told = true;
        }
        self.refused.push(request);
    }

    /// Messages came back, so a queue was deleted.
    async fn declare_again(&self) -> Result<(), String> {
        tracing::warn!("RabbitMQ has lost a queue of ours; declaring it again");
        sleep(DELETED).await;
        let declared = connect::declare(self.dialer.config(), &self.channel).await;
        declared.map_err(|error| error.to_string())
    }
}

fn is_of(returned: &BasicReturnMessage, request: &Request) -> bool {
    returned.routing_key.as_str() == request.routing_key
        && returned.exchange.as_str() == request.exchange
        && returned.properties.message_id() == request.properties.message_id()
        && returned.data == request.body
}
