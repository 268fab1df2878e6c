//! Sends shards to the lanes: freshly cut ones, and those that are free in the ledger.

use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::lanes::{Lanes, Task, Work};
use crate::compare::RANGE_ROWS;
use crate::error::{Error, Result};
use crate::ledger::{Cut, Halt, Holder, PlanNote, Role, StoredShards};
use crate::plan::sizing::{Seen, Sizing};
use crate::plan::split::Cursor;
use crate::plugin::KeyRange;

/// Shards recorded in one ledger transaction, at most. The first goes alone, so that rows flow at
/// once; then each time twice as many.
const MAX_GROUP: usize = 16;
/// Free shards that a shared run keeps ready for its participants.
const AHEAD: u64 = 128;
/// How often a participant with nothing to do looks again.
const IDLE: Duration = Duration::from_millis(100);

/// The way from the ledger and the cutter to the lanes.
pub(super) struct Feed<'a> {
    work: &'a Work<'a>,
    tasks: async_channel::Sender<Task>,
    lanes: Lanes<'a>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(
        work: &'a Work<'a>,
        tasks: async_channel::Sender<Task>,
        lanes: Lanes<'a>,
    ) -> Self {
        Self { work, tasks, lanes }
    }

    /// Feeds until everything is cut and sent out, or a drain. A run that turns out to be large is
    /// shared, and then fed until all participants' shards are in. Returns the lanes, which still
    /// work.
    pub(super) async fn own(mut self, stored: StoredShards) -> Result<JoinSet<()>> {
        let work = self.work;
        let mut shared = stored.participants > 1;
        if stored.open && !shared && !self.send_free_ones().await? {
            return Ok(self.lanes.running);
        }
        let mut cutter = Cutter::behind(work, stored);
        while !shared && !cutter.is_done() {
            let group = cutter.record_group(Holder::Owner).await?;
            if !self.send(group).await {
                return Ok(self.lanes.running);
            }
            if cutter.cut > cutter.large() && !cutter.is_done() && work.max_participants > 1 {
                work.share().await?;
                shared = true;
            }
        }
        if shared {
            let recorded = Notify::new();
            tokio::try_join!(cutter.run_ahead(&recorded), self.claim_until_done(&recorded))?;
        } else {
            work.progress.split_done();
        }
        Ok(self.lanes.running)
    }

    /// Feeds what is free in the ledger until nothing is left for this participant.
    pub(super) async fn take_part(mut self) -> Result<JoinSet<()>> {
        self.claim_until_done(&Notify::new()).await?;
        Ok(self.lanes.running)
    }

    /// Sends every free shard of an unshared run; `false` when it was drained.
    async fn send_free_ones(&mut self) -> Result<bool> {
        loop {
            let claimed = self.work.ledger.claim_shards(self.work.claim, MAX_GROUP).await?;
            if claimed.shards.is_empty() {
                return Ok(true);
            }
            if !self.send(claimed.shards).await {
                return Ok(false);
            }
        }
    }

    /// Looks again when shards have been `recorded` here, and now and then for those of others.
    async fn claim_until_done(&mut self, recorded: &Notify) -> Result<()> {
        let work = self.work;
        while !work.drain.is_cancelled() {
            let (lanes, halt) = {
                let standing = work.standing.borrow();
                if standing.running {
                    work.spread(&standing);
                }
                (work.lanes(&standing), standing.halt)
            };
            if work.claim.role == Role::Participant && halt != Halt::No {
                return Ok(());
            }
            let claimed = work.ledger.claim_shards(work.claim, lanes).await?;
            work.tail.dry.send_replace(claimed.shards.is_empty());
            if !self.send(claimed.shards).await {
                return Ok(());
            }
            let Some(standing) = claimed.standing else { continue };
            work.progress.follow(&standing);
            let done = match work.claim.role {
                Role::Owner => standing.is_complete(),
                // Without an owner nothing will be cut: a free slot takes over the run.
                Role::Participant => {
                    (standing.split_done && standing.open == 0) || standing.owner_lost
                }
            };
            if done {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(IDLE) => {}
                () = recorded.notified() => {}
                () = work.tail.written.notified() => {}
                () = work.drain.cancelled() => {}
            }
        }
        Ok(())
    }

    /// `false` when it was drained.
    async fn send(&mut self, group: Vec<Task>) -> bool {
        for task in group {
            self.lanes.start_one();
            let sent = tokio::select! {
                sent = self.tasks.send(task) => sent.is_ok(),
                () = self.work.drain.cancelled() => false,
            };
            if !sent {
                return false;
            }
        }
        true
    }
}

/// Walks over the table's key and records shards.
struct Cutter<'a> {
    work: &'a Work<'a>,
    cursor: Cursor,
    next: u64,
    group: usize,
    /// Shards cut by this attempt, and their rows.
    cut: usize,
    rows: u64,
    /// Rows of earlier attempts, whose bytes are not known.
    resumed: u64,
    sizing: Sizing,
    started: Instant,
    /// The only shards there are to be, if they are known.
    only: Option<Vec<KeyRange>>,
    /// What the shards are cut for, until the ledger knows it.
    note: Option<PlanNote>,
}

impl<'a> Cutter<'a> {
    /// Goes on behind what earlier attempts have cut.
    fn behind(work: &'a Work<'a>, stored: StoredShards) -> Self {
        let next = stored.last.as_ref().map_or(0, |(number, _)| number + 1);
        let cursor = match &stored.last {
            _ if stored.split_done => Cursor::End,
            Some((_, range)) => Cursor::behind(range),
            None => Cursor::Start,
        };
        let sizing = Sizing {
            batch: work.route.plan.read.shard_rows,
            lanes: work.route.plan.all_lanes as u64,
            own_lanes: work.route.plan.lanes as u64,
            estimate: work.route.plan.read.schema.estimated_rows,
            is_paced: work.limits.throttle.is_limited(),
        };
        Self {
            work,
            cursor,
            next,
            group: 1,
            cut: 0,
            rows: stored.rows_done,
            resumed: stored.rows_done,
            sizing,
            started: Instant::now(),
            only: stored.only,
            note: stored.note,
        }
    }

    /// Shards of a run that is not yet worth sharing.
    fn large(&self) -> usize {
        2 * self.work.route.plan.lanes + 2
    }

    fn is_done(&self) -> bool {
        self.cursor == Cursor::End
    }

    /// Cuts and records the next shards.
    async fn record_group(&mut self, holder: Holder) -> Result<Vec<Task>> {
        let mut ranges = Vec::with_capacity(self.group);
        if let Some(only) = self.only.take() {
            only.iter().for_each(|_| self.work.progress.cut());
            (ranges, self.cursor) = (only, Cursor::End);
        }
        while ranges.len() < self.group {
            match self.cut_one().await? {
                Some(range) => ranges.push(range),
                None => break,
            }
        }
        let (ledger, claim) = (self.work.ledger, self.work.claim);
        let cut = Cut {
            first: self.next,
            ranges: &ranges,
            last: self.is_done(),
            holder,
            note: self.note.as_ref(),
        };
        ledger.record_shards(claim, cut).await?;
        self.note = None;
        let tasks: Vec<Task> = (self.next..).zip(ranges).collect();
        self.next += tasks.len() as u64;
        self.cut += tasks.len();
        self.group = (self.group * 2).min(MAX_GROUP);
        Ok(tasks)
    }

    async fn cut_one(&mut self) -> Result<Option<KeyRange>> {
        let route = &self.work.route;
        let stall = self.work.limits.stall;
        let progress = self.work.progress;
        let here = progress.rows().saturating_sub(self.resumed);
        let seen = Seen { rows: here, bytes: progress.bytes(), elapsed: self.started.elapsed() };
        // A run that may be shared is not until it has shown to be large, in shards as they are
        // first: long ones would keep the others waiting.
        let rows = match self.cut <= self.large() && self.work.max_participants > 1 {
            true => self.sizing.batch,
            false => self.sizing.rows(self.rows, seen),
        };
        let rows = if route.sync.is_some() { RANGE_ROWS } else { rows };
        self.rows += rows;
        let cutting = self.cursor.next(route.reader.as_ref(), &route.plan.read, rows);
        let range = tokio::time::timeout(stall, cutting).await.map_err(|_| {
            Error::transient(format!("no answer to a split for {stall:?}"))
                .with_remedy("is the split key indexed, and the source well?")
        })??;
        if range.is_some() {
            self.work.progress.cut();
        }
        Ok(range)
    }

    /// Keeps free shards ready for all participants until everything is cut, or a drain.
    async fn run_ahead(mut self, recorded: &Notify) -> Result<()> {
        let mut ready = 0;
        // The lanes have nothing until the first is recorded.
        self.group = 1;
        while !self.is_done() && !self.work.drain.is_cancelled() {
            if ready >= AHEAD {
                ready = self.work.ledger.standing(self.work.claim.run_id).await?.open;
            }
            if ready >= AHEAD {
                tokio::select! {
                    () = tokio::time::sleep(IDLE) => {}
                    () = self.work.drain.cancelled() => {}
                }
                continue;
            }
            ready += self.record_group(Holder::Nobody).await?.len() as u64;
            recorded.notify_one();
        }
        Ok(())
    }
}
