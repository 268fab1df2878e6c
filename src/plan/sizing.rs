//! How many rows a shard gets: `read_batch` of them, or several times that where it saves
//! transactions and leaves enough shards for every lane.

use std::time::Duration;

/// Bytes of a shard that is worth a transaction: more of them save little more. InnoDB visits every
/// row again once its transaction has committed, beside those that are still being copied.
const WORTHWHILE: u64 = 16 * 1024 * 1024;
/// Bytes that a shard should not exceed, even if `read_batch` says so: it is one transaction, and
/// what is lost when its worker dies.
const LARGEST: u64 = 64 * 1024 * 1024;
/// How long a lane should have to do with a shard.
const LONG: Duration = Duration::from_secs(1);
/// Shards that each lane should find among what is left, so that all lanes end together.
const SHARE: u64 = 2;

/// Sizes the shards of a run.
#[derive(Debug, Clone, Copy)]
pub struct Sizing {
    /// `read_batch`.
    pub batch: u64,
    /// Lanes of all workers together.
    pub lanes: u64,
    /// Lanes of this worker.
    pub own_lanes: u64,
    /// About so many rows are in the table, if the engine knows.
    pub estimate: Option<u64>,
    /// Whether the run has a limit of rows or bytes a second: then shards stay as short as they are.
    pub is_paced: bool,
}

/// What is in so far.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The time it took.
    pub elapsed: Duration,
}

impl Sizing {
    /// Rows for the next shard, when so many rows have been cut.
    pub fn rows(&self, cut: u64, seen: Seen) -> u64 {
        let batch = self.batch.max(1);
        if self.is_paced || seen.rows == 0 {
            return batch;
        }
        let width = seen.bytes.div_ceil(seen.rows).max(1);
        let pace = seen.rows as f64 / self.own_lanes.max(1) as f64 / seen.elapsed.as_secs_f64();
        let timely = (pace * LONG.as_secs_f64()) as u64;
        // A table of unknown size is taken to have as much again.
        let left = self.estimate.map_or(cut, |estimate| estimate.saturating_sub(cut));
        let fair = left / (self.lanes.max(1) * SHARE);
        let batches = (WORTHWHILE / width).min(fair).min(timely) / batch;
        (batch * batches.max(1)).min(LARGEST / width).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizing(estimate: Option<u64>) -> Sizing {
        Sizing { batch: 5000, lanes: 20, own_lanes: 4, estimate, is_paced: false }
    }

    fn seen(rows: u64, bytes: u64) -> Seen {
        Seen { rows, bytes, elapsed: Duration::from_millis(1) }
    }

    #[test]
    fn shards_grow_once_the_rows_are_known_and_shrink_at_the_end() {
        let table = sizing(Some(1_500_000));
        assert_eq!(table.rows(0, seen(0, 0)), 5000, "the first rows flow at once");
        assert_eq!(table.rows(100_000, seen(5000, 500_000)), 35_000);
        assert_eq!(table.rows(900_000, seen(500_000, 50_000_000)), 15_000);
        assert_eq!(table.rows(1_450_000, seen(900_000, 90_000_000)), 5000);
        assert_eq!(table.rows(9_000_000, seen(900_000, 90_000_000)), 5000, "a wrong estimate");
        assert_eq!(sizing(None).rows(600_000, seen(500_000, 50_000_000)), 15_000);
    }

    #[test]
    fn a_slow_target_gets_short_shards() {
        let table = Sizing { batch: 100, ..sizing(Some(1_000_000)) };
        let slow = Seen { rows: 4000, bytes: 400_000, elapsed: Duration::from_secs(1) };
        assert_eq!(table.rows(10_000, slow), 1000, "1000 rows a second and lane");
        assert_eq!(table.rows(10_000, Seen { elapsed: Duration::ZERO, ..slow }), 24_700);
    }

    #[test]
    fn wide_rows_make_small_shards() {
        let table = sizing(Some(1_000_000));
        assert_eq!(table.rows(100_000, seen(100, 100 * 1024 * 1024)), 64);
        assert_eq!(table.rows(100_000, seen(1, 1 << 40)), 1);
    }

    #[test]
    fn a_paced_run_keeps_its_batches() {
        let paced = Sizing { is_paced: true, ..sizing(Some(1_000_000_000)) };
        assert_eq!(paced.rows(100_000, seen(5000, 50_000)), 5000);
    }
}
