//! Which disturbance comes when: decided by the seed alone, before anything starts.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::fleet::WORKERS;
use crate::round::LEASE;
use crate::world::{SERVERS, Server};

/// What is done to the way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    /// Each chunk is held up for so long.
    Delay(Duration),
    /// Every connection is closed, new ones too.
    Cut,
    /// The clients hear an end, the server does not.
    HalfClose,
    /// Nothing arrives, nothing is closed.
    Freeze,
}

/// One disturbance, its healing included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// kill -9, and a new one after `back`.
    Kill { worker: usize, back: Duration },
    /// SIGSTOP, and SIGCONT after `length`.
    Pause { worker: usize, length: Duration },
    /// SIGTERM, and a new one `back` after its end.
    Term { worker: usize, back: Duration },
    /// The way to a server, for `length`.
    Net { server: Server, net: Net, length: Duration },
    /// The messages are gone.
    Purge,
    /// Queues and exchanges are gone.
    Delete,
    /// The broker closes every connection.
    CloseConnections,
    /// The broker takes no messages.
    Alarm { length: Duration },
    /// A server is stopped, and started after `length`.
    Stop { server: Server, length: Duration },
}

impl Action {
    /// Its column in the report.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Kill { .. } => "kill -9",
            Action::Pause { .. } => "pause",
            Action::Term { .. } => "term",
            Action::Net { net: Net::Delay(_), .. } => "delay",
            Action::Net { net: Net::Cut, .. } => "cut",
            Action::Net { net: Net::HalfClose, .. } => "half-close",
            Action::Net { net: Net::Freeze, .. } => "freeze",
            Action::Purge => "purge",
            Action::Delete => "delete",
            Action::CloseConnections => "close",
            Action::Alarm { .. } => "alarm",
            Action::Stop { server: Server::Broker, .. } => "stop broker",
            Action::Stop { server: Server::Mysql, .. } => "stop mysql",
            Action::Stop { server: Server::Postgres, .. } => "stop postgres",
        }
    }
}

/// A disturbance and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Since the begin.
    pub at: Duration,
    /// What.
    pub action: Action,
}

#[derive(Debug, Clone, Copy)]
enum Card {
    Kill,
    Pause,
    Term,
    Net(Server, fn(&mut StdRng) -> Net),
    Purge,
    Delete,
    CloseConnections,
    Alarm,
    Stop(Server),
}

fn seconds(rng: &mut StdRng, from: f64, to: f64) -> Duration {
    Duration::from_millis((rng.random_range(from..to) * 1000.0) as u64)
}

/// Every kind comes before one comes again more often than its share: a plain draw would leave
/// some out of most rounds.
fn deck(rng: &mut StdRng, services: bool) -> Vec<Card> {
    let mut deck = vec![
        Card::Kill,
        Card::Kill,
        Card::Kill,
        Card::Pause,
        Card::Pause,
        Card::Term,
        Card::Term,
        Card::Purge,
        Card::Delete,
    ];
    for server in SERVERS {
        deck.push(Card::Net(server, |rng| {
            Net::Delay(Duration::from_millis(rng.random_range(50..=300)))
        }));
        deck.push(Card::Net(server, |_| Net::Cut));
        deck.push(Card::Net(server, |_| Net::HalfClose));
        deck.push(Card::Net(server, |_| Net::Freeze));
    }
    if services {
        deck.extend([Card::CloseConnections, Card::Alarm]);
        deck.extend(SERVERS.map(Card::Stop));
    }
    deck.shuffle(rng);
    deck
}

/// When each worker and each server is free again, by the plan.
#[derive(Default)]
struct Busy {
    workers: [Duration; WORKERS],
    servers: [Duration; SERVERS.len()],
}

impl Busy {
    fn free_worker(&self, rng: &mut StdRng, now: Duration) -> Option<usize> {
        let free: Vec<_> = (0..WORKERS).filter(|&worker| self.workers[worker] <= now).collect();
        (!free.is_empty()).then(|| free[rng.random_range(0..free.len())])
    }

    fn play(&mut self, card: Card, rng: &mut StdRng, now: Duration) -> Option<Action> {
        let server = match card {
            Card::Kill | Card::Pause | Card::Term => return self.play_worker(card, rng, now),
            Card::Net(server, _) | Card::Stop(server) => server,
            _ => Server::Broker,
        };
        if self.servers[server as usize] > now {
            return None;
        }
        let (action, takes) = match card {
            Card::Net(_, net) => {
                let (net, length) = (net(rng), seconds(rng, 1.0, 8.0));
                (Action::Net { server, net, length }, length)
            }
            Card::Stop(_) => {
                let length = seconds(rng, 1.0, 6.0);
                // Stopping and starting take their time, the broker most.
                (Action::Stop { server, length }, length + Duration::from_secs(12))
            }
            Card::Alarm => {
                let length = seconds(rng, 2.0, 8.0);
                (Action::Alarm { length }, length + Duration::from_secs(5))
            }
            Card::CloseConnections => (Action::CloseConnections, Duration::from_secs(3)),
            Card::Delete => (Action::Delete, Duration::from_secs(1)),
            _ => (Action::Purge, Duration::from_secs(1)),
        };
        self.servers[server as usize] = now + takes;
        Some(action)
    }

    fn play_worker(&mut self, card: Card, rng: &mut StdRng, now: Duration) -> Option<Action> {
        let worker = self.free_worker(rng, now)?;
        let back = seconds(rng, 0.2, 3.0);
        let (action, takes) = match card {
            Card::Kill => (Action::Kill { worker, back }, back),
            Card::Pause => {
                let lease = LEASE.as_secs_f64();
                let length = seconds(rng, 1.5 * lease, 3.0 * lease);
                (Action::Pause { worker, length }, length)
            }
            _ => (Action::Term { worker, back }, back + Duration::from_secs(3)),
        };
        self.workers[worker] = now + takes + Duration::from_secs(1);
        Some(action)
    }
}

/// The seed's plan for this time.
pub fn plan(seed: u64, time: Duration, services: bool) -> Vec<Step> {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut steps, mut cards, mut busy) = (Vec::new(), Vec::new(), Busy::default());
    let mut at = seconds(&mut rng, 1.0, 2.0);
    while at < time {
        if cards.is_empty() {
            cards = deck(&mut rng, services);
        }
        // The first that meets somebody who has recovered from the last one.
        for index in 0..cards.len() {
            if let Some(action) = busy.play(cards[index], &mut rng, at) {
                cards.remove(index);
                steps.push(Step { at, action });
                break;
            }
        }
        at += seconds(&mut rng, 1.0, 6.0);
    }
    steps
}
