//! From a task and two described tables to what the reader and the writer do.
//!
//! Everything that can be refused is refused here, by name, before a row moves.

use std::sync::Arc;

use uuid::Uuid;

use crate::batch::WireFormat;
use crate::checksum::checksum;
use crate::error::{Context, Error, Result};
use crate::plugin::path::{ChosenPath, WritePath};
use crate::plugin::{
    ByKey, ReadPlan, Reader, SnapshotWay, WriteColumn, WriteMode, WritePlan, Writer,
};
use crate::task::{TaskMeta, ValueParams};
use lanes::Lanes;
use matched::Matched;
use rules::{RuledPair, Rules};

mod beside;
pub mod check;
mod columns;
mod consistency;
mod created;
mod drift;
mod format;
mod indexes;
mod lanes;
mod matched;
pub mod rules;
pub mod sizing;
pub mod split;
mod tables;
mod wish;

pub use tables::check_source;
pub use tables::find_table;

/// `write_batch` of a task that names none: the seed's own figure.
const DEFAULT_WRITE_BATCH: usize = 500;

/// What one run does.
#[derive(Debug)]
pub struct Plan {
    /// For the reader.
    pub read: Arc<ReadPlan>,
    /// For the writer.
    pub write: Arc<WritePlan>,
    /// Parallel lanes of one worker.
    pub lanes: usize,
    /// Parallel lanes of all workers that share the run.
    pub all_lanes: usize,
    /// Whether the source's keys can't guarantee that no two rows share the target's key, so that
    /// the target must be counted at the end.
    pub count_rows: bool,
    /// Whether the target is missing and is going to be created.
    pub creates_target: bool,
    /// Whether the target has still to get the key that another run left out.
    pub lacks_key: bool,
    /// How the source is read as of one moment, if the task asks for that.
    pub snapshot: Option<SnapshotWay>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// What a plan is made from.
pub struct Planner<'a> {
    /// The task.
    pub task: &'a TaskMeta,
    /// The run, for markers.
    pub run_id: Uuid,
    /// Connected to the source.
    pub reader: &'a dyn Reader,
    /// Connected to the target.
    pub writer: &'a dyn Writer,
    /// The source engine's name.
    pub from_engine: &'static str,
    /// The target engine's name.
    pub to_engine: &'static str,
    /// Whether both sides are the same database.
    pub same_database: bool,
    /// Whether both sides are on one server.
    pub same_server: bool,
    /// Whether that database is a file that allows one user at a time.
    pub same_file: bool,
    /// Cap on lanes.
    pub max_lanes: usize,
    /// What becomes of values that the target can't hold.
    pub values: &'a ValueParams,
    /// Whether the run has begun already, here or at another worker.
    pub goes_on: bool,
}

impl Planner<'_> {
    /// Makes the plan. With `dry` nothing is created: a missing target is planned as it would be.
    ///
    /// # Errors
    /// Kind `Permanent` or `Config`, naming the table and the column.
    pub async fn plan(&self, dry: bool) -> Result<Plan> {
        let mut notes = Vec::new();
        let params = &self.task.params;
        columns::check_filter(params.filter.as_deref())?;
        let matched = self.matched(dry, &mut notes).await?;
        let mode = self.mode(&matched, &mut notes)?;
        let by_key = wish::by_key(params.write_mode);
        let may_collide = mode == WriteMode::Upsert && matched.keys_may_collide();
        // Rows that only the source has are left out: the target's number of rows says nothing.
        let count_rows = may_collide && by_key != ByKey::Update;
        if may_collide && !count_rows {
            notes.push(format!(
                "the source's keys don't rule out that rows share {}'s key: of such rows any one is \
                 written",
                matched.target.table
            ));
        }
        let rules = self.rules(&matched)?;
        let format = match rules.is_empty() {
            true => self.format(&matched).await?,
            false => WireFormat::Canonical,
        };
        let keyless = mode == WriteMode::Insert && !matched.adds_key;
        // The table beside the target too: a run may start over.
        let empties = self.empties() || matched.swap.is_some();
        // A run that starts over empties its target again.
        let may_double = keyless && !empties;
        let Lanes { lanes, all_lanes, snapshot } =
            self.lanes(&matched, may_double, &mut notes).await?;
        let mut read = ReadPlan {
            columns: matched.pairs.iter().map(|pair| pair.source).collect(),
            schema: Arc::clone(&matched.source),
            split: matched.split.clone(),
            filter: params.filter.clone().filter(|text| !text.trim().is_empty()),
            shard_rows: self.shard_rows(&mut notes),
            format,
            rules,
        };
        let mut write = WritePlan {
            columns: self.write_columns(&matched),
            schema: Arc::clone(&matched.target),
            key: if keyless { Vec::new() } else { matched.key.clone() },
            mode,
            by_key,
            adds_key: matched.adds_key,
            empties,
            swap: matched.swap.clone(),
            unique_rows: !may_collide,
            path: ChosenPath::only(WritePath::Statements),
            statement_rows: params.write_batch.unwrap_or(DEFAULT_WRITE_BATCH),
            format,
            run_id: self.run_id,
        };
        let is_free = matched.creates_target || self.goes_on || empties;
        write.path = self.writer.choose_path(&write, is_free).await?;
        if format.is_for_loads() && !write.path.may_be(WritePath::Direct) {
            (read.format, write.format) = (WireFormat::Canonical, WireFormat::Canonical);
        }
        Ok(Plan {
            read: Arc::new(read),
            write: Arc::new(write),
            lanes,
            all_lanes,
            count_rows,
            creates_target: matched.creates_target,
            lacks_key: matched.lacks_key,
            snapshot,
            notes,
        })
    }

    /// How rows are written, or why they can't be.
    fn mode(&self, matched: &Matched, notes: &mut Vec<String>) -> Result<WriteMode> {
        let mode = match matched.adds_key {
            true => WriteMode::Insert,
            false => self.write_mode(matched, notes)?,
        };
        self.refuse_doubling(mode, &matched.target.table)?;
        Ok(mode)
    }

    fn write_columns(&self, matched: &Matched) -> Vec<WriteColumn> {
        let column = |pair: &columns::Pair| {
            let from = &matched.source.columns[pair.source];
            let to = &matched.target.columns[pair.target];
            WriteColumn {
                target: pair.target,
                from: from.logical.clone(),
                same_native: self.from_engine == self.to_engine && from.native == to.native,
                check: pair.check,
            }
        };
        matched.pairs.iter().map(column).collect()
    }

    /// What may happen to values on their way.
    fn rules(&self, matched: &Matched) -> Result<Rules> {
        let Matched { source, target, pairs, split, key, .. } = matched;
        let ruled = pairs.iter().enumerate().map(|(position, pair)| RuledPair {
            position: pair.source,
            from: &source.columns[pair.source],
            to: &target.columns[pair.target],
            in_key: split.contains(&pair.source) || key.contains(&position),
            same_engine: self.from_engine == self.to_engine,
        });
        Rules::choose(self.values, ruled)
    }
}

impl Plan {
    /// Stands for everything that decides which rows a shard's range holds and where they go. A
    /// run goes on only with shards that were cut for the same.
    pub fn fingerprint(&self, from: &str, to: &str) -> String {
        let (read, write) = (&self.read, &self.write);
        let split: Vec<_> = read.split_columns().map(|c| (&c.name, &c.native)).collect();
        let columns: Vec<_> = read
            .read_columns()
            .map(|c| &c.name)
            .zip(write.target_columns().map(|c| &c.name))
            .collect();
        // A key that the run adds may be there when it goes on: the rows are the same.
        let mode = if write.adds_key { WriteMode::Upsert } else { write.mode };
        let kept = match write.by_key {
            ByKey::Merge => "",
            ByKey::Keep => " kept",
            ByKey::Update => " updated",
            ByKey::Replace => " replaced",
        };
        let emptied = if write.empties { " emptied" } else { "" };
        let rules: Vec<_> = read.columns.iter().map(|&column| read.rules.of(column)).collect();
        let rules = if read.rules.is_empty() { String::new() } else { format!(" {rules:?}") };
        let text = format!(
            "{from} {} {to} {} {split:?} {columns:?} {:?} {:?} {mode:?}{kept}{emptied}{rules}",
            read.schema.table, write.schema.table, read.filter, write.key
        );
        format!("{:032x}", checksum(text.as_bytes()))
    }

    /// Refuses to double rows: a target without a key that already holds rows, unless it is emptied
    /// first, the task asks for `insert` by name or an earlier attempt of this run wrote them.
    ///
    /// # Errors
    /// Kind `Permanent` with the ways out.
    pub async fn prepare(&self, writer: &dyn Writer, explicit_insert: bool) -> Result<()> {
        let resumed = writer.prepare(&self.write).await?;
        let (mode, empties) = (self.write.mode, self.write.empties);
        if mode == WriteMode::Upsert || empties || resumed || explicit_insert {
            return Ok(());
        }
        let table = &self.write.schema.table;
        if writer.is_empty(table).await.context(|| "target")? {
            return Ok(());
        }
        Err(Error::permanent(format!(
            "{table} has no key that tells rows apart and already holds rows: copying again would \
             double them"
        ))
        .with_remedy(
            "give the target a primary or unique key, or empty it first, or set \
             \"write_mode\": \"insert\" in params if rows are meant to be added",
        ))
    }
}
