//! Entering runs: at most one active run a task and at most one pending behind it.

use std::collections::HashSet;

use serde_json::{Map, Value};
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::joining::check_online;
use super::traced::Submitting;
use super::{Attempt, Ledger, State, values};
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
    /// The trace it belongs to, as its submitter or a message says.
    pub traceparent: Option<String>,
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
    /// The run's trace, if it has one.
    pub traceparent: Option<String>,
}

/// What became of a group of submissions.
#[derive(Debug)]
pub struct Entered {
    /// One for each that was accepted, in order.
    pub accepted: Vec<Submitted>,
    /// Why the one behind them was refused; it names the task. Those after it were not looked at.
    pub refused: Option<Error>,
}

/// Runs entered in one transaction, at most: few round trips and few commits, yet no lock is held
/// for long, and a statement stays far below every engine's limit of values.
const GROUP: usize = 200;

/// Tries of a group in which others get in between, before its runs go one by one.
const GROUP_TRIES: u32 = 3;

/// The first runs that can go in one transaction: no task twice, since the second submission joins
/// what the first has entered.
pub fn group(runs: &[NewRun]) -> &[NewRun] {
    let mut tasks = HashSet::new();
    let fitting = runs.iter().take(GROUP).take_while(|run| tasks.insert(run.task_id));
    &runs[..fitting.count()]
}

impl Ledger {
    /// Enters a run in state `submitted`, or joins the task's pending one.
    ///
    /// # Errors
    /// Kind `Config` for an unknown or offline task, or when the pending run has other params.
    pub async fn submit(&self, run: &NewRun) -> Result<Submitted> {
        let submitting = Submitting::start(std::slice::from_ref(run));
        let runs = submitting.runs();
        let entered = self.transact("entering a run", || self.try_submit(runs)).await;
        let entered = entered.inspect_err(|error| submitting.fail(error))?;
        submitting.note(&entered);
        match (entered.accepted.into_iter().next(), entered.refused) {
            (Some(submitted), _) => Ok(submitted),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::internal("a submission had no outcome")),
        }
    }

    /// [`Ledger::submit`] for a [`group`], in one transaction. Where others keep entering the same
    /// tasks, one by one.
    ///
    /// # Errors
    /// When the ledger can't be written. What it refuses is in [`Entered::refused`].
    pub async fn submit_group(&self, runs: &[NewRun]) -> Result<Entered> {
        let doing = "entering runs";
        let submitting = Submitting::start(runs);
        let group = submitting.runs();
        let tried = self.attempts(doing, GROUP_TRIES, || self.try_submit(group)).await;
        let tried = tried.inspect_err(|error| submitting.fail(error))?;
        if let Ok(mut entered) = tried {
            submitting.note(&entered);
            if let Some(at_fault) = runs.get(entered.accepted.len()) {
                let name = |error: Error| error.context(format!("task {}", at_fault.task_id));
                entered.refused = entered.refused.map(name);
            }
            return Ok(entered);
        }
        let mut accepted = Vec::with_capacity(runs.len());
        for run in group {
            match self.submit(run).await {
                Ok(submitted) => accepted.push(submitted),
                Err(error) => {
                    let refused = Some(error.context(format!("task {}", run.task_id)));
                    return Ok(Entered { accepted, refused });
                }
            }
        }
        Ok(Entered { accepted, refused: None })
    }

    /// Enters runs of different tasks up to the first that is refused.
    async fn try_submit(&self, runs: &[NewRun]) -> Result<Entered, Attempt> {
        let mut tx = self.begin().await?;
        let entered = self.enter(&mut tx, runs).await?;
        crate::fault::point("submit.before_commit");
        tx.commit().await?;
        Ok(entered)
    }

    /// Enters runs of different tasks in the caller's transaction.
    pub(super) async fn enter(
        &self,
        tx: &mut Transaction<'static, Any>,
        runs: &[NewRun],
    ) -> Result<Entered, Attempt> {
        let online = self.online(tx, runs).await?;
        let existing = self.existing(tx, runs).await?;
        let mut entered = Entered { accepted: Vec::with_capacity(runs.len()), refused: None };
        let mut fresh = Vec::with_capacity(runs.len());
        for run in runs {
            let known = match check_online(&online, run) {
                Ok(()) => existing.find(run),
                Err(error) => Err(error),
            };
            match known {
                Ok(Some((submitted, None))) => entered.accepted.push(submitted),
                Ok(Some((_, Some(pending)))) => {
                    entered.accepted.push(self.join(tx, run, &pending).await?);
                }
                Ok(None) => {
                    let run_id = run.run_id.unwrap_or_else(Uuid::now_v7);
                    fresh.push((run, run_id));
                    let traceparent = run.traceparent.clone();
                    let submitted = Submitted { run_id, new: true, hurried: false, traceparent };
                    entered.accepted.push(submitted);
                }
                Err(error) => {
                    entered.refused = Some(error);
                    break;
                }
            }
        }
        self.insert(tx, &fresh).await?;
        for (run, submitted) in runs.iter().zip(&entered.accepted) {
            let Some(old) = run.rerun_of else { continue };
            self.query("UPDATE goshift_run SET rerun_by = ? WHERE run_id = ?")
                .bind(submitted.run_id.to_string())
                .bind(old.to_string())
                .execute(&mut **tx)
                .await?;
        }
        Ok(entered)
    }

    async fn insert(
        &self,
        tx: &mut Transaction<'static, Any>,
        runs: &[(&NewRun, Uuid)],
    ) -> Result<(), sqlx::Error> {
        if runs.is_empty() {
            return Ok(());
        }
        let row = "(?, ?, ?, ?, ?, ?, {now_plus}, {now}, ?, ?, ?, ?, ?)";
        let mut query = self.query(&format!(
            "INSERT INTO goshift_run (run_id, task_id, mode, params, priority, state, due_at, \
             submitted_at, rerun_of, dedup_key, submitted_by, traceparent, pending_task) VALUES {}",
            vec![row; runs.len()].join(", ")
        ));
        for (run, run_id) in runs {
            query = query
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
                .bind(run.traceparent.as_deref())
                .bind(run.task_id);
        }
        query.execute(&mut **tx).await?;
        self.record_submitted(tx, runs).await
    }

    /// Writes the first transitions and the tasks' `task_status`.
    async fn record_submitted(
        &self,
        tx: &mut Transaction<'static, Any>,
        runs: &[(&NewRun, Uuid)],
    ) -> Result<(), sqlx::Error> {
        let mut query = self.query(&format!(
            "INSERT INTO goshift_transition \
             (run_id, task_id, from_state, to_state, at, worker, attempt, epoch, reason) VALUES {}",
            vec!["(?, ?, NULL, ?, {now}, NULL, 0, 0, ?)"; runs.len()].join(", ")
        ));
        for (run, run_id) in runs {
            query = query
                .bind(run_id.to_string())
                .bind(run.task_id)
                .bind(State::Submitted.name())
                .bind(run.submitted_by.as_ref().map(|who| format!("submitted by {who}")));
        }
        query.execute(&mut **tx).await?;
        // While another run of a task is active, that one's state is what people want to see.
        let mut query = self.query(&format!(
            "UPDATE task_def_sync_manager SET task_status = ? WHERE id IN ({}) AND NOT EXISTS \
             (SELECT 1 FROM goshift_run WHERE active_task = task_def_sync_manager.id)",
            values(runs.len())
        ));
        query = query.bind(State::Submitted.name());
        for (run, _) in runs {
            query = query.bind(run.task_id);
        }
        query.execute(&mut **tx).await?;
        Ok(())
    }

    /// Notes that the broker has confirmed the runs' messages.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn mark_published(&self, runs: &[Uuid]) -> Result<()> {
        for group in runs.chunks(GROUP) {
            self.transact("noting a publish", || self.try_mark_published(group)).await?;
        }
        Ok(())
    }

    async fn try_mark_published(&self, runs: &[Uuid]) -> Result<(), Attempt> {
        let mut query = self.query(&format!(
            "UPDATE goshift_run SET published_at = {{now}} WHERE run_id IN ({})",
            values(runs.len())
        ));
        for run_id in runs {
            query = query.bind(run_id.to_string());
        }
        query.execute(self.pool()).await?;
        Ok(())
    }
}

/// A run's params as the ledger stores them.
pub(super) fn params_text(run: &NewRun) -> String {
    if run.params.is_empty() {
        return String::new();
    }
    Value::Object(run.params.clone()).to_string()
}

/// A run's id as the ledger stores it.
pub(super) fn parse_id(text: &str) -> Result<Uuid, sqlx::Error> {
    Uuid::parse_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}
