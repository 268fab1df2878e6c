//! The section `server`: where `goshift-server` listens, and who may do what there.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use serde::Deserialize;

use super::connection::Secret;
use super::keys::KnownKeys;
use crate::error::{Error, Result};

/// Shorter tokens could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// How `goshift-server` is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct ServerSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// The certificate chain, a PEM file: with it and its key TLS is spoken.
    pub tls_cert: Option<String>,
    /// The key of that, a PEM file.
    pub tls_key: Option<String>,
    /// Bearer tokens, by what they allow.
    pub tokens: Tokens,
    /// Runs that may be submitted in a second, over all callers.
    pub max_submits_per_second: NonZeroU32,
}

/// Bearer tokens. Each allows what those before it allow; an empty one allows nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// To look.
    pub read: Secret,
    /// To submit, cancel and rerun.
    pub submit: Secret,
    /// To edit tasks, pause and purge.
    pub admin: Secret,
}

impl Tokens {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(|(_, token)| token.expose().is_empty())
    }

    fn all(&self) -> [(&'static str, &Secret); 3] {
        [("read", &self.read), ("submit", &self.submit), ("admin", &self.admin)]
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8780)),
            tls_cert: None,
            tls_key: None,
            tokens: Tokens::default(),
            max_submits_per_second: NonZeroU32::new(1000).unwrap_or(NonZeroU32::MIN),
        }
    }
}

impl KnownKeys for ServerSettings {
    const KEYS: &'static [&'static str] =
        &["listen", "tls_cert", "tls_key", "tokens", "max_submits_per_second"];
}

impl ServerSettings {
    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// Refuses what would let strangers in.
    ///
    /// # Errors
    /// Kind `Config`: an address beyond this machine without a token; a token that is short, or two
    /// that are the same.
    pub fn check(&self) -> Result<()> {
        if self.tokens.is_empty() && !self.listen.ip().is_loopback() {
            return Err(Error::config(format!(
                "server.listen {} can be reached from other machines, and there is no token",
                self.listen
            ))
            .with_remedy(
                "set server.tokens.admin to the name of an environment variable that holds a long \
                 random token, or listen on 127.0.0.1",
            ));
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(Error::config("server.tls_cert and server.tls_key go together")
                .with_remedy("set both, or neither"));
        }
        let given = self.tokens.all().map(|(name, token)| (name, token.expose()));
        let given: Vec<_> = given.into_iter().filter(|(_, token)| !token.is_empty()).collect();
        for (at, (name, token)) in given.iter().enumerate() {
            if token.len() < SHORTEST_TOKEN {
                return Err(Error::config(format!(
                    "server.tokens.{name} has less than {SHORTEST_TOKEN} characters"
                ))
                .with_remedy("make a long random one: `openssl rand -hex 24`"));
            }
            if let Some((other, _)) = given[..at].iter().find(|(_, other)| other == token) {
                return Err(Error::config(format!(
                    "server.tokens.{other} and server.tokens.{name} are the same"
                ))
                .with_remedy("give each role a token of its own"));
            }
        }
        Ok(())
    }
}
