//! Transactions that are tried again.

use std::time::Duration;

use super::{Ledger, failure};
use crate::error::{Error, Result};

/// How often a transaction that lost a deadlock or a race is tried again.
const TRIES: u32 = 8;

impl Ledger {
    /// Runs a transaction, again if it lost a deadlock or a race for a unique key.
    pub(super) async fn transact<T, F, Fut>(&self, doing: &str, attempt: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Attempt>>,
    {
        let outcome = self.attempts(doing, TRIES, attempt).await?;
        outcome.map_err(|conflict| self.failure(doing, conflict))
    }

    /// [`Ledger::transact`] with so many tries; the inner error is the last one's conflict.
    pub(super) async fn attempts<T, F, Fut>(
        &self,
        doing: &str,
        limit: u32,
        mut attempt: F,
    ) -> Result<Result<T, sqlx::Error>>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Attempt>>,
    {
        let mut tries = 0;
        loop {
            let tried = tokio::time::timeout(self.patience, attempt()).await;
            let tried = tried.unwrap_or_else(|_| Err(Attempt::Refused(self.silent(doing))));
            match tried {
                Ok(value) => return Ok(Ok(value)),
                Err(Attempt::Refused(error)) => return Err(error),
                Err(Attempt::Database(error)) if !failure::is_conflict(&error) => {
                    return Err(self.failure(doing, error));
                }
                Err(Attempt::Database(error)) => {
                    tries += 1;
                    if tries >= limit {
                        return Ok(Err(error));
                    }
                    let wait = rand::random_range(1..=10 * u64::from(tries));
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
            }
        }
    }
}

/// Why a transaction ended without a result.
pub(super) enum Attempt {
    /// The database said no; a conflict is tried again.
    Database(sqlx::Error),
    /// The ledger's own rules said no.
    Refused(Error),
}

impl From<sqlx::Error> for Attempt {
    fn from(error: sqlx::Error) -> Self {
        Attempt::Database(error)
    }
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Attempt::Refused(error)
    }
}
