//! The sections `queue`, `worker` and `log`.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::connection::Secret;
use super::keys::KnownKeys;

/// How submissions reach workers.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct QueueSettings {
    /// `rabbitmq` or `embedded`.
    #[serde(rename = "type")]
    pub kind: QueueKind,
    /// AMQP URI of the broker.
    pub url: Secret,
    /// Name of the exchange and first part of every queue's name.
    pub prefix: String,
}

/// The two queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueKind {
    /// A RabbitMQ broker wakes the workers.
    Rabbitmq,
    /// No broker: the workers look into the ledger.
    #[default]
    Embedded,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { kind: QueueKind::Embedded, url: Secret::default(), prefix: "goshift".into() }
    }
}

impl KnownKeys for QueueSettings {
    const KEYS: &'static [&'static str] = &["type", "url", "prefix"];
}

/// How workers behave.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct WorkerSettings {
    /// How long a claim holds without a heartbeat.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
    /// How often a worker looks into the ledger for what is stale; with the embedded queue, for
    /// all work.
    #[serde(deserialize_with = "duration")]
    pub poll: Duration,
    /// How long a submitted or retrying run may be overdue before a worker takes it without a
    /// message.
    #[serde(deserialize_with = "duration")]
    pub stale_after: Duration,
    /// Upper bounds of the delays before each retry.
    #[serde(deserialize_with = "durations")]
    pub retry_ladder: Vec<Duration>,
    /// Attempts before a run is failed.
    pub max_attempts: u32,
    /// Rescues from a dead worker before a run is failed as poisonous.
    pub max_rescues: u32,
    /// Cap on `worker_num`.
    pub max_lanes: usize,
    /// Bytes that one lane may hold between its reader and its writer.
    pub lane_buffer: usize,
    /// Bytes for large rows, of the lanes of all runs (see [`crate::room`]).
    pub row_memory: usize,
    /// How long nothing may move in a shard before it counts as hanging.
    #[serde(deserialize_with = "duration")]
    pub stall: Duration,
    /// How long running shards may take to end after SIGTERM.
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
    /// Address and port of the worker's `/metrics`, `/healthz` and `/readyz`; none without.
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            lease: seconds(30),
            poll: seconds(1),
            stale_after: seconds(5),
            retry_ladder: vec![seconds(10), seconds(60), seconds(300), seconds(900), seconds(3600)],
            max_attempts: 6,
            max_rescues: 3,
            max_lanes: 20,
            lane_buffer: 1024 * 1024,
            row_memory: 128 * 1024 * 1024,
            stall: seconds(900),
            grace: seconds(60),
            metrics_listen: None,
        }
    }
}

impl KnownKeys for WorkerSettings {
    const KEYS: &'static [&'static str] = &[
        "lease",
        "poll",
        "stale_after",
        "retry_ladder",
        "max_attempts",
        "max_rescues",
        "max_lanes",
        "lane_buffer",
        "row_memory",
        "stall",
        "grace",
        "metrics_listen",
    ];
}

impl WorkerSettings {
    /// Refuses figures with which no worker could work.
    ///
    /// # Errors
    /// Kind `Config`, naming the key.
    pub fn check(&self) -> crate::error::Result<()> {
        let wrong = [
            (self.max_lanes == 0, "max_lanes must be at least 1"),
            (self.max_attempts == 0, "max_attempts must be at least 1"),
            (self.lease < Duration::from_secs(2), "lease must be at least 2 s"),
        ];
        match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, what)) => Err(crate::error::Error::config(format!("worker.{what}"))),
            None => Ok(()),
        }
    }
}

/// Where logs go, and in which form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    /// Folder of the daily log files, whose lines are JSON; none without.
    pub log_path: Option<String>,
    /// Filter, as in `info` or `goshift=debug`.
    pub level: Option<String>,
    /// The form of the lines on standard error.
    pub format: LogFormat,
}

/// The form of a log's lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// JSON for `goshift-worker` and `goshift-server` where standard error is no terminal, else human.
    #[default]
    Auto,
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

impl KnownKeys for LogSettings {
    const KEYS: &'static [&'static str] = &["log_path", "level", "format"];
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DurationText {
    Seconds(f64),
    Text(String),
}

impl DurationText {
    fn parse(self) -> Result<Duration, String> {
        let parsed = match &self {
            Self::Seconds(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            Self::Text(text) => humantime::parse_duration(text).ok(),
        };
        parsed.filter(|d| !d.is_zero()).ok_or_else(|| {
            "not a duration: write 500ms, 30s, 5m, 1h or a number of seconds".to_owned()
        })
    }
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    DurationText::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Reads a list of durations that is not empty.
///
/// # Errors
/// When one of them is not a duration, or there is none.
pub(crate) fn durations<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Duration>, D::Error> {
    let all = Vec::<DurationText>::deserialize(deserializer)?;
    if all.is_empty() {
        return Err(serde::de::Error::custom("needs at least one delay"));
    }
    all.into_iter().map(|one| one.parse().map_err(serde::de::Error::custom)).collect()
}
