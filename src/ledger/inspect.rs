//! Reading runs for people and for reruns.

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::submission::parse_id;
use super::{Ledger, get};
use crate::error::{Error, Result};

/// A run, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RunRow {
    /// The run.
    pub run_id: Uuid,
    /// Its task.
    pub task_id: i64,
    /// Its mode; empty for the task's own.
    pub mode: String,
    /// Its state.
    pub state: String,
    /// Attempts so far.
    pub attempt: i64,
    /// Who holds it.
    pub worker: Option<String>,
    /// Rows that are in.
    pub rows_done: i64,
    /// Shards that are in.
    pub shards_done: i64,
    /// Shards cut so far.
    pub shards_total: i64,
    /// RFC 3339.
    pub submitted_at: String,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub finished_at: Option<String>,
    /// The run this one repeats.
    pub rerun_of: Option<String>,
    /// The run that repeats this one.
    pub rerun_by: Option<String>,
    /// Params of this run only.
    pub params: Option<String>,
    /// Why it failed or waits.
    pub reason: Option<String>,
    /// What to do next.
    pub remedy: Option<String>,
    /// The connection whose limit of runs it waits for.
    pub waits_for: Option<String>,
}

/// The run that holds its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRun {
    /// The run.
    pub run_id: Uuid,
    /// `running` or `retrying`.
    pub state: String,
    /// Who holds it.
    pub worker: Option<String>,
    /// Who asked for it.
    pub submitted_by: Option<String>,
    /// Milliseconds until its lease ends; negative once it has.
    pub lease_ms: Option<i64>,
}

impl ActiveRun {
    /// Whether its worker has missed several renewals.
    pub fn is_silent(&self, lease: std::time::Duration) -> bool {
        let renewed_until = (lease / 3 * 2).as_millis() as i64;
        self.lease_ms.is_some_and(|left| left < renewed_until)
    }
}

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TransitionRow {
    /// The state before.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: String,
    /// RFC 3339.
    pub at: String,
    /// Who did it.
    pub worker: Option<String>,
    /// Attempts then.
    pub attempt: i64,
    /// The claim's epoch.
    pub epoch: i64,
    /// Why.
    pub reason: Option<String>,
}

const RUN_COLUMNS: &str = "run_id, task_id, mode, state, attempt, worker, rows_done, shards_done, \
     shards_total, {text:submitted_at} AS submitted, {text:started_at} AS started, \
     {text:finished_at} AS finished, rerun_of, rerun_by, params, reason, remedy, waits_for";

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only this task's.
    pub task_id: Option<i64>,
    /// Only in this state.
    pub state: Option<String>,
    /// Only dead ones: failed, dead-lettered and not repeated yet.
    pub dead: bool,
    /// At most this many.
    pub limit: usize,
}

impl Ledger {
    /// Runs by the filter, the latest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>> {
        let mut conditions = vec!["1 = 1"];
        if filter.task_id.is_some() {
            conditions.push("task_id = ?");
        }
        if filter.state.is_some() {
            conditions.push("state = ?");
        }
        if filter.dead {
            conditions.push("state = 'failed' AND dead_letter > 0 AND rerun_by IS NULL");
        }
        let mut query = self.query(&format!(
            "SELECT {RUN_COLUMNS} FROM goshift_run WHERE {} \
             ORDER BY goshift_run.submitted_at DESC, run_id DESC LIMIT ?",
            conditions.join(" AND ")
        ));
        if let Some(task_id) = filter.task_id {
            query = query.bind(task_id);
        }
        if let Some(state) = &filter.state {
            query = query.bind(state.as_str());
        }
        query
            .bind(filter.limit as i64)
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(read_run).collect())
            .map_err(|error| self.failure("reading runs", error))
    }

    /// One run.
    ///
    /// # Errors
    /// Kind `Usage` when there is none.
    pub async fn run(&self, run_id: Uuid) -> Result<RunRow> {
        self.query(&format!("SELECT {RUN_COLUMNS} FROM goshift_run WHERE run_id = ?"))
            .bind(run_id.to_string())
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| row.as_ref().map(read_run).transpose())
            .map_err(|error| self.failure("reading a run", error))?
            .ok_or_else(|| {
                Error::usage(format!("there is no run {run_id}"))
                    .with_remedy("list the runs with `goshift runs`")
            })
    }

    /// Whether the ledger has the run.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn exists(&self, run_id: Uuid) -> Result<bool> {
        self.query("SELECT run_id FROM goshift_run WHERE run_id = ?")
            .bind(run_id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map(|row| row.is_some())
            .map_err(|error| self.failure("reading a run", error))
    }

    /// The task's active run, if there is one.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn active(&self, task_id: i64) -> Result<Option<ActiveRun>> {
        let read = |row: AnyRow| {
            Ok::<_, sqlx::Error>(ActiveRun {
                run_id: parse_id(&get::<String>(&row, "run_id")?)?,
                state: get(&row, "state")?,
                worker: get(&row, "worker")?,
                submitted_by: get(&row, "submitted_by")?,
                lease_ms: get(&row, "lease_ms")?,
            })
        };
        self.query(
            "SELECT run_id, state, worker, submitted_by, {ms_until:lease_until} AS lease_ms FROM goshift_run \
             WHERE active_task = ?",
        )
        .bind(task_id)
        .fetch_optional(&self.pool)
        .await
        .and_then(|row| row.map(read).transpose())
        .map_err(|error| self.failure("reading a run", error))
    }

    /// A run's changes of state, in order.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn transitions(&self, run_id: Uuid) -> Result<Vec<TransitionRow>> {
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(TransitionRow {
                from_state: get(row, "from_state")?,
                to_state: get(row, "to_state")?,
                at: get(row, "at_text")?,
                worker: get(row, "worker")?,
                attempt: get(row, "attempt")?,
                epoch: get(row, "epoch")?,
                reason: get(row, "reason")?,
            })
        };
        self.query(
            "SELECT from_state, to_state, {text:at} AS at_text, worker, attempt, epoch, reason \
             FROM goshift_transition WHERE run_id = ? ORDER BY id",
        )
        .bind(run_id.to_string())
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(read).collect())
        .map_err(|error| self.failure("reading transitions", error))
    }
}

fn read_run(row: &AnyRow) -> Result<RunRow, sqlx::Error> {
    Ok(RunRow {
        run_id: parse_id(&get::<String>(row, "run_id")?)?,
        task_id: get(row, "task_id")?,
        mode: get(row, "mode")?,
        state: get(row, "state")?,
        attempt: get(row, "attempt")?,
        worker: get(row, "worker")?,
        rows_done: get(row, "rows_done")?,
        shards_done: get(row, "shards_done")?,
        shards_total: get(row, "shards_total")?,
        submitted_at: get(row, "submitted")?,
        started_at: get(row, "started")?,
        finished_at: get(row, "finished")?,
        rerun_of: get(row, "rerun_of")?,
        rerun_by: get(row, "rerun_by")?,
        params: get(row, "params")?,
        reason: get(row, "reason")?,
        remedy: get(row, "remedy")?,
        waits_for: get(row, "waits_for")?,
    })
}
