//! Rows that the target refuses: how many a run may leave out, and trying them again.

use std::sync::Arc;

use super::lanes::Done;
use super::{Route, Runner};
use crate::error::{Error, Result};
use crate::ledger::{Claim, StoredShards};
use crate::plugin::KeyRange;
use crate::salvage::Salvage;
use crate::task::TaskMeta;

/// Rejected rows that one shard tries again.
const ROWS: usize = 500;

impl Runner {
    /// What counts the rows that are left out, if any may be.
    pub(super) async fn salvage(
        &self,
        claim: &Claim,
        task: &TaskMeta,
        route: &Route,
    ) -> Result<Option<Arc<Salvage>>> {
        let max = task.params.max_errors;
        if max.is_none() {
            return Ok(None);
        }
        let rejected = self.patiently(claim, || self.ledger.rejected_count(claim.run_id)).await?;
        Ok(Salvage::new(max, route.plan.read.schema.estimated_rows, rejected))
    }

    /// The shards of a run that tries another run's rejected rows again, and nothing else.
    pub(super) async fn only_rejected(
        &self,
        task: &TaskMeta,
        route: &Route,
        stored: &mut StoredShards,
    ) -> Result<()> {
        let Some(run_id) = task.params.replay.filter(|_| !stored.split_done) else { return Ok(()) };
        let rows = self.ledger.rejected(Some(run_id), Some(task.id), false, i64::MAX).await?;
        let names = route.plan.read.schema.names(&route.plan.read.split);
        if let Some(other) = rows.iter().find(|row| row.key_columns != names) {
            return Err(Error::config(format!(
                "the rejected rows of run {run_id} are known by ({}), and the task splits by ({names})",
                other.key_columns
            ))
            .with_remedy("run the whole task again"));
        }
        let keys: Vec<_> = rows.into_iter().map(|row| row.key).collect();
        stored.only = Some(keys.chunks(ROWS).map(|keys| KeyRange::Keys(keys.to_vec())).collect());
        Ok(())
    }

    /// Looks once more at the bound, now that all rows are in, and returns how many were left out.
    pub(super) async fn settle_rejects(
        &self,
        claim: &Claim,
        task: &TaskMeta,
        rows: u64,
        unnoted: &[Done],
    ) -> Result<u64> {
        let max = task.params.max_errors;
        let mut rejected = 0;
        if !max.is_none() {
            let noted = self.patiently(claim, || self.ledger.rejected_count(claim.run_id)).await?;
            let last: usize = unnoted.iter().map(|(_, receipt)| receipt.rejected.len()).sum();
            rejected = noted + last as u64;
        }
        if !max.allows(rejected, rows + rejected) {
            return Err(Error::permanent(format!(
                "{rejected} rows were refused, more than max_errors allows ({max}); the other \
                 {rows} are in"
            ))
            .with_remedy(format!("see them with `goshift rejected list {}`", claim.run_id)));
        }
        if let Some(earlier) = task.params.replay {
            self.patiently(claim, || self.ledger.note_replay(earlier, claim.run_id)).await?;
        }
        Ok(rejected)
    }
}
