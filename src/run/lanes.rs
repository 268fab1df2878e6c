//! The seed's two channels: shards go out to parallel lanes, results come back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Route;
use crate::copy::{self, Limits};
use crate::error::{Context, Error, Result};
use crate::ledger::{Claim, Ledger, StoredShards};
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

/// What all parts of a run's copying share.
pub(super) struct Work<'a> {
    pub ledger: &'a Ledger,
    pub claim: &'a Claim,
    pub route: Arc<Route>,
    pub progress: &'a Progress,
    pub limits: Limits,
    /// Cancelled to start no new shard.
    pub drain: &'a CancellationToken,
}

impl Work<'_> {
    /// Copies every shard that is not in yet. `false` when it was drained before its end.
    ///
    /// # Errors
    /// The first shard's that failed; what has committed until then is in the ledger.
    pub(super) async fn copy(&self, stored: StoredShards) -> Result<bool> {
        let (tasks, waiting) = async_channel::bounded(self.route.plan.lanes);
        let (results, mut outcomes) = mpsc::channel(self.route.plan.lanes * 2);
        let lanes = Lanes { work: self, waiting, results, running: JoinSet::new() };
        let mut completions = Completions { work: self, done: Vec::new(), since: Instant::now() };
        let (fed, collected) = {
            let feeding = self.feed(stored, tasks, lanes);
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
        if !self.progress.is_complete() && !self.drain.is_cancelled() {
            return Err(Error::internal("the lanes ended with open shards"));
        }
        Ok(self.progress.is_complete())
    }

    /// Sends out open shards of earlier attempts, then cuts new ones, until the end or a drain.
    /// Returns the lanes, which still work on them.
    async fn feed(
        &self,
        stored: StoredShards,
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
                    () = self.drain.cancelled() => false,
                };
                if !sent {
                    return Ok(lanes.running);
                }
            }
            if cursor == Cursor::End {
                self.progress.split_done();
                return Ok(lanes.running);
            }
            let ranges = self.cut(&mut cursor, size).await?;
            self.ledger.record_shards(self.claim, next, &ranges, cursor == Cursor::End).await?;
            group = (next..).zip(ranges).collect();
            next += group.len() as u64;
            size = (size * 2).min(MAX_GROUP);
        }
    }

    async fn cut(&self, cursor: &mut Cursor, size: usize) -> Result<Vec<KeyRange>> {
        let mut ranges = Vec::with_capacity(size);
        while ranges.len() < size {
            let cutting = cursor.next(self.route.reader.as_ref(), &self.route.plan.read);
            let range =
                tokio::time::timeout(self.limits.stall, cutting).await.map_err(|_| {
                    Error::transient(format!("no answer to a split for {:?}", self.limits.stall))
                        .with_remedy("is the split key indexed, and the source well?")
                })??;
            let Some(range) = range else { break };
            ranges.push(range);
            self.progress.cut();
        }
        Ok(ranges)
    }
}

/// The lanes of a run, started one by one as shards come.
struct Lanes<'a> {
    work: &'a Work<'a>,
    waiting: async_channel::Receiver<Task>,
    results: mpsc::Sender<Outcome>,
    running: JoinSet<()>,
}

impl Lanes<'_> {
    fn start_one(&mut self) {
        if self.running.len() >= self.work.route.plan.lanes {
            return;
        }
        let (route, limits) = (Arc::clone(&self.work.route), self.work.limits.clone());
        let (waiting, results) = (self.waiting.clone(), self.results.clone());
        let drain = self.work.drain.clone();
        self.running.spawn(async move {
            while let Ok((number, range)) = waiting.recv().await {
                if drain.is_cancelled() {
                    continue;
                }
                let (reader, writer) = (route.reader.as_ref(), route.writer.as_ref());
                let copying = copy::shard(reader, writer, &route.plan, number, &range, &limits);
                // A lane that panicked must fail its run: nobody else would ever hear of it.
                let receipt = AssertUnwindSafe(copying)
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|_| Err(Error::internal("a lane panicked")))
                    .context(|| format!("shard {number}"));
                if results.send((number, receipt)).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Finished shards on their way into the ledger.
struct Completions<'a> {
    work: &'a Work<'a>,
    done: Vec<(u64, Receipt)>,
    since: Instant,
}

impl Completions<'_> {
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
            self.work.progress.add(&receipt);
            self.done.push((number, receipt));
            if self.done.len() >= COMPLETIONS {
                self.flush().await?;
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let done = std::mem::take(&mut self.done);
        self.work.ledger.complete_shards(self.work.claim, &done).await.map_err(|error: Error| {
            error.context("shards have committed, but the ledger does not know it yet")
        })
    }
}
