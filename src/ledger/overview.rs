//! The whole at a glance, for those who watch over it.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::any::AnyRow;

use super::inspect::DEAD;
use super::{Ledger, get};
use crate::error::Result;

/// Over how long the throughput is taken.
const NOW_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Runs and workers, counted.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Rows a second that all runs together have got in, over the last minute.
    pub rows_per_second: f64,
    /// The same in bytes.
    pub bytes_per_second: f64,
    /// Runs that have ended within the last day, by state.
    pub last_day: BTreeMap<String, i64>,
    /// Schedules, `enabled` or `disabled`.
    pub schedules: BTreeMap<String, i64>,
    /// How long the tick that is most overdue has waited.
    pub schedule_lag: Duration,
}

impl Ledger {
    /// The whole at a glance; a worker whose heartbeat is older than `lease` counts as lost.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn overview(&self, lease: Duration) -> Result<Overview> {
        // Each of these goes by an index: what has been over for long does not count.
        let mut overview = Overview { open: self.open_runs().await?, ..Overview::default() };
        overview.last_day = self.ended_runs().await?;
        (overview.schedules, overview.schedule_lag) = self.ticking().await?;
        (overview.rows_per_second, overview.bytes_per_second) = self.throughput().await?;
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

    async fn open_runs(&self) -> Result<BTreeMap<String, i64>> {
        let open = self
            .query(
                "SELECT state AS name, {bigint:COUNT(*)} AS n FROM goshift_run \
                 WHERE state IN ('submitted', 'running', 'retrying') GROUP BY state",
            )
            .fetch_all(self.pool());
        self.counts(&self.answer("counting runs", open).await?)
    }

    async fn ended_runs(&self) -> Result<BTreeMap<String, i64>> {
        let ended = self
            .query(
                "SELECT state AS name, {bigint:COUNT(*)} AS n FROM goshift_run \
                 WHERE finished_at > {now_plus} GROUP BY state",
            )
            .bind(-DAY_MS)
            .fetch_all(self.pool());
        self.counts(&self.answer("counting runs", ended).await?)
    }

    async fn ticking(&self) -> Result<(BTreeMap<String, i64>, Duration)> {
        let doing = "counting schedules";
        let states = self.query(
            "SELECT CASE WHEN enabled = 1 THEN 'enabled' ELSE 'disabled' END AS name, \
             {bigint:COUNT(*)} AS n FROM goshift_schedule GROUP BY enabled",
        );
        let states = self.counts(&self.answer(doing, states.fetch_all(self.pool())).await?)?;
        let oldest = self.query(
            "SELECT {ms_until:next_at} AS due_ms FROM goshift_schedule \
             WHERE enabled = 1 AND next_at <= {now} ORDER BY next_at LIMIT 1",
        );
        let oldest = self.answer(doing, oldest.fetch_optional(self.pool())).await?;
        let late = oldest.as_ref().map(|row| get::<i64>(row, "due_ms")).transpose();
        let late = late.map_err(|error| self.failure(doing, error))?.unwrap_or(0);
        Ok((states, Duration::from_millis(late.min(0).unsigned_abs())))
    }

    fn counts(&self, rows: &[AnyRow]) -> Result<BTreeMap<String, i64>> {
        let count = |row: &AnyRow| Ok::<_, sqlx::Error>((get(row, "name")?, get(row, "n")?));
        let counts: Result<_, _> = rows.iter().map(count).collect();
        counts.map_err(|error| self.failure("counting runs", error))
    }

    /// Rows and bytes a second.
    async fn throughput(&self) -> Result<(f64, f64)> {
        let summing = self
            .query(
                "SELECT {bigint:COALESCE(SUM(shard.rows_done), 0)} AS n_rows, \
                 {bigint:COALESCE(SUM(shard.bytes_done), 0)} AS n_bytes \
                 FROM goshift_run run JOIN goshift_shard shard ON shard.run_id = run.run_id \
                 WHERE (run.state = 'running' OR run.finished_at > {now_plus}) \
                 AND shard.finished_at > {now_plus}",
            )
            .bind(-NOW_MS)
            .bind(-NOW_MS)
            .fetch_one(self.pool());
        let row = self.answer("summing up shards", summing).await?;
        let rate =
            |name| Ok::<_, sqlx::Error>(get::<i64>(&row, name)? as f64 * 1000.0 / NOW_MS as f64);
        let rates = rate("n_rows").and_then(|rows| Ok((rows, rate("n_bytes")?)));
        rates.map_err(|error| self.failure("summing up shards", error))
    }

    async fn counted(&self, query: &str) -> Result<i64> {
        let row = self.answer("counting runs", self.query(query).fetch_one(self.pool())).await?;
        get(&row, "n").map_err(|error| self.failure("counting runs", error))
    }
}
