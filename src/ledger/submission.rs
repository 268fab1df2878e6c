//! Entering runs: at most one active run a task and at most one pending behind it.

use serde_json::{Map, Value};
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::{Attempt, Ledger, State, get, tasks};
use crate::error::{Error, Result};
use crate::event::Priority;

/// A run to enter.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its number, when the submitter has chosen one.
    pub run_id: Option<Uuid>,
    /// The task.
    pub task_id: i64,
    /// Its mode; checked by the caller.
    pub mode: String,
    /// Params of this run only.
    pub params: Map<String, Value>,
    /// Its queue.
    pub priority: Priority,
    /// Milliseconds from now before which it must not start.
    pub delay_ms: i64,
    /// Two submissions with the same key are one run.
    pub dedup_key: Option<String>,
    /// Who asked.
    pub submitted_by: Option<String>,
    /// The run this one repeats.
    pub rerun_of: Option<Uuid>,
}

/// Where a submission ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The run.
    pub run_id: Uuid,
    /// Whether it was entered now; otherwise the submission joined a run that was there.
    pub new: bool,
    /// Whether the run that was joined is due earlier now, or more urgent.
    pub hurried: bool,
}

impl Ledger {
    /// Enters a run in state `submitted`, or joins the task's pending one.
    ///
    /// # Errors
    /// Kind `Config` for an unknown or offline task, or when the pending run has other params.
    pub async fn submit(&self, run: &NewRun) -> Result<Submitted> {
        self.transact("entering a run", || self.try_submit(run)).await
    }

    async fn try_submit(&self, run: &NewRun) -> Result<Submitted, Attempt> {
        let mut tx = self.begin().await?;
        let task = self
            .query("SELECT id, online_status FROM task_def_sync_manager WHERE id = ?")
            .bind(run.task_id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(|| tasks::unknown_task(run.task_id))?;
        if get::<Option<i64>>(&task, "online_status")? == Some(0) {
            return Err(Error::config(format!("task {} is offline", run.task_id))
                .with_remedy("set its online_status to 1 to run it")
                .into());
        }
        let submitted = match self.existing(&mut tx, run).await? {
            Some(joined) => joined,
            None => {
                let run_id = run.run_id.unwrap_or_else(Uuid::now_v7);
                self.insert(&mut tx, run, run_id).await?;
                Submitted { run_id, new: true, hurried: false }
            }
        };
        if let Some(old) = run.rerun_of {
            self.query("UPDATE goshift_run SET rerun_by = ? WHERE run_id = ?")
                .bind(submitted.run_id.to_string())
                .bind(old.to_string())
                .execute(&mut *tx)
                .await?;
        }
        crate::fault::point("submit.before_commit");
        tx.commit().await?;
        Ok(submitted)
    }

    /// The run that this submission is the same as.
    async fn existing(
        &self,
        tx: &mut Transaction<'static, Any>,
        run: &NewRun,
    ) -> Result<Option<Submitted>, Attempt> {
        let row = self
            .query(
                "SELECT run_id, task_id, mode, params, pending_task, dedup_key FROM goshift_run \
                 WHERE (dedup_key = ? AND task_id = ?) OR pending_task = ? \
                 ORDER BY CASE WHEN dedup_key = ? THEN 0 ELSE 1 END LIMIT 1",
            )
            .bind(run.dedup_key.as_deref())
            .bind(run.task_id)
            .bind(run.task_id)
            .bind(run.dedup_key.as_deref())
            .fetch_optional(&mut **tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let run_id = parse_id(&get::<String>(&row, "run_id")?)?;
        let same_key =
            run.dedup_key.is_some() && get::<Option<String>>(&row, "dedup_key")? == run.dedup_key;
        if same_key {
            return Ok(Some(Submitted { run_id, new: false, hurried: false }));
        }
        let params = get::<Option<String>>(&row, "params")?.unwrap_or_default();
        if get::<String>(&row, "mode")? != run.mode || params != params_text(run) {
            return Err(Error::config(format!(
                "task {}: run {run_id} is already waiting, with another mode or other params",
                run.task_id
            ))
            .with_remedy(format!("wait for it, or stop it with `goshift cancel {run_id}`"))
            .into());
        }
        self.join(tx, run, run_id).await.map(Some)
    }

    /// Lets a submission join the task's pending run, which then is due no later and no less
    /// urgent than the submission asks for, and known by its key.
    async fn join(
        &self,
        tx: &mut Transaction<'static, Any>,
        run: &NewRun,
        run_id: Uuid,
    ) -> Result<Submitted, Attempt> {
        let hurried = self
            .query(
                "UPDATE goshift_run SET due_at = {now_plus}, priority = CASE WHEN priority < ? THEN ? ELSE priority END \
                 WHERE run_id = ? AND state = 'submitted' AND (due_at > {now_plus} OR priority < ?)",
            )
            .bind(run.delay_ms.max(0))
            .bind(run.priority.rank())
            .bind(run.priority.rank())
            .bind(run_id.to_string())
            .bind(run.delay_ms.max(0))
            .bind(run.priority.rank())
            .execute(&mut **tx)
            .await?;
        self.query("UPDATE goshift_run SET dedup_key = ? WHERE run_id = ? AND dedup_key IS NULL")
            .bind(run.dedup_key.as_deref())
            .bind(run_id.to_string())
            .execute(&mut **tx)
            .await?;
        Ok(Submitted { run_id, new: false, hurried: hurried.rows_affected() > 0 })
    }

    async fn insert(
        &self,
        tx: &mut Transaction<'static, Any>,
        run: &NewRun,
        run_id: Uuid,
    ) -> Result<(), Attempt> {
        self.query(
            "INSERT INTO goshift_run (run_id, task_id, mode, params, priority, state, due_at, \
             submitted_at, rerun_of, dedup_key, submitted_by, pending_task) \
             VALUES (?, ?, ?, ?, ?, ?, {now_plus}, {now}, ?, ?, ?, ?)",
        )
        .bind(run_id.to_string())
        .bind(run.task_id)
        .bind(run.mode.as_str())
        .bind(params_text(run))
        .bind(run.priority.rank())
        .bind(State::Submitted.name())
        .bind(run.delay_ms.max(0))
        .bind(run.rerun_of.map(|id| id.to_string()))
        .bind(run.dedup_key.as_deref())
        .bind(run.submitted_by.as_deref())
        .bind(run.task_id)
        .execute(&mut **tx)
        .await?;
        self.query(
            "INSERT INTO goshift_transition \
             (run_id, task_id, from_state, to_state, at, worker, attempt, epoch, reason) \
             VALUES (?, ?, NULL, ?, {now}, NULL, 0, 0, ?)",
        )
        .bind(run_id.to_string())
        .bind(run.task_id)
        .bind(State::Submitted.name())
        .bind(run.submitted_by.as_ref().map(|who| format!("submitted by {who}")))
        .execute(&mut **tx)
        .await?;
        // While another run of the task is active, that one's state is what people want to see.
        self.query(
            "UPDATE task_def_sync_manager SET task_status = ? WHERE id = ? AND NOT EXISTS \
             (SELECT 1 FROM goshift_run WHERE active_task = ?)",
        )
        .bind(State::Submitted.name())
        .bind(run.task_id)
        .bind(run.task_id)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Notes that the broker has confirmed the run's message.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn mark_published(&self, run_id: Uuid) -> Result<()> {
        self.answer(
            "noting a publish",
            self.query("UPDATE goshift_run SET published_at = {now} WHERE run_id = ?")
                .bind(run_id.to_string())
                .execute(&self.pool),
        )
        .await
        .map(|_| ())
    }
}

fn params_text(run: &NewRun) -> String {
    if run.params.is_empty() {
        return String::new();
    }
    Value::Object(run.params.clone()).to_string()
}

/// A run's id as the ledger stores it.
pub(super) fn parse_id(text: &str) -> Result<Uuid, sqlx::Error> {
    Uuid::parse_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}
