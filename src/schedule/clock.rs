//! Waits for ticks, and submits.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Missed, Rule};
use crate::error::Result;
use crate::ledger::{DueSchedule, Ledger, NewRun, Ticked};
use crate::submit::Submitter;

/// How often the ledger is asked.
const LOOK: Duration = Duration::from_secs(1);
/// Who submits, for those who look at the run later.
const CALLER: &str = "schedule";

/// Submits whatever its schedule asks for, until it is told to end.
pub async fn keep_time(ledger: Ledger, submitter: Submitter, end: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_well = true;
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = end.cancelled() => return,
        }
        match submit_due(&ledger, &submitter).await {
            Ok(()) => is_well = true,
            // Once, not each second: what is missed meanwhile is made up for by policy.
            Err(error) if is_well => {
                tracing::warn!(%error, "can't look at schedules");
                is_well = false;
            }
            Err(error) => tracing::debug!(%error, "can't look at schedules"),
        }
    }
}

async fn submit_due(ledger: &Ledger, submitter: &Submitter) -> Result<()> {
    for due in ledger.due_schedules().await? {
        match step(&due) {
            Ok((submits, next)) => tick(ledger, submitter, &due, submits, next).await?,
            Err(error) => {
                // Somebody has written into the table by hand.
                tracing::warn!(task = due.task_id, %error, "the schedule is switched off");
                ledger.stop_schedule(&due, &error.to_string()).await?;
            }
        }
    }
    Ok(())
}

fn step(due: &DueSchedule) -> Result<(bool, Option<Timestamp>)> {
    let rule = Rule::parse(&due.cron, &due.time_zone)?;
    let step = rule.step(due.due_at, due.now, Missed::parse(&due.missed).unwrap_or_default());
    Ok((step.submits, step.next))
}

async fn tick(
    ledger: &Ledger,
    submitter: &Submitter,
    due: &DueSchedule,
    submits: bool,
    next: Option<Timestamp>,
) -> Result<()> {
    let (task_id, at) = (due.task_id, due.due_at);
    let run = submits.then(|| NewRun {
        run_id: None,
        task_id,
        mode: due.mode.clone(),
        params: serde_json::Map::new(),
        priority: crate::event::Priority::Normal,
        delay_ms: 0,
        dedup_key: None,
        submitted_by: Some(CALLER.to_owned()),
        rerun_of: None,
        traceparent: None,
    });
    match ledger.tick(due, run.as_ref(), next).await? {
        Ticked::ByAnother => {}
        Ticked::Skipped => tracing::warn!(task = task_id, %at, "a tick was missed and is left out"),
        Ticked::Refused(error) => {
            tracing::warn!(task = task_id, %at, %error, "a tick could not be submitted");
        }
        Ticked::Submitted(submitted) => {
            tracing::info!(task = task_id, run = %submitted.run_id, %at, "submitted by its schedule");
            if let Some(run) = &run {
                submitter.announce(run, &submitted).await;
            }
        }
    }
    Ok(())
}
