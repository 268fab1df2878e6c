//! Schedules: when tasks are submitted by themselves.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::any::AnyRow;

use super::traced::Submitting;
use super::{Attempt, Ledger, NewRun, Submitted, get};
use crate::error::{Error, Result};
use crate::schedule::{Missed, Rule};

/// Schedules that are looked at in one go.
const AT_ONCE: i64 = 100;

const COLUMNS: &str = "task_id, cron, time_zone, mode, missed, {bigint:enabled} AS is_enabled, \
     {text:next_at} AS next_at_text, {text:last_at} AS last_at_text, last_run_id, last_error";

/// A task's schedule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct ScheduleRow {
    /// The task.
    pub task_id: i64,
    /// Five fields: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// IANA name.
    pub time_zone: String,
    /// The mode of its runs; the task's own if not given.
    pub mode: Option<String>,
    /// What becomes of ticks that came while nobody was there: `skip`, `one` or `all`.
    pub missed: String,
    /// Whether it ticks.
    pub enabled: bool,
    /// The next tick, RFC 3339.
    pub next_at: Option<String>,
    /// The last tick that was dealt with, RFC 3339.
    pub last_at: Option<String>,
    /// The run it was submitted as.
    pub last_run_id: Option<String>,
    /// Why the last tick was not submitted.
    pub last_error: Option<String>,
}

/// What a schedule is to be.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// The task.
    pub task_id: i64,
    /// Checked by [`Rule::parse`].
    pub cron: String,
    /// Checked by [`Rule::parse`].
    pub time_zone: String,
    /// Checked by the caller.
    pub mode: Option<String>,
    /// What becomes of missed ticks.
    pub missed: Missed,
    /// Whether it ticks.
    pub enabled: bool,
}

/// A schedule whose tick has come.
#[derive(Debug, Clone)]
pub struct DueSchedule {
    /// The task.
    pub task_id: i64,
    /// As the table has it.
    pub cron: String,
    /// As the table has it.
    pub time_zone: String,
    /// The mode of the run; empty for the task's own.
    pub mode: String,
    /// As the table has it.
    pub missed: String,
    /// The tick.
    pub due_at: Timestamp,
    /// Now, by the database's clock.
    pub now: Timestamp,
}

/// What became of a tick.
#[derive(Debug)]
pub enum Ticked {
    /// Another process has dealt with it.
    ByAnother,
    /// It was missed, and is left out.
    Skipped,
    /// The ledger refuses the run: the task is offline, or gone.
    Refused(Error),
    /// The run is in.
    Submitted(Submitted),
}

/// A moment as `{at}` takes it.
fn stored(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S.000").to_string()
}

fn moment(row: &AnyRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    let text: String = get(row, column)?;
    text.parse().map_err(|error: jiff::Error| sqlx::Error::Decode(error.into()))
}

fn read(row: &AnyRow) -> Result<ScheduleRow, sqlx::Error> {
    Ok(ScheduleRow {
        task_id: get(row, "task_id")?,
        cron: get(row, "cron")?,
        time_zone: get(row, "time_zone")?,
        mode: get::<Option<String>>(row, "mode")?.filter(|mode| !mode.is_empty()),
        missed: get(row, "missed")?,
        enabled: get::<i64>(row, "is_enabled")? != 0,
        next_at: get(row, "next_at_text")?,
        last_at: get(row, "last_at_text")?,
        last_run_id: get(row, "last_run_id")?,
        last_error: get(row, "last_error")?,
    })
}

impl Ledger {
    /// The database's clock.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn now(&self) -> Result<Timestamp> {
        let asking = self.query("SELECT {now_text} AS now_text").fetch_one(self.pool());
        let row = self.answer("asking for the time", asking).await?;
        moment(&row, "now_text").map_err(|error| self.failure("asking for the time", error))
    }

    /// Gives a task a schedule in place of the one it has; the first tick is the next from now.
    ///
    /// # Errors
    /// Kind `Config` when it can't be read or never ticks; when the ledger can't be written.
    pub async fn set_schedule(&self, schedule: &NewSchedule) -> Result<ScheduleRow> {
        let rule = Rule::parse(&schedule.cron, &schedule.time_zone)?;
        let next = rule.after(self.now().await?).ok_or_else(|| {
            Error::config(format!("\"{}\" never comes", schedule.cron))
                .with_remedy("is the day one that the month has?")
        })?;
        let next = schedule.enabled.then(|| stored(next));
        self.transact("setting a schedule", || self.try_set(schedule, next.as_deref())).await?;
        let set = self.schedule(schedule.task_id).await?;
        set.ok_or_else(|| Error::internal("a schedule that was set is gone"))
    }

    async fn try_set(&self, schedule: &NewSchedule, next: Option<&str>) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        let sets = "cron = ?, time_zone = ?, mode = ?, missed = ?, enabled = ?, next_at = {at}, \
             last_error = NULL";
        let values = "?, ?, ?, ?, ?, {at}";
        let found = self
            .query("SELECT {bigint:task_id} AS found FROM goshift_schedule WHERE task_id = ?")
            .bind(schedule.task_id)
            .fetch_optional(&mut *tx)
            .await?;
        let sql = match found {
            Some(_) => format!("UPDATE goshift_schedule SET {sets} WHERE task_id = ?"),
            None => format!(
                "INSERT INTO goshift_schedule (cron, time_zone, mode, missed, enabled, next_at, \
                 task_id) VALUES ({values}, ?)"
            ),
        };
        self.query(&sql)
            .bind(schedule.cron.trim())
            .bind(schedule.time_zone.trim())
            .bind(schedule.mode.as_deref())
            .bind(schedule.missed.name())
            .bind(i64::from(schedule.enabled))
            .bind(next)
            .bind(schedule.task_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes a task's schedule away. Returns whether it had one.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn remove_schedule(&self, task_id: i64) -> Result<bool> {
        let removing = self.query("DELETE FROM goshift_schedule WHERE task_id = ?").bind(task_id);
        let removed = self.answer("removing a schedule", removing.execute(self.pool())).await?;
        Ok(removed.rows_affected() > 0)
    }

    /// A task's schedule.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn schedule(&self, task_id: i64) -> Result<Option<ScheduleRow>> {
        let query = format!("SELECT {COLUMNS} FROM goshift_schedule WHERE task_id = ?");
        let asking = self.query(&query).bind(task_id).fetch_optional(self.pool());
        let row = self.answer("reading a schedule", asking).await?;
        let row = row.as_ref().map(read).transpose();
        row.map_err(|error| self.failure("reading a schedule", error))
    }

    /// Schedules by their tasks' numbers, from behind `after`.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn schedules(&self, after: Option<i64>, limit: usize) -> Result<Vec<ScheduleRow>> {
        let query = format!(
            "SELECT {COLUMNS} FROM goshift_schedule WHERE task_id > ? ORDER BY task_id LIMIT ?"
        );
        let asking = self
            .query(&query)
            .bind(after.unwrap_or(i64::MIN))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.pool());
        let rows = self.answer("listing schedules", asking).await?;
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("listing schedules", error))
    }

    /// Schedules whose tick has come. One that makes up for each missed tick waits until its last run
    /// has begun: a task has one waiting run at most.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn due_schedules(&self) -> Result<Vec<DueSchedule>> {
        let doing = "looking at schedules";
        let asking = self
            .query(
                "SELECT task_id, cron, time_zone, mode, missed, {text:next_at} AS next_at_text, \
                 {now_text} AS now_text FROM goshift_schedule \
                 WHERE enabled = 1 AND next_at <= {now} AND (missed <> 'all' OR NOT EXISTS \
                  (SELECT 1 FROM goshift_run WHERE pending_task = goshift_schedule.task_id)) \
                 ORDER BY next_at LIMIT ?",
            )
            .bind(AT_ONCE)
            .fetch_all(self.pool());
        let rows = self.answer(doing, asking).await?;
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(DueSchedule {
                task_id: get(row, "task_id")?,
                cron: get(row, "cron")?,
                time_zone: get(row, "time_zone")?,
                mode: get::<Option<String>>(row, "mode")?.unwrap_or_default(),
                missed: get(row, "missed")?,
                due_at: moment(row, "next_at_text")?,
                now: moment(row, "now_text")?,
            })
        };
        let due: Result<_, _> = rows.iter().map(read).collect();
        due.map_err(|error| self.failure(doing, error))
    }

    /// Moves a schedule to its next tick and enters the run of this one, both or neither.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn tick(
        &self,
        due: &DueSchedule,
        run: Option<&NewRun>,
        next: Option<Timestamp>,
    ) -> Result<Ticked> {
        let next = next.map(stored);
        self.transact("submitting by schedule", || self.try_tick(due, run, next.as_deref())).await
    }

    async fn try_tick(
        &self,
        due: &DueSchedule,
        run: Option<&NewRun>,
        next: Option<&str>,
    ) -> Result<Ticked, Attempt> {
        let this = stored(due.due_at);
        let mut tx = self.begin().await?;
        let moved = self
            .query(
                "UPDATE goshift_schedule SET next_at = {at}, last_at = {at} \
                 WHERE task_id = ? AND enabled = 1 AND next_at = {at}",
            )
            .bind(next)
            .bind(this.as_str())
            .bind(due.task_id)
            .bind(this.as_str())
            .execute(&mut *tx)
            .await?;
        if moved.rows_affected() == 0 {
            return Ok(Ticked::ByAnother);
        }
        let ticked = match run {
            None => Ticked::Skipped,
            Some(run) => {
                let submitting = Submitting::start(std::slice::from_ref(run));
                let entered = self.enter(&mut tx, submitting.runs()).await?;
                submitting.note(&entered);
                match (entered.accepted.into_iter().next(), entered.refused) {
                    (Some(submitted), _) => Ticked::Submitted(submitted),
                    (None, Some(error)) => Ticked::Refused(error),
                    (None, None) => {
                        return Err(Error::internal("a submission had no outcome").into());
                    }
                }
            }
        };
        let (run_id, why) = match &ticked {
            Ticked::Submitted(submitted) => (Some(submitted.run_id.to_string()), None),
            Ticked::Refused(error) => (None, Some(error.to_string())),
            _ => (None, Some("missed".to_owned())),
        };
        self.query("UPDATE goshift_schedule SET last_run_id = ?, last_error = ? WHERE task_id = ?")
            .bind(run_id)
            .bind(why)
            .bind(due.task_id)
            .execute(&mut *tx)
            .await?;
        crate::fault::point("schedule.before_commit");
        tx.commit().await?;
        Ok(ticked)
    }

    /// Switches a schedule off that can't be read.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn stop_schedule(&self, due: &DueSchedule, why: &str) -> Result<()> {
        let stopping = self
            .query("UPDATE goshift_schedule SET enabled = 0, last_error = ? WHERE task_id = ? AND cron = ?")
            .bind(why)
            .bind(due.task_id)
            .bind(due.cron.as_str())
            .execute(self.pool());
        self.answer("switching a schedule off", stopping).await.map(|_| ())
    }
}
