//! What the parts of a round share.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::fleet::Fleet;
use crate::services::Services;
use crate::support::Site;
use crate::support::proxy::Proxy;
use crate::tables::Task;

/// A server that everything goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// RabbitMQ.
    Broker,
    /// MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

/// All of them.
pub const SERVERS: [Server; 3] = [Server::Broker, Server::Mysql, Server::Postgres];

impl Server {
    /// For people.
    pub fn name(self) -> &'static str {
        ["RabbitMQ", "MariaDB", "PostgreSQL"][self as usize]
    }

    /// For `scripts/services`.
    pub fn service(self) -> &'static str {
        ["rabbitmq", "mariadb", "postgres"][self as usize]
    }
}

/// After the end of a disturbance its effects may still be met for so long: waits between attempts
/// to connect, and connections that are only now found to be broken.
const AFTERMATH: Duration = Duration::from_secs(12);

/// A time in which a server was not to be relied on.
struct Trouble {
    server: Server,
    over: Option<Instant>,
}

/// One seed's round.
pub struct World {
    /// Its databases, queues and files.
    pub site: Site,
    /// The ways to the servers, by [`Server`].
    pub proxies: [Proxy; 3],
    /// One disturbance of a server at a time, by [`Server`].
    pub turns: [tokio::sync::Mutex<()>; 3],
    /// The workers.
    pub fleet: Fleet,
    /// Whether the servers may be stopped.
    pub services: Services,
    /// What is copied.
    pub tasks: Vec<Task>,
    /// The begin.
    pub started: Instant,
    /// Actions so far, by kind.
    pub done: Mutex<BTreeMap<&'static str, u32>>,
    troubles: Mutex<Vec<Trouble>>,
    broken: Mutex<Vec<String>>,
}

impl World {
    /// A round at its begin.
    pub fn new(site: Site, proxies: [Proxy; 3], services: Services, tasks: Vec<Task>) -> Self {
        Self {
            site,
            proxies,
            turns: Default::default(),
            fleet: Fleet::default(),
            services,
            tasks,
            started: Instant::now(),
            done: Mutex::default(),
            troubles: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    /// The server of the task database.
    pub fn task_server(&self) -> Server {
        if self.site.task_engine == "mysql" { Server::Mysql } else { Server::Postgres }
    }

    /// A line with the time.
    pub fn say(&self, what: &str) {
        println!("{:6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    /// An invariant does not hold.
    pub fn broken(&self, sentence: String) {
        self.say(&format!("BROKEN: {sentence}"));
        self.broken.lock().unwrap().push(sentence);
    }

    /// The sentences so far.
    pub fn all_broken(&self) -> Vec<String> {
        self.broken.lock().unwrap().clone()
    }

    /// From now on a server is disturbed, until the returned number is given to `trouble_over`.
    pub fn trouble(&self, server: Server) -> usize {
        let mut troubles = self.troubles.lock().unwrap();
        troubles.push(Trouble { server, over: None });
        troubles.len() - 1
    }

    /// It is healed.
    pub fn trouble_over(&self, number: usize) {
        self.troubles.lock().unwrap()[number].over = Some(Instant::now());
    }

    /// Whether the task database was in trouble at some time since then.
    pub fn task_database_troubled_since(&self, since: Instant) -> bool {
        let server = self.task_server();
        self.troubles.lock().unwrap().iter().any(|trouble| {
            trouble.server == server && trouble.over.is_none_or(|over| over + AFTERMATH >= since)
        })
    }

    /// Rows of a query in the task database, or why there is no answer.
    pub async fn look(&self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let asking = self.site.try_rows(self.site.task_engine, sql);
        match tokio::time::timeout(Duration::from_secs(5), asking).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }
}
