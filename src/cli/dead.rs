//! Dead runs and messages, for both `goshift dead` and `goshift-submit`.
//!
//! The ledger says which runs are dead; the broker's dead queue also holds messages that never
//! became a run.

use std::collections::HashSet;

use uuid::Uuid;

use super::{find, show};
use crate::checksum::checksum;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, RunFilter, RunRow, State};
use crate::queue::rabbitmq::{DeadMessage, list_dead};
use crate::submit;

mod list;
mod purge;
mod rerun;

pub(super) use list::{list, message_lines};
pub(super) use purge::{forget_old_letters, purge};
pub(super) use rerun::rerun;

/// Which dead runs and messages are meant.
#[derive(Debug, Clone)]
pub(super) struct Which {
    /// Only this task's.
    pub task: Option<i64>,
    /// Only these, by run or message; none for all.
    pub names: Vec<String>,
    /// At most this many.
    pub limit: usize,
}

/// The dead that were chosen.
pub(super) struct Chosen {
    which: Which,
    /// Runs, as they were then.
    pub runs: Vec<RunRow>,
    /// Names that are no dead run: messages', if anything.
    names: HashSet<String>,
    /// Those of the names that were met in the dead queue.
    met: HashSet<String>,
    /// Why some of the names are not among them.
    pub refused: Vec<Error>,
}

impl Chosen {
    /// Whether a dead message may be meant; the ledger decides about those of its runs.
    fn picks(&self, message: &DeadMessage) -> bool {
        let of_run = |id| self.runs.iter().any(|run| run.run_id == id);
        if self.which.names.is_empty() {
            return message.run_id.is_some()
                || self.which.task.is_none()
                || (message.task_id.is_some() && self.which.task == message.task_id);
        }
        message.run_id.is_some_and(of_run) || self.names.contains(&name(message))
    }

    /// How many messages that never became a run are meant.
    ///
    /// # Errors
    /// When the ledger or the broker can't be reached.
    pub(super) async fn messages(&self, settings: &Settings, ledger: &Ledger) -> Result<usize> {
        let strangers = strangers(settings, ledger).await?;
        let meant = strangers.iter().filter(|message| self.picks_stranger(message)).count();
        Ok(meant.min(self.which.limit))
    }

    /// Notes that a message was met.
    fn meet(&mut self, message: &DeadMessage) {
        self.met.insert(name(message));
    }

    /// The refusals of names that are nothing dead.
    fn unknown(&self) -> Vec<Error> {
        let refused = |name: &String| {
            Error::usage(format!(
                "there is no dead run or message \"{}\"",
                show::people::plain(name)
            ))
            .with_remedy("list what is dead with `goshift dead list`")
        };
        self.names.difference(&self.met).map(refused).collect()
    }

    /// Whether a message that is no run's is meant.
    fn picks_stranger(&self, message: &DeadMessage) -> bool {
        match self.which.names.is_empty() {
            true => self.which.task.is_none() || self.which.task == message.task_id,
            false => self.names.contains(&name(message)),
        }
    }
}

/// Finds what is meant: in the ledger, and by name alone in the dead queue.
pub(super) async fn choose(ledger: &Ledger, which: Which) -> Result<Chosen> {
    let mut chosen = Chosen {
        runs: Vec::new(),
        names: HashSet::new(),
        met: HashSet::new(),
        refused: Vec::new(),
        which,
    };
    if chosen.which.names.is_empty() {
        let which = &chosen.which;
        let filter = RunFilter {
            task_id: which.task,
            dead: true,
            limit: which.limit,
            ..RunFilter::default()
        };
        chosen.runs = ledger.runs(&filter).await?;
        return Ok(chosen);
    }
    for text in chosen.which.names.clone() {
        match find::candidates(ledger, &text).await?.as_slice() {
            [] => {
                chosen.names.insert(text);
            }
            [run] if run.dead => {
                if chosen.runs.iter().all(|other| other.run_id != run.run_id) {
                    chosen.runs.push(run.clone());
                }
            }
            [run] => chosen.refused.push(not_dead(run)),
            several => chosen.refused.push(find::ambiguous(&text, several)),
        }
    }
    Ok(chosen)
}

fn not_dead(run: &RunRow) -> Error {
    let id = run.run_id;
    let (what, remedy) = match &run.rerun_by {
        Some(by) => {
            (format!("run {id} was rerun as {by}"), format!("look at it: `goshift run {by}`"))
        }
        None if run.state == State::Failed.name() => (
            format!("run {id} was purged or never dead"),
            format!("repeat it with `goshift-submit --rerun {id}`"),
        ),
        None => (
            format!("run {id} is {}, not dead", run.state),
            format!("look at it: `goshift run {id}`"),
        ),
    };
    Error::usage(what).with_remedy(remedy)
}

/// What a message is called: by its AMQP message id, else by its body.
pub(super) fn name(message: &DeadMessage) -> String {
    match message.message_id.as_deref().filter(|id| !id.trim().is_empty()) {
        Some(id) => show::people::plain(id),
        None => format!("body-{:016x}", checksum(&message.body) as u64),
    }
}

/// Messages in the dead queue that are no run's, the oldest first.
pub(super) async fn strangers(settings: &Settings, ledger: &Ledger) -> Result<Vec<DeadMessage>> {
    let Some(config) = submit::broker(settings)? else { return Ok(Vec::new()) };
    // Those of runs may come first, however many they are.
    let mut messages = list_dead(&config, usize::MAX).await?;
    let runs: Vec<Uuid> = messages.iter().filter_map(|message| message.run_id).collect();
    let known = ledger.known(&runs).await?;
    messages.retain(|message| message.run_id.is_none_or(|id| !known.contains(&id)));
    Ok(messages)
}
