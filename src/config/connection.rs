//! How to reach one database: the entries under `from`, `to` and `task_meta`.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::keys::KnownKeys;
use crate::error::{Error, Result};

/// A value that never shows itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own error would print the value.
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(number) => Ok(Self(number.to_string())),
            _ => Err(serde::de::Error::custom("a secret must be text")),
        }
    }
}

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the driver only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "\"***\"" })
    }
}

/// Whether and how a connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Never.
    Disable,
    /// When the server offers it.
    #[default]
    Prefer,
    /// Always, without checking the certificate.
    Require,
    /// Always, with a certificate signed by a trusted authority.
    VerifyCa,
    /// Always, with a certificate signed for this host.
    VerifyFull,
}

/// One connection, after environment variables were put in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ConnectionConfig {
    /// Where it stands in the configuration, for messages: `from.mysql.local_dw_blog`.
    #[serde(skip)]
    pub place: String,
    /// Host name or address.
    pub host: Option<String>,
    /// TCP port; the engine's own default without.
    #[serde(deserialize_with = "super::keys::number_or_text")]
    pub port: Option<u16>,
    /// User name.
    #[serde(alias = "username")]
    pub user: Option<String>,
    /// Password.
    pub password: Secret,
    /// Database; for a task's connection `from_db` / `to_db` without.
    #[serde(alias = "database", alias = "dbname")]
    pub db: Option<String>,
    /// Schema for tables without one (PostgreSQL).
    pub schema: Option<String>,
    /// File (SQLite). Relative to the folder goshift is started in.
    pub path: Option<String>,
    /// Encryption.
    pub tls: Tls,
    /// PEM file of trusted authorities.
    pub tls_ca: Option<String>,
    /// PEM file of the client's certificate.
    pub tls_cert: Option<String>,
    /// PEM file of the client's key.
    pub tls_key: Option<String>,
    /// Seconds to wait for a connection.
    #[serde(deserialize_with = "super::keys::number_or_text")]
    pub connect_timeout: Option<u64>,
    /// How long the server lets one statement of ours run.
    #[serde(deserialize_with = "super::limits::duration")]
    pub statement_timeout: Option<Duration>,
    /// Runs that may use this connection at once, over the whole fleet.
    #[serde(deserialize_with = "super::keys::number_or_text")]
    pub max_runs: Option<NonZeroU32>,
    /// As a target, takes no new shard while more threads than this run (MySQL).
    #[serde(deserialize_with = "super::keys::number_or_text")]
    pub max_threads_running: Option<u64>,
    /// As a target, takes no new shard while more sessions than this are active (PostgreSQL).
    #[serde(deserialize_with = "super::keys::number_or_text")]
    pub max_active_sessions: Option<u64>,
    /// As a target, takes no new shard while a replica is further behind than this.
    #[serde(deserialize_with = "super::limits::duration")]
    pub max_replay_lag: Option<Duration>,
    /// `host:port` of the replica that is asked for its lag (MySQL).
    pub replica: Option<String>,
    /// `false`: as a target, never load by LOAD DATA LOCAL INFILE (MySQL).
    #[serde(deserialize_with = "super::keys::truth_or_text")]
    pub local_infile: Option<bool>,
    /// `false`: as a target, never copy from a table of the same server inside the server (MySQL).
    #[serde(deserialize_with = "super::keys::truth_or_text")]
    pub server_side: Option<bool>,
}

impl KnownKeys for ConnectionConfig {
    const KEYS: &'static [&'static str] = &[
        "host",
        "port",
        "user",
        "username",
        "password",
        "db",
        "database",
        "dbname",
        "schema",
        "path",
        "tls",
        "tls_ca",
        "tls_cert",
        "tls_key",
        "connect_timeout",
        "statement_timeout",
        "max_runs",
        "max_threads_running",
        "max_active_sessions",
        "max_replay_lag",
        "replica",
        "local_infile",
        "server_side",
    ];
}

impl ConnectionConfig {
    /// A required entry, or an error that says which one is missing where.
    ///
    /// # Errors
    /// Kind `Config`.
    pub fn require<'a>(&self, key: &str, value: &'a Option<String>) -> Result<&'a str> {
        value.as_deref().filter(|v| !v.is_empty()).ok_or_else(|| {
            Error::config(format!("{} has no \"{key}\"", self.place))
                .with_remedy(format!("add \"{key}\" to {} in the configuration", self.place))
        })
    }

    /// Refuses entries that would have no effect here: a limit that is not kept is worse than none.
    ///
    /// # Errors
    /// Kind `Config`, naming the first of `keys` that is set.
    pub fn refuse(&self, keys: &[&str], why: &str) -> Result<()> {
        let set = |key: &&&str| match **key {
            "statement_timeout" => self.statement_timeout.is_some(),
            "max_runs" => self.max_runs.is_some(),
            "max_threads_running" => self.max_threads_running.is_some(),
            "max_active_sessions" => self.max_active_sessions.is_some(),
            "max_replay_lag" => self.max_replay_lag.is_some(),
            "replica" => self.replica.is_some(),
            "local_infile" => self.local_infile.is_some(),
            "server_side" => self.server_side.is_some(),
            _ => false,
        };
        match keys.iter().find(set) {
            None => Ok(()),
            Some(key) => {
                Err(Error::config(format!("{}: \"{key}\" has no effect {why}", self.place))
                    .with_remedy(format!("remove \"{key}\" from {}", self.place)))
            }
        }
    }

    /// Where the server is, for messages: `user@host:port/db`, never the password.
    pub fn address(&self, default_port: u16) -> String {
        if let Some(path) = &self.path {
            return path.clone();
        }
        format!(
            "{}@{}:{}/{}",
            self.user.as_deref().unwrap_or(""),
            self.host.as_deref().unwrap_or("127.0.0.1"),
            self.port.unwrap_or(default_port),
            self.db.as_deref().unwrap_or("")
        )
    }

    /// Whether both name one server, and it is none that goshift itself opens as a file.
    pub fn is_same_server(&self, other: &Self) -> bool {
        let place = |c: &Self| (c.host.clone().unwrap_or_else(|| "127.0.0.1".into()), c.port);
        self.path.is_none() && other.path.is_none() && place(self) == place(other)
    }

    /// Processor cores of the server, where this process can tell: it is on this machine.
    pub fn cores(&self) -> Option<usize> {
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        is_here.then(|| std::thread::available_parallelism().ok().map(Into::into)).flatten()
    }

    /// Seconds to wait for a connection, 10 unless configured.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout.unwrap_or(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let config = ConnectionConfig {
            user: Some("etl".into()),
            password: Secret::new("hunter2"),
            ..Default::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(!config.address(3306).contains("hunter2"));
    }
}
