//! Values that a task's policies change on their way, and how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::schema::Column;
use crate::task::ValueParams;
use choose::rules;
use rule::{Change, Rule};

mod choose;
mod rule;

/// A column's rule, and how many cells it has changed.
#[derive(Debug)]
struct Counted {
    /// Position in the source's schema.
    column: usize,
    name: String,
    rule: Rule,
    cells: AtomicU64,
}

/// The rules of a run, for all its lanes.
#[derive(Debug, Clone, Default)]
pub struct Rules(Arc<Vec<Counted>>);

/// Both columns of a pair, and what they are for.
#[derive(Debug, Clone, Copy)]
pub struct RuledPair<'a> {
    /// In the source's schema.
    pub position: usize,
    /// In the source.
    pub from: &'a Column,
    /// In the target.
    pub to: &'a Column,
    /// Whether it is part of a key: then nothing is changed, since rows would be taken for others.
    pub in_key: bool,
    /// Whether both are of one engine.
    pub same_engine: bool,
}

impl Rules {
    /// The rules that a task's policies make for its columns.
    ///
    /// # Errors
    /// Kind `Config` for a key that would have to be moved into another time zone.
    pub fn choose<'a>(
        values: &ValueParams,
        pairs: impl Iterator<Item = RuledPair<'a>>,
    ) -> Result<Self> {
        let mut all = Vec::new();
        for pair in pairs {
            let rules = rules(values, pair);
            if pair.in_key && rules.iter().any(|rule| matches!(rule, Rule::Move(_))) {
                return Err(Error::config(format!(
                    "values.time_zone can't move {}, which is part of a key",
                    pair.from.name
                ))
                .with_remedy("give both columns the same kind of type"));
            }
            let rules = rules.into_iter().filter(|_| !pair.in_key);
            all.extend(rules.map(|rule| Counted {
                column: pair.position,
                name: pair.from.name.clone(),
                rule,
                cells: AtomicU64::new(0),
            }));
        }
        Ok(Self(Arc::new(all)))
    }

    /// Whether no value is changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a column of the source may hold bytes that are not UTF-8, which a rule then replaces: a
    /// reader hands them on instead of refusing them.
    pub fn replaces_invalid_utf8(&self, column: usize) -> bool {
        self.0.iter().any(|counted| counted.column == column && counted.rule == Rule::InvalidUtf8)
    }

    /// What may happen to a column of the source, in words for people.
    pub fn of(&self, column: usize) -> String {
        let rules = self.0.iter().filter(|counted| counted.column == column);
        rules.map(|counted| counted.rule.words()).collect::<Vec<_>>().join(", ")
    }

    /// What has happened in this process, for the operator. A shard that was tried again counts again.
    pub fn notes(&self) -> Vec<String> {
        let counted = self.0.iter().filter_map(|counted| {
            let cells = counted.cells.load(Ordering::Relaxed);
            let words = counted.rule.words();
            (cells > 0).then(|| format!("column {}: {cells} values: {words}", counted.name))
        });
        counted.collect()
    }

    /// Applies the rules to a batch whose cells are these columns of the source.
    pub(crate) fn apply(&self, columns: &[usize], batch: Batch) -> Batch {
        let mut changes: Vec<(usize, usize, Option<Vec<u8>>)> = Vec::new();
        for (position, column) in columns.iter().enumerate() {
            let rules: Vec<_> = self.0.iter().filter(|counted| counted.column == *column).collect();
            if rules.is_empty() {
                continue;
            }
            for row in 0..batch.rows() {
                let Some(cell) = batch.cell(row, position) else { continue };
                match changed(&rules, cell) {
                    Change::Keep => {}
                    Change::Null => changes.push((row, position, None)),
                    Change::To(cell) => changes.push((row, position, Some(cell))),
                }
            }
        }
        if changes.is_empty() {
            return batch;
        }
        changes.sort_unstable_by_key(|&(row, position, _)| (row, position));
        let mut changes = changes.into_iter().peekable();
        let mut whole = Batch::new(batch.columns());
        for row in 0..batch.rows() {
            for (position, cell) in batch.row(row).enumerate() {
                let is_next =
                    |&(r, p, _): &(usize, usize, Option<Vec<u8>>)| (r, p) == (row, position);
                let cell = match changes.next_if(is_next) {
                    Some((_, _, Some(changed))) => {
                        whole.push(&changed);
                        continue;
                    }
                    Some((_, _, None)) => None,
                    None => cell,
                };
                match cell {
                    Some(cell) => whole.push(cell),
                    None => whole.push_null(),
                }
            }
        }
        whole
    }
}

fn changed(rules: &[&Counted], cell: &[u8]) -> Change {
    let mut current = Change::Keep;
    for counted in rules {
        let cell = if let Change::To(changed) = &current { changed } else { cell };
        let next = counted.rule.apply(cell);
        if next == Change::Keep {
            continue;
        }
        counted.cells.fetch_add(1, Ordering::Relaxed);
        if next == Change::Null {
            return next;
        }
        current = next;
    }
    current
}
