//! Running dead runs and messages again.

use uuid::Uuid;

use super::{Chosen, Refusal, Subject, name};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::ledger::{Ledger, State};
use crate::queue::rabbitmq::{DeadMessage, take_dead};
use crate::submit::{self, Submitter};

/// What became of something dead.
#[derive(Debug)]
pub enum Told {
    /// A new run takes its place.
    Entered {
        /// The new run's task.
        task_id: i64,
        /// The new run.
        run_id: Uuid,
        /// What it repeats.
        of: Subject,
    },
    /// It stays dead.
    Refused(Refusal),
}

/// Enters a new run for each that was chosen, linked to it, and tells of each. What is refused stays
/// dead and does not stop the others. `who` asks for it.
///
/// # Errors
/// When the ledger or the broker can't be reached, and nothing was entered before; those of `tell`.
pub async fn rerun(
    settings: &Settings,
    ledger: &Ledger,
    submitter: &Submitter,
    mut chosen: Chosen,
    who: &str,
    mut tell: impl FnMut(Told) -> Result<()>,
) -> Result<()> {
    for refusal in chosen.refused.drain(..) {
        tell(Told::Refused(refusal))?;
    }
    let mut done = false;
    let mut noted = |told: Told| {
        done |= matches!(told, Told::Entered { .. });
        tell(told)
    };
    if let Err(error) = rerun_runs(submitter, &chosen, who, &mut noted).await {
        // Whoever asked must hear of the new runs.
        return match done {
            true => tell(Told::Refused(Refusal { subject: None, error })),
            false => Err(error),
        };
    }
    let refused = match rerun_messages(settings, ledger, submitter, &mut chosen, &mut noted).await {
        Ok(()) => chosen.unknown(),
        Err(error) => chosen.without_queue(error, done)?.into_iter().collect(),
    };
    refused.into_iter().try_for_each(|refusal| tell(Told::Refused(refusal)))
}

async fn rerun_runs(
    submitter: &Submitter,
    chosen: &Chosen,
    who: &str,
    tell: &mut impl FnMut(Told) -> Result<()>,
) -> Result<()> {
    let mut runs = Vec::new();
    for row in &chosen.runs {
        match crate::rerun::again(row, who) {
            Ok(run) => runs.push(run),
            Err(error) => {
                tell(Told::Refused(Refusal::of(Subject::Run(row.run_id), error)))?;
            }
        }
    }
    submitter
        .submit_each(&runs, |run, submitted| {
            let Some(of) = run.rerun_of.map(Subject::Run) else { return Ok(()) };
            match submitted {
                Ok(new) => tell(Told::Entered { task_id: run.task_id, run_id: new.run_id, of }),
                // Without the ledger the others would fare no better.
                Err(error) if error.is_transient() => Err(error),
                Err(error) => tell(Told::Refused(Refusal::of(of, error))),
            }
        })
        .await
}

/// First the new run, then the acknowledgement. A crash in between leaves a dead message: the next call
/// finds that its run was rerun, or that its message id has a run. One without any id runs twice.
async fn rerun_messages(
    settings: &Settings,
    ledger: &Ledger,
    submitter: &Submitter,
    chosen: &mut Chosen,
    tell: &mut impl FnMut(Told) -> Result<()>,
) -> Result<()> {
    let Some(config) = submit::broker(settings)? else { return Ok(()) };
    // In bulk, what can't be read is left alone: it could never run.
    let wanted = |message: &DeadMessage| {
        chosen.picks(message)
            && (chosen.named || message.run_id.is_some() || message.task_id.is_some())
    };
    let messages = take_dead(&config, wanted, usize::MAX).await?;
    let mut left = chosen.limit;
    for (message, answer) in messages {
        chosen.meet(&message);
        let of = Subject::Message(name(&message));
        match resubmit(ledger, submitter, &message, chosen, left).await {
            Ok(Settled::Stays) => answer.requeue().await,
            Ok(Settled::Dead) => {
                answer.requeue().await;
                chosen
                    .of_dead_run(&message)
                    .map_or(Ok(()), |refusal| tell(Told::Refused(refusal)))?;
            }
            Ok(Settled::Done) => answer.ack().await,
            Ok(Settled::Entered(task_id, run_id)) => {
                answer.ack().await;
                left -= 1;
                tell(Told::Entered { task_id, run_id, of })?;
            }
            // Those that are left go back to the queue by themselves.
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                answer.requeue().await;
                tell(Told::Refused(Refusal::of(of, error)))?;
            }
        }
    }
    Ok(())
}

/// What became of a dead message.
enum Settled {
    /// It was not meant.
    Stays,
    /// Its run is dead still.
    Dead,
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
        return Ok(if dead { Settled::Dead } else { Settled::Done });
    }
    if left == 0 || !chosen.means(message) {
        return Ok(Settled::Stays);
    }
    let event = Event::parse(&message.body)?;
    let message_id = message.message_id.as_deref().filter(|id| !id.is_empty());
    let run = submit::from_event(&event, message_id)?;
    let submitted = submitter.submit(&run).await?;
    if !submitted.new && event.dedup_key.is_none() && message_id.is_some() {
        let (old, task) = (ledger.run(submitted.run_id).await?, run.task_id);
        if State::is_terminal(&old.state) {
            let id = old.run_id;
            let error =
                Error::usage(format!("its message id has a run already: {id}, {}", old.state));
            return Err(error.with_remedy(format!(
                "look at it with `goshift run {id}`: if it is this message's, purge the message; if not, \
                 submit the task with `goshift-submit {task}`"
            )));
        }
    }
    Ok(Settled::Entered(run.task_id, submitted.run_id))
}
