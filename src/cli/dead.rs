//! Dead runs and messages: list them, run them again.
//!
//! The ledger says which runs are dead; the broker's dead queue also holds messages that never
//! became a run.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;

use super::show::{self, Table};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::ledger::{Ledger, NewRun, RunFilter, RunRow, State};
use crate::queue::rabbitmq::{DeadMessage, list_dead, take_dead};
use crate::submit::{self, Submitter};
use crate::task::Params;

/// Prints dead runs and messages.
pub(super) async fn list(
    settings: &Settings,
    ledger: &Ledger,
    task: Option<i64>,
    limit: usize,
    json: bool,
) -> Result<()> {
    let runs = dead_runs(ledger, task, limit).await?;
    let messages = match submit::broker(settings)? {
        Some(config) => list_dead(&config, limit).await?,
        None => Vec::new(),
    };
    let mut strangers = Vec::new();
    for message in messages {
        let wanted = task.is_none() || message.task_id == task;
        if wanted && !is_known(ledger, &message).await? {
            strangers.push(message);
        }
    }
    let mut table = Table::new(&["RUN", "TASK", "ATTEMPTS", "REASON", "REMEDY"]);
    for run in runs {
        let remedy = run.remedy.unwrap_or_default();
        let reason = run.reason.unwrap_or_default();
        if json {
            show::line(
                &json!({"run_id": run.run_id, "task_id": run.task_id, "attempts": run.attempt,
                    "reason": reason, "remedy": remedy})
                .to_string(),
            )?;
        }
        table.row([
            run.run_id.to_string(),
            run.task_id.to_string(),
            run.attempt.to_string(),
            reason,
            remedy,
        ]);
    }
    for message in strangers {
        let remedy = message.remedy.unwrap_or_default();
        if json {
            show::line(
                &json!({"run_id": null, "task_id": message.task_id, "attempts": message.attempts,
                    "reason": message.reason, "remedy": remedy})
                .to_string(),
            )?;
        }
        table.row([
            "(no run)".to_owned(),
            message.task_id.map(|id| id.to_string()).unwrap_or_default(),
            message.attempts.to_string(),
            message.reason,
            remedy,
        ]);
    }
    if json { Ok(()) } else { table.print() }
}

/// Enters a new run for each dead one, linked to it. A second call finds them rerun already.
pub(super) async fn rerun(
    settings: &Settings,
    ledger: &Ledger,
    submitter: &Submitter,
    task: Option<i64>,
    limit: usize,
) -> Result<Vec<Uuid>> {
    let mut entered = Vec::new();
    let mut settled: HashMap<Uuid, ()> = HashMap::new();
    for row in dead_runs(ledger, task, limit).await? {
        let submitted = submitter.submit(&again(&row)?).await.map_err(|error| {
            error.context(format!("task {}, dead run {}", row.task_id, row.run_id))
        })?;
        entered.push(submitted.run_id);
        settled.insert(row.run_id, ());
    }
    let Some(config) = submit::broker(settings)? else { return Ok(entered) };
    // First the new run, then the acknowledgement: a crash in between leaves a dead message whose
    // run has been rerun, which the unique key absorbs.
    let left = limit.saturating_sub(entered.len());
    let wanted = |message: &DeadMessage| match message.run_id {
        Some(run_id) if settled.contains_key(&run_id) => true,
        _ => left > 0 && message.task_id.is_some() && (task.is_none() || message.task_id == task),
    };
    for (message, answer) in take_dead(&config, wanted, limit.saturating_add(settled.len())).await?
    {
        if is_known(ledger, &message).await? {
            if is_settled(ledger, &message).await? {
                answer.ack().await;
            } else {
                answer.requeue().await;
            }
            continue;
        }
        let run = Event::parse(&message.body)
            .and_then(|event| submit::from_event(&event, message.message_id.as_deref()));
        match run {
            Ok(run) => {
                let submitted = submitter.submit(&run).await;
                match submitted {
                    Ok(submitted) => {
                        entered.push(submitted.run_id);
                        answer.ack().await;
                    }
                    Err(error) => {
                        answer.requeue().await;
                        return Err(error.context("a dead message"));
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a dead message stays");
                answer.requeue().await;
            }
        }
    }
    Ok(entered)
}

/// A new run that repeats an old one.
pub(super) fn again(row: &RunRow) -> Result<NewRun> {
    if !State::is_terminal(&row.state) {
        return Err(Error::usage(format!("run {} is {}, not over", row.run_id, row.state))
            .with_remedy("wait for it, or cancel it first"));
    }
    let dead = row.state == State::Failed.name();
    Ok(NewRun {
        run_id: None,
        task_id: row.task_id,
        mode: row.mode.clone(),
        params: Params::parse_object(row.params.as_deref().unwrap_or_default())?,
        priority: crate::event::Priority::Normal,
        delay_ms: 0,
        dedup_key: dead.then(|| format!("rerun:{}", row.run_id)),
        submitted_by: Some(show::who()),
        rerun_of: Some(row.run_id),
    })
}

async fn dead_runs(ledger: &Ledger, task: Option<i64>, limit: usize) -> Result<Vec<RunRow>> {
    ledger.runs(&RunFilter { task_id: task, dead: true, limit, ..RunFilter::default() }).await
}

/// Whether the message belongs to a run in the ledger.
async fn is_known(ledger: &Ledger, message: &DeadMessage) -> Result<bool> {
    match message.run_id {
        Some(run_id) => ledger.exists(run_id).await,
        None => Ok(false),
    }
}

/// Whether the message's run needs nothing more: it has been rerun, or is not dead.
async fn is_settled(ledger: &Ledger, message: &DeadMessage) -> Result<bool> {
    let Some(run_id) = message.run_id else { return Ok(false) };
    let row = ledger.run(run_id).await?;
    if row.state != State::Failed.name() {
        return Ok(true);
    }
    let dead = dead_runs(ledger, Some(row.task_id), usize::MAX >> 33).await?;
    Ok(dead.iter().all(|other| other.run_id != run_id))
}
