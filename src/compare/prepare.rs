//! How both sides of a task are compared, decided from its plan.

use std::sync::Arc;

use super::Comparison;
use super::odds::Odds;
use super::side::{Side, Streaming};
use crate::error::{Error, Result};
use crate::plan::rules::Rules;
use crate::plugin::digest::{DigestPlan, HashFunction, Ordering, Print};
use crate::plugin::{ReadPlan, Reader, WritePlan};
use crate::schema::{Column, LogicalType, Schema};

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
    pub(super) fn pair(&self, position: usize) -> (&Column, &Column) {
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
        let hashing = self.hashing().await?;
        let format = self.format();
        let forms =
            write.key.iter().chain(&hashing.hashed).map(|&p| self.form(p, format)).collect();
        let split = shared_split(read, write);
        let targets = write.columns.iter().map(|column| column.target).collect();
        let source = Columns {
            schema: &read.schema,
            copied: read.columns.clone(),
            filter: read.filter.clone(),
            rules: read.rules.clone(),
        };
        let target = Columns {
            schema: &write.schema,
            copied: targets,
            filter: None,
            rules: Rules::default(),
        };
        let mut source = self.side(&self.source, source, &split, &hashing);
        let mut target = self.side(&self.target, target, &split, &hashing);
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
        if !is_ordered {
            source.plan.read.split.clear();
            target.plan.read.split.clear();
        }
        let by_server = hashing.by_server;
        let streaming = Streaming { format, forms, buffer: self.buffer };
        let odds = Odds::default();
        Ok(Comparison { source, target, streaming, by_server, is_ordered, orderings, odds })
    }

    /// What is hashed, and whether both servers can do it alike.
    async fn hashing(&self) -> Result<Hashing> {
        let (read, write) = (self.read, self.write);
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
        let is_number =
            |column: &Column| matches!(column.logical, LogicalType::Int(_) | LogicalType::UInt(_));
        let mut keys = write.key.iter().map(|&key| self.pair(key));
        Ok(Hashing {
            // Servers don't know what policies make of their values.
            by_server: prints.is_some()
                && key_prints.is_some()
                && hash.is_some()
                && read.rules.is_empty(),
            by_number: keys.all(|(from, to)| is_number(from) && is_number(to)),
            hashed,
            prints: prints.unwrap_or_default(),
            key_prints: key_prints.unwrap_or_default(),
            hash: hash.unwrap_or(HashFunction::Sha256),
        })
    }

    fn side(
        &self,
        reader: &Arc<dyn Reader>,
        of: Columns<'_>,
        split: &[usize],
        hashing: &Hashing,
    ) -> Side {
        let at = |positions: &[usize]| positions.iter().map(|&p| of.copied[p]).collect();
        Side {
            reader: Arc::clone(reader),
            plan: DigestPlan {
                read: ReadPlan {
                    schema: Arc::clone(of.schema),
                    columns: at(&hashing.hashed),
                    split: at(split),
                    filter: of.filter,
                    shard_rows: self.read.shard_rows,
                    format: self.format(),
                    rules: of.rules,
                },
                prints: hashing.prints.clone(),
                key: at(&self.write.key),
                key_prints: hashing.key_prints.clone(),
                hash: hashing.hash.clone(),
                by_number: hashing.by_number,
            },
            columns: of.copied,
        }
    }
}

/// What is hashed of each row; positions among the pairs of columns.
struct Hashing {
    hashed: Vec<usize>,
    prints: Vec<Print>,
    key_prints: Vec<Print>,
    hash: HashFunction,
    /// Whether both servers hash alike, with that function.
    by_server: bool,
    /// Whether the key is of whole numbers, which need no hash to be put into buckets.
    by_number: bool,
}

/// One side's columns that are copied, and which of its rows.
struct Columns<'a> {
    schema: &'a Arc<Schema>,
    copied: Vec<usize>,
    filter: Option<String>,
    rules: Rules,
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
