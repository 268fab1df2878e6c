//! What the runs of mode `cursor` read, and how far their task has come.
//!
//! A task's watermark is that of its last run that succeeded: a run that ends otherwise moves
//! nothing, without a word of its own.

use uuid::Uuid;

use super::submission::parse_id;
use super::{Attempt, Ledger, State, get};
use crate::error::{Context, Error, Result};
use crate::plugin::BoundValue;
use crate::plugin::window::Window;

/// What a run reads, and the watermark once it has succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptWindow {
    /// What it reads.
    pub window: Window,
    /// Where the task's next run begins, but for the overlap.
    pub mark: Option<BoundValue>,
}

impl Ledger {
    /// What a run reads, if that is fixed already.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn window(&self, run_id: Uuid) -> Result<Option<KeptWindow>> {
        let reading = self
            .query("SELECT bounds, mark FROM goshift_cursor WHERE run_id = ?")
            .bind(run_id.to_string())
            .fetch_optional(self.pool());
        let Some(row) = self.answer("reading a window", reading).await? else { return Ok(None) };
        let texts = get::<String>(&row, "bounds").and_then(|reads| Ok((reads, get(&row, "mark")?)));
        let (reads, mark): (String, Option<String>) =
            texts.map_err(|error| self.failure("reading a window", error))?;
        Ok(Some(KeptWindow { window: read(&reads)?, mark: mark.as_deref().map(read).transpose()? }))
    }

    /// How far a task has come on the way that `scope` stands for.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn watermark(&self, task_id: i64, scope: &str) -> Result<Option<BoundValue>> {
        let reading = self
            .query(
                "SELECT c.scope, c.mark FROM goshift_cursor c JOIN goshift_run r \
                 ON r.run_id = c.run_id WHERE c.task_id = ? AND r.state = 'succeeded' \
                 ORDER BY c.run_id DESC LIMIT 1",
            )
            .bind(task_id)
            .fetch_optional(self.pool());
        let Some(row) = self.answer("reading a watermark", reading).await? else { return Ok(None) };
        let texts = get::<String>(&row, "scope").and_then(|scope| Ok((scope, get(&row, "mark")?)));
        let (found, mark): (String, Option<String>) =
            texts.map_err(|error| self.failure("reading a watermark", error))?;
        mark.filter(|_| found == scope).as_deref().map(read).transpose()
    }

    /// Fixes what a run reads. Windows of the task's earlier runs are forgotten, but for the one that
    /// holds the watermark.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn keep_window(
        &self,
        run_id: Uuid,
        task_id: i64,
        scope: &str,
        kept: &KeptWindow,
    ) -> Result<()> {
        let reads = written(&kept.window)?;
        let mark = kept.mark.as_ref().map(written).transpose()?;
        self.transact("keeping a window", || {
            self.try_keep_window(run_id, task_id, scope, (&reads, mark.as_deref()))
        })
        .await
    }

    async fn try_keep_window(
        &self,
        run_id: Uuid,
        task_id: i64,
        scope: &str,
        (reads, mark): (&str, Option<&str>),
    ) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        let rows = self
            .query(
                "SELECT c.run_id, r.state FROM goshift_cursor c JOIN goshift_run r \
                 ON r.run_id = c.run_id WHERE c.task_id = ? ORDER BY c.run_id DESC",
            )
            .bind(task_id)
            .fetch_all(&mut *tx)
            .await?;
        let mut has_mark = false;
        for row in rows {
            let (id, state): (String, String) = (get(&row, "run_id")?, get(&row, "state")?);
            let is_mark = !has_mark && state == State::Succeeded.name();
            has_mark |= is_mark;
            let is_over = State::is_terminal(&state);
            if parse_id(&id)? == run_id || is_over && !is_mark {
                self.query("DELETE FROM goshift_cursor WHERE run_id = ?")
                    .bind(id)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        self.query(
            "INSERT INTO goshift_cursor (run_id, task_id, scope, bounds, mark, kept_at) \
             VALUES (?, ?, ?, ?, ?, {now})",
        )
        .bind(run_id.to_string())
        .bind(task_id)
        .bind(scope)
        .bind(reads)
        .bind(mark)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn read<T: for<'de> serde::Deserialize<'de>>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal("goshift_cursor can't be read").caused_by(error))
}

fn written<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("not JSON").caused_by(error))
        .context(|| "keeping a window")
}
