//! A shard with rows that the target refuses: it is cut into halves until those rows stand alone. The
//! others go in; these are remembered with their keys, as many of them as the task allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::copy::{Limits, Way, attempt};
use crate::error::{Error, Result};
use crate::plugin::{Bound, KeyRange, Receipt, Rejection};
use crate::task::MaxErrors;

/// The run's count of rows that were left out, with its bound.
#[derive(Debug)]
pub struct Salvage {
    max: MaxErrors,
    /// About so many rows has the source, for a bound that is a share of them.
    rows: u64,
    rejected: AtomicU64,
}

impl Salvage {
    /// For a run of which earlier attempts have left out so many rows; `None` when no row may be.
    pub fn new(max: MaxErrors, rows: Option<u64>, rejected: u64) -> Option<Arc<Self>> {
        let rejected = AtomicU64::new(rejected);
        (!max.is_none()).then(|| Arc::new(Self { max, rows: rows.unwrap_or(0), rejected }))
    }

    /// Counts one more row.
    fn add(&self, error: &Error) -> Result<()> {
        let rejected = self.rejected.fetch_add(1, Ordering::Relaxed) + 1;
        // Without an estimate the share is looked at when all rows are in, as it is once more with one.
        let unknown = self.rows == 0 && matches!(self.max, MaxErrors::Percent(_));
        if unknown || self.max.allows(rejected, self.rows) {
            return Ok(());
        }
        let remedy = error.remedy().unwrap_or("correct the rows, or raise max_errors").to_owned();
        Err(Error::permanent(format!(
            "more rows are refused than max_errors allows ({}), the last one: {error}",
            self.max
        ))
        .with_remedy(remedy))
    }
}

/// A part of the shard's keys, by their places.
type Part = (usize, usize);

/// Copies what can be copied of a shard whose copying has failed with `error`.
///
/// # Errors
/// `error` when its row can't be singled out; what else fails; kind `Permanent` when there are more
/// such rows than may be.
pub(crate) async fn shard(
    way: Way<'_>,
    (number, range): (u64, &KeyRange),
    limits: &Limits,
    salvage: &Salvage,
    error: Error,
) -> Result<Receipt> {
    let keys = match range {
        KeyRange::Keys(keys) => keys.clone(),
        KeyRange::Between { .. } => way.reader.keys(way.read, range).await?,
        KeyRange::All | KeyRange::Nulls => return Err(error),
    };
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(error.with_remedy(
            "rows share a split key, so that this one can't be left out alone: split by a unique key",
        ));
    }
    tracing::debug!(shard = number, keys = keys.len(), %error, "looking for the rows that are refused");
    let mut receipt = Receipt::default();
    let mut parts: Vec<Part> = halves((0, keys.len()));
    while let Some(part) = parts.pop() {
        let within = part_of(range, &keys, part);
        let stay = limits.room.enter(0).await;
        match attempt(way, (number, &within), limits, stay).await {
            Ok(copied) => receipt.add(copied),
            Err(error) if !error.is_about_a_row() => return Err(error),
            Err(error) if part.1 - part.0 > 1 => {
                drop(error);
                parts.extend(halves(part));
            }
            Err(error) => {
                salvage.add(&error)?;
                receipt.rejected.push(Rejection {
                    key: keys[part.0].clone(),
                    columns: way.read.schema.names(&way.read.split),
                    message: error.to_string(),
                });
            }
        }
    }
    Ok(receipt)
}

/// The first half last: it is taken first.
fn halves((from, to): Part) -> Vec<Part> {
    let middle = from + (to - from) / 2;
    [(middle, to), (from, middle)].into_iter().filter(|(from, to)| from < to).collect()
}

/// Every row of the shard is in one of the parts, also one that came in between since.
fn part_of(range: &KeyRange, keys: &[Bound], (from, to): Part) -> KeyRange {
    let KeyRange::Between { after: first, to: last } = range else {
        return KeyRange::Keys(keys[from..to].to_vec());
    };
    KeyRange::Between {
        after: if from == 0 { first.clone() } else { Some(keys[from - 1].clone()) },
        to: if to == keys.len() { last.clone() } else { Some(keys[to - 1].clone()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::BoundValue;

    fn key(number: usize) -> Bound {
        Bound(vec![BoundValue::Number(number.to_string())])
    }

    #[test]
    fn parts_leave_nothing_out() {
        let keys: Vec<_> = (1..=5).map(key).collect();
        let range = KeyRange::Between { after: Some(key(0)), to: None };
        let mut parts = halves((0, 5));
        parts.reverse();
        assert_eq!(parts, [(0, 2), (2, 5)]);
        assert_eq!(
            part_of(&range, &keys, (0, 2)),
            KeyRange::Between { after: Some(key(0)), to: Some(key(2)) }
        );
        assert_eq!(
            part_of(&range, &keys, (2, 5)),
            KeyRange::Between { after: Some(key(2)), to: None }
        );
        let some = KeyRange::Keys(keys.clone());
        assert_eq!(part_of(&some, &keys, (4, 5)), KeyRange::Keys(vec![key(5)]));
        assert_eq!(halves((3, 4)), [(3, 4)]);
    }

    #[test]
    fn one_row_more_than_allowed_fails() {
        let refused = Error::permanent("too long").about_a_row();
        let rows = Salvage::new(MaxErrors::Rows(2), None, 1).unwrap();
        assert!(rows.add(&refused).is_ok());
        let error = rows.add(&refused).unwrap_err();
        assert!(error.to_string().contains("(2 rows), the last one: too long"), "{error}");
        let share = Salvage::new(MaxErrors::Percent(1.0), Some(150), 0).unwrap();
        assert!(share.add(&refused).is_ok() && share.add(&refused).is_err());
        assert!(Salvage::new(MaxErrors::Rows(0), None, 0).is_none());
    }
}
