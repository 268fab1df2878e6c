//! `goshift schedule`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Call;
use crate::cli::show::{self, Table};
use crate::error::{Error, Result};
use crate::ledger::{NewSchedule, ScheduleRow};
use crate::schedule::Missed;
use crate::task::Mode;

/// Lines that one look at the ledger brings.
const PAGE: usize = 500;

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// List them (what `goshift schedule` does without more words)
    List,
    /// Give a task a schedule, in place of the one it has
    Set(Set),
    /// Take a task's schedule away
    Remove {
        /// The task's number
        task: i64,
    },
}

/// A schedule.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The task's number
    task: i64,
    /// Minute, hour, day of the month, month, day of the week, as in "30 2 * * *"; or @daily
    cron: String,
    /// The time zone, as in Asia/Shanghai
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// What becomes of ticks that came while nobody was there: skip, one (run for all) or all
    #[arg(long, value_name = "POLICY", default_value = "one", value_parser = missed)]
    missed: Missed,
    /// Keep it, but let it not tick
    #[arg(long)]
    disabled: bool,
}

fn missed(text: &str) -> std::result::Result<Missed, String> {
    Missed::parse(text).ok_or_else(|| "write skip, one or all".to_owned())
}

/// Lists, sets or takes away.
pub(super) async fn schedule(call: &Call, what: Option<What>) -> Result<ExitCode> {
    match what.unwrap_or(What::List) {
        What::List => list(call).await,
        What::Set(wanted) => set(call, wanted).await,
        What::Remove { task } => remove(call, task).await,
    }
}

async fn list(call: &Call) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let heading = [">TASK", "CRON", "ZONE", "MODE", "MISSED", "NEXT", "LAST"];
    let mut table = Table::new(&heading);
    let mut after = None;
    loop {
        let page = ledger.schedules(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.task_id);
        for schedule in &page {
            match call.json {
                true => show::line(&show::json(schedule)?)?,
                false => enter(&mut table, schedule),
            }
        }
    }
    if !call.json {
        show::table(&table)?;
        if after.is_none() {
            show::notice("no task has a schedule: `goshift schedule set 5 \"30 2 * * *\"`");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn enter(table: &mut Table, schedule: &ScheduleRow) {
    let next = match (&schedule.next_at, schedule.enabled) {
        (_, false) => "disabled",
        (Some(next), true) => next,
        (None, true) => "never",
    };
    table.row([
        schedule.task_id.to_string(),
        schedule.cron.clone(),
        schedule.time_zone.clone(),
        schedule.mode.clone().unwrap_or_default(),
        schedule.missed.clone(),
        next.to_owned(),
        schedule.last_at.clone().unwrap_or_default(),
    ]);
    if let Some(why) = &schedule.last_error {
        table.note(&format!("the last tick was not submitted: {why}"));
    }
}

async fn set(call: &Call, wanted: Set) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let task = ledger.task(wanted.task).await?;
    let mode = call.mode.as_deref().map(Mode::parse).transpose()?;
    let schedule = NewSchedule {
        task_id: task.id,
        cron: wanted.cron,
        time_zone: wanted.time_zone,
        mode: mode.map(|mode| mode.name().to_owned()),
        missed: wanted.missed,
        enabled: !wanted.disabled,
    };
    let set = ledger.set_schedule(&schedule).await?;
    if call.json {
        show::line(&show::json(&set)?)?;
    } else {
        let next = set.next_at.as_deref().unwrap_or("when it is enabled again");
        show::line(&format!("task {}: the next run is submitted {next}", task.id))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(call: &Call, task: i64) -> Result<ExitCode> {
    if !call.ledger().await?.remove_schedule(task).await? {
        return Err(Error::usage(format!("task {task} has no schedule"))
            .with_remedy("list them with `goshift schedule`"));
    }
    show::line(&format!("task {task}: no schedule any more"))?;
    Ok(ExitCode::SUCCESS)
}
