//! What people are to be told: written down with the change of state that it is about, so that
//! neither gets lost without the other.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::ending::Step;
use super::submission::parse_id;
use super::{Attempt, Ledger, State, get};
use crate::config::notices::NoticeKind;
use crate::error::Result;

/// Notices that are looked at in one go.
const AT_ONCE: i64 = 50;
/// Notices about runs that ended longer ago are deleted.
const KEPT_MS: i64 = 30 * 24 * 3600 * 1000;

/// A notice that somebody has not got yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenNotice {
    /// The run it is about.
    pub run_id: Uuid,
    /// What it says.
    pub kind: NoticeKind,
    /// The run's task.
    pub task_id: i64,
    /// When it happened, RFC 3339.
    pub at: String,
    /// Tries so far.
    pub tries: u32,
    /// The channels that have it.
    pub sent_to: Vec<String>,
}

/// After which times runs are late or long.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds {
    /// A run that could have started this long ago is late.
    pub late: Duration,
    /// A run that has run for this long is long.
    pub long: Duration,
}

fn read(row: &AnyRow) -> Result<OpenNotice, sqlx::Error> {
    let kind: String = get(row, "kind")?;
    let kind = NoticeKind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = kind.ok_or_else(|| sqlx::Error::Decode("a notice of an unknown kind".into()))?;
    let sent_to: String = get(row, "sent_to")?;
    let sent_to = serde_json::from_str(&sent_to).map_err(|e| sqlx::Error::Decode(e.into()))?;
    Ok(OpenNotice {
        run_id: parse_id(&get::<String>(row, "run_id")?)?,
        kind,
        task_id: get(row, "task_id")?,
        at: get(row, "at_text")?,
        tries: u32::try_from(get::<i64>(row, "n_tries")?).unwrap_or(u32::MAX),
        sent_to,
    })
}

impl Ledger {
    /// In the transaction of a change of state: writes down whom it concerns, if anybody.
    pub(super) async fn note(
        &self,
        tx: &mut Transaction<'static, Any>,
        step: &Step<'_>,
    ) -> Result<(), sqlx::Error> {
        let Some(remind_after) = self.notices else { return Ok(()) };
        match step.to {
            State::Failed => self.note_failure(tx, step, remind_after).await,
            State::Succeeded => {
                let closed = self
                    .query("DELETE FROM goshift_incident WHERE task_id = ?")
                    .bind(step.task_id)
                    .execute(&mut **tx)
                    .await?;
                match closed.rows_affected() {
                    0 => Ok(()),
                    _ => self.enter_notice(tx, step, NoticeKind::Recovered).await,
                }
            }
            _ => Ok(()),
        }
    }

    /// A task that goes on failing is told of once, and again after a time.
    async fn note_failure(
        &self,
        tx: &mut Transaction<'static, Any>,
        step: &Step<'_>,
        remind_after: Duration,
    ) -> Result<(), sqlx::Error> {
        let known = self
            .query("SELECT {ms_until:noticed_at} AS noticed_ms FROM goshift_incident WHERE task_id = ?")
            .bind(step.task_id)
            .fetch_optional(&mut **tx)
            .await?;
        let Some(known) = known else {
            self.query("INSERT INTO goshift_incident (task_id, noticed_at) VALUES (?, {now})")
                .bind(step.task_id)
                .execute(&mut **tx)
                .await?;
            return self.enter_notice(tx, step, NoticeKind::Failed).await;
        };
        if -get::<i64>(&known, "noticed_ms")? < remind_after.as_millis() as i64 {
            return Ok(());
        }
        self.query("UPDATE goshift_incident SET noticed_at = {now} WHERE task_id = ?")
            .bind(step.task_id)
            .execute(&mut **tx)
            .await?;
        self.enter_notice(tx, step, NoticeKind::Failed).await
    }

    async fn enter_notice(
        &self,
        tx: &mut Transaction<'static, Any>,
        step: &Step<'_>,
        kind: NoticeKind,
    ) -> Result<(), sqlx::Error> {
        self.query(
            "INSERT INTO goshift_notice (run_id, kind, task_id, state, at, due_at, sent_to) \
             VALUES (?, ?, ?, 'open', {now}, {now}, '[]')",
        )
        .bind(step.run_id.to_string())
        .bind(kind.name())
        .bind(step.task_id)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Writes down runs that are late or long, each once.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn note_slow_runs(&self, thresholds: Thresholds) -> Result<()> {
        let slow = [
            (
                NoticeKind::Late,
                "state IN ('submitted', 'retrying') AND due_at <= {now_plus} AND NOT {paused}",
                thresholds.late,
            ),
            (NoticeKind::Long, "state = 'running' AND started_at <= {now_plus}", thresholds.long),
        ];
        for (kind, condition, after) in slow {
            self.transact("noting slow runs", || self.try_note_slow(kind, condition, after))
                .await?;
        }
        Ok(())
    }

    async fn try_note_slow(
        &self,
        kind: NoticeKind,
        condition: &str,
        after: Duration,
    ) -> Result<(), Attempt> {
        self.query(&format!(
            "INSERT INTO goshift_notice (run_id, kind, task_id, state, at, due_at, sent_to) \
             SELECT run_id, '{}', task_id, 'open', {{now}}, {{now}}, '[]' FROM goshift_run \
             WHERE {condition} AND NOT EXISTS (SELECT 1 FROM goshift_notice known \
              WHERE known.run_id = goshift_run.run_id AND known.kind = '{}')",
            kind.name(),
            kind.name()
        ))
        .bind(-(after.as_millis() as i64))
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Notices that may be sent now, the oldest first.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn open_notices(&self) -> Result<Vec<OpenNotice>> {
        let asking = self
            .query(
                "SELECT run_id, kind, task_id, {text:at} AS at_text, {bigint:tries} AS n_tries, \
                 sent_to FROM goshift_notice WHERE state = 'open' AND due_at <= {now} \
                 ORDER BY due_at LIMIT ?",
            )
            .bind(AT_ONCE)
            .fetch_all(self.pool());
        let rows = self.answer("reading notices", asking).await?;
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("reading notices", error))
    }

    /// Takes a notice for a try that ends within `time`. Returns whether it is ours.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn claim_notice(&self, notice: &OpenNotice, time: Duration) -> Result<bool> {
        let claiming = self
            .query(
                "UPDATE goshift_notice SET tries = tries + 1, due_at = {now_plus} \
                 WHERE run_id = ? AND kind = ? AND state = 'open' AND tries = ?",
            )
            .bind(time.as_millis() as i64)
            .bind(notice.run_id.to_string())
            .bind(notice.kind.name())
            .bind(i64::from(notice.tries))
            .execute(self.pool());
        let claimed = self.answer("taking a notice", claiming).await?;
        Ok(claimed.rows_affected() > 0)
    }

    /// Notes what became of a try: `again` is how long to wait for the next one, none if there is no
    /// more to do, because all have it or because of `given_up`.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn note_sent(
        &self,
        notice: &OpenNotice,
        sent_to: &[String],
        again: Option<Duration>,
        given_up: bool,
    ) -> Result<()> {
        let state = match again {
            Some(_) => "open",
            None if given_up => "given_up",
            None => "sent",
        };
        let noting = self
            .query(
                "UPDATE goshift_notice SET state = ?, due_at = {now_plus}, sent_to = ? \
                 WHERE run_id = ? AND kind = ?",
            )
            .bind(state)
            .bind(again.unwrap_or_default().as_millis() as i64)
            .bind(serde_json::json!(sent_to).to_string())
            .bind(notice.run_id.to_string())
            .bind(notice.kind.name())
            .execute(self.pool());
        self.answer("noting a notice", noting).await.map(|_| ())
    }

    /// Deletes notices that were dealt with a month ago.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn forget_notices(&self) -> Result<()> {
        let forgetting = self
            .query("DELETE FROM goshift_notice WHERE state <> 'open' AND due_at < {now_plus}")
            .bind(-KEPT_MS)
            .execute(self.pool());
        self.answer("deleting old notices", forgetting).await.map(|_| ())
    }
}
