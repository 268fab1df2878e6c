//! A run's figures, for those who watch.

use uuid::Uuid;

use super::{Ledger, get};
use crate::error::{Error, Result};

/// A run's figures, for those who watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The run's state.
    pub state: String,
    /// Rows that are in.
    pub rows_done: u64,
    /// Rows in all, by the engine's estimate.
    pub rows_estimated: Option<u64>,
    /// Shards that are in.
    pub shards_done: u64,
    /// Shards cut so far.
    pub shards_total: u64,
    /// Whether every shard has been cut.
    pub split_done: bool,
    /// Why it failed or waits.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The connection whose limit of runs it waits for.
    pub waits_for: Option<String>,
}

impl Ledger {
    /// A run's figures.
    ///
    /// # Errors
    /// Kind `Usage` for an unknown run.
    pub async fn progress(&self, run_id: Uuid) -> Result<Progress> {
        let row = self
            .answer(
                "reading a run",
                self.query(
                    "SELECT state, rows_done, rows_estimated, shards_done, shards_total, \
                 {bigint:split_done} AS split_done, reason, remedy, waits_for \
                 FROM goshift_run WHERE run_id = ?",
                )
                .bind(run_id.to_string())
                .fetch_optional(&self.pool),
            )
            .await?
            .ok_or_else(|| Error::usage(format!("there is no run {run_id}")))?;
        let count = |column| get::<i64>(&row, column).map(|n| n.max(0) as u64);
        let read = || {
            Ok::<_, sqlx::Error>(Progress {
                state: get(&row, "state")?,
                rows_done: count("rows_done")?,
                rows_estimated: get::<Option<i64>>(&row, "rows_estimated")?
                    .map(|n| n.max(0) as u64),
                shards_done: count("shards_done")?,
                shards_total: count("shards_total")?,
                split_done: get::<i64>(&row, "split_done")? == 1,
                reason: get(&row, "reason")?,
                remedy: get(&row, "remedy")?,
                waits_for: get(&row, "waits_for")?,
            })
        };
        read().map_err(|error| self.failure("reading a run", error))
    }
}
