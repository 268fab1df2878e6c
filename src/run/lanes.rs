//! The seed's two channels: shards go out to parallel lanes, results come back.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Route;
use super::feed::Feed;
use crate::copy::{self, Limits};
use crate::error::{Context, Error, Result};
use crate::ledger::{Claim, Ledger, Role, Standing, StoredShards};
use crate::metrics::WayMetrics;
use crate::plan::Plan;
use crate::plugin::{KeyRange, Receipt};
use crate::progress::Progress;
use crate::room::Stay;
use crate::submit::Submitter;
use crate::telemetry::trace;

/// A shard's number and range.
pub(super) type Task = (u64, KeyRange);
type Outcome = (u64, Result<Receipt>);
/// A shard that is in.
pub(super) type Done = (u64, Receipt);

/// Completions written in one ledger transaction, at most, and how long the first may wait.
const COMPLETIONS: usize = 32;
const COMPLETION_WAIT: Duration = Duration::from_millis(200);
/// How often a lane that others have taken over looks whether the run is over.
const PARKED: Duration = Duration::from_millis(100);

/// What all parts of a run's copying share.
pub(super) struct Work<'a> {
    pub ledger: &'a Ledger,
    pub claim: &'a Claim,
    pub route: Arc<Route>,
    pub progress: &'a Progress,
    pub limits: Limits,
    /// Counts what is copied between these engines.
    pub way: WayMetrics,
    /// Cancelled to start no new shard.
    pub drain: &'a CancellationToken,
    /// How the run stands.
    pub standing: watch::Receiver<Standing>,
    /// How many workers may share the run; 1 for one that can't be shared.
    pub max_participants: u64,
    /// Wakes other workers to take part.
    pub submitter: &'a Submitter,
    /// Whether others may take part now.
    pub is_shared: AtomicBool,
    /// How its end is reached without waiting.
    pub tail: Tail,
}

/// A shared run ends when the ledger knows of every shard: whoever feeds the lanes has to wait for
/// that once it finds none left, and completions no longer wait for others then.
#[derive(Default)]
pub(super) struct Tail {
    /// No shard is left to be sent to the lanes, for now.
    pub dry: watch::Sender<bool>,
    /// Completions have been written to the ledger.
    pub written: Notify,
}

impl Work<'_> {
    /// Lanes that this participant may have now: the task's `worker_num` is for all of them
    /// together. The owner has what does not divide.
    pub(super) fn lanes(&self, standing: &Standing) -> usize {
        share_of_lanes(&self.route.plan, self.claim.role, standing.active as usize)
    }

    /// Divides the run's limits among its participants.
    pub(super) fn spread(&self, standing: &Standing) {
        self.limits.throttle.set_share(standing.active as usize + 1);
    }

    /// Lets other workers take part.
    pub(super) async fn share(&self) -> Result<()> {
        self.ledger.share(self.claim, self.max_participants).await?;
        self.is_shared.store(true, Ordering::Relaxed);
        let others = self.max_participants - 1;
        tracing::info!("large: up to {others} other worker(s) may take part");
        self.submitter.invite(self.claim, others).await;
        Ok(())
    }

    /// Copies every shard that is not in yet. Returns what the ledger has still to hear of when it
    /// hears of the run's end; `None` when it was drained before its end.
    ///
    /// # Errors
    /// The first shard's that failed; what has committed until then is in the ledger.
    pub(super) async fn copy(&self, stored: StoredShards) -> Result<Option<Vec<Done>>> {
        self.is_shared.store(stored.participants > 1, Ordering::Relaxed);
        let mut done = self.run(|feed| feed.own(stored)).await?;
        // A table of one shard, as most of many are: its end and the run's in one transaction.
        if done.len() > 1 || self.progress.shards_done() > 1 || !self.progress.is_complete() {
            self.complete(&std::mem::take(&mut done)).await?;
        }
        if self.is_shared.load(Ordering::Relaxed) {
            let standing = self.ledger.standing(self.claim.run_id).await?;
            self.progress.settle(&standing);
        }
        let complete = self.progress.is_complete();
        if !complete && !self.drain.is_cancelled() {
            return Err(Error::internal("the lanes ended with open shards"));
        }
        Ok(complete.then_some(done))
    }

    async fn complete(&self, done: &[Done]) -> Result<()> {
        self.ledger.complete_shards(self.claim, done).await.map_err(|error: Error| {
            error.context("shards have committed, but the ledger does not know it yet")
        })
    }

    /// Copies free shards of a run that another worker owns, until none is left or it is drained.
    ///
    /// # Errors
    /// As [`Work::copy`].
    pub(super) async fn take_part(&self) -> Result<()> {
        let done = self.run(Feed::take_part).await?;
        self.complete(&done).await
    }

    /// Returns what is in and not yet in the ledger. After a failure that is nothing: what has
    /// committed is kept, however the rest went.
    async fn run<'w, F, Fut>(&'w self, feed: F) -> Result<Vec<Done>>
    where
        F: FnOnce(Feed<'w>) -> Fut,
        Fut: Future<Output = Result<JoinSet<()>>>,
    {
        let (tasks, waiting) = async_channel::bounded(self.route.plan.lanes);
        let (results, mut outcomes) = mpsc::channel(self.route.plan.lanes * 2);
        let lanes = Lanes { work: self, waiting, results, running: JoinSet::new() };
        let mut completions = Completions { work: self, done: Vec::new(), since: Instant::now() };
        let (fed, collected) = {
            let feeding = feed(Feed::new(self, tasks, lanes));
            let collecting = completions.collect(&mut outcomes);
            tokio::pin!(feeding);
            tokio::pin!(collecting);
            // Feeding returns the lanes: dropping them on an early return stops them at once.
            tokio::select! {
                fed = &mut feeding => match fed {
                    Ok(mut running) => {
                        let collected = collecting.await;
                        // After a failure nobody takes results any more: dropping the lanes ends
                        // them.
                        if collected.is_ok() {
                            while running.join_next().await.is_some() {}
                        }
                        (Ok(()), collected)
                    }
                    Err(error) => (Err(error), Ok(())),
                },
                collected = &mut collecting => (Ok(()), collected),
            }
        };
        if collected.is_ok() && fed.is_ok() {
            return Ok(completions.done);
        }
        let flushed = completions.flush().await;
        collected?;
        fed?;
        flushed.map(|()| Vec::new())
    }
}

fn share_of_lanes(plan: &Plan, role: Role, others: usize) -> usize {
    let each = plan.all_lanes / (others + 1);
    let share = match role {
        Role::Owner => plan.all_lanes - each * others,
        Role::Participant => each,
    };
    share.clamp(1, plan.lanes)
}

/// The lanes of a run, started one by one as shards come.
pub(super) struct Lanes<'a> {
    work: &'a Work<'a>,
    waiting: async_channel::Receiver<Task>,
    results: mpsc::Sender<Outcome>,
    pub(super) running: JoinSet<()>,
}

impl Lanes<'_> {
    pub(super) fn start_one(&mut self) {
        if self.running.len() >= self.work.route.plan.lanes {
            return;
        }
        let (route, limits) = (Arc::clone(&self.work.route), self.work.limits.clone());
        let (waiting, results) = (self.waiting.clone(), self.results.clone());
        let (drain, way) = (self.work.drain.clone(), self.work.way.clone());
        let (index, role) = (self.running.len(), self.work.claim.role);
        let mut standing = self.work.standing.clone();
        let lane = async move {
            loop {
                // Others that joined have taken over some of the lanes.
                let mine =
                    |s: &Standing| index < share_of_lanes(&route.plan, role, s.active as usize);
                tokio::select! {
                    allowed = standing.wait_for(mine) => if allowed.is_err() { return },
                    () = waiting_ended(&waiting) => return,
                }
                let Ok((number, range)) = waiting.recv().await else { return };
                let stay = tokio::select! {
                    stay = limits.room.enter(0) => stay,
                    () = drain.cancelled() => continue,
                };
                limits.gate.pass(&drain).await;
                if drain.is_cancelled() {
                    stay.leave();
                    continue;
                }
                let span = trace::shard(number);
                let (since, copying) =
                    (Instant::now(), shard(&route, (number, &range), &limits, stay));
                // A lane that panicked must fail its run: nobody else would ever hear of it.
                let receipt = AssertUnwindSafe(copying.instrument(span.clone()))
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|_| Err(Error::internal("a lane panicked")))
                    .context(|| format!("shard {number}"));
                trace::note(&span, &receipt);
                if let Ok(receipt) = &receipt {
                    span.record("rows", receipt.rows);
                    way.shard(receipt, since.elapsed());
                }
                trace::end(&span);
                if results.send((number, receipt)).await.is_err() {
                    return;
                }
            }
        };
        self.running.spawn(lane.in_current_span());
    }
}

async fn shard(
    route: &Route,
    shard: (u64, &KeyRange),
    limits: &Limits,
    stay: Arc<Stay>,
) -> Result<Receipt> {
    match &route.sync {
        Some(sync) => sync.shard(route.way(), shard, limits, stay).await,
        None => {
            let receipt = copy::shard(route.way(), shard, limits, stay).await?;
            Ok(Receipt { written: receipt.rows, ..receipt })
        }
    }
}

/// Ends once no shard will come any more.
async fn waiting_ended(waiting: &async_channel::Receiver<Task>) {
    while !(waiting.is_closed() && waiting.is_empty()) {
        tokio::time::sleep(PARKED).await;
    }
}

/// Finished shards on their way into the ledger.
struct Completions<'a> {
    work: &'a Work<'a>,
    done: Vec<Done>,
    since: Instant,
}

impl Completions<'_> {
    /// Takes results until every lane has ended, or one has failed.
    async fn collect(&mut self, outcomes: &mut mpsc::Receiver<Outcome>) -> Result<()> {
        let mut dry = self.work.tail.dry.subscribe();
        loop {
            let outcome = if self.done.is_empty() {
                outcomes.recv().await
            } else {
                let left = COMPLETION_WAIT.saturating_sub(self.since.elapsed());
                let dry = async { drop(dry.wait_for(|dry| *dry).await) };
                tokio::select! {
                    biased;
                    outcome = outcomes.recv() => outcome,
                    _ = tokio::time::timeout(left, dry) => {
                        self.flush().await?;
                        continue;
                    }
                }
            };
            let Some((number, receipt)) = outcome else { return Ok(()) };
            let receipt = receipt?;
            if self.done.is_empty() {
                self.since = Instant::now();
            }
            self.work.progress.add(&receipt);
            self.done.push((number, receipt));
            if self.done.len() >= COMPLETIONS {
                self.flush().await?;
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let done = std::mem::take(&mut self.done);
        self.work.complete(&done).await?;
        self.work.tail.written.notify_one();
        Ok(())
    }
}
