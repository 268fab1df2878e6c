//! Running dead runs and messages again.

use uuid::Uuid;

use super::{Chosen, name};
use crate::cli::show;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::ledger::Ledger;
use crate::queue::rabbitmq::{DeadMessage, take_dead};
use crate::submit::{self, Submitter};

/// What became of the dead.
#[derive(Default)]
pub(in crate::cli) struct Rerun {
    /// The new runs.
    pub runs: Vec<Uuid>,
    /// Why others stay dead.
    pub refused: Vec<Error>,
}

impl Rerun {
    fn refuse(&mut self, error: Error) {
        show::notice(&format!("not rerun: {error}"));
        if let Some(remedy) = error.remedy() {
            show::notice(&format!("  → {remedy}"));
        }
        self.refused.push(error);
    }
}

/// Enters a new run for each dead one, linked to it, and tells `entered` of each: its task, its
/// id, and the run it repeats. What is refused stays dead and does not stop the others.
///
/// # Errors
/// When the ledger or the broker can't be reached; the new runs before that are entered.
pub(in crate::cli) async fn rerun(
    settings: &Settings,
    ledger: &Ledger,
    submitter: &Submitter,
    mut chosen: Chosen,
    mut entered: impl FnMut(i64, Uuid, Option<Uuid>) -> Result<()>,
) -> Result<Rerun> {
    let mut outcome = Rerun::default();
    for error in chosen.refused.drain(..) {
        outcome.refuse(error);
    }
    let mut runs = Vec::new();
    for row in &chosen.runs {
        match crate::rerun::again(row, &show::who()) {
            Ok(run) => runs.push(run),
            Err(error) => outcome.refuse(error.context(format!("dead run {}", row.run_id))),
        }
    }
    submitter
        .submit_each(&runs, |run, submitted| match submitted {
            Ok(submitted) => {
                outcome.runs.push(submitted.run_id);
                entered(run.task_id, submitted.run_id, run.rerun_of)
            }
            // Without the ledger the others would fare no better.
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                let old = run.rerun_of.map(|id| format!(", dead run {id}")).unwrap_or_default();
                outcome.refuse(error.context(format!("task {}{old}", run.task_id)));
                Ok(())
            }
        })
        .await?;
    rerun_messages(settings, ledger, submitter, &mut chosen, &mut outcome, entered).await?;
    for error in chosen.unknown() {
        outcome.refuse(error);
    }
    outcome.runs.dedup();
    Ok(outcome)
}

/// First the new run, then the acknowledgement: a crash in between leaves a dead message whose
/// run has been rerun; the next call finds it settled.
async fn rerun_messages(
    settings: &Settings,
    ledger: &Ledger,
    submitter: &Submitter,
    chosen: &mut Chosen,
    outcome: &mut Rerun,
    mut entered: impl FnMut(i64, Uuid, Option<Uuid>) -> Result<()>,
) -> Result<()> {
    let Some(config) = submit::broker(settings)? else { return Ok(()) };
    // In bulk, what can't be read is left alone: it could never run.
    let named = !chosen.which.names.is_empty();
    let wanted = |message: &DeadMessage| {
        chosen.picks(message) && (named || message.run_id.is_some() || message.task_id.is_some())
    };
    let messages = take_dead(&config, wanted, usize::MAX).await?;
    let mut left = chosen.which.limit;
    for (message, answer) in messages {
        chosen.meet(&message);
        match resubmit(ledger, submitter, &message, chosen, left).await {
            Ok(Settled::Stays) => answer.requeue().await,
            Ok(Settled::Done) => answer.ack().await,
            Ok(Settled::Entered(task_id, run_id)) => {
                answer.ack().await;
                left -= 1;
                entered(task_id, run_id, None)?;
                outcome.runs.push(run_id);
            }
            Err(error) => {
                answer.requeue().await;
                outcome.refuse(error.context(format!("dead message {}", name(&message))));
            }
        }
    }
    Ok(())
}

/// What became of a dead message.
enum Settled {
    /// It or its run is dead still.
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
    chosen: &Chosen,
    left: usize,
) -> Result<Settled> {
    if let Some(run_id) = message.run_id
        && ledger.exists(run_id).await?
    {
        let dead = ledger.run(run_id).await?.dead;
        return Ok(if dead { Settled::Stays } else { Settled::Done });
    }
    if left == 0 || !chosen.picks_stranger(message) {
        return Ok(Settled::Stays);
    }
    let event = Event::parse(&message.body)?;
    let run = submit::from_event(&event, message.message_id.as_deref())?;
    let submitted = submitter.submit(&run).await?;
    Ok(Settled::Entered(run.task_id, submitted.run_id))
}
