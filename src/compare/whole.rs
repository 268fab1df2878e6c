//! Compares whole tables, range by range, and names the first rows that differ.

use std::fmt;

use futures::stream::FuturesOrdered;
use futures::{FutureExt, TryStreamExt};

use super::{Changed, Comparison, Differences, RANGE_ROWS, Sum};
use crate::error::Result;
use crate::plan::split::Cursor;
use crate::plugin::digest::{DigestPlan, HashedRow};
use crate::plugin::{Bound, BoundValue, KeyRange, Receipt};
use crate::progress::Progress;

/// How both tables compare.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The source's rows.
    pub source: Sum,
    /// The target's rows.
    pub target: Sum,
    /// Rows that only the source has.
    pub missing: u64,
    /// Rows with other values in the target.
    pub changed: u64,
    /// Rows that only the target has.
    pub extra: u64,
    /// The first rows that differ.
    pub first: Vec<Difference>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which way.
    pub kind: DifferenceKind,
    /// Its key, as in `id=42`.
    pub key: String,
    /// The source's columns with other values in the target.
    pub columns: Vec<String>,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Only the source has it.
    Missing,
    /// The target has other values.
    Changed,
    /// Only the target has it.
    Extra,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DifferenceKind::Missing => write!(f, "{} is missing from the target", self.key),
            DifferenceKind::Extra => write!(f, "{} is only in the target", self.key),
            // Read once more, it was the same on both sides.
            DifferenceKind::Changed if self.columns.is_empty() => {
                write!(f, "{} was different, and is not any more", self.key)
            }
            DifferenceKind::Changed => {
                write!(f, "{} differs in {}", self.key, self.columns.join(", "))
            }
        }
    }
}

impl Outcome {
    /// As in `60 rows missing, 1000 different, 3 only in the target`.
    pub fn summary(&self) -> String {
        match self.missing + self.changed + self.extra {
            0 => format!("{} rows against {}", self.source.rows, self.target.rows),
            _ => format!(
                "{} rows missing, {} different, {} only in the target",
                self.missing, self.changed, self.extra
            ),
        }
    }

    /// Whether both sides hold the same rows.
    pub fn equal(&self) -> bool {
        self.source == self.target && self.missing + self.changed + self.extra == 0
    }

    fn add(&mut self, range: Outcome, first: usize) {
        self.source.add(range.source);
        self.target.add(range.target);
        self.missing += range.missing;
        self.changed += range.changed;
        self.extra += range.extra;
        let room = first.saturating_sub(self.first.len());
        self.first.extend(range.first.into_iter().take(room));
    }
}

impl Comparison {
    /// Compares everything in so many lanes, and names the `first` rows that differ. `progress` hears
    /// of the rows that were compared.
    ///
    /// # Errors
    /// The readers'.
    pub async fn whole(&self, lanes: usize, first: usize, progress: &Progress) -> Result<Outcome> {
        let (reader, plan) = (self.source.reader.as_ref(), self.cutting());
        let (mut cursor, mut all) = (Cursor::Start, Outcome::default());
        let mut comparing = FuturesOrdered::new();
        let mut is_cut = false;
        loop {
            if !is_cut && comparing.len() < lanes.max(1) {
                match cursor.next(reader, plan, RANGE_ROWS).await? {
                    Some(range) => comparing.push_back(self.range(range, first).boxed()),
                    None => is_cut = true,
                }
                continue;
            }
            let Some(range) = comparing.try_next().await? else { return Ok(all) };
            progress.add(&Receipt { rows: range.source.rows, ..Receipt::default() });
            all.add(range, first);
        }
    }

    async fn range(&self, range: KeyRange, first: usize) -> Result<Outcome> {
        let range = &range;
        let look = self.look(range).await?;
        let mut outcome =
            Outcome { source: look.source, target: look.target, ..Outcome::default() };
        for portion in &look.portions {
            let found = self.differences(range, portion).await?;
            outcome.source.add(found.source);
            outcome.target.add(found.target);
            outcome.missing += found.missing.len() as u64;
            outcome.changed += found.changed.len() as u64;
            outcome.extra += found.extra.len() as u64;
            let room = first.saturating_sub(outcome.first.len());
            let described = self.described(found, room).await?;
            outcome.first.extend(described);
        }
        Ok(outcome)
    }

    /// The first rows that differ, in the order of their keys' text.
    async fn described(&self, mut found: Differences, first: usize) -> Result<Vec<Difference>> {
        found.changed.sort_unstable_by(|a, b| a.row.name.cmp(&b.row.name));
        found.changed.truncate(first);
        let columns = self.differing_columns(&found.changed).await?;
        let changed = found.changed.iter().zip(columns).map(|(changed, columns)| Difference {
            kind: DifferenceKind::Changed,
            key: described_key(&self.source.plan, &changed.row),
            columns,
        });
        let mut described: Vec<_> = changed.collect();
        for (kind, rows, plan) in [
            (DifferenceKind::Missing, &mut found.missing, &self.source.plan),
            (DifferenceKind::Extra, &mut found.extra, &self.target.plan),
        ] {
            rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            let rows = rows.iter().take(first.saturating_sub(described.len()));
            described.extend(rows.map(|row| Difference {
                kind,
                key: described_key(plan, row),
                columns: Vec::new(),
            }));
        }
        Ok(described)
    }

    /// The columns in which rows differ, read once more from both sides.
    async fn differing_columns(&self, rows: &[Changed]) -> Result<Vec<Vec<String>>> {
        let names: Vec<_> = self.source.plan.read.read_columns().map(|c| &c.name).collect();
        let mut all = Vec::with_capacity(rows.len());
        for changed in rows {
            let (Some(ours), Some(theirs)) = (&changed.row.key, &changed.target_key) else {
                all.push(Vec::new());
                continue;
            };
            let (ours, theirs) = tokio::try_join!(
                self.source.cells(ours, &self.streaming),
                self.target.cells(theirs, &self.streaming)
            )?;
            let pairs = ours.iter().zip(&theirs).zip(&names);
            let differing = pairs.filter(|((a, b), _)| a != b).map(|(_, name)| (*name).clone());
            all.push(differing.collect());
        }
        Ok(all)
    }
}

/// As in `id=42, day=2024-01-01`.
fn described_key(plan: &DigestPlan, row: &HashedRow) -> String {
    let Some(Bound(values)) = &row.key else { return "with NULL in its key".to_owned() };
    let value = |value: &BoundValue| match value {
        BoundValue::Number(text) | BoundValue::Text(text) => text.clone(),
        BoundValue::Hex(digits) => format!("0x{digits}"),
    };
    // Not by `key_columns`: a plan whose rows are hashed here has no prints.
    let columns = plan.key.iter().map(|&column| &plan.read.schema.columns[column]);
    let pairs = columns.zip(values);
    let pairs = pairs.map(|(column, key)| format!("{}={}", column.name, value(key)));
    pairs.collect::<Vec<_>>().join(", ")
}
