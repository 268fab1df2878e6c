//! Finds out which rows of a key range differ between both sides of a task.
//!
//! Where both servers can hash their rows alike, they are asked for sums first: of equal rows nothing
//! else moves. Only where sums differ are those of the range's parts asked for, and the rows' keys and
//! hashes, of the parts that differ. Elsewhere both sides are streamed and hashed here.

use crate::batch::WireFormat;
use crate::error::Result;
use crate::plugin::digest::{Buckets, HashedRow, Ordering};
use crate::plugin::{Bound, BoundValue, KeyRange, ReadPlan};
use crate::schema::{Column, LogicalType};
use matching::{BUCKETS, PORTION_ROWS, buckets, differing, matched, portions};
use odds::Odds;
use side::{Side, Streaming};

mod columns;
mod form;
mod matching;
mod multiset;
mod odds;
mod prepare;
mod side;
mod sum;
pub mod sync;
pub mod whole;

pub use prepare::{Comparing, tells_rows_apart};
pub use side::Part;
pub use sum::Sum;

/// Rows of a range, at most. Those of a range that differs are held in memory by their hashes.
pub const RANGE_ROWS: u64 = 50_000;

/// What a first look at a range says.
#[derive(Debug, Default)]
pub struct Look {
    /// The source's rows, as far as its server has summed them up.
    pub source: Sum,
    /// The target's.
    pub target: Sum,
    /// The target has no row of the range, and the source has some.
    pub all_missing: bool,
    /// Where rows may differ; to be looked at one after the other with
    /// [`Comparison::differences`].
    pub portions: Vec<Portion>,
}

impl Look {
    /// Whether the sums of a range's parts would say nothing that matters.
    fn needs_no_parts(&self) -> bool {
        let is_read_here = matches!(self.portions[..], [Portion::Streamed(_), ..]);
        let is_one_portion = self.all_missing && self.source.rows <= PORTION_ROWS;
        self.portions.is_empty() || is_one_portion || is_read_here
    }
}

/// Some rows of a range whose hashes fit in memory.
#[derive(Debug)]
pub enum Portion {
    /// The servers know which buckets differ.
    Hashed(Buckets),
    /// Both sides are read. The servers have not summed them up.
    Streamed(Part),
}

/// What is different in a portion of a range.
#[derive(Debug, Default)]
pub struct Differences {
    /// The rows read here from the source; none of a portion that the servers have hashed.
    pub source: Sum,
    /// The rows read here from the target.
    pub target: Sum,
    /// Only the source has these.
    pub missing: Vec<HashedRow>,
    /// Both have these, with other values.
    pub changed: Vec<Changed>,
    /// Only the target has these.
    pub extra: Vec<HashedRow>,
}

impl Differences {
    /// The changed rows, as the source finds them.
    pub fn changed(&self) -> impl Iterator<Item = &HashedRow> {
        self.changed.iter().map(|changed| &changed.row)
    }
}

/// A row with other values in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// In the source.
    pub row: HashedRow,
    /// What finds it in the target.
    pub target_key: Option<Bound>,
}

/// Both sides of a task, ready to be compared range by range.
pub struct Comparison {
    source: Side,
    target: Side,
    streaming: Streaming,
    by_server: bool,
    is_ordered: bool,
    orderings: Vec<Ordering>,
    odds: Odds,
}

impl Comparison {
    /// How both sides are compared, in words for people.
    pub fn how(&self) -> &'static str {
        match (self.by_server, self.is_ordered) {
            (true, true) => "range by range, by hashes that both servers compute",
            (true, false) => {
                "as a whole, by hashes that both servers compute: they order the key differently"
            }
            (false, true) => "range by range, both sides read and hashed here",
            (false, false) => {
                "both sides read and hashed here, several times if large: they order the key \
                 differently"
            }
        }
    }

    /// A plan whose split key cuts both sides alike; without one if nothing does, and everything is
    /// one range.
    pub fn cutting(&self) -> &ReadPlan {
        &self.source.plan.read
    }

    /// A plan that reads rows of the source by their keys ([`KeyRange::Keys`]).
    pub fn by_key(&self, format: WireFormat) -> ReadPlan {
        self.source.by_key(format)
    }

    /// Looks for what may differ in a range that was cut at the source.
    ///
    /// # Errors
    /// The readers'.
    pub async fn look(&self, range: &KeyRange) -> Result<Look> {
        if !self.by_server {
            return Ok(self.look_here());
        }
        if !self.is_ordered {
            return self.sums(range, buckets(self.rows())).await;
        }
        if self.odds.favour_equal() {
            let look = self.sums(range, 1).await?;
            if look.needs_no_parts() {
                self.odds.note(false);
                return Ok(look);
            }
        }
        let look = self.sums(range, BUCKETS).await?;
        self.odds.note(!look.needs_no_parts());
        Ok(look)
    }

    /// A look at a range by the sums of so many buckets.
    async fn sums(&self, range: &KeyRange, count: u32) -> Result<Look> {
        let other = self.carried(range);
        let digests = tokio::try_join!(
            self.source.reader.digest(&self.source.plan, range, count),
            self.target.reader.digest(&self.target.plan, &other, count)
        )?;
        let (Some(source), Some(target)) = digests else { return Ok(self.look_here()) };
        let mut look = Look {
            source: Sum::of_digests(&source),
            target: Sum::of_digests(&target),
            ..Look::default()
        };
        look.all_missing = look.source.rows > 0 && look.target.rows == 0;
        let portions = portions(differing(&source, &target));
        let hashed = portions.into_iter().map(|chosen| Portion::Hashed(Buckets { count, chosen }));
        look.portions = hashed.collect();
        Ok(look)
    }

    /// What is different in a portion of a range.
    ///
    /// # Errors
    /// The readers'.
    pub async fn differences(&self, range: &KeyRange, portion: &Portion) -> Result<Differences> {
        let other = self.carried(range);
        match portion {
            Portion::Hashed(buckets) => {
                let (source, target) = tokio::try_join!(
                    self.source.reader.hashes(&self.source.plan, range, buckets),
                    self.target.reader.hashes(&self.target.plan, &other, buckets)
                )?;
                Ok(matched(source, target))
            }
            Portion::Streamed(part) => {
                let (source, target) = tokio::try_join!(
                    self.source.streamed(range, &self.streaming, *part),
                    self.target.streamed(&other, &self.streaming, *part)
                )?;
                let sums = (Sum::of_rows(&source), Sum::of_rows(&target));
                let found = matched(source, target);
                Ok(Differences { source: sums.0, target: sums.1, ..found })
            }
        }
    }

    /// Everything is to be read.
    fn look_here(&self) -> Look {
        let of = if self.is_ordered { 1 } else { self.rows().div_ceil(PORTION_ROWS).max(1) };
        let portions = (0..of).map(|number| Portion::Streamed(Part { number, of }));
        Look { portions: portions.collect(), ..Look::default() }
    }

    /// The larger side's rows, about.
    fn rows(&self) -> u64 {
        let estimate = |side: &Side| side.plan.schema().estimated_rows.unwrap_or(0);
        estimate(&self.source).max(estimate(&self.target))
    }

    /// The range as the target's reader takes it.
    fn carried(&self, range: &KeyRange) -> KeyRange {
        let carry = |bound: &Bound| {
            let columns = self.source.plan.read.split_columns();
            let values = bound.0.iter().zip(&self.orderings).zip(columns);
            Bound(
                values
                    .map(|((value, ordering), column)| carried(value, ordering, column))
                    .collect(),
            )
        };
        match range {
            KeyRange::Between { after, to } => {
                KeyRange::Between { after: after.as_ref().map(carry), to: to.as_ref().map(carry) }
            }
            other => other.clone(),
        }
    }
}

/// A bound's value in a column of the same order.
fn carried(value: &BoundValue, ordering: &Ordering, column: &Column) -> BoundValue {
    let is_bytes = matches!(column.logical, LogicalType::Bytes(_));
    match (ordering, value) {
        (Ordering::Number, BoundValue::Text(text)) => BoundValue::Number(text.clone()),
        (Ordering::Bytes, BoundValue::Text(text)) if is_bytes => {
            BoundValue::Hex(text.trim_start_matches("\\x").to_owned())
        }
        _ => value.clone(),
    }
}
