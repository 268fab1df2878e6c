//! Which buckets of a range differ, and which of their rows.

use std::collections::HashMap;

use super::{Changed, Differences};
use crate::plugin::digest::{Digest, HashedRow};

/// Parts of a range that are summed up one by one, so that a few rows that differ don't make the
/// servers tell all their hashes: of a range of 50,000 rows, about 50 for each that differs.
pub(super) const BUCKETS: u32 = 1 << 10;
/// The most of them, for a table that can't be cut into ranges.
const MAX_BUCKETS: u32 = 1 << 16;
/// Rows for each of them in such a table.
const BUCKET_ROWS: u64 = 1_000;
/// Rows whose hashes are held in memory at once.
pub(super) const PORTION_ROWS: u64 = 200_000;

/// Buckets for a table of about so many rows that is looked at as a whole.
pub(super) fn buckets(rows: u64) -> u32 {
    let wanted = u32::try_from(rows / BUCKET_ROWS).unwrap_or(MAX_BUCKETS);
    wanted.min(MAX_BUCKETS).next_power_of_two().max(BUCKETS)
}

/// The buckets whose sums are not the same, with the larger side's rows.
pub(super) fn differing(source: &[Digest], target: &[Digest]) -> Vec<(u32, u64)> {
    let mut left: HashMap<u32, Digest> =
        source.iter().map(|digest| (digest.bucket, *digest)).collect();
    let mut chosen = Vec::new();
    for digest in target {
        let other = left.remove(&digest.bucket);
        if other != Some(*digest) {
            chosen.push((digest.bucket, digest.rows.max(other.map_or(0, |other| other.rows))));
        }
    }
    chosen.extend(left.into_values().map(|digest| (digest.bucket, digest.rows)));
    chosen.sort_unstable();
    chosen
}

/// Groups of buckets whose rows fit in memory.
pub(super) fn portions(buckets: Vec<(u32, u64)>) -> Vec<Vec<u32>> {
    let mut portions: Vec<Vec<u32>> = Vec::new();
    let mut held = 0;
    for (bucket, rows) in buckets {
        match portions.last_mut() {
            Some(portion) if held + rows <= PORTION_ROWS => portion.push(bucket),
            _ => {
                portions.push(vec![bucket]);
                held = 0;
            }
        }
        held += rows;
    }
    portions
}

pub(super) fn matched(source: Vec<HashedRow>, target: Vec<HashedRow>) -> Differences {
    let mut found = Differences::default();
    let mut left: HashMap<Vec<u8>, HashedRow> =
        target.into_iter().map(|row| (row.name.clone(), row)).collect();
    for row in source {
        match left.remove(&row.name) {
            None => found.missing.push(row),
            Some(other) if other.hash != row.hash => {
                found.changed.push(Changed { row, target_key: other.key });
            }
            Some(_) => {}
        }
    }
    found.extra = left.into_values().collect();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{Bound, BoundValue};

    fn row(name: &str, hash: u64) -> HashedRow {
        let key = Some(Bound(vec![BoundValue::Text(name.into())]));
        HashedRow { key, name: name.into(), hash }
    }

    #[test]
    fn rows_are_matched_by_name_and_hash() {
        let source = vec![row("a", 1), row("b", 2), row("c", 3)];
        let target = vec![row("b", 2), row("c", 4), row("d", 5)];
        let found = matched(source, target);
        assert_eq!(found.missing, [row("a", 1)]);
        let target_key = row("c", 4).key;
        assert_eq!(found.changed, [Changed { row: row("c", 3), target_key }]);
        assert_eq!(found.extra, [row("d", 5)]);
    }

    #[test]
    fn a_bucket_differs_by_its_rows_or_its_sum_or_by_being_there() {
        let digest = |bucket, rows, hash| Digest { bucket, rows, hash };
        let source = [digest(0, 1, 7), digest(1, 2, 7), digest(2, 1, 7), digest(3, 1, 1)];
        let target = [digest(0, 1, 7), digest(1, 1, 7), digest(2, 1, 8), digest(4, 1, 1)];
        assert_eq!(differing(&source, &target), [(1, 2), (2, 1), (3, 1), (4, 1)]);
    }

    #[test]
    fn a_portion_holds_what_fits_in_memory() {
        let large = PORTION_ROWS - 1;
        let portions = portions(vec![(0, large), (1, 1), (2, 1), (3, 2 * large), (4, 1)]);
        assert_eq!(portions, [vec![0, 1], vec![2], vec![3], vec![4]]);
    }
}
