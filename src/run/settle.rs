//! Every shard is in: what is left to do before the run may be said to have succeeded.

use super::lanes::Done;
use super::{Compared, KEY_PATIENCE, Route, Runner, bounded};
use crate::copy::Limits;
use crate::error::{Error, Result};
use crate::ledger::Claim;
use crate::plugin::step::StepName;
use crate::task::{Consistency, Mode, TaskMeta};

/// A run whose shards are all in.
pub(super) struct AllIn<'a> {
    pub claim: &'a Claim,
    pub task: &'a TaskMeta,
    pub route: &'a Route,
    pub limits: &'a Limits,
    /// Rows over all attempts.
    pub rows: u64,
}

/// What settling a run has found and done.
pub(super) struct Settled {
    /// Of a mode that compares both sides.
    pub compared: Option<Compared>,
    /// Rows that were left out.
    pub rejected: u64,
    /// What the operator should know.
    pub notes: Vec<String>,
}

impl Runner {
    pub(super) async fn settle(
        &self,
        all_in: &AllIn<'_>,
        (consistency, held_rows): (Consistency, bool),
        unnoted: &[Done],
    ) -> Result<Settled> {
        let AllIn { claim, task, route, rows, .. } = *all_in;
        let compared = self.settle_differences(all_in, unnoted).await?;
        route.reader.still_holds().await?;
        let notes = self.finish(route, rows, held_rows).await?;
        for note in &notes {
            // At once: whatever fails after this, the next attempt would not find it again.
            tracing::warn!(task = claim.task_id, run = %claim.run_id, "{note}");
        }
        let rejected = self.settle_rejects(claim, task, rows, unnoted).await?;
        self.prove(task, route).await?;
        if task.mode == Mode::Mirror && consistency == Consistency::Snapshot {
            // Not before: until now, rows of an earlier attempt may have been there.
            self.ledger.note_consistency(claim, consistency).await?;
        }
        Ok(Settled { compared, rejected, notes })
    }

    /// What comes last, once the rows are in and proven: the swap, if there is one, then the task's own
    /// statements. Returns what the ledger has still to hear of.
    pub(super) async fn close(&self, all_in: &AllIn<'_>, unnoted: Vec<Done>) -> Result<Vec<Done>> {
        let AllIn { claim, task, route, limits, .. } = *all_in;
        let unnoted = self.swap(claim, route, &limits.fence, unnoted).await?;
        let step = (StepName::PostSql, &limits.fence);
        let done = self.step(claim, task, route.writer.as_ref(), step).await;
        if done.is_err() {
            self.ledger.complete_shards(claim, &unnoted).await?;
        }
        done.map(|()| unnoted)
    }

    /// Counts, and finishes the target. Returns what the operator should know.
    async fn finish(&self, route: &Route, rows: u64, held_rows: bool) -> Result<Vec<String>> {
        let stall = self.settings.worker.stall;
        let counting = self.check_count(route, rows, held_rows);
        let note = bounded(stall, "counting the target's rows", counting).await?;
        let write = &route.plan.write;
        let indexes = write.schema.pending.as_ref().map_or(0, |pending| pending.indexes.len());
        let builds =
            u32::try_from(indexes).unwrap_or(u32::MAX).saturating_add(write.adds_key.into());
        let patience = stall.saturating_mul(builds.saturating_mul(KEY_PATIENCE).max(1));
        let notes = bounded(patience, "finishing the target", route.writer.finish(write)).await?;
        Ok(note.into_iter().chain(notes).collect())
    }

    /// Rows that share a key in the target overwrite each other in silence: where the source's
    /// keys don't rule that out, fewer rows in the target than were copied give it away. Rows that
    /// were there before can hide it: then a note says so.
    async fn check_count(
        &self,
        route: &Route,
        rows: u64,
        held_rows: bool,
    ) -> Result<Option<String>> {
        if !route.plan.count_rows {
            return Ok(None);
        }
        let write = &route.plan.write;
        let held = route.writer.count(&write.schema.table).await?;
        if held >= rows {
            let note = format!(
                "{} held rows before this run: counting can't rule out that some of the source's \
                 rows share a key there. Compare both sides with `goshift verify`",
                write.schema.table
            );
            return Ok(held_rows.then_some(note));
        }
        let key: Vec<_> = write
            .key
            .iter()
            .map(|&k| write.schema.columns[write.columns[k].target].name.as_str())
            .collect();
        Err(Error::permanent(format!(
            "{rows} rows were copied but {} holds {held}: some share the key ({}) in the target",
            write.schema.table,
            key.join(", ")
        ))
        .with_remedy(
            "give the target a key and a collation that tell the source's rows apart, then rerun",
        ))
    }
}
