//! The whole at a glance, for those who watch over it.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::any::AnyRow;

use super::inspect::DEAD;
use super::{Ledger, get};
use crate::error::Result;

/// Runs and workers, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Runs that are not over, by state.
    pub open: BTreeMap<String, i64>,
    /// Runs that could start now and wait.
    pub overdue: i64,
    /// Runs that failed and wait for a person.
    pub dead: i64,
    /// Workers, by what they say of themselves.
    pub workers: BTreeMap<String, i64>,
    /// Runs that working workers take at once.
    pub slots: i64,
}

impl Ledger {
    /// The whole at a glance; a worker whose heartbeat is older than `lease` counts as lost.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn overview(&self, lease: Duration) -> Result<Overview> {
        let mut overview = Overview::default();
        let count = |row: &AnyRow| Ok::<_, sqlx::Error>((get(row, "name")?, get(row, "n")?));
        // Each of these goes by an index: what is over does not count.
        let open = self
            .query(
                "SELECT state AS name, {bigint:COUNT(*)} AS n FROM goshift_run \
                 WHERE state IN ('submitted', 'running', 'retrying') GROUP BY state",
            )
            .fetch_all(&self.pool);
        let rows = self.answer("counting runs", open).await?;
        let read: Result<_, _> = rows.iter().map(count).collect();
        overview.open = read.map_err(|error| self.failure("counting runs", error))?;
        overview.overdue = self
            .counted(
                "SELECT {bigint:COUNT(*)} AS n FROM goshift_run \
                 WHERE state IN ('submitted', 'retrying') AND due_at <= {now} AND NOT {paused}",
            )
            .await?;
        overview.dead = self
            .counted(&format!("SELECT {{bigint:COUNT(*)}} AS n FROM goshift_run WHERE {DEAD}"))
            .await?;
        for worker in self.workers(lease).await? {
            if worker.row.state == "working" {
                overview.slots += worker.row.concurrency;
            }
            *overview.workers.entry(worker.row.state).or_insert(0) += 1;
        }
        Ok(overview)
    }

    async fn counted(&self, query: &str) -> Result<i64> {
        let row = self.answer("counting runs", self.query(query).fetch_one(&self.pool)).await?;
        get(&row, "n").map_err(|error| self.failure("counting runs", error))
    }
}
