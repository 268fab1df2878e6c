//! Letting go of dead runs: they stay `failed`, and are dead no more.

use uuid::Uuid;

use super::Ledger;
use super::inspect::DEAD;
use crate::error::Result;

/// Runs changed by one statement.
const BATCH: usize = 500;

impl Ledger {
    /// Takes runs from the dead ones. Returns how many of them were dead till now.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn purge_dead(&self, runs: &[Uuid]) -> Result<u64> {
        let mut purged = 0;
        for batch in runs.chunks(BATCH) {
            let marks = vec!["?"; batch.len()].join(", ");
            let mut query = self.query(&format!(
                "UPDATE goshift_run SET dead_letter = 3 WHERE {DEAD} AND run_id IN ({marks})"
            ));
            for run_id in batch {
                query = query.bind(run_id.to_string());
            }
            let done = self.answer("purging dead runs", query.execute(self.pool())).await?;
            purged += done.rows_affected();
        }
        Ok(purged)
    }
}
