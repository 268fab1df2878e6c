//! The interface that writes a database.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::batch::{BatchReceiver, WireFormat};
use crate::error::{Error, Result};
use crate::fence::Fence;
use crate::plugin::path::ChosenPath;
use crate::plugin::rights::{Lack, Work};
use crate::plugin::step::Step;
use crate::plugin::{Bound, ColumnPair, Inside, Receipt, WritePlan};
use crate::schema::{Column, Index, Pending, Schema, TableRef};

/// Writes one database.
#[async_trait]
pub trait Writer: Send + Sync {
    /// The table's shape; `None` if there is no such table.
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>>;

    /// Creates the table with these columns of the source (renamed where the task says so) and
    /// its first usable key. The engine picks its own types by the logical ones, and the source's
    /// native type where `same_engine`. Harmless if another process was faster.
    /// Returns what it is created without, for people.
    async fn create(&self, table: &TableRef, source: &NewTable<'_>) -> Result<Vec<String>>;

    /// The default that [`Writer::create`] means to give a column of that engine, in the writer's own
    /// SQL; `None` if it has none or it can't be carried over. What the server does not take is left
    /// out.
    fn default_of(&self, engine: &str, column: &Column) -> Option<String>;

    /// Adds columns to a table, as [`Writer::create`] would make them. The table has rows: the columns
    /// take NULL. Fails if one is there already.
    async fn add_columns(&self, table: &TableRef, new: &NewTable<'_>) -> Result<()>;

    /// Whether a new table could have that index.
    fn fits_index(&self, _new: &NewTable<'_>, index: &Index) -> bool {
        index.whole_columns().is_some()
    }

    /// Whether rows go into a new table faster before it has its key, so that
    /// [`NewTable::late_key`] is worth it.
    fn prefers_late_keys(&self) -> bool {
        false
    }

    /// Adds the key and the indexes that a table lacks since its creation ([`Schema::pending`]). Harmless
    /// if that was done meanwhile. Returns which indexes could not be added and why, for people.
    async fn add_pending(&self, _table: &TableRef) -> Result<Vec<String>> {
        Ok(Vec::new())
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

    /// After the last shard: adds what is pending, moves sequences past the copied values, removes old
    /// markers. Returns what a person should know.
    async fn finish(&self, plan: &WritePlan) -> Result<Vec<String>>;
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

/// A table to create, or columns to add.
#[derive(Debug, Clone)]
pub struct NewTable<'a> {
    /// The engine the columns come from; equal to the writer's own name for the same engine.
    pub engine: &'static str,
    /// The source's columns under their target names; none is to be generated.
    pub columns: Vec<Column>,
    /// The key, positions in `columns`; empty for none.
    pub key: &'a [usize],
    /// Whether the run adds the key once its rows are in; else the table has it from the start.
    pub late_key: bool,
    /// Further indexes, on positions in `columns`.
    pub indexes: Vec<Index>,
    /// The run that creates it.
    pub run_id: Uuid,
    /// The table's comment.
    pub comment: Option<String>,
}

impl NewTable<'_> {
    /// What the table is created without.
    pub(crate) fn pending(&self) -> Option<Pending> {
        let key = if self.late_key { self.key.to_vec() } else { Vec::new() };
        let pending = Pending { run_id: self.run_id, key, indexes: self.indexes.clone() };
        (!pending.key.is_empty() || !pending.indexes.is_empty()).then_some(pending)
    }
}

/// What a person is told of an index that a table does not get; without an error, because rows share
/// its values.
pub(super) fn not_added(
    table: &TableRef,
    columns: &[Column],
    index: &Index,
    error: Option<&Error>,
) -> String {
    let names = index.parts.iter().map(|part| columns[part.column].name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    let kind = if index.unique { "unique index" } else { "index" };
    let why = match error {
        Some(error) => error.to_string(),
        None => "rows of the target share its values: the source changed while it was read, or compares \
                 them in another way"
            .to_owned(),
    };
    format!(
        "{table} was created without its {kind} ({names}): {why}. Add it yourself, or set \"indexes\": \
         false"
    )
}

/// The error of a target that keeps rows when all of them are deleted.
pub(super) fn not_emptied(table: &TableRef) -> Error {
    Error::permanent(format!("all rows of {table} were deleted, and some are still there"))
        .with_remedy(
            "look for a trigger, a rule or a policy on the target that keeps rows, and for others who \
             write into it",
        )
}
