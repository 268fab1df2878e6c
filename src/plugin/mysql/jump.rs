//! Cuts a whole-number key by the index's own estimates, without walking over the rows: of a large
//! table, a walk reads every page once more than the copy does.
//!
//! Any number is a valid bound, and a shard need not have exactly as many rows as it should. Where
//! the estimates don't fit together, the caller walks.

use std::sync::{Mutex, PoisonError};

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::connect::Database;
use super::sql;
use crate::plugin::{Bound, BoundValue, ReadPlan};
use crate::schema::LogicalType;

/// Estimates asked for before the caller has to walk.
const TRIES: usize = 6;
/// How far a guess may be moved at once.
const FACTOR: f64 = 8.0;

/// What earlier cuts of a run have shown.
#[derive(Debug, Default)]
pub(super) struct Jumps(Mutex<Option<Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The table's largest key when the run began.
    top: i128,
    /// Numbers from a row's key to the next one's.
    step: f64,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub(super) enum Jump {
    /// The shard ends with this key.
    To(Bound),
    /// What is left is one shard.
    Rest,
    /// The estimates don't help.
    Walk,
}

/// Whether the shard is large enough, and its key of a kind, to be worth estimates.
pub(super) fn is_worth_it(plan: &ReadPlan, rows: u64) -> bool {
    let mut columns = plan.split_columns();
    let is_whole =
        |logical: &LogicalType| matches!(logical, LogicalType::Int(_) | LogicalType::UInt(_));
    rows >= plan.shard_rows.saturating_mul(2)
        && plan.filter.is_none()
        && plan.split.len() == 1
        && columns.next().is_some_and(|column| is_whole(&column.logical) && !column.nullable)
        && plan.schema.estimated_rows.is_some_and(|all| all >= rows.saturating_mul(4))
}

impl Jumps {
    /// The end of a shard of about so many rows behind `after`.
    ///
    /// # Errors
    /// The driver's; the caller walks then too.
    pub(super) async fn next(
        &self,
        db: &Database,
        plan: &ReadPlan,
        after: i128,
        rows: u64,
    ) -> Result<Jump, Box<dyn std::error::Error + Send + Sync>> {
        let mut lease = db.lease().await?;
        let table = sql::table(&plan.schema.table);
        let key = plan.split_columns().next().map(|c| sql::name(&c.name)).unwrap_or_default();
        let held = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = match held {
            Some(known) => known,
            None => {
                let query = format!("SELECT MAX({key}) FROM {table}");
                let row = (&mut *lease).fetch_one(sqlx::raw_sql(AssertSqlSafe(query))).await?;
                let Some(top) = number(&row, 0)? else { return Ok(Jump::Rest) };
                let all = plan.schema.estimated_rows.unwrap_or(1).max(1);
                Known { top, step: ((top - after).max(1) as f64 / all as f64).max(1.0) }
            }
        };
        let mut search = Search::new(after, known.top, rows, known.step);
        let jump = loop {
            let Some(guess) = search.guess() else { break Jump::Walk };
            let query = format!(
                "EXPLAIN SELECT {key} FROM {table} WHERE {key} > {after} AND {key} <= {guess}"
            );
            let row = (&mut *lease).fetch_one(sqlx::raw_sql(AssertSqlSafe(query))).await?;
            let estimate = row.try_get_unchecked::<Option<String>, _>("rows")?;
            let estimate = estimate.map_or(Ok(0), |text| text.parse::<u64>())?;
            if let Some(jump) = search.judge(estimate) {
                break jump;
            }
        };
        lease.keep();
        if let Jump::To(_) = jump {
            known.step = search.step();
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(jump)
    }
}

fn number(
    row: &MySqlRow,
    column: usize,
) -> Result<Option<i128>, Box<dyn std::error::Error + Send + Sync>> {
    let text = row.try_get_unchecked::<Option<String>, _>(column)?;
    Ok(text.map(|text| text.parse()).transpose()?)
}

/// The search for a key with about so many rows up to it.
#[derive(Debug)]
struct Search {
    after: i128,
    top: i128,
    wanted: f64,
    span: f64,
    tries: usize,
    /// Span and estimate of the last guess.
    last: Option<(f64, f64)>,
}

impl Search {
    fn new(after: i128, top: i128, rows: u64, step: f64) -> Self {
        let wanted = rows as f64;
        Self { after, top, wanted, span: (wanted * step).max(1.0), tries: 0, last: None }
    }

    /// The key to ask about, no further than the last one.
    fn guess(&self) -> Option<i128> {
        let guess = self.after.checked_add(self.span as i128)?;
        (self.tries < TRIES && self.after < self.top).then_some(guess.min(self.top))
    }

    /// What an estimate of the rows up to the guess means; `None` to ask again.
    fn judge(&mut self, estimate: u64) -> Option<Jump> {
        let (guess, estimate) = (self.guess()?, estimate as f64);
        let is_top = guess == self.top;
        if is_top && estimate <= 1.5 * self.wanted {
            return Some(Jump::Rest);
        }
        if (0.5 * self.wanted..=1.5 * self.wanted).contains(&estimate) {
            self.last = Some(((guess - self.after) as f64, estimate));
            return Some(Jump::To(Bound(vec![BoundValue::Number(guess.to_string())])));
        }
        let span = (guess - self.after) as f64;
        // Twice the numbers and not a row more: a gap, or an estimate that has come to its limit.
        let is_stuck = self.last.is_some_and(|(before, rows)| span > before && estimate <= rows);
        self.last = Some((span, estimate));
        self.tries += 1;
        if is_stuck || self.tries >= TRIES {
            return Some(Jump::Walk);
        }
        let factor = (self.wanted / estimate.max(1.0)).clamp(1.0 / FACTOR, FACTOR);
        self.span = (span * factor).max(1.0);
        None
    }

    fn step(&self) -> f64 {
        self.last.map_or(1.0, |(span, rows)| (span / rows.max(1.0)).max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches among keys as an exact index would answer.
    fn search(keys: &[i128], after: i128, rows: u64, step: f64) -> Jump {
        let mut search = Search::new(after, *keys.last().unwrap(), rows, step);
        loop {
            let Some(guess) = search.guess() else { return Jump::Walk };
            let estimate = keys.iter().filter(|&&key| key > after && key <= guess).count();
            if let Some(jump) = search.judge(estimate as u64) {
                return jump;
            }
        }
    }

    fn to(key: i128) -> Jump {
        Jump::To(Bound(vec![BoundValue::Number(key.to_string())]))
    }

    #[test]
    fn dense_and_sparse_keys_are_jumped_over() {
        let dense: Vec<i128> = (1..=10_000).collect();
        assert_eq!(search(&dense, 0, 1000, 1.0), to(1000));
        let sparse: Vec<i128> = (1..=10_000).map(|key| key * 50).collect();
        assert_eq!(search(&sparse, 0, 1000, 50.0), to(50_000));
        let Jump::To(Bound(found)) = search(&sparse, 0, 1000, 1.0) else { panic!("no jump") };
        let [BoundValue::Number(found)] = &found[..] else { panic!("no number") };
        assert!((25_000..=75_000).contains(&found.parse::<i128>().unwrap()), "{found}");
    }

    #[test]
    fn what_is_left_is_one_shard() {
        let keys: Vec<i128> = (1..=1200).collect();
        assert_eq!(search(&keys, 0, 1000, 2.0), Jump::Rest);
        assert_eq!(search(&keys, 1200, 1000, 1.0), Jump::Walk, "nothing is known to be left");
    }

    #[test]
    fn a_gap_is_left_to_the_walk() {
        let mut keys: Vec<i128> = (1..=10).collect();
        keys.extend((1_i128 << 62)..(1_i128 << 62) + 5000);
        assert_eq!(search(&keys, 0, 1000, 1.0), Jump::Walk);
    }
}
