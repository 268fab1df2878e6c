//! Limits of runs on connections, kept inside the claim's transaction: whoever claims a run on a
//! limited connection locks that connection's gate first, so that no two can count at once.

use std::collections::{BTreeSet, HashMap};

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::{Ledger, Waiting, get};
use crate::error::Result;
use crate::plugin;

/// Which connections have a limit of runs, by the side, engine and key that a task's row names.
/// Whoever knows the configuration fills it in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunLimits {
    by_end: HashMap<(&'static str, &'static str, String), Limit>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Limit {
    connection: String,
    max: u32,
}

/// The sides of a task's row.
const SIDES: [&str; 2] = ["from", "to"];
/// What a task's row says of its ends.
const ENDS: &str = "task.from_app, task.from_db_type, task.from_db, task.to_app, task.to_db_type, \
     task.to_db";

impl RunLimits {
    /// On this side (`from` or `to`), tasks of this engine and key use `connection`, which takes
    /// at most `max` runs at once.
    pub fn add(
        &mut self,
        side: &'static str,
        engine: &'static str,
        key: &str,
        (connection, max): (&str, u32),
    ) {
        let limit = Limit { connection: connection.to_owned(), max };
        self.by_end.insert((side, engine, key.to_owned()), limit);
    }

    /// Whether there is no limit at all.
    pub fn is_empty(&self) -> bool {
        self.by_end.is_empty()
    }

    /// The limits that a task's ends meet, each once, in the order in which they are locked.
    fn of(&self, ends: &AnyRow) -> Result<BTreeSet<&Limit>, sqlx::Error> {
        let mut found = BTreeSet::new();
        for side in SIDES {
            let text = |what: &str| {
                let text = get::<Option<String>>(ends, &format!("{side}_{what}"))?;
                Ok::<_, sqlx::Error>(text.unwrap_or_default().trim().to_owned())
            };
            // A task of an unknown engine is refused later, by name.
            let Ok(engine) = plugin::find(&text("db_type")?) else { continue };
            let key = format!("{}_{}", text("app")?, text("db")?);
            found.extend(self.by_end.get(&(side, engine.name(), key)));
        }
        Ok(found)
    }
}

impl Ledger {
    /// Locks the gates of a run's connections until the transaction ends. Returns the connection
    /// that already has as many runs as it may.
    pub(super) async fn pass_gates(
        &self,
        tx: &mut Transaction<'static, Any>,
        run_id: Uuid,
        task_id: i64,
        limits: &RunLimits,
    ) -> Result<Option<String>, sqlx::Error> {
        let task = self
            .query(&format!("SELECT {ENDS} FROM task_def_sync_manager task WHERE task.id = ?"))
            .bind(task_id)
            .fetch_optional(&mut **tx)
            .await?;
        let Some(task) = task else { return Ok(None) };
        let met = limits.of(&task)?;
        if met.is_empty() {
            return Ok(None);
        }
        for limit in &met {
            self.lock_gate(tx, &limit.connection).await?;
        }
        // Counted only now: what another claim has let through is committed by now.
        let running = self.running(tx, limits, Some(run_id)).await?;
        let full = met.iter().find(|limit| running.get(*limit).is_some_and(|&n| n >= limit.max));
        Ok(full.map(|limit| limit.connection.clone()))
    }

    async fn lock_gate(
        &self,
        tx: &mut Transaction<'static, Any>,
        connection: &str,
    ) -> Result<(), sqlx::Error> {
        let locked = self
            .query("UPDATE goshift_gate SET passed_at = {now} WHERE connection = ?")
            .bind(connection)
            .execute(&mut **tx)
            .await?;
        if locked.rows_affected() == 0 {
            // Two that insert at once: the second fails by the key, and claims again.
            self.query("INSERT INTO goshift_gate (connection, passed_at) VALUES (?, {now})")
                .bind(connection)
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    /// Runs at work on each limited connection, all but one. Those whose worker has died count:
    /// they are taken over, and their last transaction may still be under way.
    async fn running<'l>(
        &self,
        tx: &mut Transaction<'static, Any>,
        limits: &'l RunLimits,
        except: Option<Uuid>,
    ) -> Result<HashMap<&'l Limit, u32>, sqlx::Error> {
        let rows = self
            .query(&format!(
                "SELECT {ENDS} FROM goshift_run run \
                 JOIN task_def_sync_manager task ON task.id = run.task_id \
                 WHERE run.state = 'running' AND run.run_id <> ?"
            ))
            .bind(except.map(|id| id.to_string()).unwrap_or_default())
            .fetch_all(&mut **tx)
            .await?;
        let mut counts = HashMap::new();
        for row in &rows {
            for limit in limits.of(row)? {
                *counts.entry(limit).or_insert(0) += 1;
            }
        }
        Ok(counts)
    }

    /// Writes down what a run waits for.
    pub(super) async fn note_full(
        &self,
        tx: &mut Transaction<'static, Any>,
        run_id: Uuid,
        state: &str,
        connection: &str,
    ) -> Result<(), sqlx::Error> {
        self.query("UPDATE goshift_run SET waits_for = ? WHERE run_id = ? AND state = ?")
            .bind(connection)
            .bind(run_id.to_string())
            .bind(state)
            .execute(&mut **tx)
            .await
            .map(|_| ())
    }

    /// The runs that may start now that a run of this task has ended: for each of its limited
    /// connections as many of those that wait for it as it has room for, the oldest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn waiting_behind(&self, task_id: i64, limits: &RunLimits) -> Result<Vec<Waiting>> {
        if limits.is_empty() {
            return Ok(Vec::new());
        }
        let looking = async {
            let mut tx = self.begin().await?;
            let found = self.find_waiting(&mut tx, task_id, limits).await?;
            tx.commit().await?;
            Ok(found)
        };
        self.answer("looking for runs that wait", looking).await
    }

    async fn find_waiting(
        &self,
        tx: &mut Transaction<'static, Any>,
        task_id: i64,
        limits: &RunLimits,
    ) -> Result<Vec<Waiting>, sqlx::Error> {
        let task = self
            .query(&format!("SELECT {ENDS} FROM task_def_sync_manager task WHERE task.id = ?"))
            .bind(task_id)
            .fetch_optional(&mut **tx)
            .await?;
        let Some(task) = task else { return Ok(Vec::new()) };
        let running = self.running(tx, limits, None).await?;
        let mut found = Vec::new();
        for limit in limits.of(&task)? {
            let room = limit.max.saturating_sub(running.get(limit).copied().unwrap_or(0));
            let rows = self
                .query(&format!(
                    "SELECT run_id, task_id, priority, traceparent FROM goshift_run \
                     WHERE waits_for = ? AND {WAITING} ORDER BY run_id LIMIT ?"
                ))
                .bind(limit.connection.as_str())
                .bind(i64::from(room))
                .fetch_all(&mut **tx)
                .await?;
            for row in &rows {
                found.push(Waiting::read(row)?);
            }
        }
        Ok(found)
    }
}

/// A run that could start but for its connection's limit. What has ended may still say what it
/// waited for.
pub(super) const WAITING: &str = "state IN ('submitted', 'retrying') AND due_at <= {now} \
     AND NOT {paused}";
