//! How many rows a shard gets: `read_batch` of them, or several times that where it saves
//! transactions and leaves enough shards for every lane.

/// Bytes of a shard that is worth a transaction: more of them save nothing more.
const WORTHWHILE: u64 = 4 * 1024 * 1024;
/// Bytes that a shard should not exceed, even if `read_batch` says so: it is one transaction, and
/// what is lost when its worker dies.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Shards that each lane should find among what is left, so that all lanes end together.
const SHARE: u64 = 3;

/// Sizes the shards of a run.
#[derive(Debug, Clone, Copy)]
pub struct Sizing {
    /// `read_batch`.
    pub batch: u64,
    /// Lanes of all workers together.
    pub lanes: u64,
    /// About so many rows are in the table, if the engine knows.
    pub estimate: Option<u64>,
    /// Whether the run has a limit of rows or bytes a second: then shards stay as short as they are.
    pub is_paced: bool,
}

impl Sizing {
    /// Rows for the next shard, when so many rows have been cut, and so many rows of so many bytes
    /// are in.
    pub fn rows(&self, cut: u64, (rows, bytes): (u64, u64)) -> u64 {
        let batch = self.batch.max(1);
        if self.is_paced || rows == 0 {
            return batch;
        }
        let width = bytes.div_ceil(rows).max(1);
        // A table of unknown size is taken to have as much again.
        let left = self.estimate.map_or(cut, |estimate| estimate.saturating_sub(cut));
        let fair = left / (self.lanes.max(1) * SHARE);
        let batches = (WORTHWHILE / width).min(fair) / batch;
        (batch * batches.max(1)).min(LARGEST / width).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizing(estimate: Option<u64>) -> Sizing {
        Sizing { batch: 5000, lanes: 20, estimate, is_paced: false }
    }

    #[test]
    fn shards_grow_once_the_rows_are_known_and_shrink_at_the_end() {
        let table = sizing(Some(1_500_000));
        assert_eq!(table.rows(0, (0, 0)), 5000, "the first rows flow at once");
        assert_eq!(table.rows(100_000, (5000, 500_000)), 20_000);
        assert_eq!(table.rows(900_000, (500_000, 50_000_000)), 10_000);
        assert_eq!(table.rows(1_450_000, (900_000, 90_000_000)), 5000);
        assert_eq!(table.rows(9_000_000, (900_000, 90_000_000)), 5000, "a wrong estimate");
        assert_eq!(sizing(None).rows(600_000, (500_000, 50_000_000)), 10_000);
    }

    #[test]
    fn wide_rows_make_small_shards() {
        let table = sizing(Some(1_000_000));
        assert_eq!(table.rows(100_000, (100, 100 * 1024 * 1024)), 64);
        assert_eq!(table.rows(100_000, (1, 1 << 40)), 1);
    }

    #[test]
    fn a_paced_run_keeps_its_batches() {
        let paced = Sizing { is_paced: true, ..sizing(Some(1_000_000_000)) };
        assert_eq!(paced.rows(100_000, (5000, 50_000)), 5000);
    }
}
