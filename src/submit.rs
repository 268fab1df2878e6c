//! Submitting: into the ledger first, then to the broker. A submission that the ledger has
//! accepted is never lost: what the broker did not confirm, the workers find in the ledger.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tracing::Instrument;
use uuid::Uuid;

use crate::checksum::checksum;
use crate::config::Settings;
use crate::config::sections::QueueKind;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::ledger::{self, Claim, Ledger, NewRun, Submitted, Waiting};
use crate::queue::Publisher;
use crate::queue::rabbitmq::{RabbitConfig, RabbitPublisher};
use crate::task::Mode;

/// Wake-ups whose confirms are awaited together.
const WAKE_BATCH: usize = 500;

/// Enters runs and wakes workers.
#[derive(Clone)]
pub struct Submitter {
    ledger: Ledger,
    publisher: Option<Arc<dyn Publisher>>,
    lease: Duration,
}

/// The broker, if one is configured.
///
/// # Errors
/// Kind `Config` when the section can't be read.
pub fn broker(settings: &Settings) -> Result<Option<RabbitConfig>> {
    let queue = settings.queue()?;
    Ok((queue.kind == QueueKind::Rabbitmq).then(|| RabbitConfig {
        url: queue.url,
        prefix: queue.prefix,
        place: "queue.url".to_owned(),
    }))
}

impl Submitter {
    /// For a process that submits and ends: connects to the broker in the background, so that a
    /// broker that is down delays nothing but the wake-up.
    ///
    /// # Errors
    /// Kind `Config` when the queue's section can't be read.
    pub fn open(settings: &Settings, ledger: Ledger, name: &str) -> Result<Self> {
        let publisher = broker(settings)?
            .map(|config| Arc::new(RabbitPublisher::lazy(config, name)) as Arc<dyn Publisher>);
        Ok(Self { ledger, publisher, lease: settings.worker.lease })
    }

    /// The publisher, if a broker is configured.
    pub fn publisher(&self) -> Option<&Arc<dyn Publisher>> {
        self.publisher.as_ref()
    }

    /// Enters a run and publishes its event.
    ///
    /// # Errors
    /// When the ledger refuses it. A broker that does not confirm is only a warning.
    pub async fn submit(&self, run: &NewRun) -> Result<Submitted> {
        let submitted = self.ledger.submit(run).await?;
        crate::fault::point("submit.committed");
        if submitted.new || submitted.hurried {
            self.wake_all(&[Wake::of(run, &submitted)]).await;
        }
        Ok(submitted)
    }

    /// Enters a run, and publishes its event behind the caller's back: for a process that goes on, and
    /// whose caller need not wait for a broker. What is not published, the workers find in the ledger.
    ///
    /// # Errors
    /// When the ledger refuses it.
    pub async fn enter(&self, run: &NewRun) -> Result<Submitted> {
        let submitted = self.ledger.submit(run).await?;
        let (submitter, run, entered) = (self.clone(), run.clone(), submitted.clone());
        tokio::spawn(async move { submitter.announce(&run, &entered).await });
        Ok(submitted)
    }

    /// Publishes the event of a run that is in, if workers need to hear of it. A broker that does not
    /// confirm is only a warning.
    pub async fn announce(&self, run: &NewRun, submitted: &Submitted) {
        if submitted.new || submitted.hurried {
            self.wake_all(&[Wake::of(run, submitted)]).await;
        }
    }

    /// Enters runs in groups; meanwhile publishes the events of those that are in. `entered` hears
    /// of each run as soon as the ledger has it.
    ///
    /// # Errors
    /// At the first that the ledger refuses; those before it are accepted and published.
    pub async fn submit_all(
        &self,
        runs: &[NewRun],
        entered: impl FnMut(&NewRun, &Submitted) -> Result<()>,
    ) -> Result<Vec<Submitted>> {
        let (wakes, due) = mpsc::unbounded_channel();
        let (outcome, ()) =
            tokio::join!(self.enter_all(runs, entered, wakes), self.publish_all(due));
        outcome
    }

    async fn enter_all(
        &self,
        mut runs: &[NewRun],
        mut entered: impl FnMut(&NewRun, &Submitted) -> Result<()>,
        wakes: mpsc::UnboundedSender<Wake>,
    ) -> Result<Vec<Submitted>> {
        let mut all = Vec::with_capacity(runs.len());
        while !runs.is_empty() {
            let group = ledger::group(runs);
            let outcome = self.ledger.submit_group(group).await;
            let outcome = outcome.map_err(|error| error.context(names(group)))?;
            crate::fault::point("submit.committed");
            let accepted = group.iter().zip(&outcome.accepted);
            for (run, submitted) in accepted.clone() {
                if submitted.new || submitted.hurried {
                    // Only fails when nobody publishes any more: the workers find the run.
                    wakes.send(Wake::of(run, submitted)).ok();
                }
            }
            for (run, submitted) in accepted {
                entered(run, submitted)?;
            }
            if let Some(error) = outcome.refused {
                return Err(error);
            }
            all.extend(outcome.accepted);
            runs = &runs[group.len()..];
        }
        Ok(all)
    }

    /// As [`Submitter::submit_all`], but goes on past what the ledger refuses: `heard` gets each
    /// run with what became of it, and stops the rest by an error of its own.
    ///
    /// # Errors
    /// Those of `heard`; the runs before are accepted and published.
    pub async fn submit_each(
        &self,
        runs: &[NewRun],
        mut heard: impl FnMut(&NewRun, Result<Submitted>) -> Result<()>,
    ) -> Result<()> {
        for batch in runs.chunks(WAKE_BATCH) {
            let mut at_once = Vec::new();
            let mut outcome = Ok(());
            for run in batch {
                let submitted = self.ledger.submit(run).await;
                crate::fault::point("rerun.entered");
                if let Ok(entered) = &submitted
                    && (entered.new || entered.hurried)
                {
                    at_once.push(Wake::of(run, entered));
                }
                outcome = heard(run, submitted);
                if outcome.is_err() {
                    break;
                }
            }
            self.wake_all(&at_once).await;
            outcome?;
        }
        Ok(())
    }

    /// Publishes wake-ups for every run that could start now, as after a pause. Returns how many
    /// the broker has confirmed; `None` without a broker.
    ///
    /// # Errors
    /// When the ledger can't be read or written. What the broker does not confirm is a warning:
    /// the workers find those runs in the ledger.
    pub async fn wake_due(&self) -> Result<Option<u64>> {
        let Some(publisher) = &self.publisher else { return Ok(None) };
        let (mut after, mut woken) = (None, 0);
        loop {
            let due = self.ledger.due_now(after, WAKE_BATCH).await?;
            let Some(last) = due.last() else { return Ok(Some(woken)) };
            after = Some(last.run_id);
            let events: Vec<_> = due.iter().map(wake_up).collect();
            let mut confirmed = Vec::with_capacity(due.len());
            let mut refused = None;
            for (run, published) in due.iter().zip(publisher.publish_all(&events).await) {
                match published {
                    Ok(()) => confirmed.push(run.run_id),
                    Err(error) => refused = Some(error),
                }
            }
            self.ledger.mark_published(&confirmed).await?;
            woken += confirmed.len() as u64;
            if let Some(error) = refused {
                tracing::warn!(
                    %error,
                    "the broker did not confirm every wake-up: the workers find the runs in the ledger"
                );
                return Ok(Some(woken));
            }
        }
    }

    /// Publishes what comes, all that is there at once, until no more can come.
    async fn publish_all(&self, mut due: mpsc::UnboundedReceiver<Wake>) {
        let mut wakes = Vec::new();
        while due.recv_many(&mut wakes, usize::MAX).await > 0 {
            self.wake_all(&wakes).await;
            wakes.clear();
        }
    }

    /// Publishes wake-ups with all their confirms in flight at once.
    async fn wake_all(&self, wakes: &[Wake]) {
        let Some(publisher) = &self.publisher else { return };
        let (later, now): (Vec<&Wake>, Vec<&Wake>) =
            wakes.iter().partition(|wake| !wake.delay.is_zero());
        let events: Vec<_> = now.iter().map(|wake| wake.event.clone()).collect();
        let delayed = later.iter().map(|wake| publisher.publish_delayed(&wake.event, wake.delay));
        let (at_once, delayed) =
            tokio::join!(publisher.publish_all(&events), futures::future::join_all(delayed));
        crate::fault::point("submit.published");
        let outcomes = now.into_iter().chain(later).zip(at_once.into_iter().chain(delayed));
        self.note_published(outcomes).await;
    }

    /// Wakes up to so many other workers to take part in a run. In the background, and without
    /// anything that has to come true: every worker with a free slot also looks for such runs.
    pub async fn invite(&self, claim: &Claim, others: u64) {
        let Some(publisher) = self.publisher.clone() else { return };
        let workers = match self.ledger.workers(self.lease).await {
            Ok(workers) => workers,
            Err(error) => {
                tracing::debug!(%error, "no worker is invited, each finds the run by itself");
                return;
            }
        };
        let live =
            workers.iter().filter(|w| w.row.state == "working" && w.row.worker != claim.worker);
        let event = wake_up(&claim.waiting());
        let events = vec![event; live.count().min(others as usize)];
        let inviting = async move {
            for error in publisher.publish_all(&events).await.into_iter().filter_map(Result::err) {
                tracing::debug!(%error, "an invitation was not confirmed");
            }
        };
        tokio::spawn(inviting.in_current_span());
    }

    async fn note_published(&self, outcomes: impl Iterator<Item = (&Wake, Result<()>)>) {
        let mut confirmed = Vec::new();
        for (wake, published) in outcomes {
            match published {
                Ok(()) => confirmed.push(wake.run_id),
                Err(error) => tracing::warn!(
                    task = wake.event.task_id, run = %wake.run_id, %error,
                    "the broker did not confirm: the run is kept in the ledger, a worker finds it there"
                ),
            }
        }
        if let Err(error) = self.ledger.mark_published(&confirmed).await {
            let runs = confirmed.len();
            tracing::warn!(runs, %error, "published, but the ledger does not know it");
        }
    }

    /// Publishes the wake-up for a run that is in the ledger.
    pub async fn wake(&self, run: &Waiting, delay: Duration) {
        self.wake_all(&[Wake { run_id: run.run_id, event: wake_up(run), delay }]).await;
    }
}

/// The message that wakes a worker for a run.
fn wake_up(run: &Waiting) -> Event {
    Event::wake(run.task_id, run.run_id, run.priority).in_trace(run.traceparent.as_deref())
}

/// A message to publish for a run that is in the ledger.
struct Wake {
    run_id: Uuid,
    event: Event,
    delay: Duration,
}

impl Wake {
    fn of(run: &NewRun, submitted: &Submitted) -> Self {
        Self {
            run_id: submitted.run_id,
            event: Event::wake(run.task_id, submitted.run_id, run.priority)
                .in_trace(submitted.traceparent.as_deref()),
            delay: Duration::from_millis(run.delay_ms.max(0) as u64),
        }
    }
}

/// The tasks of a group, for an error that concerns them all.
fn names(group: &[NewRun]) -> String {
    match group {
        [only] => format!("task {}", only.task_id),
        [first, .., last] => format!("tasks {} to {}", first.task_id, last.task_id),
        [] => "no task".to_owned(),
    }
}

/// Who submitted an event that does not say.
pub const STRANGER: &str = "an AMQP client";

/// A caller's key as the ledger keeps it: each task has its own, and none is too long.
pub fn dedup_key(task_id: i64, key: &str) -> String {
    let full = format!("{task_id}:{key}");
    // MySQL takes keys that differ by spaces at the end for equal.
    if full.chars().count() <= 150 && !full.ends_with(' ') && !full.contains('\0') {
        full
    } else {
        format!("{task_id}:#{:032x}", checksum(key.as_bytes()))
    }
}

/// The key of a message that brought an event without one.
pub fn message_key(task_id: i64, message_id: &str) -> String {
    dedup_key(task_id, &format!("message:{message_id}"))
}

/// A run as an event asks for it.
///
/// # Errors
/// Kind `Permanent` for an unknown mode or an unreadable time.
pub fn from_event(event: &Event, message_id: Option<&str>) -> Result<NewRun> {
    let mode = match &event.mode {
        Some(mode) => Mode::parse(mode)
            .map_err(|error| {
                let remedy = error.remedy().unwrap_or_default().to_owned();
                Error::permanent(error.to_string()).with_remedy(remedy)
            })?
            .name()
            .to_owned(),
        None => String::new(),
    };
    let delay_ms = match &event.not_before {
        None => 0,
        Some(text) => {
            let at = humantime::parse_rfc3339_weak(text).map_err(|error| {
                Error::permanent(format!("the event's not_before \"{text}\" is not a time"))
                    .caused_by(error)
                    .with_remedy("write it as 2026-01-31T12:00:00Z")
            })?;
            at.duration_since(SystemTime::now()).map_or(0, |left| left.as_millis() as i64)
        }
    };
    Ok(NewRun {
        run_id: event.run_id,
        task_id: event.task_id,
        mode,
        params: event.params.clone().unwrap_or_default(),
        priority: event.priority,
        delay_ms,
        // A message that the broker delivers again must not become a second run.
        dedup_key: event
            .dedup_key
            .as_ref()
            .map(|key| dedup_key(event.task_id, key))
            .or_else(|| message_id.map(|id| message_key(event.task_id, id))),
        submitted_by: event.submitted_by.clone().or_else(|| Some(STRANGER.to_owned())),
        rerun_of: None,
        traceparent: event.traceparent.clone(),
    })
}
