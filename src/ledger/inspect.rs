//! Reading runs for people and for reruns.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::submission::parse_id;
use super::{Ledger, get};
use crate::error::{Error, Result};
use crate::event::Priority;

/// A run, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct RunRow {
    /// The run.
    pub run_id: Uuid,
    /// Its task.
    pub task_id: i64,
    /// Its mode; empty for the task's own.
    pub mode: String,
    /// Its state.
    pub state: String,
    /// Its queue.
    pub priority: &'static str,
    /// Attempts so far.
    pub attempt: i64,
    /// Who holds it.
    pub worker: Option<String>,
    /// Workers that share it besides that one.
    pub helpers: i64,
    /// Who asked for it.
    pub submitted_by: Option<String>,
    /// Rows that are in.
    pub rows_done: i64,
    /// Rows in all, by the engine's estimate.
    pub rows_estimated: Option<i64>,
    /// Bytes that went through.
    pub bytes_done: i64,
    /// Rows written to the target, by all attempts.
    pub rows_written: i64,
    /// Rows deleted there.
    pub rows_deleted: i64,
    /// Shards that are in.
    pub shards_done: i64,
    /// Shards cut so far.
    pub shards_total: i64,
    /// Whether every shard has been cut.
    pub split_done: bool,
    /// As of which moments its source was read: `shard` or `snapshot`; not known before shards are
    /// cut.
    pub consistency: Option<String>,
    /// RFC 3339.
    pub submitted_at: String,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub finished_at: Option<String>,
    /// RFC 3339: when it may start, or start again.
    pub due_at: String,
    /// The connection whose limit of runs it waits for.
    pub waits_for: Option<String>,
    /// Whether it failed, waits for a person, and was neither repeated nor purged.
    pub dead: bool,
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
    /// The same times as they are for people.
    #[serde(skip)]
    pub since: Since,
}

/// How long ago, in milliseconds, by the database's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Since {
    /// It was submitted.
    pub submitted: i64,
    /// It was started, the first time.
    pub started: Option<i64>,
    /// It ended.
    pub finished: Option<i64>,
    /// It was due; negative if it is due later.
    pub due: i64,
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

const RUN_COLUMNS: &str = "run_id, task_id, mode, state, attempt, worker, rows_done, shards_done, \
     shards_total, {text:submitted_at} AS submitted, {text:started_at} AS started, \
     {text:finished_at} AS finished, {text:due_at} AS due, rerun_of, rerun_by, params, reason, \
     remedy, priority, submitted_by, rows_estimated, bytes_done, rows_written, rows_deleted, split_done, consistency, \
     waits_for, dead_letter, {ms_until:submitted_at} AS submitted_ms, {ms_until:started_at} AS started_ms, \
     {ms_until:finished_at} AS finished_ms, {ms_until:due_at} AS due_ms, \
     (SELECT {bigint:COUNT(*)} FROM goshift_participant \
      WHERE goshift_participant.run_id = goshift_run.run_id \
      AND goshift_participant.state = 'active') AS helpers";

/// Holds for a run that is dead: it waits for somebody to repeat or to purge it.
pub(super) const DEAD: &str = "state = 'failed' AND dead_letter IN (1, 2) AND rerun_by IS NULL";

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only this task's.
    pub task_id: Option<i64>,
    /// Only in one of these states; none for all.
    pub states: Vec<String>,
    /// Only those submitted within this time.
    pub since: Option<Duration>,
    /// Only dead ones: failed, dead-lettered and not repeated yet.
    pub dead: bool,
    /// At most this many.
    pub limit: usize,
}

impl Ledger {
    /// Runs by the filter: what runs first, then what waits, then what is over; the latest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>> {
        const ORDER: &str = "CASE state WHEN 'running' THEN 0 WHEN 'retrying' THEN 1 \
              WHEN 'submitted' THEN 2 ELSE 3 END, goshift_run.submitted_at DESC, run_id DESC";
        self.filtered(filter, None, ORDER).await
    }

    /// A page of them, the latest first: those from before the run `after`. Ids sort by time, so that
    /// a page costs the same however many runs there are.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn run_page(&self, filter: &RunFilter, after: Option<Uuid>) -> Result<Vec<RunRow>> {
        self.filtered(filter, after, "run_id DESC").await
    }

    async fn filtered(
        &self,
        filter: &RunFilter,
        after: Option<Uuid>,
        order: &str,
    ) -> Result<Vec<RunRow>> {
        let marks = format!("state IN ({})", vec!["?"; filter.states.len()].join(", "));
        let mut conditions = vec!["1 = 1"];
        conditions.extend(filter.task_id.map(|_| "task_id = ?"));
        conditions.extend((!filter.states.is_empty()).then_some(marks.as_str()));
        conditions.extend(filter.since.map(|_| "goshift_run.submitted_at >= {now_plus}"));
        conditions.extend(filter.dead.then_some(DEAD));
        conditions.extend(after.map(|_| "run_id < ?"));
        let mut query = self.query(&format!(
            "SELECT {RUN_COLUMNS} FROM goshift_run WHERE {} ORDER BY {order} LIMIT ?",
            conditions.join(" AND ")
        ));
        if let Some(task_id) = filter.task_id {
            query = query.bind(task_id);
        }
        for state in &filter.states {
            query = query.bind(state.as_str());
        }
        if let Some(since) = filter.since {
            query = query.bind(-i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        }
        if let Some(after) = after {
            query = query.bind(after.to_string());
        }
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        let rows = self.answer("reading runs", query.bind(limit).fetch_all(self.pool())).await?;
        let read: Result<_, _> = rows.iter().map(read_run).collect();
        read.map_err(|error| self.failure("reading runs", error))
    }

    /// Runs whose id begins or ends with a text of hexadecimal digits and dashes.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn runs_like(&self, part: &str, limit: usize) -> Result<Vec<RunRow>> {
        let reading = self
            .query(&format!(
                "SELECT {RUN_COLUMNS} FROM goshift_run WHERE run_id LIKE ? OR run_id LIKE ? \
                 ORDER BY goshift_run.submitted_at DESC, run_id DESC LIMIT ?"
            ))
            .bind(format!("{part}%"))
            .bind(format!("%{part}"))
            .bind(limit as i64)
            .fetch_all(self.pool());
        let rows = self.answer("looking for a run", reading).await?;
        let read: Result<_, _> = rows.iter().map(read_run).collect();
        read.map_err(|error| self.failure("looking for a run", error))
    }

    /// Those of the runs that the ledger has.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn known(&self, runs: &[Uuid]) -> Result<HashSet<Uuid>> {
        let mut known = HashSet::new();
        for batch in runs.chunks(500) {
            let marks = vec!["?"; batch.len()].join(", ");
            let mut query =
                self.query(&format!("SELECT run_id FROM goshift_run WHERE run_id IN ({marks})"));
            for run_id in batch {
                query = query.bind(run_id.to_string());
            }
            let rows = self.answer("looking for runs", query.fetch_all(self.pool())).await?;
            for row in &rows {
                let id = get::<String>(row, "run_id").and_then(|id| parse_id(&id));
                known.insert(id.map_err(|error| self.failure("looking for runs", error))?);
            }
        }
        Ok(known)
    }

    /// One run.
    ///
    /// # Errors
    /// Kind `Usage` when there is none.
    pub async fn run(&self, run_id: Uuid) -> Result<RunRow> {
        self.query(&format!("SELECT {RUN_COLUMNS} FROM goshift_run WHERE run_id = ?"))
            .bind(run_id.to_string())
            .fetch_optional(self.pool())
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
            .fetch_optional(self.pool())
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
        .fetch_optional(self.pool())
        .await
        .and_then(|row| row.map(read).transpose())
        .map_err(|error| self.failure("reading a run", error))
    }
}

fn read_run(row: &AnyRow) -> Result<RunRow, sqlx::Error> {
    let ago = |column| Ok::<_, sqlx::Error>(get::<Option<i64>>(row, column)?.map(|ms| -ms));
    let since = Since {
        submitted: ago("submitted_ms")?.unwrap_or(0),
        started: ago("started_ms")?,
        finished: ago("finished_ms")?,
        due: ago("due_ms")?.unwrap_or(0),
    };
    let (state, rerun_by): (String, Option<String>) = (get(row, "state")?, get(row, "rerun_by")?);
    let letter = get::<i64>(row, "dead_letter")?;
    Ok(RunRow {
        dead: state == "failed" && (letter == 1 || letter == 2) && rerun_by.is_none(),
        priority: Priority::from_rank(get(row, "priority")?).name(),
        helpers: get(row, "helpers")?,
        submitted_by: get(row, "submitted_by")?,
        rows_estimated: get(row, "rows_estimated")?,
        bytes_done: get(row, "bytes_done")?,
        rows_written: get(row, "rows_written")?,
        rows_deleted: get(row, "rows_deleted")?,
        split_done: get::<i64>(row, "split_done")? != 0,
        consistency: get(row, "consistency")?,
        due_at: get(row, "due")?,
        waits_for: get(row, "waits_for")?,
        since,
        run_id: parse_id(&get::<String>(row, "run_id")?)?,
        task_id: get(row, "task_id")?,
        mode: get(row, "mode")?,
        state,
        attempt: get(row, "attempt")?,
        worker: get(row, "worker")?,
        rows_done: get(row, "rows_done")?,
        shards_done: get(row, "shards_done")?,
        shards_total: get(row, "shards_total")?,
        submitted_at: get(row, "submitted")?,
        started_at: get(row, "started")?,
        finished_at: get(row, "finished")?,
        rerun_of: get(row, "rerun_of")?,
        rerun_by,
        params: get(row, "params")?,
        reason: get(row, "reason")?,
        remedy: get(row, "remedy")?,
    })
}
