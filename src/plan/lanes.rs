//! How many lanes copy a table, and how many rows a shard has at first.

use std::num::NonZeroU64;

use super::Planner;
use super::matched::Matched;
use crate::error::Result;
use crate::plugin::SnapshotWay;

/// Lanes of a task that names no `worker_num`.
const DEFAULT_LANES: usize = 4;
/// `read_batch` of a task that names none: the seed's own figure.
const DEFAULT_READ_BATCH: u64 = 5000;

/// Who reads and writes side by side.
pub(super) struct Lanes {
    /// Parallel lanes of this worker.
    pub lanes: usize,
    /// Parallel lanes of all workers that share the run.
    pub all_lanes: usize,
    /// How the lanes see one moment of the source, if the task asks for that.
    pub snapshot: Option<SnapshotWay>,
}

impl Planner<'_> {
    /// `keyless`: a target where rows are inserted without a key to tell them by.
    pub(super) async fn lanes(
        &self,
        matched: &Matched,
        keyless: bool,
        notes: &mut Vec<String>,
    ) -> Result<Lanes> {
        let mut all_lanes = self.all_lanes(matched.split.is_empty(), notes);
        let alone = self.writer.enough_lanes_alone().unwrap_or(all_lanes);
        let mut lanes = all_lanes.min(alone).min(self.max_lanes).max(1);
        let snapshot = self.snapshot(&matched.source.table, &mut lanes, keyless, notes).await?;
        if snapshot.is_some() {
            // No other process can share it.
            all_lanes = lanes;
        }
        Ok(Lanes { lanes, all_lanes, snapshot })
    }

    /// Under a limit of rows no shard has more than a second's worth: its transaction is short, and
    /// an engine that puts a shard's rows in with its last statement does so in small portions.
    pub(super) fn shard_rows(&self, notes: &mut Vec<String>) -> u64 {
        let params = &self.task.params;
        let wanted = params.read_batch.unwrap_or(DEFAULT_READ_BATCH);
        let limit = params.max_rows_per_second.map_or(u64::MAX, NonZeroU64::get);
        if wanted > limit && params.read_batch.is_some() {
            notes.push(format!("read_batch {wanted} is capped at max_rows_per_second {limit}"));
        }
        wanted.min(limit)
    }

    /// Lanes of all workers that share the run; one worker has at most `max_lanes` of them.
    fn all_lanes(&self, keyless: bool, notes: &mut Vec<String>) -> usize {
        let wanted = self.task.params.worker_num.unwrap_or(DEFAULT_LANES).max(1);
        if keyless {
            return 1;
        }
        if self.same_file {
            notes.push("source and target are one database file: one lane".to_owned());
            return 1;
        }
        if let Some(enough) = self.writer.enough_lanes()
            && wanted > enough
        {
            return enough;
        }
        if wanted > self.max_lanes {
            notes.push(format!(
                "worker_num {wanted} is capped at worker.max_lanes {} for one worker",
                self.max_lanes
            ));
        }
        wanted
    }
}
