//! The patience to get a connection, and to get it back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::RabbitConfig;
use super::connect::{self, Link};
use crate::error::{Error, Result};
use crate::retry::{self, Reconnect};

/// A link that lived this long was a good one: the next wait starts small again.
const SETTLED: Duration = Duration::from_secs(10);

/// Why there is no connection right now, for errors elsewhere.
pub(super) type Trouble = Arc<Mutex<Option<Arc<Error>>>>;

/// What a person has been told since there was a connection, so that it is said once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    /// That there is no connection.
    Lost,
    /// That trying again will not help.
    Refused,
}

/// Gets a link and, when it is lost, another one, for ever.
pub(super) struct Dialer {
    config: RabbitConfig,
    label: String,
    waits: Reconnect,
    told: Told,
    trouble: Trouble,
}

impl Dialer {
    /// `label` names the connection in logs and in the broker's lists.
    pub fn new(config: RabbitConfig, label: String) -> Self {
        let (waits, trouble) = (retry::reconnect(), Trouble::default());
        Self { config, label, waits, told: Told::Nothing, trouble }
    }

    pub fn config(&self) -> &RabbitConfig {
        &self.config
    }

    pub fn trouble(&self) -> Trouble {
        Arc::clone(&self.trouble)
    }

    /// Tries once.
    ///
    /// # Errors
    /// As [`connect::open_declared`].
    pub async fn once(&mut self) -> Result<Link> {
        let link = connect::open_declared(&self.config, &self.label).await?;
        tracing::info!(connection = self.label, "connected to RabbitMQ");
        self.told = Told::Nothing;
        self.set_trouble(None);
        Ok(link)
    }

    /// Tries until it succeeds. Safe to cancel.
    pub async fn dial(&mut self) -> Link {
        loop {
            let error = match self.once().await {
                Ok(link) => return link,
                Err(error) => error,
            };
            let wait = self.waits.next();
            let tell = if error.is_transient() { Told::Lost } else { Told::Refused };
            if tell > self.told {
                let remedy = error.remedy().unwrap_or_default();
                tracing::warn!(connection = self.label, %error, remedy,
                    "no connection to RabbitMQ; trying again until it works");
                self.told = tell;
            } else {
                tracing::debug!(connection = self.label, %error, ?wait, "no connection to RabbitMQ");
            }
            self.set_trouble(Some(error));
            tokio::time::sleep(wait).await;
        }
    }

    /// Says that a link was lost after it had lived for `lived`, and lets a moment pass.
    pub async fn lost(&mut self, cause: String, lived: Duration) {
        tracing::warn!(connection = self.label, cause, "disconnected from RabbitMQ; reconnecting");
        self.told = Told::Lost;
        self.set_trouble(Some(Error::transient(cause)));
        if lived > SETTLED {
            self.waits.reset();
        }
        tokio::time::sleep(self.waits.next()).await;
    }

    fn set_trouble(&self, trouble: Option<Error>) {
        let mut current = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *current = trouble.map(Arc::new);
    }
}
