//! One run of one task, the seed's steps 1.1 to 1.7: load the task, get the reader and the writer,
//! split, copy shards with parallel lanes, follow the results, end.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::config::Settings;
use crate::copy::Limits;
use crate::error::{Context, Error, Kind, Result};
use crate::ledger::{Claim, Ending, Ledger, Standing, Waiting};
use crate::metrics::WorkerMetrics;
use crate::progress::{Display, Progress, Reporter};
use crate::room::Room;
use crate::salvage::Salvage;
use crate::submit::Submitter;
use crate::task::{Consistency, Params, Retry, TaskMeta};
use crate::telemetry::trace;
use crate::throttle::{Gate, Throttle};

mod compared;
mod emptied;
mod ends;
mod feed;
mod lanes;
mod lease;
mod outcome;
mod part;
mod pressure;
mod rejects;
mod resume;
mod route;
mod settle;
mod steps;
mod swap;
mod traced;
mod window;

pub use compared::Compared;
pub use ends::Ahead;
use lanes::Done;
use lease::LeaseKeeper;
use outcome::poisonous;
use pressure::Governor;
pub use route::{Route, Stage};
use settle::{AllIn, Settled};
pub use traced::working;

/// How many times `worker.stall` the index of a large table may take.
const KEY_PATIENCE: u32 = 16;

/// What a run needs besides its claim.
#[derive(Clone)]
pub struct Runner {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// The task database.
    pub ledger: Ledger,
    /// The way to other workers.
    pub submitter: Submitter,
    /// How progress is shown.
    pub display: Display,
    /// Cancelled to give runs back: no new shard is started.
    pub drain: CancellationToken,
    /// Cancelled to drop what is in flight.
    pub halt: CancellationToken,
    /// Connections that were begun ahead of their run.
    pub ahead: Ahead,
    /// Memory for large rows, of all runs of the process.
    pub room: Room,
    /// What is counted.
    pub metrics: WorkerMetrics,
}

/// What a run did, for the person who waits.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Rows over all attempts.
    pub rows: u64,
    /// Bytes in this attempt.
    pub bytes: u64,
    /// Shards over all attempts.
    pub shards: u64,
    /// Time of this attempt.
    pub elapsed: Duration,
    /// What a mode that compares has done.
    pub compared: Option<Compared>,
    /// Rows that were left out because the target refuses them.
    pub rejected: u64,
    /// As of which moments the source was read.
    pub consistency: Consistency,
    /// What the plan wants the operator to know.
    pub notes: Vec<String>,
    /// Shards that are in and that the ledger hears of with the run's end.
    unnoted: Vec<Done>,
}

impl Runner {
    /// Executes a claimed run, in its span, and ends it in the ledger. Returns how it ended and the task's
    /// pending run, if there is one that may start now.
    ///
    /// # Errors
    /// Only when the ledger itself can't be written, or the lease was lost.
    pub async fn execute(&self, claim: &Claim, foreground: bool) -> Result<Finished> {
        let alone = Standing { participants: 1, ..Standing::default() };
        let keeper = self.keeper(claim, alone);
        let started = Instant::now();
        // The task's own, once it is read.
        let retry = OnceLock::new();
        let result = tokio::select! {
            result = self.copy(claim, &keeper, &retry) => result,
            () = keeper.stop.cancelled() => Err(keeper.reason()),
            () = self.halt.cancelled() => Err(Error::new(Kind::Cancelled, "stopped by a signal")),
        };
        let result = result
            .map(|summary| summary.map(|s| Summary { elapsed: started.elapsed(), ..s }))
            .context(|| format!("task {}", claim.task_id));
        trace::note(&Span::current(), &result);
        if let Err(error) = &result
            && error.kind() == Kind::LeaseLost
        {
            return Err(Error::new(Kind::LeaseLost, error.to_string()));
        }
        let retry = retry.into_inner().unwrap_or_default();
        let ending = self.ending(claim, &result, &retry, foreground);
        if ending != Ending::Succeeded {
            self.dismiss(claim, &ending).await?;
        }
        let done = match &result {
            Ok(Some(summary)) => summary.unnoted.as_slice(),
            _ => &[],
        };
        let ended = self.patiently(claim, || self.ledger.end(claim, &ending, done));
        let next = trace::within(trace::step!("finish"), ended).await?;
        Ok(Finished { ending, result, next })
    }

    /// Copies what is left of the run. `None` when it was drained before its end.
    async fn copy(
        &self,
        claim: &Claim,
        keeper: &LeaseKeeper,
        retry: &OnceLock<Retry>,
    ) -> Result<Option<Summary>> {
        if claim.cancel_requested {
            return Err(Error::new(Kind::Cancelled, "cancelled on request"));
        }
        if claim.rescues > self.settings.worker.max_rescues {
            return Err(poisonous(claim));
        }
        let task = self.ledger.task(claim.task_id).await?;
        let overrides = Params::parse_object(&claim.params)?;
        let task = task.checked(&overrides, Some(&claim.mode))?;
        retry.get_or_init(|| task.params.retry.clone());
        if let Some(done) = self.swapped(claim, &task, &keeper.fence).await? {
            return Ok(Some(done));
        }
        self.begin(claim, &task, &keeper.fence).await?;
        let planned = Box::pin(self.prepared(claim, &task, &keeper.fence));
        let (route, mut stored, held_rows) = trace::within(trace::step!("plan"), planned).await?;
        self.only_rejected(&task, &route, &mut stored).await?;
        let salvage = self.salvage(claim, &task, &route).await?;
        let progress = Arc::new(Progress::default());
        let cut = stored.last.as_ref().map_or(0, |(number, _)| number + 1);
        progress.resume(stored.rows_done, stored.shards_done, cut);
        progress.set_estimate(route.plan.read.schema.estimated_rows);
        let label = format!("task {}", claim.task_id);
        let reporter = Reporter::start(self.display, label, Arc::clone(&progress));
        let route = Arc::new(route);
        let (_governor, gate) = Governor::start(claim, &route.writer, &progress).await;
        let work = self.work(claim, keeper, (gate, salvage), (&route, &task), &progress);
        let limits = work.limits.clone();
        let consistency = stored.consistency.unwrap_or_default();
        let done = work.copy(stored).await.map_err(|error| route.named_beside(error))?;
        drop(reporter);
        let Some(unnoted) = done else { return Ok(None) };
        let all_in =
            AllIn { claim, task: &task, route: &route, limits: &limits, rows: progress.rows() };
        let settling = Box::pin(self.settle(&all_in, (consistency, held_rows), &unnoted));
        let settled = trace::within(trace::step!("settle"), settling).await;
        if settled.is_err() {
            self.ledger.complete_shards(claim, &unnoted).await?;
        }
        let mut notes = route.plan.notes.clone();
        for note in route.plan.read.rules.notes() {
            tracing::warn!(task = claim.task_id, run = %claim.run_id, "{note}");
            notes.push(note);
        }
        notes.extend(settled.iter().flat_map(|settled| settled.notes.clone()));
        let Settled { compared, rejected, .. } = settled.map_err(|e| route.named_beside(e))?;
        let closing = self.close(&all_in, unnoted).await;
        let unnoted = closing.map_err(|error| route.named_beside(error))?;
        if rejected > 0 {
            tracing::warn!(task = claim.task_id, run = %claim.run_id, rejected, "rows were left out");
        }
        Ok(Some(Summary {
            rejected,
            rows: progress.rows(),
            bytes: progress.bytes(),
            shards: progress.shards_done(),
            compared,
            consistency,
            notes,
            unnoted,
            ..Summary::default()
        }))
    }

    /// What a run's lanes need, for its owner and for its participants.
    fn work<'a>(
        &'a self,
        claim: &'a Claim,
        keeper: &LeaseKeeper,
        (gate, salvage): (Gate, Option<Arc<Salvage>>),
        (route, task): (&Arc<Route>, &TaskMeta),
        progress: &'a Progress,
    ) -> lanes::Work<'a> {
        let settings = &self.settings.worker;
        let all_lanes = route.plan.all_lanes as u64;
        let way = self.metrics.way(route.engines.0, route.engines.1);
        let wanted = if route.is_shareable { task.params.participants } else { Some(1) };
        lanes::Work {
            ledger: &self.ledger,
            claim,
            route: Arc::clone(route),
            progress,
            way,
            limits: Limits {
                buffer: settings.lane_buffer,
                room: self.room.of_run(),
                fence: keeper.fence.clone(),
                stall: settings.stall,
                throttle: Throttle::new(
                    task.params.max_rows_per_second,
                    task.params.max_bytes_per_second,
                ),
                gate,
                salvage,
            },
            drain: &self.drain,
            standing: keeper.standing.clone(),
            max_participants: wanted.unwrap_or(all_lanes).min(all_lanes),
            submitter: &self.submitter,
            is_shared: AtomicBool::new(false),
            tail: lanes::Tail::default(),
        }
    }
}

/// Waits for a step beside the shards, but not for ever: the drivers do, for a server that vanished.
async fn bounded<T>(
    limit: Duration,
    doing: &str,
    step: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(limit, step).await.unwrap_or_else(|_| {
        Err(Error::transient(format!("{doing}: no answer within {limit:?}")).with_remedy(
            "is the target hanging, or a table locked? raise worker.stall if it is only slow",
        ))
    })
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// As written to the ledger.
    pub ending: Ending,
    /// What it did, or why not. `None`: given back.
    pub result: Result<Option<Summary>>,
    /// The task's pending run.
    pub next: Option<Waiting>,
}
