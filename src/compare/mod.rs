//! Finds out which rows of a key range differ between both sides of a task.
//!
//! Where both servers can hash their rows alike, they are asked for sums first: of equal rows nothing
//! else moves. Only where sums differ are the rows' keys and hashes fetched, and only of those parts of
//! the range. Elsewhere both sides are streamed and hashed here.

use std::collections::HashMap;
use std::sync::Arc;

use crate::batch::WireFormat;
use crate::error::{Error, Result};
use crate::plan::rules::Rules;
use crate::plugin::digest::{
    Buckets, Digest, DigestPlan, HashFunction, HashedRow, Ordering, Print,
};
use crate::plugin::{Bound, BoundValue, KeyRange, ReadPlan, Reader, WritePlan};
use crate::schema::{Column, LogicalType, Schema};
use side::{Side, Streaming};

mod columns;
mod form;
mod multiset;
mod side;
pub mod sync;
pub mod whole;

pub use side::Part;

/// Rows of a range, at most. Those of a range that differs are held in memory by their hashes.
pub const RANGE_ROWS: u64 = 50_000;
/// Parts of a range that are summed up one by one, so that a few rows that differ don't make the
/// servers tell all their hashes: of a range of 50,000 rows, about 50 for each that differs.
const BUCKETS: u32 = 1 << 10;
/// The most of them, for a table that can't be cut into ranges.
const MAX_BUCKETS: u32 = 1 << 16;
/// Rows for each of them in such a table.
const BUCKET_ROWS: u64 = 1_000;
/// Rows whose hashes are held in memory at once.
const PORTION_ROWS: u64 = 200_000;

/// Rows and the sum of their hashes, modulo 2^64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Rows.
    pub rows: u64,
    /// The sum.
    pub hash: u64,
}

impl Sum {
    /// The hash in hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:016x}", self.hash)
    }

    /// Adds another range's.
    pub fn add(&mut self, other: Sum) {
        self.rows += other.rows;
        self.hash = self.hash.wrapping_add(other.hash);
    }

    fn of_rows(rows: &[HashedRow]) -> Self {
        let hash = rows.iter().fold(0_u64, |sum, row| sum.wrapping_add(row.hash));
        Self { rows: rows.len() as u64, hash }
    }

    fn of_digests(digests: &[Digest]) -> Self {
        let mut sum = Self::default();
        for digest in digests {
            sum.add(Sum { rows: digest.rows, hash: digest.hash });
        }
        sum
    }
}

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
}

/// What a comparison is made from.
pub struct Comparing<'a> {
    /// Of the task's plan.
    pub read: &'a ReadPlan,
    /// Of the task's plan.
    pub write: &'a WritePlan,
    /// Reads the source.
    pub source: Arc<dyn Reader>,
    /// Reads the target.
    pub target: Arc<dyn Reader>,
    /// Whether both are of one engine.
    pub same_engine: bool,
    /// Compare only these pairs of columns besides the key; all without.
    pub only: Option<Vec<usize>>,
    /// Bytes that may wait between a reader and its hashing.
    pub buffer: usize,
}

impl Comparing<'_> {
    /// The columns of a copied pair.
    fn pair(&self, position: usize) -> (&Column, &Column) {
        let (read, write) = (self.read, self.write);
        let from = &read.schema.columns[read.columns[position]];
        (from, &write.schema.columns[write.columns[position].target])
    }

    /// Decides how both sides are compared.
    ///
    /// # Errors
    /// Kind `Permanent` for a target without a key that tells rows apart; the readers'.
    pub async fn prepare(self) -> Result<Comparison> {
        let (read, write) = (self.read, self.write);
        if !tells_rows_apart(read, write) {
            return Err(Error::permanent(format!(
                "{} has no key without NULL that tells rows apart: rows can't be compared one by one",
                write.schema.table
            ))
            .with_remedy("give the target a primary key, or name another with params.pk"));
        }
        let hashed: Vec<usize> = match &self.only {
            None => (0..read.columns.len()).collect(),
            Some(only) => write.key.iter().chain(only).copied().collect(),
        };
        let print = |&position: &usize| {
            let (from, to) = self.pair(position);
            Print::choose(from, to, self.same_engine)
                .filter(|&print| self.source.prints(from, print) && self.target.prints(to, print))
        };
        let prints: Option<Vec<Print>> = hashed.iter().map(print).collect();
        let key_prints: Option<Vec<Print>> = write.key.iter().map(print).collect();
        let (ours, theirs) =
            tokio::try_join!(self.source.hash_functions(), self.target.hash_functions())?;
        let hash = ours.into_iter().find(|function| theirs.contains(function));
        // Servers don't know what policies make of their values.
        let by_server =
            prints.is_some() && key_prints.is_some() && hash.is_some() && read.rules.is_empty();
        let is_number =
            |column: &Column| matches!(column.logical, LogicalType::Int(_) | LogicalType::UInt(_));
        let by_number = write
            .key
            .iter()
            .map(|&key| self.pair(key))
            .all(|(from, to)| is_number(from) && is_number(to));
        let format = self.format();
        let forms = write.key.iter().chain(&hashed).map(|&p| self.form(p, format)).collect();
        let split = shared_split(read, write);
        let side = |reader,
                    schema: &Arc<Schema>,
                    columns: Vec<usize>,
                    split: Vec<usize>,
                    filter,
                    rules| Side {
            reader,
            plan: DigestPlan {
                read: ReadPlan {
                    schema: Arc::clone(schema),
                    columns: hashed.iter().map(|&position| columns[position]).collect(),
                    split,
                    filter,
                    shard_rows: read.shard_rows,
                    format,
                    rules,
                },
                prints: prints.clone().unwrap_or_default(),
                key: write.key.iter().map(|&position| columns[position]).collect(),
                key_prints: key_prints.clone().unwrap_or_default(),
                hash: hash.clone().unwrap_or(HashFunction::Sha256),
                by_number,
            },
            columns,
        };
        let targets: Vec<usize> = write.columns.iter().map(|column| column.target).collect();
        let split_of =
            |columns: &[usize]| split.iter().map(|&position| columns[position]).collect();
        let (from_split, to_split) = (split_of(&read.columns), split_of(&targets));
        let filter = read.filter.clone();
        let source = side(
            self.source,
            &read.schema,
            read.columns.clone(),
            from_split,
            filter,
            read.rules.clone(),
        );
        let target = side(self.target, &write.schema, targets, to_split, None, Rules::default());
        let (orderings, others) = tokio::try_join!(
            source.reader.orderings(&source.plan.read),
            target.reader.orderings(&target.plan.read)
        )?;
        // What only the target may hold NULL in would be in no range.
        let may_be_null =
            |side: &Side| side.plan.read.split_columns().any(|column| column.nullable);
        let is_ordered = !split.is_empty()
            && orderings == others
            && !orderings.contains(&Ordering::Unknown)
            && (may_be_null(&source) || !may_be_null(&target));
        let (mut source, mut target) = (source, target);
        if !is_ordered {
            source.plan.read.split.clear();
            target.plan.read.split.clear();
        }
        let streaming = Streaming { format, forms, buffer: self.buffer };
        Ok(Comparison { source, target, streaming, by_server, is_ordered, orderings })
    }
}

/// Whether each row has a key by which it is found in the target.
pub fn tells_rows_apart(read: &ReadPlan, write: &WritePlan) -> bool {
    let may_be_null = |&position: &usize| {
        read.schema.columns[read.columns[position]].nullable
            && write.schema.columns[write.columns[position].target].nullable
    };
    !write.key.is_empty() && !write.key.iter().any(may_be_null)
}

/// The split key's positions among the pairs; empty if it is not copied as a whole.
fn shared_split(read: &ReadPlan, write: &WritePlan) -> Vec<usize> {
    let copied = |column: &usize| read.columns.iter().position(|c| c == column);
    let split: Option<Vec<usize>> = read.split.iter().map(copied).collect();
    split.filter(|split| !split.is_empty()).unwrap_or_else(|| write.key.clone())
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
        let count = if self.is_ordered { BUCKETS } else { buckets(self.rows()) };
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

/// Buckets for a table of about so many rows that is looked at as a whole.
fn buckets(rows: u64) -> u32 {
    let wanted = u32::try_from(rows / BUCKET_ROWS).unwrap_or(MAX_BUCKETS);
    wanted.min(MAX_BUCKETS).next_power_of_two().max(BUCKETS)
}

/// The buckets whose sums are not the same, with the larger side's rows.
fn differing(source: &[Digest], target: &[Digest]) -> Vec<(u32, u64)> {
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
fn portions(buckets: Vec<(u32, u64)>) -> Vec<Vec<u32>> {
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

fn matched(source: Vec<HashedRow>, target: Vec<HashedRow>) -> Differences {
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
