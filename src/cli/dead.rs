//! Dead runs and messages: list them, run them again.
//!
//! The ledger says which runs are dead; the broker's dead queue also holds messages that never
//! became a run.

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
    which: &Which,
    json: bool,
) -> Result<()> {
    let runs = dead_runs(ledger, which).await?;
    let messages = match submit::broker(settings)? {
        Some(config) => list_dead(&config, which.limit).await?,
        None => Vec::new(),
    };
    let mut strangers = Vec::new();
    for message in messages {
        if which.matches(message.task_id) && !is_known(ledger, &message).await? {
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

/// Enters a new run for each dead one, linked to it, and tells `entered` of each. What is refused
/// stays dead and does not stop the others; the first refusal is returned at the end.
pub(super) async fn rerun(
    settings: &Settings,
    ledger: &Ledger,
    submitter: &Submitter,
    which: &Which,
    mut entered: impl FnMut(i64, Uuid) -> Result<()>,
) -> Result<Vec<Uuid>> {
    let mut runs = Vec::new();
    let mut refused = None;
    for row in dead_runs(ledger, which).await? {
        match submitter.submit(&again(&row)?).await {
            Ok(submitted) => {
                crate::fault::point("rerun.entered");
                entered(row.task_id, submitted.run_id)?;
                runs.push(submitted.run_id);
            }
            Err(error) => {
                let error = error.context(format!("task {}, dead run {}", row.task_id, row.run_id));
                show::notice(&format!("not rerun: {error}"));
                refused = refused.or(Some(error));
            }
        }
    }
    // First the new run, then the acknowledgement: a crash in between leaves a dead message whose
    // run has been rerun; the next call finds it settled.
    if let Some(config) = submit::broker(settings)? {
        let wanted = |message: &DeadMessage| {
            message.run_id.is_some()
                || (message.task_id.is_some() && which.matches(message.task_id))
        };
        for (message, answer) in take_dead(&config, wanted, which.limit).await? {
            match resubmit(ledger, submitter, &message).await {
                Ok(Settled::Stays) => answer.requeue().await,
                Ok(Settled::Done) => answer.ack().await,
                Ok(Settled::Entered(task_id, run_id)) => {
                    answer.ack().await;
                    entered(task_id, run_id)?;
                    runs.push(run_id);
                }
                Err(error) => {
                    answer.requeue().await;
                    show::notice(&format!("a dead message stays: {error}"));
                    refused = refused.or(Some(error));
                }
            }
        }
    }
    runs.dedup();
    match refused {
        Some(error) => Err(error),
        None => Ok(runs),
    }
}

/// Which dead runs and messages are meant.
#[derive(Debug, Clone)]
pub(super) struct Which {
    /// Only this task's.
    pub task: Option<i64>,
    /// At most this many.
    pub limit: usize,
}

impl Which {
    fn matches(&self, task: Option<i64>) -> bool {
        self.task.is_none() || self.task == task
    }
}

/// What became of a dead message.
enum Settled {
    /// Its run is dead still.
    Stays,
    /// Its run needs nothing more.
    Done,
    /// It never became a run, and has now.
    Entered(i64, Uuid),
}

async fn resubmit(
    ledger: &Ledger,
    submitter: &Submitter,
    message: &DeadMessage,
) -> Result<Settled> {
    if let Some(run_id) = message.run_id
        && ledger.exists(run_id).await?
    {
        let run = ledger.run(run_id).await?;
        let is_dead = run.state == State::Failed.name() && run.rerun_by.is_none();
        return Ok(if is_dead { Settled::Stays } else { Settled::Done });
    }
    let event = Event::parse(&message.body)?;
    let run = submit::from_event(&event, message.message_id.as_deref())?;
    let submitted = submitter.submit(&run).await?;
    Ok(Settled::Entered(run.task_id, submitted.run_id))
}

/// The run to repeat when somebody asks to repeat this one: the last of its reruns.
pub(super) async fn latest(ledger: &Ledger, run_id: Uuid) -> Result<RunRow> {
    let mut row = ledger.run(run_id).await?;
    while let Some(next) = row.rerun_by.as_deref().and_then(|id| id.parse().ok()) {
        row = ledger.run(next).await?;
    }
    Ok(row)
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

async fn dead_runs(ledger: &Ledger, which: &Which) -> Result<Vec<RunRow>> {
    let filter =
        RunFilter { task_id: which.task, dead: true, limit: which.limit, ..RunFilter::default() };
    ledger.runs(&filter).await
}

/// Whether the message belongs to a run in the ledger.
async fn is_known(ledger: &Ledger, message: &DeadMessage) -> Result<bool> {
    match message.run_id {
        Some(run_id) => ledger.exists(run_id).await,
        None => Ok(false),
    }
}
