//! The seed's two channels: shards go out to parallel lanes, results come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Route, Runner};
use crate::copy;
use crate::error::{Context, Error, Result};
use crate::ledger::{Claim, StoredShards};
use crate::plan::split::Cursor;
use crate::plugin::{KeyRange, Receipt};
use crate::progress::Progress;

type Task = (u64, KeyRange);
type Outcome = (u64, Result<Receipt>);

/// Shards recorded in one ledger transaction, at most. The first goes alone, so that rows flow at
/// once; then each time twice as many.
const MAX_GROUP: usize = 16;
/// Completions written in one ledger transaction, at most, and how long the first may wait.
const COMPLETIONS: usize = 32;
const COMPLETION_WAIT: Duration = Duration::from_millis(200);

/// Copies every shard that is not in yet. `false` when the run was drained before its end.
///
/// # Errors
/// The first shard's that failed; what has committed until then is in the ledger.
pub(super) async fn copy(
    runner: &Runner,
    claim: &Claim,
    route: Arc<Route>,
    stored: StoredShards,
    progress: Arc<Progress>,
) -> Result<bool> {
    let (tasks, waiting) = async_channel::bounded(route.plan.lanes);
    let (results, mut outcomes) = mpsc::channel(route.plan.lanes * 2);
    let lanes = Lanes { runner, route: &route, waiting, results, running: JoinSet::new() };
    let mut completions = Completions::new(runner, claim, &progress);
    let (fed, collected) = {
        let feeding = feed(runner, claim, &route, stored, &progress, tasks, lanes);
        let collecting = completions.collect(&mut outcomes);
        tokio::pin!(feeding);
        tokio::pin!(collecting);
        // Feeding returns the lanes: dropping them on an early return stops them at once.
        tokio::select! {
            fed = &mut feeding => match fed {
                Ok(mut running) => {
                    let collected = collecting.await;
                    while running.join_next().await.is_some() {}
                    (Ok(()), collected)
                }
                Err(error) => (Err(error), Ok(())),
            },
            collected = &mut collecting => (Ok(()), collected),
        }
    };
    // What has committed is kept, however the rest went.
    let flushed = completions.flush().await;
    collected?;
    fed?;
    flushed?;
    Ok(progress.is_complete())
}

/// The lanes of a run, started one by one as shards come.
struct Lanes<'a> {
    runner: &'a Runner,
    route: &'a Arc<Route>,
    waiting: async_channel::Receiver<Task>,
    results: mpsc::Sender<Outcome>,
    running: JoinSet<()>,
}

impl Lanes<'_> {
    fn start_one(&mut self) {
        if self.running.len() >= self.route.plan.lanes {
            return;
        }
        let (route, waiting) = (Arc::clone(self.route), self.waiting.clone());
        let (results, drain) = (self.results.clone(), self.runner.drain.clone());
        let buffer = self.runner.settings.worker.lane_buffer;
        self.running.spawn(async move {
            while let Ok((number, range)) = waiting.recv().await {
                if drain.is_cancelled() {
                    continue;
                }
                let (reader, writer) = (route.reader.as_ref(), route.writer.as_ref());
                let receipt =
                    copy::shard(reader, writer, &route.plan, number, &range, buffer).await;
                let receipt = receipt.context(|| format!("shard {number}"));
                if results.send((number, receipt)).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Sends out open shards of earlier attempts, then cuts new ones, until the end or a drain.
/// Returns the lanes, which still work on them.
async fn feed(
    runner: &Runner,
    claim: &Claim,
    route: &Route,
    stored: StoredShards,
    progress: &Progress,
    tasks: async_channel::Sender<Task>,
    mut lanes: Lanes<'_>,
) -> Result<JoinSet<()>> {
    let mut next = stored.last.as_ref().map_or(0, |(number, _)| number + 1);
    let mut cursor = match &stored.last {
        _ if stored.split_done => Cursor::End,
        Some((_, range)) => Cursor::behind(range),
        None => Cursor::Start,
    };
    let mut group: Vec<Task> = stored.open;
    let mut size = 1;
    loop {
        for task in group.drain(..) {
            lanes.start_one();
            let sent = tokio::select! {
                sent = tasks.send(task) => sent.is_ok(),
                () = runner.drain.cancelled() => false,
            };
            if !sent {
                return Ok(lanes.running);
            }
        }
        if cursor == Cursor::End {
            progress.split_done();
            return Ok(lanes.running);
        }
        let mut ranges = Vec::with_capacity(size);
        while ranges.len() < size {
            match cursor.next(route.reader.as_ref(), &route.plan.read).await? {
                Some(range) => ranges.push(range),
                None => break,
            }
            progress.cut();
        }
        runner.ledger.record_shards(claim, next, &ranges, cursor == Cursor::End).await?;
        group = (next..).zip(ranges).collect();
        next += group.len() as u64;
        size = (size * 2).min(MAX_GROUP);
    }
}

/// Finished shards on their way into the ledger.
struct Completions<'a> {
    runner: &'a Runner,
    claim: &'a Claim,
    progress: &'a Progress,
    done: Vec<(u64, Receipt)>,
    since: Instant,
}

impl<'a> Completions<'a> {
    fn new(runner: &'a Runner, claim: &'a Claim, progress: &'a Progress) -> Self {
        Self { runner, claim, progress, done: Vec::new(), since: Instant::now() }
    }

    /// Takes results until every lane has ended, or one has failed.
    async fn collect(&mut self, outcomes: &mut mpsc::Receiver<Outcome>) -> Result<()> {
        loop {
            let left = COMPLETION_WAIT.saturating_sub(self.since.elapsed());
            let outcome = if self.done.is_empty() {
                outcomes.recv().await
            } else {
                match tokio::time::timeout(left, outcomes.recv()).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
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
            self.progress.add(&receipt);
            self.done.push((number, receipt));
            if self.done.len() >= COMPLETIONS {
                self.flush().await?;
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let done = std::mem::take(&mut self.done);
        self.runner.ledger.complete_shards(self.claim, &done).await.map_err(|error: Error| {
            error.context("shards have committed, but the ledger does not know it yet")
        })
    }
}
