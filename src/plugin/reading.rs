//! The interface that reads a database.

use std::sync::Arc;

use async_trait::async_trait;

use crate::batch::{BatchSender, WireFormat};
use crate::error::{Error, Result};
use crate::plan::rules::Rules;
use crate::plugin::digest::{
    Buckets, Digest, DigestPlan, HashFunction, HashedRow, Ordering, Print,
};
use crate::plugin::rights::Lack;
use crate::plugin::window::{Newest, Window};
use crate::plugin::{Bound, BoundValue, ColumnPair, KeyRange};
use crate::schema::{Column, Indexes, Schema, TableRef};

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

    /// The table's indexes, but for its primary key. For a target that is created like it.
    async fn indexes(&self, schema: &Schema) -> Result<Indexes>;

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

/// The error of a reader whose snapshot is gone, in part or as a whole.
pub(super) fn snapshot_lost(place: &str) -> Error {
    Error::transient(format!("{place}: a connection that held the run's snapshot was lost"))
        .with_remedy(
            "the next attempt starts over with a snapshot of its own; did somebody end the \
             session, or does something between here and the server close idle connections?",
        )
}

/// A table, as any session of its server finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Tells the server from every other, whatever stands between.
    pub server: String,
    /// The table's full name.
    pub table: TableRef,
}
