//! From a task and two described tables to what the reader and the writer do.
//!
//! Everything that can be refused is refused here, by name, before a row moves.

use std::num::NonZeroU64;
use std::sync::Arc;

use uuid::Uuid;

use crate::batch::WireFormat;
use crate::checksum::checksum;
use crate::error::{Context, Error, Result};
use crate::plugin::path::{ChosenPath, WritePath};
use crate::plugin::{
    ByKey, ColumnPair, NewTable, ReadPlan, Reader, SnapshotWay, WriteColumn, WriteMode, WritePlan,
    Writer,
};
use crate::schema::{Column, LogicalType, Schema, TableRef};
use crate::task::{Consistency, Mode, TaskMeta, Tinyint1, ValueParams, WriteWish};
use rules::{RuledPair, Rules};

pub mod check;
mod columns;
mod consistency;
mod drift;
pub mod rules;
pub mod sizing;
pub mod split;
mod wish;

/// Lanes of a task that names no `worker_num`.
const DEFAULT_LANES: usize = 4;
/// Rows from which on a target's key is worth a step of its own.
const LATE_KEY_ROWS: u64 = 20_000;
/// `read_batch` and `write_batch` of a task that names none: the seed's own figures.
const DEFAULT_READ_BATCH: u64 = 5000;
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
        let (source, found) = tokio::try_join!(self.source(), self.found_target())?;
        let mut notes = Vec::new();
        let chosen = columns::chosen(&source, self.task)?;
        let (target, creates_target) = self.target(&source, found, &chosen, dry).await?;
        let (target, chosen) = self.settle_drift(&source, target, chosen, dry, &mut notes).await?;
        // Another run's key, which it did not come to add: it is planned for as if it were there.
        let lacks_key = target.pending_key.as_ref().is_some_and(|key| key.run_id != self.run_id);
        let target = if lacks_key { Arc::new(columns::completed(&target)) } else { target };
        let pairs = columns::pair(&source, &target, &chosen, self.task.params.columns.is_none())?;
        if self.task.params.write_mode != Some(WriteWish::Update) {
            columns::required(&target, &pairs)?;
        }
        let split = self.split_key(&source)?;
        if split.is_empty() {
            notes.push(format!("{} has no key to split by: one lane copies it", source.table));
        }
        let late_key = columns::pending_key(&target, &pairs);
        let adds_key = late_key.is_some();
        if !creates_target {
            self.refuse_followers(&target.table).await?;
        }
        let key = late_key.unwrap_or_else(|| {
            columns::target_key(&source, &target, &pairs, self.task.params.target_key())
        });
        let mode = match adds_key {
            true => WriteMode::Insert,
            false => self.write_mode(&target, (&key, pairs.len()), &mut notes)?,
        };
        self.refuse_doubling(mode, &target.table)?;
        let by_key = wish::by_key(self.task.params.write_mode);
        let rules = self.rules(&source, &target, &pairs, &split, &key)?;
        let format = match rules.is_empty() {
            true => self.format(&source, &target, &pairs, &split).await?,
            false => WireFormat::Canonical,
        };
        let may_be_null = key.iter().any(|&k| target.columns[pairs[k].target].nullable);
        let may_collide = mode == WriteMode::Upsert
            && (may_be_null || !columns::key_is_unique_in_source(&source, &target, &pairs, &key));
        // Rows that only the source has are left out: the target's number of rows says nothing.
        let count_rows = may_collide && by_key != ByKey::Update;
        if may_collide && !count_rows {
            notes.push(format!(
                "the source's keys don't rule out that rows share {}'s key: of such rows any one is \
                 written",
                target.table
            ));
        }
        let params = &self.task.params;
        columns::check_filter(params.filter.as_deref())?;
        let mut all_lanes = self.all_lanes(split.is_empty(), &mut notes);
        let alone = self.writer.enough_lanes_alone().unwrap_or(all_lanes);
        let mut lanes = all_lanes.min(alone).min(self.max_lanes).max(1);
        let keyless = mode == WriteMode::Insert && !adds_key;
        let snapshot = self.snapshot(&source.table, &mut lanes, keyless, &mut notes).await?;
        if snapshot.is_some() {
            // No other process can share it.
            all_lanes = lanes;
        }
        let read = ReadPlan {
            columns: pairs.iter().map(|pair| pair.source).collect(),
            schema: source,
            split,
            filter: params.filter.clone().filter(|text| !text.trim().is_empty()),
            shard_rows: self.shard_rows(&mut notes),
            format,
            rules,
        };
        let mut write = WritePlan {
            columns: pairs
                .iter()
                .map(|pair| WriteColumn {
                    target: pair.target,
                    from: read.schema.columns[pair.source].logical.clone(),
                    same_native: self.from_engine == self.to_engine
                        && read.schema.columns[pair.source].native
                            == target.columns[pair.target].native,
                    check: pair.check,
                })
                .collect(),
            schema: target,
            key: if mode == WriteMode::Upsert || adds_key { key } else { Vec::new() },
            mode,
            by_key,
            adds_key,
            unique_rows: !may_collide,
            path: ChosenPath::only(WritePath::Statements),
            statement_rows: params.write_batch.unwrap_or(DEFAULT_WRITE_BATCH),
            format,
            run_id: self.run_id,
        };
        let is_free = creates_target || self.goes_on;
        write.path = self.writer.choose_path(&write, is_free).await?;
        Ok(Plan {
            read: Arc::new(read),
            write: Arc::new(write),
            lanes,
            all_lanes,
            count_rows,
            creates_target,
            lacks_key,
            snapshot,
            notes,
        })
    }

    /// What may happen to values on their way.
    fn rules(
        &self,
        source: &Schema,
        target: &Schema,
        pairs: &[columns::Pair],
        split: &[usize],
        key: &[usize],
    ) -> Result<Rules> {
        let ruled = pairs.iter().enumerate().map(|(position, pair)| RuledPair {
            position: pair.source,
            from: &source.columns[pair.source],
            to: &target.columns[pair.target],
            in_key: split.contains(&pair.source) || key.contains(&position),
            same_engine: self.from_engine == self.to_engine,
        });
        Rules::choose(self.values, ruled)
    }

    async fn source(&self) -> Result<Arc<Schema>> {
        let name = &self.task.from.table;
        for table in spellings(name) {
            if let Some(schema) = self.reader.describe(&table).await? {
                return Ok(schema);
            }
        }
        Err(Error::permanent(format!("there is no source table {name} in {}", self.task.from.db))
            .with_remedy("correct from_table, or check that the user may see it"))
    }

    async fn found_target(&self) -> Result<Option<Arc<Schema>>> {
        for table in spellings(&self.task.to.table) {
            if let Some(schema) = self.writer.describe(&table).await? {
                return Ok(Some(schema));
            }
        }
        Ok(None)
    }

    async fn target(
        &self,
        source: &Arc<Schema>,
        found: Option<Arc<Schema>>,
        chosen: &[(usize, String)],
        dry: bool,
    ) -> Result<(Arc<Schema>, bool)> {
        let name = &self.task.to.table;
        if let Some(schema) = found {
            if self.same_database && schema.table == source.table {
                return Err(Error::config(format!("source and target are both {name}"))
                    .with_remedy("choose another to_table"));
            }
            return Ok((schema, false));
        }
        wish::require_table(self.task.params.write_mode, name)?;
        let table = TableRef::parse(name);
        let key: Vec<usize> = source
            .split_key()
            .iter()
            .map(|key| chosen.iter().position(|(position, _)| position == key))
            .collect::<Option<_>>()
            .unwrap_or_default();
        let mut new = columns::new_columns(source, chosen, &key);
        if self.values.tinyint1 == Some(Tinyint1::Boolean) && self.from_engine != self.to_engine {
            for column in new.iter_mut().filter(|column| self.reader.may_be_truth(column)) {
                column.logical = LogicalType::Bool;
            }
        }
        let late_key = self.wants_late_key(source, &new, &key).then_some(self.run_id);
        if dry {
            return Ok((Arc::new(columns::imagined(table, new, &key, late_key)), true));
        }
        let new = NewTable { engine: self.from_engine, columns: new, key: &key, late_key };
        self.writer.create(&table, &new).await?;
        let created = self.writer.describe(&table).await?;
        let created = created
            .ok_or_else(|| Error::internal(format!("{name} was created and is not to be seen")))?;
        // Another run may have been faster, and its key still be missing.
        Ok((created, true))
    }

    /// Whether the target that is going to be created gets its key only when the rows are in. Not if
    /// the task itself has a say in how rows are told apart, and not for a few rows.
    fn wants_late_key(&self, source: &Schema, new: &[Column], key: &[usize]) -> bool {
        let params = &self.task.params;
        let wanted = params.target_key();
        let is_wanted = wanted.len() == key.len()
            && key.iter().all(|&position| wanted.contains(&new[position].name));
        self.writer.prefers_late_keys()
            && !self.task.mode.compares()
            && !key.is_empty()
            && (wanted.is_empty() || is_wanted)
            && params.write_mode.is_none()
            && params.max_errors.is_none()
            && source.estimated_rows.is_none_or(|rows| rows >= LATE_KEY_ROWS)
    }

    /// The split key: the task's own, else the source's.
    fn split_key(&self, source: &Schema) -> Result<Vec<usize>> {
        let params = &self.task.params;
        let names = params.split_by();
        let find = |name: &String, what: &str| {
            source.position(name).ok_or_else(|| {
                Error::config(format!("{} has no column \"{name}\" {what}", source.table))
                    .with_remedy(format!("its columns: {}", all_names(source)))
            })
        };
        let mut split = match names.is_empty() {
            true => source.split_key().to_vec(),
            false => names.iter().map(|name| find(name, "to split by")).collect::<Result<_>>()?,
        };
        if self.task.mode == Mode::Cursor {
            // In the order of their changes, so that those that have not changed are not walked over.
            let by = find(&params.diff_column.src[0], "to be its diff_column")?;
            split.retain(|&column| column != by);
            split.insert(0, by);
        }
        Ok(split)
    }

    async fn format(
        &self,
        source: &Schema,
        target: &Schema,
        pairs: &[columns::Pair],
        split: &[usize],
    ) -> Result<WireFormat> {
        let column_pairs: Vec<_> = pairs
            .iter()
            .map(|pair| ColumnPair {
                from: &source.columns[pair.source],
                to: &target.columns[pair.target],
            })
            .collect();
        let accepted = self.writer.accepts(&column_pairs);
        let uncounted = self.task.params.max_rows_per_second.is_none();
        for format in self.reader.offers(&column_pairs) {
            let usable = match format {
                // One statement for a whole table would show no movement for too long.
                WireFormat::ServerSide => !split.is_empty() && self.may_stay_inside(source).await?,
                format => uncounted || format.is_counted(),
            };
            if usable && accepted.contains(&format) {
                return Ok(format);
            }
        }
        Ok(WireFormat::Canonical)
    }

    /// Whether the target's server may copy the rows by itself: not where the run has to see them go
    /// by, nor where a condition could mean something else to another session.
    async fn may_stay_inside(&self, source: &Schema) -> Result<bool> {
        let params = &self.task.params;
        if wish::by_key(params.write_mode).needs_stage() {
            return Ok(false);
        }
        let is_limited =
            params.max_rows_per_second.is_some() || params.max_bytes_per_second.is_some();
        let has_filter = params.filter.as_ref().is_some_and(|text| !text.trim().is_empty())
            || self.task.mode == Mode::Cursor;
        // The session that writes does not see the readers' snapshot.
        let has_snapshot = params.consistency == Consistency::Snapshot;
        if !self.same_server || has_snapshot || is_limited || has_filter {
            return Ok(false);
        }
        match self.reader.inside(&source.table).await? {
            Some(inside) => self.writer.can_read(&inside).await,
            None => Ok(false),
        }
    }

    /// Under a limit of rows no shard has more than a second's worth: its transaction is short, and
    /// an engine that puts a shard's rows in with its last statement does so in small portions.
    fn shard_rows(&self, notes: &mut Vec<String>) -> u64 {
        let params = &self.task.params;
        let wanted = params.read_batch.unwrap_or(DEFAULT_READ_BATCH);
        let limit = params.max_rows_per_second.map_or(u64::MAX, NonZeroU64::get);
        if wanted > limit && params.read_batch.is_some() {
            notes.push(format!("read_batch {wanted} is capped at max_rows_per_second {limit}"));
        }
        wanted.min(limit)
    }

    /// Lanes of all workers that share the run; one worker has at most `max_lanes` of them.
    fn all_lanes(&self, keyless: bool, notes: &mut Vec<String>) -> usize {
        let wanted = self.task.params.worker_num.unwrap_or(DEFAULT_LANES).max(1);
        if keyless {
            return 1;
        }
        if self.same_file {
            notes.push("source and target are one database file: one lane".to_owned());
            return 1;
        }
        if let Some(enough) = self.writer.enough_lanes()
            && wanted > enough
        {
            return enough;
        }
        if wanted > self.max_lanes {
            notes.push(format!(
                "worker_num {wanted} is capped at worker.max_lanes {} for one worker",
                self.max_lanes
            ));
        }
        wanted
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
        let rules: Vec<_> = read.columns.iter().map(|&column| read.rules.of(column)).collect();
        let rules = if read.rules.is_empty() { String::new() } else { format!(" {rules:?}") };
        let text = format!(
            "{from} {} {to} {} {split:?} {columns:?} {:?} {:?} {mode:?}{kept}{rules}",
            read.schema.table, write.schema.table, read.filter, write.key
        );
        format!("{:032x}", checksum(text.as_bytes()))
    }

    /// Refuses to double rows: a target without a key that already holds rows, unless the task
    /// asks for `insert` by name or an earlier attempt of this run wrote them.
    ///
    /// # Errors
    /// Kind `Permanent` with the ways out.
    pub async fn prepare(&self, writer: &dyn Writer, explicit_insert: bool) -> Result<()> {
        let resumed = writer.prepare(&self.write).await?;
        if self.write.mode == WriteMode::Upsert || resumed || explicit_insert {
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

/// A task's table name, first as it stands, then taken apart at its dot.
fn spellings(name: &str) -> Vec<TableRef> {
    let whole = TableRef { schema: None, name: name.to_owned() };
    let parsed = TableRef::parse(name);
    if parsed == whole { vec![whole] } else { vec![parsed, whole] }
}

fn all_names(schema: &Schema) -> String {
    let names: Vec<_> = schema.columns.iter().map(|c: &Column| c.name.as_str()).collect();
    names.join(", ")
}
