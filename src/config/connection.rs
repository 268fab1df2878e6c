//! How to reach one database: the entries under `from`, `to` and `task_meta`.

use std::fmt;

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

    /// Seconds to wait for a connection, 10 unless configured.
    pub fn timeout(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.connect_timeout.unwrap_or(10))
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
