//! Pauses: the fleet, or one queue, takes no new runs for now. Runs that are running go on.
//!
//! A claim reads the pauses after it has locked its run, and a pause locks every waiting run once
//! it is in: so whoever has seen the pause command end sees no run start any more.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::dialect::Dialect;
use super::submission::parse_id;
use super::{Attempt, Ledger, get};
use crate::error::Result;
use crate::event::Priority;

/// What is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every queue.
    Fleet,
    /// One queue.
    Queue(Priority),
}

impl Scope {
    /// As the ledger stores it.
    pub fn key(self) -> String {
        match self {
            Scope::Fleet => "fleet".to_owned(),
            Scope::Queue(priority) => format!("queue:{}", priority.name()),
        }
    }
}

/// A pause, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct PauseRow {
    /// `fleet`, or `queue:` and a priority.
    pub scope: String,
    /// RFC 3339.
    pub paused_at: String,
    /// Who asked for it.
    pub paused_by: Option<String>,
    /// What for.
    pub reason: Option<String>,
    /// Milliseconds since, by the database's clock.
    #[serde(skip)]
    pub age_ms: i64,
}

impl PauseRow {
    /// What is paused, for people: `the fleet`, `the queue low`.
    pub fn what(&self) -> String {
        match self.scope.strip_prefix("queue:") {
            Some(queue) => format!("the queue {queue}"),
            None => format!("the {}", self.scope),
        }
    }

    /// Whether it holds back runs of this priority, by name.
    pub fn holds(&self, priority: &str) -> bool {
        self.scope == "fleet" || self.scope.strip_prefix("queue:") == Some(priority)
    }

    /// The command that ends it.
    pub fn remedy(&self) -> String {
        match self.scope.strip_prefix("queue:") {
            Some(queue) => format!("`goshift resume --queue {queue}`"),
            None => "`goshift resume`".to_owned(),
        }
    }
}

/// A run that waits and could start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The run.
    pub run_id: Uuid,
    /// Its task.
    pub task_id: i64,
    /// Its queue.
    pub priority: Priority,
    /// Its trace, if it has one.
    pub traceparent: Option<String>,
}

impl Waiting {
    /// Reads the columns `run_id`, `task_id`, `priority` and `traceparent`.
    pub(super) fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run_id: parse_id(&get::<String>(row, "run_id")?)?,
            task_id: get(row, "task_id")?,
            priority: Priority::from_rank(get(row, "priority")?),
            traceparent: get(row, "traceparent")?,
        })
    }
}

impl Ledger {
    /// Pauses the fleet or a queue. Once this returns, no run of it starts. Returns whether it is
    /// new; one that is there already takes the new reason.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn pause(&self, scope: Scope, by: &str, reason: Option<&str>) -> Result<bool> {
        let new = self.transact("pausing", || self.try_pause(scope, by, reason)).await?;
        // SQLite has one writer: no claim was under way beside that transaction.
        if self.dialect != Dialect::Sqlite {
            self.transact("waiting for claims", || self.try_outwait_claims()).await?;
        }
        Ok(new)
    }

    async fn try_pause(
        &self,
        scope: Scope,
        by: &str,
        reason: Option<&str>,
    ) -> Result<bool, Attempt> {
        let mut tx = self.begin().await?;
        let changed = self
            .query("UPDATE goshift_pause SET reason = COALESCE(?, reason) WHERE scope = ?")
            .bind(reason)
            .bind(scope.key())
            .execute(&mut *tx)
            .await?;
        let new = changed.rows_affected() == 0;
        if new {
            self.query(
                "INSERT INTO goshift_pause (scope, paused_at, paused_by, reason) \
                 VALUES (?, {now}, ?, ?)",
            )
            .bind(scope.key())
            .bind(by)
            .bind(reason)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(new)
    }

    /// A claim that has not seen the pause still holds its run's row: this waits for it.
    async fn try_outwait_claims(&self) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        self.query(
            "SELECT run_id FROM goshift_run WHERE state IN ('submitted', 'retrying') FOR UPDATE",
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.rollback().await?;
        Ok(())
    }

    /// Ends a pause. Returns whether there was one.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn resume(&self, scope: Scope) -> Result<bool> {
        let deleting = self
            .query("DELETE FROM goshift_pause WHERE scope = ?")
            .bind(scope.key())
            .execute(self.pool());
        Ok(self.answer("resuming", deleting).await?.rows_affected() > 0)
    }

    /// What is paused now, the fleet first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn pauses(&self) -> Result<Vec<PauseRow>> {
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(PauseRow {
                scope: get(row, "scope")?,
                paused_at: get(row, "at_text")?,
                paused_by: get(row, "paused_by")?,
                reason: get(row, "reason")?,
                age_ms: -get::<i64>(row, "age_ms")?,
            })
        };
        let reading = self.query(
            "SELECT scope, {text:paused_at} AS at_text, paused_by, reason, \
             {ms_until:paused_at} AS age_ms FROM goshift_pause ORDER BY scope",
        );
        let rows = self.answer("reading pauses", reading.fetch_all(self.pool())).await?;
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("reading pauses", error))
    }

    /// How many runs wait because of a pause.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn held_back(&self) -> Result<i64> {
        let counting = self
            .query(
                "SELECT {bigint:COUNT(*)} AS runs FROM goshift_run \
                 WHERE state IN ('submitted', 'retrying') AND {paused}",
            )
            .fetch_one(self.pool());
        let row = self.answer("counting what is held back", counting).await?;
        get(&row, "runs").map_err(|error| self.failure("counting what is held back", error))
    }

    /// Runs that could start now, in the order of their ids, behind `after`.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn due_now(&self, after: Option<Uuid>, limit: usize) -> Result<Vec<Waiting>> {
        let reading = self
            .query(
                "SELECT run_id, task_id, priority, traceparent FROM goshift_run \
                 WHERE run_id > ? AND state IN ('submitted', 'retrying') AND due_at <= {now} \
                 AND NOT {paused} AND NOT EXISTS (SELECT 1 FROM goshift_run active \
                  WHERE active.active_task = goshift_run.task_id \
                  AND active.run_id <> goshift_run.run_id) ORDER BY run_id LIMIT ?",
            )
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(limit as i64)
            .fetch_all(self.pool());
        let rows = self.answer("looking for what is due", reading).await?;
        let read: Result<_, _> = rows.iter().map(Waiting::read).collect();
        read.map_err(|error| self.failure("looking for what is due", error))
    }

    /// Whether a run that this transaction has locked is held back by a pause.
    pub(super) async fn is_paused(
        &self,
        tx: &mut Transaction<'static, Any>,
        run_id: Uuid,
    ) -> Result<bool, sqlx::Error> {
        self.query("SELECT run_id FROM goshift_run WHERE run_id = ? AND {paused}")
            .bind(run_id.to_string())
            .fetch_optional(&mut **tx)
            .await
            .map(|row| row.is_some())
    }
}
