//! Where a run goes on: its plan, what earlier attempts have left of it, and a target that has changed
//! or gone meanwhile.

use super::{KEY_PATIENCE, Route, Runner, Stage, bounded};
use crate::error::{Error, Result};
use crate::fence::Fence;
use crate::ledger::{Claim, Halt, PlanNote, StoredShards};
use crate::plugin::WriteMode;
use crate::task::{Consistency, Mode, SourceAndTarget, TaskMeta, WriteWish};

impl Runner {
    /// The way from source to target, what earlier attempts have left, and whether the target held
    /// rows before.
    pub(super) async fn prepared(
        &self,
        claim: &Claim,
        task: &TaskMeta,
        fence: &Fence,
    ) -> Result<(Route, StoredShards, bool)> {
        let stall = self.settings.worker.stall;
        let stage = if claim.epoch == 1 { Stage::Begin } else { Stage::GoOn };
        self.settle_dropped_target(claim, task).await?;
        let mut notes = Vec::new();
        loop {
            let planning = self.route(task, stage(claim.run_id));
            let mut route = tokio::time::timeout(stall, planning)
                .await
                .map_err(|_| Error::transient("no answer while planning"))??;
            let resuming = async {
                match route.plan.lacks_key {
                    true => Ok(None),
                    false => self.resume(claim, &route, task, fence).await,
                }
            };
            let patience = if route.plan.write.empties { stall * KEY_PATIENCE } else { stall };
            let resumed = bounded(patience, "preparing the target", resuming).await;
            let resumed = resumed.map_err(|error| route.named_beside(error))?;
            let Some((stored, held_rows)) = resumed else {
                let table = &route.plan.write.schema.table;
                tracing::info!("{table}: adding the key that was left out");
                let adding = route.writer.add_pending(table);
                notes.extend(
                    bounded(stall * KEY_PATIENCE, "adding the target's key", adding).await?,
                );
                continue;
            };
            if route.plan.snapshot.is_some() && stored.consistency == Some(Consistency::Shard) {
                route.plan.notes.push(MIXED.to_owned());
            }
            route.plan.notes.append(&mut notes);
            for note in &route.plan.notes {
                tracing::warn!(task = claim.task_id, run = %claim.run_id, "{note}");
            }
            return Ok((route, stored, held_rows));
        }
    }

    /// A target that was dropped makes worthless what the ledger knows of the run, which must hear of
    /// it before the target is there again: afterwards nothing would tell the new table from the old.
    async fn settle_dropped_target(&self, claim: &Claim, task: &TaskMeta) -> Result<()> {
        if claim.epoch == 1 {
            return Ok(());
        }
        let stored = self.ledger.stored_shards(claim).await?;
        if stored.last.is_none() {
            return Ok(());
        }
        let looking = self.route(task, Stage::TakePart(claim.run_id));
        let route = bounded(self.settings.worker.stall, "looking for the target", looking).await?;
        if !route.plan.creates_target {
            return Ok(());
        }
        tracing::warn!(run = %claim.run_id, "the target is gone: starting again");
        self.expel(claim, &route, &stored).await?;
        self.quiesce(claim, Halt::Now).await?;
        if route.plan.write.has_markers() {
            // The shards' numbers begin again, and so does a target that somebody else has filled.
            route.writer.forget(&route.plan.write).await?;
        }
        let rows = route.plan.read.schema.estimated_rows;
        let note = PlanNote { hash: route.fingerprint(), rows, consistency: None };
        self.ledger.note_plan(claim, &note, true).await?;
        self.ledger.halt(claim, Halt::No).await
    }

    /// What earlier attempts of the run have left, and whether the target held rows before, where
    /// that matters for the final count. A task that was edited since, or a target that
    /// was dropped, makes the shards cut then worthless: they are cut again. `None` if that takes the
    /// key that the target still lacks.
    async fn resume(
        &self,
        claim: &Claim,
        route: &Route,
        task: &TaskMeta,
        fence: &Fence,
    ) -> Result<Option<(StoredShards, bool)>> {
        let plan = &route.plan;
        let hash = route.fingerprint();
        // Before a run's first claim there is nothing of it to find.
        let mut stored = match claim.epoch {
            1 if !claim.lost_holder => StoredShards { participants: 1, ..StoredShards::default() },
            _ => self.ledger.stored_shards(claim).await?,
        };
        self.expel(claim, route, &stored).await?;
        let changed = stored.plan_hash.as_ref().is_some_and(|before| *before != hash);
        // Nobody remembers what rows only the target had in the shards that are in.
        let forgotten = task.mode == Mode::Mirror;
        let snapshot = plan.snapshot.is_some();
        let (now, through) = levels(task, route, &stored);
        let restart =
            stored.last.is_some() && (changed || plan.creates_target || forgotten || snapshot);
        if restart && plan.write.adds_key && !plan.creates_target {
            return Ok(None);
        }
        if restart && plan.write.mode == WriteMode::Insert && !plan.write.empties {
            return Err(Error::permanent(
                "the task or its target changed while the run was half done, and the target has \
                 no key: going on could double rows",
            )
            .with_remedy("empty the target and submit the task again"));
        }
        if restart {
            let why = match (forgotten, snapshot) {
                (true, _) => "mode mirror",
                (_, true) => "the snapshot ended with the last attempt",
                _ => "the task changed since the last attempt",
            };
            tracing::warn!(run = %claim.run_id, "{why}: starting again");
            self.quiesce(claim, Halt::Now).await?;
            stored = StoredShards { participants: stored.participants, ..StoredShards::default() };
        }
        let explicit_insert = task.params.write_mode == Some(WriteWish::Insert);
        plan.prepare(route.writer.as_ref(), explicit_insert || stored.last.is_some()).await?;
        if plan.write.empties && stored.last.is_none() {
            // Shards that are in the ledger may be in the target: afterwards it is not emptied any more.
            self.empty(task, route, restart, fence).await?;
        }
        stored.consistency = Some(through);
        let note = PlanNote { hash, rows: plan.read.schema.estimated_rows, consistency: Some(now) };
        match claim.epoch {
            1 => stored.note = Some(note),
            _ => self.ledger.note_plan(claim, &note, restart).await?,
        }
        if restart {
            // Only now: whoever joined before would have copied shards that are gone.
            self.ledger.halt(claim, Halt::No).await?;
        }
        let held_rows = plan.count_rows
            && (stored.last.is_some() || !route.writer.is_empty(&plan.write.schema.table).await?);
        Ok(Some((stored, held_rows)))
    }

    /// Ends what workers that were lost may still have open in the target: once another has written
    /// the same rows, they must not be able to commit theirs.
    async fn expel(&self, claim: &Claim, route: &Route, stored: &StoredShards) -> Result<()> {
        if stored.left_behind.is_empty() {
            return Ok(());
        }
        let table = &route.plan.write.schema.table;
        tracing::info!(run = %claim.run_id, "a worker was lost: ending its transactions in {table}");
        route.writer.expel(&stored.left_behind).await?;
        self.ledger.settle_lost_holders(claim).await
    }
}

/// What a run that asks for a snapshot, and has rows of an earlier attempt in its target, tells.
const MIXED: &str = "rows of an earlier attempt, as of another moment, are in the target, and those that \
     were deleted at the source since stay there: this run is recorded as consistency \"shard\". \
     Mode mirror removes them";

/// As of which moments all that is in of the run was read: now, and once this attempt is through.
/// Never more than can be known.
fn levels(task: &TaskMeta, route: &Route, stored: &StoredShards) -> (Consistency, Consistency) {
    let plan = &route.plan;
    let has_earlier = stored.last.is_some() || stored.consistency == Some(Consistency::Shard);
    if plan.snapshot.is_none() {
        return (Consistency::Shard, Consistency::Shard);
    }
    if !has_earlier || plan.creates_target || plan.write.empties {
        return (Consistency::Snapshot, Consistency::Snapshot);
    }
    // Every row of the target is compared with this attempt's snapshot, and what that lacks is deleted.
    let is_replaced = route.sync.is_some()
        && task.mode == Mode::Mirror
        && task.params.diff_column == SourceAndTarget::default();
    let through = if is_replaced { Consistency::Snapshot } else { Consistency::Shard };
    (Consistency::Shard, through)
}
