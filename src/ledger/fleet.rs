//! The workers, as they say of themselves.

use std::time::Duration;

use super::{Attempt, Ledger, get};
use crate::error::Result;
use crate::event::Priority;

/// One worker process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
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

/// A worker as others see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct SeenWorker {
    /// What it says of itself; the state may also be `lost` or `paused`.
    #[serde(flatten)]
    pub row: WorkerRow,
    /// Milliseconds since it was last heard.
    #[serde(skip)]
    pub silent_ms: i64,
}

impl Ledger {
    /// Writes down that a worker is there; also its heartbeat. Returns whether it was asked to drain.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn note_worker(&self, worker: &WorkerRow) -> Result<bool> {
        self.transact("noting a worker", || self.try_note(worker)).await
    }

    async fn try_note(&self, worker: &WorkerRow) -> Result<bool, Attempt> {
        let changed = self
            .query(
                "UPDATE goshift_worker SET heartbeat_at = {now}, running = ?, state = ? \
                 WHERE worker = ?",
            )
            .bind(worker.running)
            .bind(worker.state.as_str())
            .bind(worker.worker.as_str())
            .execute(self.pool())
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
            .execute(self.pool())
            .await?;
            return Ok(false);
        }
        let asked = self
            .query("SELECT {bigint:drain_requested} AS drain FROM goshift_worker WHERE worker = ?");
        let row = asked.bind(worker.worker.as_str()).fetch_optional(self.pool()).await?;
        let drain: Option<i64> = row.as_ref().map(|row| get(row, "drain")).transpose()?;
        Ok(drain.is_some_and(|drain| drain != 0))
    }

    /// Asks a worker to take nothing new, finish what it has, and end: it hears of that at its next
    /// heartbeat. Returns whether there is such a worker.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn drain_worker(&self, worker: &str) -> Result<bool> {
        // MySQL counts only rows that have changed: asked for again, it must be found again.
        let asking = self
            .query(
                "UPDATE goshift_worker SET drain_requested = drain_requested + 1 WHERE worker = ?",
            )
            .bind(worker)
            .execute(self.pool());
        let changed = self.answer("asking a worker to drain", asking).await?;
        Ok(changed.rows_affected() > 0)
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
                .execute(self.pool()),
        )
        .await
        .map(|_| ())
    }

    /// All workers. One whose heartbeat is older than `lease` is `lost`; one that works while
    /// the fleet, or each queue, is paused is `paused`.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn workers(&self, lease: Duration) -> Result<Vec<SeenWorker>> {
        let rows = self
            .answer(
                "reading workers",
                self.query(
                    // What it has is counted here: what it says itself is as old as its heartbeat.
                    "SELECT worker, host, pid, version, state, concurrency, \
                 (SELECT {bigint:COUNT(*)} FROM goshift_run WHERE goshift_run.state = 'running' \
                  AND goshift_run.worker = goshift_worker.worker) AS owned, \
                 (SELECT {bigint:COUNT(*)} FROM goshift_participant \
                  WHERE goshift_participant.state = 'active' \
                  AND goshift_participant.worker = goshift_worker.worker) AS shared, \
                 {text:started_at} AS started, {text:heartbeat_at} AS heartbeat, \
                 {ms_until:heartbeat_at} AS age_ms, \
                 (SELECT {bigint:COUNT(*)} FROM goshift_pause WHERE scope = 'fleet') AS fleet_pauses, \
                 (SELECT {bigint:COUNT(*)} FROM goshift_pause) AS pauses FROM goshift_worker ORDER BY worker",
                )
                .fetch_all(self.pool()),
            )
            .await?;
        let read = |row| {
            let silent_ms = -get::<i64>(row, "age_ms")?;
            let mut state: String = get(row, "state")?;
            let queues = Priority::ALL.len() as i64;
            let paused =
                get::<i64>(row, "fleet_pauses")? > 0 || get::<i64>(row, "pauses")? >= queues;
            if silent_ms > lease.as_millis() as i64 {
                state = "lost".to_owned();
            } else if paused && state == "working" {
                state = "paused".to_owned();
            }
            let row = WorkerRow {
                worker: get(row, "worker")?,
                host: get(row, "host")?,
                pid: get(row, "pid")?,
                version: get(row, "version")?,
                state,
                concurrency: get(row, "concurrency")?,
                running: get::<i64>(row, "owned")? + get::<i64>(row, "shared")?,
                started_at: get(row, "started")?,
                heartbeat_at: get(row, "heartbeat")?,
            };
            Ok::<_, sqlx::Error>(SeenWorker { row, silent_ms })
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|error| self.failure("reading workers", error))
    }
}
