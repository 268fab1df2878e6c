//! The end of a run that has loaded its rows beside the target: one table takes the other's place.

use super::lanes::Done;
use super::{Route, Runner, Summary, bounded};
use crate::error::{Error, Kind, Result};
use crate::fence::Fence;
use crate::ledger::Claim;
use crate::plan;
use crate::plugin::step::StepName;
use crate::task::{TaskMeta, WriteWish};

impl Route {
    /// An error of a run that swaps, with the name of the table that it leaves if it is given up.
    pub(super) fn named_beside(&self, error: Error) -> Error {
        let write = &self.plan.write;
        match &write.swap {
            Some(target) if !matches!(error.kind(), Kind::LeaseLost | Kind::Internal) => {
                error.context(format!(
                    "{} (rows are loaded there; DROP TABLE it unless the run is tried again, {target} \
                     is not touched)",
                    write.schema.table
                ))
            }
            _ => error,
        }
    }
}

impl Runner {
    /// What a run did whose tables an earlier attempt has swapped: nothing is left but the task's
    /// statements and its end. `None`
    /// if they are still to be swapped.
    pub(super) async fn swapped(
        &self,
        claim: &Claim,
        task: &TaskMeta,
        fence: &Fence,
    ) -> Result<Option<Summary>> {
        let params = &task.params;
        let swaps = params.write_mode == Some(WriteWish::Swap) && params.replay.is_none();
        if !swaps || claim.epoch == 1 {
            return Ok(None);
        }
        let (_, writer) = self.ends(task).await?;
        let stall = self.settings.worker.stall;
        let looking = async {
            match plan::find_table(writer.as_ref(), &task.to.table).await? {
                Some(target) => writer.settle_swap(&target.table, claim.run_id).await,
                None => Ok(false),
            }
        };
        if !bounded(stall, "looking for the tables that are swapped", looking).await? {
            return Ok(None);
        }
        tracing::info!(run = %claim.run_id, "{} was replaced by an earlier attempt", task.to.table);
        self.step(claim, task, writer.as_ref(), (StepName::PostSql, fence)).await?;
        let stored = self.ledger.stored_shards(claim).await?;
        Ok(Some(Summary {
            rows: stored.rows_done,
            shards: stored.shards_done,
            rejected: self.ledger.rejected_count(claim.run_id).await?,
            consistency: stored.consistency.unwrap_or_default(),
            ..Summary::default()
        }))
    }

    /// Puts the table with the rows in the target's place. The ledger has to know before that every
    /// shard is in: afterwards none can be written again. Returns what it has still to hear of.
    pub(super) async fn swap(
        &self,
        claim: &Claim,
        route: &Route,
        fence: &Fence,
        unnoted: Vec<Done>,
    ) -> Result<Vec<Done>> {
        let write = &route.plan.write;
        let Some(target) = &write.swap else { return Ok(unnoted) };
        self.ledger.complete_shards(claim, &unnoted).await?;
        let stall = self.settings.worker.stall;
        let swapping = async {
            let now = route.writer.describe(target).await?;
            if now.is_none_or(|now| now.columns != write.schema.columns) {
                return Err(Error::permanent(format!(
                    "the columns of {target} were changed while the run loaded its rows into {}: it is \
                     left as it is",
                    write.schema.table
                ))
                .with_remedy(format!("drop {}, and submit the task again", write.schema.table)));
            }
            route.writer.swap(write, target, fence).await
        };
        bounded(stall, "swapping the tables", swapping).await?;
        tracing::info!(run = %claim.run_id, "{target} was replaced");
        Ok(Vec::new())
    }
}
