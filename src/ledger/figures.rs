//! A run's figures, for those who watch.

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::submission::parse_id;
use super::{Ledger, get, values};
use crate::error::{Error, Result};

const COLUMNS: &str = "state, rows_done, rows_estimated, shards_done, shards_total, \
     {bigint:split_done} AS split_done, reason, remedy, waits_for";

/// Runs asked for by one statement.
const GROUP: usize = 500;

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
                self.query(&format!("SELECT {COLUMNS} FROM goshift_run WHERE run_id = ?"))
                    .bind(run_id.to_string())
                    .fetch_optional(self.pool()),
            )
            .await?
            .ok_or_else(|| Error::usage(format!("there is no run {run_id}")))?;
        read(&row).map_err(|error| self.failure("reading a run", error))
    }

    /// The figures of several runs; of those that the ledger has.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn progress_of(&self, runs: &[Uuid]) -> Result<Vec<(Uuid, Progress)>> {
        let doing = "following runs";
        let mut found = Vec::with_capacity(runs.len());
        for group in runs.chunks(GROUP) {
            let mut query = self.query(&format!(
                "SELECT run_id, {COLUMNS} FROM goshift_run WHERE run_id IN ({})",
                values(group.len())
            ));
            for run in group {
                query = query.bind(run.to_string());
            }
            let rows = self.answer(doing, query.fetch_all(self.pool())).await?;
            let figures =
                rows.iter().map(|row| Ok((parse_id(&get::<String>(row, "run_id")?)?, read(row)?)));
            let figures: Result<Vec<_>, sqlx::Error> = figures.collect();
            found.extend(figures.map_err(|error| self.failure(doing, error))?);
        }
        Ok(found)
    }
}

fn read(row: &AnyRow) -> Result<Progress, sqlx::Error> {
    let count = |column| get::<i64>(row, column).map(|n| n.max(0) as u64);
    Ok(Progress {
        state: get(row, "state")?,
        rows_done: count("rows_done")?,
        rows_estimated: get::<Option<i64>>(row, "rows_estimated")?.map(|n| n.max(0) as u64),
        shards_done: count("shards_done")?,
        shards_total: count("shards_total")?,
        split_done: get::<i64>(row, "split_done")? == 1,
        reason: get(row, "reason")?,
        remedy: get(row, "remedy")?,
        waits_for: get(row, "waits_for")?,
    })
}
