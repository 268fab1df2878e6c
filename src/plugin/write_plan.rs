//! What a run's shards write, and what became of each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::batch::WireFormat;
use crate::checksum::checksum;
use crate::plan::check::Check;
use crate::plugin::Bound;
use crate::plugin::path::ChosenPath;
use crate::schema::{Column, LogicalType, Schema, TableRef};

/// How rows get into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// Insert, or update the row with the same key. Repeating it is harmless.
    Upsert,
    /// Insert only, for a target without a usable key: each shard's marker is written in the same
    /// transaction, so that a shard has its effect exactly once a run.
    Insert,
}

/// What [`WriteMode::Upsert`] does by the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ByKey {
    /// Updates the row with that key, or inserts one.
    #[default]
    Merge,
    /// Inserts a row; one with that key is left as it is.
    Keep,
    /// Updates the row with that key; inserts nothing.
    Update,
    /// Takes the row with that key out and inserts one: what is not written gets its default.
    Replace,
}

impl ByKey {
    /// Whether the server can't do it in the statement that takes the rows: they wait beside the table
    /// until the shard is complete.
    pub fn needs_stage(self) -> bool {
        matches!(self, Self::Update | Self::Replace)
    }
}

/// One column on its way from the source to the target.
#[derive(Debug, Clone)]
pub struct WriteColumn {
    /// Position in the target's schema.
    pub target: usize,
    /// The source's type, which says what the cells look like.
    pub from: LogicalType,
    /// Whether source and target have the same native type of the same engine.
    pub same_native: bool,
    /// What each cell must satisfy so that the target can't change it in silence.
    pub check: Check,
}

/// What to write: the same for all shards of a run.
#[derive(Debug)]
pub struct WritePlan {
    /// The target table.
    pub schema: Arc<Schema>,
    /// Columns to write, in the order of the batch's cells.
    pub columns: Vec<WriteColumn>,
    /// The target key that decides "the same row", positions in `columns`; empty with
    /// [`WriteMode::Insert`], unless the run adds that key.
    pub key: Vec<usize>,
    /// What a row does that is there already.
    pub mode: WriteMode,
    /// What an upsert does by the key.
    pub by_key: ByKey,
    /// Whether the target gets its key, which is `key`, once all rows are in.
    pub adds_key: bool,
    /// Whether the target is emptied before the run's first shard.
    pub empties: bool,
    /// The table whose place this one takes when all rows are in.
    pub swap: Option<TableRef>,
    /// Whether the source itself makes sure that no two rows share the key.
    pub unique_rows: bool,
    /// How rows get in.
    pub path: ChosenPath,
    /// Rows a statement (`write_batch`).
    pub statement_rows: usize,
    /// What the reader sends.
    pub format: WireFormat,
    /// The run, for markers.
    pub run_id: Uuid,
}

impl WritePlan {
    /// The target's columns in batch order.
    pub fn target_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().map(|c| &self.schema.columns[c.target])
    }

    /// The target's columns in the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().map(|&k| &self.schema.columns[self.columns[k].target])
    }

    /// The target's columns that are written and not in the key.
    pub fn other_columns(&self) -> impl Iterator<Item = &Column> {
        let others = (0..self.columns.len()).filter(|position| !self.key.contains(position));
        others.map(|position| &self.schema.columns[self.columns[position].target])
    }

    /// Whether the run has markers beside its target.
    pub fn has_markers(&self) -> bool {
        self.mode == WriteMode::Insert || self.empties
    }

    /// The marker that says that the run has emptied its target: below those of shards, and another
    /// one for each table, as a task may be edited in the middle of a run.
    pub fn emptied_marker(&self) -> i64 {
        marker_of(&self.schema.table, "empty")
    }

    /// Names the row at fault by its key, for an error about `cells` of one row.
    pub fn describe_row<'a>(&self, cells: impl Iterator<Item = Option<&'a [u8]>>) -> String {
        let cells: Vec<_> = cells.collect();
        let named = self.key.iter().filter_map(|&position| {
            let name = &self.schema.columns[self.columns[position].target].name;
            let value = (*cells.get(position)?)?;
            Some(format!("{name}={}", String::from_utf8_lossy(&value[..value.len().min(80)])))
        });
        let named: Vec<_> = named.collect();
        if named.is_empty() { "a row".to_owned() } else { format!("row {}", named.join(", ")) }
    }
}

/// A marker of something that is done with a table once a run: below those of shards.
pub(super) fn marker_of(table: &TableRef, what: &str) -> i64 {
    let sum = checksum(format!("{what} {table}").as_bytes()) as u64;
    -1 - (sum >> 1) as i64
}

/// The table that a run loads beside its target, to take its place.
pub fn beside(target: &TableRef, run_id: Uuid) -> TableRef {
    named_beside(target, "_goshift_", run_id)
}

/// The target once another table has taken its place.
pub(super) fn old(target: &TableRef, run_id: Uuid) -> TableRef {
    named_beside(target, "_goshift_old_", run_id)
}

/// A name that every engine takes (PostgreSQL's are shortest, with 63 bytes), and every attempt finds.
fn named_beside(target: &TableRef, word: &str, run_id: Uuid) -> TableRef {
    // The last digits are random, the first the time.
    let suffix = format!("{word}{}", &run_id.simple().to_string()[20..]);
    let mut end = target.name.len().min(63 - suffix.len());
    while !target.name.is_char_boundary(end) {
        end -= 1;
    }
    let name = format!("{}{suffix}", &target.name[..end]);
    TableRef { schema: target.schema.clone(), name }
}

/// What a shard's transaction did, known after its COMMIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Rows received and written.
    pub rows: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Rows written to the target, of a run that may leave some as they are; filled in with the shard.
    pub written: u64,
    /// The marker said that an earlier attempt had committed this shard: nothing was written.
    pub already_done: bool,
    /// Rows that were left out because the target refuses them.
    pub rejected: Vec<Rejection>,
}

impl Receipt {
    /// Adds what another transaction of the same shard did.
    pub fn add(&mut self, other: Receipt) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.rejected.extend(other.rejected);
    }
}

/// A row that the target refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its split key in the source.
    pub key: Bound,
    /// The names of the key's columns.
    pub columns: String,
    /// What the database said.
    pub message: String,
}
