//! Submissions that are the same as a run that is there: by their key, or because the task has one
//! waiting.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::submission::{NewRun, Submitted, params_text, parse_id};
use super::{Ledger, get, tasks, values};
use crate::error::{Error, Result};

/// Runs that a submission may be the same as.
#[derive(Default)]
pub(super) struct Existing {
    /// By task and key.
    keyed: HashMap<(i64, String), (Uuid, Option<String>)>,
    /// By task.
    pending: HashMap<i64, Pending>,
}

/// A task's pending run.
#[derive(Clone)]
pub(super) struct Pending {
    run_id: Uuid,
    mode: String,
    params: String,
    priority: i64,
    due_ms: i64,
    traceparent: Option<String>,
}

impl Existing {
    fn add(&mut self, row: &AnyRow) -> Result<(), sqlx::Error> {
        let run_id = parse_id(&get::<String>(row, "run_id")?)?;
        if let Some(key) = get::<Option<String>>(row, "dedup_key")? {
            let known = (run_id, get(row, "traceparent")?);
            self.keyed.insert((get(row, "task_id")?, key), known);
        }
        if let Some(task_id) = get::<Option<i64>>(row, "pending_task")? {
            let pending = Pending {
                run_id,
                mode: get(row, "mode")?,
                params: get::<Option<String>>(row, "params")?.unwrap_or_default(),
                priority: get(row, "priority")?,
                due_ms: get(row, "due_ms")?,
                traceparent: get(row, "traceparent")?,
            };
            self.pending.insert(task_id, pending);
        }
        Ok(())
    }

    /// The run that this submission is the same as: by its key, else the task's pending one, which
    /// it then joins.
    pub(super) fn find(&self, run: &NewRun) -> Result<Option<(Submitted, Option<Pending>)>> {
        let key = run.dedup_key.clone().map(|key| (run.task_id, key));
        if let Some((run_id, traceparent)) = key.and_then(|key| self.keyed.get(&key)) {
            return Ok(Some((joined(*run_id, traceparent.clone(), false), None)));
        }
        let Some(pending) = self.pending.get(&run.task_id) else { return Ok(None) };
        let run_id = pending.run_id;
        if pending.mode != run.mode || pending.params != params_text(run) {
            return Err(Error::config(format!(
                "task {}: run {run_id} is already waiting, with another mode or other params",
                run.task_id
            ))
            .with_remedy(format!("wait for it, or stop it with `goshift cancel {run_id}`")));
        }
        let submitted = joined(run_id, pending.traceparent.clone(), false);
        Ok(Some((submitted, Some(pending.clone()))))
    }
}

fn joined(run_id: Uuid, traceparent: Option<String>, hurried: bool) -> Submitted {
    Submitted { run_id, new: false, hurried, traceparent }
}

/// Refuses a task that is not in the table, or offline.
pub(super) fn check_online(online: &HashMap<i64, bool>, run: &NewRun) -> Result<()> {
    match online.get(&run.task_id) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::config(format!("task {} is offline", run.task_id))
            .with_remedy("set its online_status to 1 to run it")),
        None => Err(tasks::unknown_task(run.task_id)),
    }
}

impl Ledger {
    /// The tasks that are in the table, and whether they are online.
    pub(super) async fn online(
        &self,
        tx: &mut Transaction<'static, Any>,
        runs: &[NewRun],
    ) -> Result<HashMap<i64, bool>, sqlx::Error> {
        let mut query = self.query(&format!(
            "SELECT id, online_status FROM task_def_sync_manager WHERE id IN ({})",
            values(runs.len())
        ));
        for run in runs {
            query = query.bind(run.task_id);
        }
        let rows = query.fetch_all(&mut **tx).await?;
        let read = |row| {
            Ok::<_, sqlx::Error>((
                get(row, "id")?,
                get::<Option<i64>>(row, "online_status")? != Some(0),
            ))
        };
        rows.iter().map(read).collect()
    }

    /// The runs that these submissions may be the same as.
    pub(super) async fn existing(
        &self,
        tx: &mut Transaction<'static, Any>,
        runs: &[NewRun],
    ) -> Result<Existing, sqlx::Error> {
        const COLUMNS: &str = "SELECT run_id, task_id, mode, params, pending_task, dedup_key, \
             traceparent, priority, {ms_until:due_at} AS due_ms FROM goshift_run WHERE";
        let mut query = self.query(&format!("{COLUMNS} pending_task IN ({})", values(runs.len())));
        for run in runs {
            query = query.bind(run.task_id);
        }
        let mut rows = query.fetch_all(&mut **tx).await?;
        let keys: Vec<_> = runs.iter().filter_map(|run| run.dedup_key.as_deref()).collect();
        if !keys.is_empty() {
            let mut query = self.query(&format!("{COLUMNS} dedup_key IN ({})", values(keys.len())));
            for key in keys {
                query = query.bind(key);
            }
            rows.extend(query.fetch_all(&mut **tx).await?);
        }
        let mut existing = Existing::default();
        for row in &rows {
            existing.add(row)?;
        }
        Ok(existing)
    }

    /// Lets a submission join the task's pending run, which then is due no later and no less
    /// urgent than the submission asks for, and known by its key.
    pub(super) async fn join(
        &self,
        tx: &mut Transaction<'static, Any>,
        run: &NewRun,
        pending: &Pending,
    ) -> Result<Submitted, sqlx::Error> {
        let (run_id, rank, delay) = (pending.run_id, run.priority.rank(), run.delay_ms.max(0));
        let mut hurried = false;
        if pending.due_ms > delay || pending.priority < i64::from(rank) {
            let done = self
                .query(
                    "UPDATE goshift_run SET \
                     due_at = CASE WHEN due_at > {now_plus} THEN {now_plus} ELSE due_at END, \
                     priority = CASE WHEN priority < ? THEN ? ELSE priority END \
                     WHERE run_id = ? AND state = 'submitted' AND (due_at > {now_plus} OR priority < ?)",
                )
                .bind(delay)
                .bind(delay)
                .bind(rank)
                .bind(rank)
                .bind(run_id.to_string())
                .bind(delay)
                .bind(rank)
                .execute(&mut **tx)
                .await?;
            hurried = done.rows_affected() > 0;
        }
        if let Some(key) = &run.dedup_key {
            self.query(
                "UPDATE goshift_run SET dedup_key = ? WHERE run_id = ? AND dedup_key IS NULL",
            )
            .bind(key.as_str())
            .bind(run_id.to_string())
            .execute(&mut **tx)
            .await?;
        }
        Ok(joined(run_id, pending.traceparent.clone(), hurried))
    }
}
