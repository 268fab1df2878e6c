//! What the ledger has for this worker: runs that are due or stale, and large runs of others.

use std::sync::Arc;
use std::time::Duration;

use super::backlog::AHEAD;
use super::{Worker, pause};
use crate::error::Result;

/// How many times longer a submitted run may be overdue while the broker still has messages
/// waiting: its own is probably among them.
const BACKLOG_PATIENCE: u32 = 12;

impl Worker {
    /// Claims what is stale in the ledger. Returns whether nothing at all is left to do.
    pub(super) async fn sweep(&mut self) -> Result<bool> {
        if self.backlog.is_fresh() {
            self.claim_backlog().await;
            return Ok(false);
        }
        let messages = match &self.consumer {
            Some(consumer) => consumer.waiting().await,
            None => Some(0),
        };
        let stale_after = self.settings.worker.stale_after;
        let overdue = match (&self.consumer, messages) {
            (None, _) => Duration::ZERO,
            // Without the broker the ledger is all there is.
            (Some(_), None | Some(0)) => stale_after,
            (Some(_), Some(_)) => stale_after * BACKLOG_PATIENCE,
        };
        let wanted = self.slots.available_permits() + AHEAD;
        let due = self.desk.ledger.due(overdue, wanted, &self.desk.limits).await?;
        self.backlog.fill(due, wanted, self.poll());
        self.claim_backlog().await;
        self.join_runs().await?;
        let idle = self.slots.available_permits() == self.options.concurrency;
        Ok(idle
            && messages == Some(0)
            && self.desk.ledger.waiting(self.settings.worker.lease).await? == 0)
    }

    /// Claims runs for the free slots.
    async fn claim_backlog(&mut self) {
        while !self.backlog.is_empty() {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
            let Some((due, won)) = self.backlog.pop() else { return };
            self.pause_if_full().await;
            self.desk.start_due(due, slot, won);
        }
    }

    /// Slots that are still free help with large runs of other workers.
    async fn join_runs(&mut self) -> Result<()> {
        let free = self.slots.available_permits();
        if free == 0 {
            return Ok(());
        }
        for run in self.desk.ledger.with_room(&self.row.worker, free).await? {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { break };
            if let Some(part) = self.desk.participate(run.run_id).await? {
                self.pause_if_full().await;
                self.desk.start_part(part, slot);
            }
        }
        Ok(())
    }

    /// With the last slot taken, messages are for other workers.
    pub(super) async fn pause_if_full(&mut self) {
        if self.slots.available_permits() == 0 {
            pause(&mut self.consumer).await;
        }
    }
}
