//! The workers, as they say of themselves.

use std::time::Duration;

use super::{Attempt, Ledger, get};
use crate::error::Result;

/// One worker process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WorkerRow {
    /// Its unique name.
    pub worker: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i64,
    /// goshift's version.
    pub version: String,
    /// `working`, `draining`, or `lost` when its heartbeat is overdue.
    pub state: String,
    /// Runs it takes at once.
    pub concurrency: i64,
    /// Runs it has now.
    pub running: i64,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub heartbeat_at: String,
}

impl Ledger {
    /// Writes down that a worker is there; also its heartbeat.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn note_worker(&self, worker: &WorkerRow) -> Result<()> {
        self.transact("noting a worker", || self.try_note(worker)).await
    }

    async fn try_note(&self, worker: &WorkerRow) -> Result<(), Attempt> {
        let changed = self
            .query(
                "UPDATE goshift_worker SET heartbeat_at = {now}, running = ?, state = ? \
                 WHERE worker = ?",
            )
            .bind(worker.running)
            .bind(worker.state.as_str())
            .bind(worker.worker.as_str())
            .execute(&self.pool)
            .await?;
        if changed.rows_affected() == 0 {
            self.query(
                "INSERT INTO goshift_worker (worker, host, pid, version, state, concurrency, \
                 running, started_at, heartbeat_at) VALUES (?, ?, ?, ?, ?, ?, ?, {now}, {now})",
            )
            .bind(worker.worker.as_str())
            .bind(worker.host.as_str())
            .bind(worker.pid)
            .bind(worker.version.as_str())
            .bind(worker.state.as_str())
            .bind(worker.concurrency)
            .bind(worker.running)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// Removes a worker that ends, and those that have been silent for a day.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn forget_worker(&self, worker: &str) -> Result<()> {
        const DAY_MS: i64 = 24 * 3600 * 1000;
        self.answer(
            "removing a worker",
            self.query("DELETE FROM goshift_worker WHERE worker = ? OR heartbeat_at < {now_plus}")
                .bind(worker)
                .bind(-DAY_MS)
                .execute(&self.pool),
        )
        .await
        .map(|_| ())
    }

    /// All workers; one whose heartbeat is older than `lease` is `lost`.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn workers(&self, lease: Duration) -> Result<Vec<WorkerRow>> {
        let rows = self
            .answer(
                "reading workers",
                self.query(
                    "SELECT worker, host, pid, version, state, concurrency, running, \
                 {text:started_at} AS started, {text:heartbeat_at} AS heartbeat, \
                 {ms_until:heartbeat_at} AS age_ms FROM goshift_worker ORDER BY worker",
                )
                .fetch_all(&self.pool),
            )
            .await?;
        let read = |row| {
            let silent = -get::<i64>(row, "age_ms")? > lease.as_millis() as i64;
            Ok::<_, sqlx::Error>(WorkerRow {
                worker: get(row, "worker")?,
                host: get(row, "host")?,
                pid: get(row, "pid")?,
                version: get(row, "version")?,
                state: if silent { "lost".into() } else { get(row, "state")? },
                concurrency: get(row, "concurrency")?,
                running: get(row, "running")?,
                started_at: get(row, "started")?,
                heartbeat_at: get(row, "heartbeat")?,
            })
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|error| self.failure("reading workers", error))
    }
}
