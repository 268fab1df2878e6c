//! What is dead: runs that failed and wait for a person, and messages that never became a run.
//!
//! The ledger says which runs are dead. The broker's dead queue holds a message for each of them, and the
//! messages that never became a run: nobody could read them, say.

use std::collections::HashSet;
use std::fmt;

use uuid::Uuid;

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, RunFilter, RunRow, State};
use crate::queue::rabbitmq::DeadMessage;

mod messages;
mod purge;
mod rerun;

pub use messages::{beginning, messages, name};
pub use purge::{Purged, forget_old_letters, purge};
pub use rerun::{Told, rerun};

/// Something that may be dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A run.
    Run(Uuid),
    /// A message, by its [`name`].
    Message(String),
}

impl Subject {
    /// The run's id, or the message's name.
    pub fn split(self) -> (Option<Uuid>, Option<String>) {
        match self {
            Self::Run(id) => (Some(id), None),
            Self::Message(name) => (None, Some(name)),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(id) => write!(f, "run {id}"),
            Self::Message(name) => write!(f, "message \"{name}\""),
        }
    }
}

/// Why something stays as it is.
#[derive(Debug)]
pub struct Refusal {
    /// What was meant, if that is known.
    pub subject: Option<Subject>,
    /// Why it is refused.
    pub error: Error,
}

impl Refusal {
    fn of(subject: Subject, error: Error) -> Self {
        Self { subject: Some(subject), error }
    }

    /// The refusal as an error that also says what it is about.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self.subject {
            Some(subject) => self.error.context(subject),
            None => self.error,
        }
    }
}

/// The dead that are meant.
pub struct Chosen {
    /// Whether they were named one by one; otherwise all messages of the task are meant, too.
    named: bool,
    task: Option<i64>,
    /// The most messages that never became a run.
    limit: usize,
    runs: Vec<RunRow>,
    /// Names of messages.
    names: HashSet<String>,
    /// Those of the names that were met in the dead queue.
    met: HashSet<String>,
    refused: Vec<Refusal>,
}

impl Chosen {
    /// Everything that is dead, or everything of one task: at most `limit` runs, those submitted last,
    /// and as many messages, the oldest.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn all(ledger: &Ledger, task: Option<i64>, limit: usize) -> Result<Self> {
        let filter = RunFilter { task_id: task, dead: true, limit, ..RunFilter::default() };
        let runs = ledger.runs(&filter).await?;
        Ok(Self { named: false, task, runs, ..Self::named(limit) })
    }

    /// Nothing but what is added; of the messages at most `limit`.
    pub fn named(limit: usize) -> Self {
        Self {
            named: true,
            task: None,
            limit,
            runs: Vec::new(),
            names: HashSet::new(),
            met: HashSet::new(),
            refused: Vec::new(),
        }
    }

    /// Adds a run. One that is not dead is refused.
    pub fn add_run(&mut self, run: RunRow) {
        if !run.dead {
            self.refused.push(Refusal::of(Subject::Run(run.run_id), not_dead(&run)));
        } else if self.runs.iter().all(|other| other.run_id != run.run_id) {
            self.runs.push(run);
        }
    }

    /// Adds a message by its [`name`].
    pub fn add_message(&mut self, name: String) {
        self.names.insert(name);
    }

    /// Adds the refusal of what can't be told from others.
    pub fn refuse(&mut self, error: Error) {
        self.refused.push(Refusal { subject: None, error });
    }

    /// The runs, as they were then.
    pub fn runs(&self) -> &[RunRow] {
        &self.runs
    }

    /// The messages that never became a run, the oldest first, and how many more there are.
    ///
    /// # Errors
    /// When the ledger or the broker can't be reached.
    pub async fn messages(
        &self,
        settings: &Settings,
        ledger: &Ledger,
    ) -> Result<(Vec<DeadMessage>, usize)> {
        let mut meant = messages(settings, ledger).await?;
        meant.retain(|message| self.means(message));
        let more = meant.len().saturating_sub(self.limit);
        meant.truncate(self.limit);
        Ok((meant, more))
    }

    /// Whether a message of the dead queue may be meant; the ledger decides about those of its runs.
    fn picks(&self, message: &DeadMessage) -> bool {
        match message.run_id {
            Some(_) if !self.named => true,
            Some(id) if !self.means_no_run(id) => true,
            _ => self.means(message),
        }
    }

    /// Whether a message that never became a run is meant.
    fn means(&self, message: &DeadMessage) -> bool {
        if self.named {
            return self.names.contains(&name(message));
        }
        self.task.is_none() || self.task == message.task_id
    }

    /// Whether messages may be meant that never became a run.
    fn wants_messages(&self) -> bool {
        !self.named || !self.names.is_empty()
    }

    /// What it means that the dead queue can't be reached once the ledger has done its part.
    ///
    /// # Errors
    /// The trouble, if nothing was done before; whoever asked must hear of what was.
    fn without_queue(&self, trouble: Error, done: bool) -> Result<Option<Refusal>> {
        if !done {
            return Err(trouble);
        }
        if self.wants_messages() {
            return Ok(Some(Refusal { subject: None, error: trouble }));
        }
        tracing::warn!(
            "the messages of these runs stay in the broker until dead runs are next rerun or purged: \
             {trouble}"
        );
        Ok(None)
    }

    /// Why the message of a dead run is left alone, if it was named itself.
    fn of_dead_run(&self, message: &DeadMessage) -> Option<Refusal> {
        let (name, run) = (name(message), message.run_id?);
        let is_asked_for = self.names.contains(&name) && self.means_no_run(run);
        is_asked_for.then(|| {
            let error = Error::usage(format!("it belongs to run {run}, which is dead"))
                .with_remedy("name the run instead");
            Refusal::of(Subject::Message(name), error)
        })
    }

    fn means_no_run(&self, run: Uuid) -> bool {
        self.runs.iter().all(|other| other.run_id != run)
    }

    /// Notes that a message was met.
    fn meet(&mut self, message: &DeadMessage) {
        self.met.insert(name(message));
    }

    /// The refusals of names that are nothing dead.
    fn unknown(&self) -> Vec<Refusal> {
        let mut names: Vec<_> = self.names.difference(&self.met).collect();
        names.sort_unstable();
        let refused = |name: &String| {
            let error =
                Error::usage("no such message is in the dead queue, and no such run is dead")
                    .with_remedy(
                        "list what is dead with `goshift dead list`; if it is there, somebody else \
                         was reading it just then: try again",
                    );
            Refusal::of(Subject::Message(name.clone()), error)
        };
        names.into_iter().map(refused).collect()
    }
}

fn not_dead(run: &RunRow) -> Error {
    let id = run.run_id;
    let (what, remedy) = match &run.rerun_by {
        Some(by) => (format!("it was rerun as {by}"), format!("look at it: `goshift run {by}`")),
        None if run.state == State::Failed.name() => (
            "it was purged, or never dead".to_owned(),
            format!("repeat it with `goshift-submit --rerun {id}`"),
        ),
        None => {
            (format!("it is {}, not dead", run.state), format!("look at it: `goshift run {id}`"))
        }
    };
    Error::usage(what).with_remedy(remedy)
}
