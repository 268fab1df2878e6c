//! The interfaces between the run and the engines, and the list of engines.
//!
//! A new database is a new folder here and one line in [`PLUGINS`]. Nothing outside the folders
//! knows an engine. Plugins never see the ledger or the queue.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::batch::{BatchReceiver, BatchSender, WireFormat};
use crate::checksum::checksum;
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Result};
use crate::fence::Fence;
use crate::plan::check::Check;
use crate::plan::rules::Rules;
use crate::plugin::digest::{
    Buckets, Digest, DigestPlan, HashFunction, HashedRow, Ordering, Print,
};
use crate::plugin::path::ChosenPath;
use crate::plugin::rights::{Lack, Work};
use crate::plugin::step::Step;
use crate::plugin::window::{Newest, Window};
use crate::schema::{Column, LogicalType, Schema, TableRef};

pub mod digest;
pub mod mysql;
pub mod path;
pub mod postgres;
mod reuse;
pub mod rights;
mod row_keys;
pub mod sqlite;
pub mod step;
pub mod window;

/// Every engine, with the names that a task row may use for it.
static PLUGINS: &[&dyn Plugin] = &[&mysql::Mysql, &postgres::Postgres, &sqlite::Sqlite];

/// Finds the engine for `from_db_type` / `to_db_type`.
///
/// # Errors
/// Kind `Config` for an unknown name; the message lists the known ones.
pub fn find(db_type: &str) -> Result<&'static dyn Plugin> {
    let wanted = db_type.trim().to_ascii_lowercase();
    PLUGINS.iter().copied().find(|p| p.names().contains(&wanted.as_str())).ok_or_else(|| {
        let known: Vec<_> = PLUGINS.iter().map(|p| p.name()).collect();
        Error::config(format!("unknown database type \"{db_type}\""))
            .with_remedy(format!("use one of: {}", known.join(", ")))
    })
}

/// One database engine.
#[async_trait]
pub trait Plugin: Send + Sync {
    /// The engine's name in configuration and task rows.
    fn name(&self) -> &'static str {
        self.names()[0]
    }

    /// All spellings accepted in a task row, lower case, the main one first.
    fn names(&self) -> &'static [&'static str];

    /// Connects to read, with at most `lanes` + 1 connections. Proves the connection works.
    async fn reader(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Reader>>;

    /// Connects to write, with at most `lanes` + 1 connections. Proves the connection works.
    async fn writer(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Writer>>;
}

/// One value of a shard bound, as the database printed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BoundValue {
    /// Written into SQL without quotes.
    #[serde(rename = "n")]
    Number(String),
    /// Written into SQL as a string literal.
    #[serde(rename = "t")]
    Text(String),
    /// Lower-case hex digits of a binary value.
    #[serde(rename = "x")]
    Hex(String),
}

/// A position in key order: one value for each split column. Only the database compares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bound(pub Vec<BoundValue>);

/// The rows of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRange {
    /// The whole table.
    All,
    /// Keys greater than `after` and not greater than `to`; without a bound, open on that side.
    /// Rows with NULL in a split column are left to [`KeyRange::Nulls`].
    Between {
        /// Exclusive lower bound.
        after: Option<Bound>,
        /// Inclusive upper bound.
        to: Option<Bound>,
    },
    /// Rows with NULL in at least one split column.
    Nulls,
    /// The rows whose split columns have exactly these values.
    Keys(Vec<Bound>),
}

/// What to read: the same for all shards of a run.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    /// The source table.
    pub schema: Arc<Schema>,
    /// Columns to read, positions in the schema, in the order of the batch's cells.
    pub columns: Vec<usize>,
    /// The split key, positions in the schema; empty for a table that is read by one lane.
    pub split: Vec<usize>,
    /// The task's `where`, a condition in the source's own SQL.
    pub filter: Option<String>,
    /// Rows that a shard has at first (`read_batch`, see [`crate::plan::sizing`]).
    pub shard_rows: u64,
    /// What the writer gets.
    pub format: WireFormat,
    /// What may happen to values on their way.
    pub rules: Rules,
}

impl ReadPlan {
    /// The columns to read, in batch order.
    pub fn read_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().map(|&c| &self.schema.columns[c])
    }

    /// The split columns, in key order.
    pub fn split_columns(&self) -> impl Iterator<Item = &Column> {
        self.split.iter().map(|&c| &self.schema.columns[c])
    }
}

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
fn marker_of(table: &TableRef, what: &str) -> i64 {
    let sum = checksum(format!("{what} {table}").as_bytes()) as u64;
    -1 - (sum >> 1) as i64
}

/// The table that a run loads beside its target, to take its place.
pub fn beside(target: &TableRef, run_id: Uuid) -> TableRef {
    named_beside(target, "_goshift_", run_id)
}

/// The target once another table has taken its place.
fn old(target: &TableRef, run_id: Uuid) -> TableRef {
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

/// A source and target column, for the choice of a wire format.
#[derive(Debug, Clone, Copy)]
pub struct ColumnPair<'a> {
    /// In the source.
    pub from: &'a Column,
    /// In the target.
    pub to: &'a Column,
}

/// Reads one database.
#[async_trait]
pub trait Reader: Send + Sync {
    /// The table's shape; `None` if there is no such table.
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>>;

    /// The formats this reader can send for these columns, best first. The pairs stand in batch
    /// order. [`WireFormat::Canonical`] is always among them.
    fn offers(&self, pairs: &[ColumnPair<'_>]) -> Vec<WireFormat>;

    /// The key of the row that ends the next shard: the `rows`-th row after `after` in key
    /// order, picked by the database. `None` when fewer rows than that are left; the rest is then
    /// one open shard. Called only with a split key.
    async fn cut(&self, plan: &ReadPlan, after: Option<&Bound>, rows: u64)
    -> Result<Option<Bound>>;

    /// The split keys of the rows of a range between two keys, in their order.
    async fn keys(&self, plan: &ReadPlan, range: &KeyRange) -> Result<Vec<Bound>>;

    /// Whether the table is a view, whose rows are those of other tables.
    async fn is_view(&self, table: &TableRef) -> Result<bool>;

    /// Whether the plan has a row to read.
    async fn has_rows(&self, plan: &ReadPlan) -> Result<bool>;

    /// Where the table is for other sessions of its server; `None` if what they would read there may
    /// be something else, as with a view.
    async fn inside(&self, _table: &TableRef) -> Result<Option<Inside>> {
        Ok(None)
    }

    /// How far a column has come, by all rows of the table.
    async fn newest(&self, table: &TableRef, column: &Column) -> Result<Newest>;

    /// The rows of a window of that column, as a condition in the source's SQL.
    fn within(&self, column: &Column, window: &Window) -> String;

    /// Whether the engine's clients take the column, which is a number, for a truth value.
    fn may_be_truth(&self, _column: &Column) -> bool {
        false
    }

    /// Whether an index begins with the column: else the whole table is walked over for each shard. For
    /// a plan that a person looks at.
    async fn has_index(&self, table: &TableRef, column: &str) -> Result<bool>;

    /// The rights that the login lacks to read what the plan says. For a plan that a person looks at.
    async fn lacks(&self, plan: &ReadPlan) -> Result<Vec<Lack>>;

    /// How the server orders the split columns.
    async fn orderings(&self, plan: &ReadPlan) -> Result<Vec<Ordering>>;

    /// A key's value, as [`Reader::read`] sent it in `format`, for a [`KeyRange::Keys`].
    fn key_value(&self, column: &Column, cell: &[u8], format: WireFormat) -> BoundValue;

    /// Whether the server prints the column in this way.
    fn prints(&self, _column: &Column, _print: Print) -> bool {
        false
    }

    /// The hash functions that the server has, best first.
    async fn hash_functions(&self) -> Result<Vec<HashFunction>> {
        Ok(Vec::new())
    }

    /// Counts and sums up the rows of a range, by so many buckets (a power of two). Empty buckets are
    /// left out. `None` if the server can't hash one of the rows, which is too long. Called only if
    /// [`Reader::prints`] every column.
    async fn digest(
        &self,
        plan: &DigestPlan,
        _range: &KeyRange,
        _buckets: u32,
    ) -> Result<Option<Vec<Digest>>> {
        Err(Error::internal(format!("{} can't be hashed by its server", plan.schema().table)))
    }

    /// The hash of each row of some buckets of a range. Called only once [`Reader::digest`] has
    /// hashed them all.
    async fn hashes(
        &self,
        plan: &DigestPlan,
        _range: &KeyRange,
        _buckets: &Buckets,
    ) -> Result<Vec<HashedRow>> {
        Err(Error::internal(format!("{} can't be hashed by its server", plan.schema().table)))
    }

    /// How [`Reader::snapshot`] of that table would go, with so many lanes.
    ///
    /// # Errors
    /// Kind `Permanent` or `Config`, with the reason why the engine can't.
    async fn snapshot_way(&self, table: &TableRef, lanes: usize) -> Result<SnapshotWay>;

    /// Another reader, all of whose rows are as of one moment: that of this call. What it holds for
    /// that in the server ends with it, or with this process.
    ///
    /// # Errors
    /// Kind `Transient` if that can't be had now, else why it can't be had at all. Never a reader that
    /// reads as of several moments.
    async fn snapshot(&self, table: &TableRef, lanes: usize) -> Result<Arc<dyn Reader>>;

    /// Whether a reader that [`Reader::snapshot`] made still has all that it held. Asked before a run
    /// relies on what it has read.
    ///
    /// # Errors
    /// Kind `Transient` if some of it was lost.
    async fn still_holds(&self) -> Result<()> {
        Ok(())
    }

    /// Streams a shard and ends it with `out.finish()`.
    async fn read(&self, plan: &ReadPlan, range: &KeyRange, out: BatchSender) -> Result<()>;
}

/// How an engine reads a table as of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotWay {
    /// In words for people.
    pub how: &'static str,
    /// Lanes that can share it.
    pub lanes: usize,
}

/// The error of a target that keeps rows when all of them are deleted.
fn not_emptied(table: &TableRef) -> Error {
    Error::permanent(format!("all rows of {table} were deleted, and some are still there"))
        .with_remedy(
            "look for a trigger, a rule or a policy on the target that keeps rows, and for others who \
             write into it",
        )
}

/// The error of a reader whose snapshot is gone, in part or as a whole.
fn snapshot_lost(place: &str) -> Error {
    Error::transient(format!("{place}: a connection that held the run's snapshot was lost"))
        .with_remedy(
            "the next attempt starts over with a snapshot of its own; did somebody end the \
             session, or does something between here and the server close idle connections?",
        )
}

/// Writes one database.
#[async_trait]
pub trait Writer: Send + Sync {
    /// The table's shape; `None` if there is no such table.
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>>;

    /// Creates the table with these columns of the source (renamed where the task says so) and
    /// its first usable key. The engine picks its own types by the logical ones, and the source's
    /// native type where `same_engine`. Harmless if another process was faster.
    async fn create(&self, table: &TableRef, source: &NewTable<'_>) -> Result<()>;

    /// The default that [`Writer::create`] means to give a column of that engine, in the writer's own
    /// SQL; `None` if it has none or it can't be carried over. What the server does not take is left
    /// out.
    fn default_of(&self, engine: &str, column: &Column) -> Option<String>;

    /// Adds columns to a table, as [`Writer::create`] would make them. The table has rows: the columns
    /// take NULL. Fails if one is there already.
    async fn add_columns(&self, table: &TableRef, new: &NewTable<'_>) -> Result<()>;

    /// Whether rows go into a new table faster before it has its key, so that
    /// [`NewTable::late_key`] is worth it.
    fn prefers_late_keys(&self) -> bool {
        false
    }

    /// Adds the key that a table lacks since its creation ([`Schema::pending_key`]). Harmless if that
    /// was done meanwhile.
    async fn add_pending_key(&self, _table: &TableRef) -> Result<()> {
        Ok(())
    }

    /// Whether that table is on this writer's own server, and its login may read it.
    async fn can_read(&self, _table: &Inside) -> Result<bool> {
        Ok(false)
    }

    /// What else happens when rows are written into the table, or may keep them out: its triggers and
    /// foreign keys. For a plan that a person looks at.
    async fn hazards(&self, table: &TableRef) -> Result<Vec<Hazard>>;

    /// The rights that the login lacks for that work. For a plan that a person looks at.
    async fn lacks(&self, work: &Work<'_>) -> Result<Vec<Lack>>;

    /// Tables whose foreign keys delete or change rows of theirs when a row of this one is deleted.
    async fn followers(&self, table: &TableRef) -> Result<Vec<String>>;

    /// The formats this writer can take for these columns.
    fn accepts(&self, pairs: &[ColumnPair<'_>]) -> Vec<WireFormat>;

    /// The fastest way in that is safe, and what to do when it turns out not to work. Looks into
    /// the target, unless `is_free` says that no row of the run's keys is to be expected: it was only
    /// now created, or holds what this run has written.
    async fn choose_path(&self, plan: &WritePlan, is_free: bool) -> Result<ChosenPath>;

    /// Lanes that keep all of the server's processor cores busy, if known: more of them only get in
    /// each other's way.
    fn enough_lanes(&self) -> Option<usize> {
        None
    }

    /// The same for the lanes of one worker, which need no slack for others that are held up.
    fn enough_lanes_alone(&self) -> Option<usize> {
        self.enough_lanes()
    }

    /// Whether the table has no row.
    async fn is_empty(&self, table: &TableRef) -> Result<bool>;

    /// Exact number of rows, for a final check.
    async fn count(&self, table: &TableRef) -> Result<u64>;

    /// Makes ready for the run's shards, such as the marker table ([`WritePlan::has_markers`]).
    /// Returns whether an earlier attempt of this run has already written a marker.
    async fn prepare(&self, plan: &WritePlan) -> Result<bool>;

    /// Forgets which shards of the run are in: its target was dropped and is new.
    async fn forget(&self, plan: &WritePlan) -> Result<()>;

    /// Why no other table can take the place of this one, which may be missing, without a loss, in words
    /// for people; empty if one can.
    async fn swap_obstacles(&self, table: &TableRef) -> Result<Vec<String>>;

    /// Creates an empty table that could take the place of `table`. Harmless if it is there.
    async fn create_like(&self, new: &TableRef, table: &TableRef) -> Result<()>;

    /// Puts the plan's table in the place of `target` in one step, which readers see as a whole or not
    /// at all, and drops the old one. Only while `fence` is open, behind the lock of [`Writer::empty`].
    async fn swap(&self, plan: &WritePlan, target: &TableRef, fence: &Fence) -> Result<()>;

    /// Whether an earlier attempt of the run has put its table in the place of `target`; drops what
    /// that has left.
    async fn settle_swap(&self, target: &TableRef, run_id: Uuid) -> Result<bool>;

    /// Takes every row out of the target, once a run, in one transaction with a marker that tells
    /// later attempts; with `again` whatever markers say, and those of the run's shards are forgotten.
    /// Commits only while `fence` is open, behind a lock named after the target: whoever takes it ends
    /// the session that has it. Returns whether this call has emptied the target.
    async fn empty(&self, plan: &WritePlan, again: bool, fence: &Fence) -> Result<bool>;

    /// Writes one shard in one transaction and returns after its COMMIT. Dropping the future
    /// rolls back.
    async fn write(&self, plan: &WritePlan, shard: u64, input: BatchReceiver) -> Result<Receipt>;

    /// Deletes the rows with these values in the key ([`WritePlan::key`]), in one transaction that
    /// commits only while `fence` is open, behind the lock of shard `shard`. Returns how many were
    /// there.
    async fn delete(
        &self,
        plan: &WritePlan,
        shard: u64,
        keys: &[Bound],
        fence: &Fence,
    ) -> Result<u64>;

    /// Ends what other processes have open in the database for these shards of these runs, and
    /// returns once it is rolled back or in. Called before shards of a lost worker are written
    /// again; each shard's own transaction makes sure of the same for its own number.
    async fn expel(&self, shards: &[(Uuid, u64)]) -> Result<()>;

    /// Runs a step's statements, unless an earlier attempt of the run has, in a transaction that
    /// remembers it. Ends a session of another worker that is at it. Returns whether they ran now.
    async fn run_once(&self, step: &Step) -> Result<bool>;

    /// Whether the connection has a bound that [`Writer::pressure`] looks at.
    fn has_bounds(&self) -> bool {
        false
    }

    /// Which of the connection's bounds the server is over, in words for people, as in
    /// `Threads_running is 45, the bound is 40`; `None` when all is well.
    async fn pressure(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// After the last shard: moves sequences past the copied values, removes the run's markers.
    async fn finish(&self, plan: &WritePlan) -> Result<()>;
}

/// Something about a target table that a person should know before rows go in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hazard {
    /// A trigger of that name.
    Trigger(String),
    /// A foreign key of that name, and the table it refers to.
    ForeignKey(String, String),
}

impl std::fmt::Display for Hazard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trigger(name) => write!(f, "trigger {name} runs for the rows that are written"),
            Self::ForeignKey(name, table) => write!(
                f,
                "foreign key {name}: a row that {table} has no counterpart of fails the run; copy {table} \
                 first"
            ),
        }
    }
}

/// A table, as any session of its server finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Tells the server from every other, whatever stands between.
    pub server: String,
    /// The table's full name.
    pub table: TableRef,
}

/// A table to create, or columns to add.
#[derive(Debug, Clone)]
pub struct NewTable<'a> {
    /// The engine the columns come from; equal to the writer's own name for the same engine.
    pub engine: &'static str,
    /// The source's columns under their target names; none is to be generated.
    pub columns: Vec<Column>,
    /// The key, positions in `columns`; empty for none.
    pub key: &'a [usize],
    /// The run that adds the key once its rows are in; `None` for a table that has it from the start.
    pub late_key: Option<Uuid>,
    /// The table's comment.
    pub comment: Option<String>,
}
