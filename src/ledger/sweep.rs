//! What every worker looks for in the ledger: work whose message is late, lost or never came.

use std::time::Duration;

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::ending::Step;
use super::gate::WAITING;
use super::submission::parse_id;
use super::{Attempt, Ledger, RunLimits, State, get};
use crate::error::{Error, Result};
use crate::event::Priority;

/// A run that waits for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The run.
    pub run_id: Uuid,
    /// Its task.
    pub task_id: i64,
}

/// A failed run that is not in the dead queue yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadRun {
    /// The run.
    pub run_id: Uuid,
    /// Its task.
    pub task_id: i64,
    /// Its queue.
    pub priority: Priority,
    /// Attempts made.
    pub attempts: u32,
    /// Why it failed.
    pub reason: String,
    /// What to do next.
    pub remedy: Option<String>,
}

impl Ledger {
    /// Runs that a worker may claim now: due for longer than `overdue`, or with an expired lease.
    /// The most urgent first. Of those that wait for a connection only the oldest, before all
    /// others: no message comes for them any more.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn due(
        &self,
        overdue: Duration,
        limit: usize,
        limits: &RunLimits,
    ) -> Result<Vec<Due>> {
        let mut due = Vec::new();
        let mut not_waiting = "";
        if !limits.is_empty() {
            due = self.first_waiting().await?;
            not_waiting = "AND waits_for IS NULL ";
        }
        let rows = self
            .answer(
                "looking for work",
                self.query(&format!(
                    "SELECT run_id, task_id FROM goshift_run WHERE \
                 (state IN ('submitted', 'retrying') {not_waiting}AND due_at <= {{now_plus}} \
                  AND (published_at IS NULL OR published_at <= {{now_plus}}) \
                  AND NOT {{paused}} \
                  AND NOT EXISTS (SELECT 1 FROM goshift_run active \
                   WHERE active.active_task = goshift_run.task_id \
                   AND active.run_id <> goshift_run.run_id)) \
                 OR (state = 'running' AND (lease_until IS NULL OR lease_until < {{now}})) \
                 ORDER BY priority DESC, due_at LIMIT ?",
                ))
                .bind(-(overdue.as_millis() as i64))
                .bind(-(overdue.as_millis() as i64))
                .bind(limit as i64)
                .fetch_all(self.pool()),
            )
            .await?;
        due.extend(self.read_due(&rows)?);
        Ok(due)
    }

    /// The oldest run that waits for each connection with a limit.
    async fn first_waiting(&self) -> Result<Vec<Due>> {
        let query = self.query(&format!(
            "SELECT run_id, task_id FROM goshift_run WHERE run_id IN \
             (SELECT MIN(run_id) FROM goshift_run WHERE waits_for IS NOT NULL AND {WAITING} \
              GROUP BY waits_for) ORDER BY run_id"
        ));
        let rows = self.answer("looking for work", query.fetch_all(self.pool())).await?;
        self.read_due(&rows)
    }

    pub(super) fn read_due(&self, rows: &[AnyRow]) -> Result<Vec<Due>> {
        let read = |row| {
            Ok::<_, sqlx::Error>(Due {
                run_id: parse_id(&get::<String>(row, "run_id")?)?,
                task_id: get(row, "task_id")?,
            })
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|error| self.failure("looking for work", error))
    }

    /// How many runs still wait for a worker, now or later, or are held by one that has missed
    /// renewals of its `lease`. Those that live workers hold are theirs, and what is paused waits
    /// for a person.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn waiting(&self, lease: Duration) -> Result<u64> {
        let counting = self
            .query("SELECT {bigint:COUNT(*)} AS runs FROM goshift_run WHERE (state IN ('submitted', 'retrying') AND NOT {paused}) OR (state = 'running' \
                 AND (lease_until IS NULL OR lease_until < {now_plus}))")
            .bind((lease / 3 * 2).as_millis() as i64)
            .fetch_one(self.pool());
        let row = self.answer("counting work", counting).await?;
        let count: i64 = get(&row, "runs").map_err(|e| self.failure("counting work", e))?;
        Ok(count.max(0) as u64)
    }

    /// Failed runs whose dead message the broker has not confirmed, `older_than` ago: before that
    /// their own worker is at it.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn unpublished_dead(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<Vec<DeadRun>> {
        let rows = self
            .answer(
                "looking for dead runs",
                self.query(
                    "SELECT run_id, task_id, priority, attempt, reason, remedy FROM goshift_run \
                 WHERE state = 'failed' AND dead_letter = 1 AND finished_at < {now_plus} \
                 ORDER BY finished_at LIMIT ?",
                )
                .bind(-(older_than.as_millis() as i64))
                .bind(limit as i64)
                .fetch_all(self.pool()),
            )
            .await?;
        let read = |row| {
            Ok::<_, sqlx::Error>(DeadRun {
                run_id: parse_id(&get::<String>(row, "run_id")?)?,
                task_id: get(row, "task_id")?,
                priority: Priority::from_rank(get(row, "priority")?),
                attempts: get::<i64>(row, "attempt")?.max(0) as u32,
                reason: get::<Option<String>>(row, "reason")?.unwrap_or_default(),
                remedy: get(row, "remedy")?,
            })
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|error| self.failure("looking for dead runs", error))
    }

    /// Notes that the dead queue has the run, unless somebody has purged it meanwhile.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn mark_dead_published(&self, run_id: Uuid) -> Result<()> {
        self.answer(
            "noting a dead message",
            self.query(
                "UPDATE goshift_run SET dead_letter = 2 WHERE run_id = ? AND dead_letter = 1",
            )
            .bind(run_id.to_string())
            .execute(self.pool()),
        )
        .await
        .map(|_| ())
    }

    /// Cancels a run: at once if it waits, else its worker stops it at the next heartbeat.
    /// Returns the state the run is in now.
    ///
    /// # Errors
    /// Kind `Usage` for an unknown run or one that is over.
    pub async fn cancel(&self, run_id: Uuid) -> Result<State> {
        self.transact("cancelling a run", || self.try_cancel(run_id)).await
    }

    async fn try_cancel(&self, run_id: Uuid) -> Result<State, Attempt> {
        let mut tx = self.begin().await?;
        let row = self
            .query("SELECT task_id, state, attempt, epoch FROM goshift_run WHERE run_id = ?")
            .bind(run_id.to_string())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(|| Error::usage(format!("there is no run {run_id}")))?;
        let state: String = get(&row, "state")?;
        if State::is_terminal(&state) {
            return Err(Error::usage(format!("run {run_id} is already {state}"))
                .with_remedy(format!("look at it with `goshift run {run_id}`"))
                .into());
        }
        if state == State::Running.name() {
            let changed = self
                .query(
                    "UPDATE goshift_run SET cancel_requested = 1 \
                     WHERE run_id = ? AND state = 'running'",
                )
                .bind(run_id.to_string())
                .execute(&mut *tx)
                .await?;
            if changed.rows_affected() == 1 {
                tx.commit().await?;
                return Ok(State::Running);
            }
            return Err(changed_meanwhile(run_id).into());
        }
        let changed = self
            .query(
                "UPDATE goshift_run SET active_task = NULL, pending_task = NULL, \
                 finished_at = {now}, waits_for = NULL, \
                 reason = 'cancelled on request', state = 'cancelled' \
                 WHERE run_id = ? AND state = ?",
            )
            .bind(run_id.to_string())
            .bind(state.as_str())
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() == 0 {
            return Err(changed_meanwhile(run_id).into());
        }
        let step = Step {
            run_id,
            task_id: get(&row, "task_id")?,
            from: &state,
            to: State::Cancelled,
            worker: None,
            attempt: get::<i64>(&row, "attempt")?.max(0) as u32,
            epoch: get(&row, "epoch")?,
            reason: Some("cancelled on request"),
        };
        self.record(&mut tx, &step).await?;
        tx.commit().await?;
        Ok(State::Cancelled)
    }
}

fn changed_meanwhile(run_id: Uuid) -> Error {
    Error::transient(format!("run {run_id} changed its state just now")).with_remedy("try again")
}
