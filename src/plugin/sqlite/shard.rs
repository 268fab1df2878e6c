//! Writing one shard in one transaction.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, Transaction, TransactionBehavior, params};

use super::bind::Binder;
use super::connect::Session;
use super::{cells, describe, sql};
use crate::batch::{Batch, BatchReceiver, Payload, WireFormat};
use crate::error::{Error, Result};
use crate::fence::Fence;
use crate::plugin::{ByKey, Receipt, WriteMode, WritePlan, not_emptied};

/// A shard to write.
pub(super) struct Shard<'a> {
    /// The writing connection.
    pub(super) session: &'a Session<'a>,
    /// What to write.
    pub(super) plan: &'a WritePlan,
    /// The statement for one row.
    pub(super) statement: String,
    /// Runs before it, with the same parameters.
    pub(super) take_out: Option<String>,
    /// One a column.
    pub(super) binders: Vec<Binder>,
}

/// What became of a shard, and the input that still has to be drained if it had been written
/// before.
pub(super) type Written = (Receipt, Option<BatchReceiver>);

impl Shard<'_> {
    /// Writes `first` and what follows it. Without `spill`, pages stay in memory until COMMIT,
    /// so that a reader of the same file is not shut out before its last row.
    ///
    /// # Errors
    /// The reader's, SQLite's, or kind `Permanent` naming the row; all after a rollback.
    pub(super) fn write(
        &self,
        number: u64,
        spill: bool,
        first: Option<Payload>,
        mut input: BatchReceiver,
    ) -> Result<Written> {
        let connection = self.session.connection;
        let mut receipt = Receipt::default();
        let transaction = begin(connection, spill).map_err(|e| self.error(e))?;
        if self.plan.mode == WriteMode::Insert && !self.mark(number)? {
            transaction.rollback().map_err(|e| self.error(e))?;
            receipt.already_done = true;
            if let Some(payload) = first {
                count(&mut receipt, rows(&payload)?);
                return Ok((receipt, Some(input)));
            }
            return Ok((receipt, None));
        }
        let mut statement =
            connection.prepare_cached(&self.statement).map_err(|e| self.error(e))?;
        let take_out = self.take_out.as_ref().map(|sql| connection.prepare_cached(sql));
        let mut take_out = take_out.transpose().map_err(|e| self.error(e))?;
        let mut next = first;
        while let Some(payload) = next {
            self.session.check()?;
            let batch = rows(&payload)?;
            self.insert(&mut statement, take_out.as_deref_mut(), batch)?;
            count(&mut receipt, batch);
            next = input.blocking_next()?;
        }
        drop((statement, take_out));
        self.session.check()?;
        crate::fault::point("shard.before_commit");
        transaction.commit().map_err(|e| self.error(e))?;
        Ok((receipt, None))
    }

    /// Whether the shard has not been written before.
    fn mark(&self, number: u64) -> Result<bool> {
        let shard = i64::try_from(number)
            .map_err(|_| Error::internal(format!("shard number {number} is out of range")))?;
        let run = self.plan.run_id.to_string();
        let marked = self.session.connection.execute(sql::MARK, params![run, shard]);
        Ok(marked.map_err(|e| self.error(e))? == 1)
    }

    fn insert(
        &self,
        statement: &mut Statement<'_>,
        mut take_out: Option<&mut Statement<'_>>,
        batch: &Batch,
    ) -> Result<()> {
        if batch.columns() != self.binders.len() {
            return Err(Error::internal("a batch has other columns than its plan"));
        }
        for row in 0..batch.rows() {
            for (index, binder) in self.binders.iter().enumerate() {
                let value = binder
                    .value(batch.cell(row, index))
                    .map_err(|phrase| self.refuse(batch, row, index, &phrase))?;
                let bind = |statement: &mut Statement<'_>| {
                    let bound =
                        statement.raw_bind_parameter(index + 1, ToSqlOutput::Borrowed(value));
                    bound.map_err(|e| self.error(e))
                };
                bind(statement)?;
                if let Some(take_out) =
                    take_out.as_deref_mut().filter(|_| self.plan.key.contains(&index))
                {
                    bind(take_out)?;
                }
            }
            if let Some(take_out) = take_out.as_deref_mut() {
                let taken = take_out.raw_execute();
                taken.map_err(|e| self.session.error(e).context(self.row(batch, row)))?;
            }
            let written = statement
                .raw_execute()
                .map_err(|e| self.session.error(e).context(self.row(batch, row)))?;
            if written == 0 && self.counts_every_row() {
                self.refuse_lost(batch, row)?;
            }
        }
        Ok(())
    }

    /// Whether a statement that is done has written its row, unless a trigger was in the way.
    fn counts_every_row(&self) -> bool {
        match (self.plan.mode, self.plan.by_key) {
            (WriteMode::Insert, _) | (_, ByKey::Replace) => true,
            // Without other columns a row whose key is there is left as it is.
            (_, ByKey::Merge) => self.plan.key.len() < self.plan.columns.len(),
            (_, ByKey::Keep | ByKey::Update) => false,
        }
    }

    /// What goes through a view's own triggers is not counted (`sqlite3_changes`).
    fn refuse_lost(&self, batch: &Batch, row: usize) -> Result<()> {
        let table = &self.plan.schema.table;
        let found = describe::find(self.session.connection, table).map_err(|e| self.error(e))?;
        if found.is_some_and(|listed| listed.kind == describe::Kind::View) {
            return Ok(());
        }
        Err(Error::permanent(format!("{}: the row was not stored", self.row(batch, row)))
            .with_remedy(format!(
                "look for a trigger on {table} that leaves rows out, and drop it for the run"
            ))
            .about_a_row())
    }

    fn refuse(&self, batch: &Batch, row: usize, column: usize, phrase: &str) -> Error {
        let name = &self.plan.schema.columns[self.plan.columns[column].target].name;
        Error::permanent(format!("{}: column {name} {phrase}", self.row(batch, row)))
            .with_remedy(
                "correct the row or leave it out by \"where\", or change the target column",
            )
            .about_a_row()
    }

    /// Names a row by its key.
    fn row(&self, batch: &Batch, row: usize) -> String {
        let table = &self.plan.schema.table;
        if self.plan.format != WireFormat::SqliteValues {
            return format!("table {table}, {}", self.plan.describe_row(batch.row(row)));
        }
        let shown = |cell| Some(cells::shown(cells::tagged(cell?).unwrap_or(ValueRef::Null)));
        let cells: Vec<Option<String>> = batch.row(row).map(shown).collect();
        let cells = cells.iter().map(|cell| cell.as_ref().map(String::as_bytes));
        format!("table {table}, {}", self.plan.describe_row(cells))
    }

    fn error(&self, error: rusqlite::Error) -> Error {
        self.session.error(error).context(format!("table {}", self.plan.schema.table))
    }
}

/// See [`crate::plugin::Writer::empty`]. The file's own lock keeps others out.
///
/// # Errors
/// SQLite's, or kind `LeaseLost`; after a rollback.
pub(super) fn empty(
    session: &Session<'_>,
    plan: &WritePlan,
    again: bool,
    fence: &Fence,
) -> Result<bool> {
    let name = &plan.schema.table;
    let table = sql::table(name);
    let error = |e| session.error(e).context(format!("emptying table {name}"));
    let run = plan.run_id.to_string();
    let transaction = begin(session.connection, true).map_err(error)?;
    if again {
        let forget = "DELETE FROM goshift_marker WHERE run_id = ?1";
        transaction.execute(forget, [&run]).map_err(error)?;
    }
    let marked = transaction.execute(sql::MARK, params![run, plan.emptied_marker()]);
    if marked.map_err(error)? == 0 {
        transaction.rollback().map_err(error)?;
        return Ok(false);
    }
    transaction.execute(&format!("DELETE FROM {table}"), []).map_err(error)?;
    let left = format!("SELECT EXISTS (SELECT 1 FROM {table})");
    if transaction.query_row(&left, [], |row| row.get(0)).map_err(error)? {
        return Err(not_emptied(name));
    }
    session.check()?;
    fence.check()?;
    crate::fault::point("target.emptying");
    transaction.commit().map_err(error)?;
    Ok(true)
}

/// Begins a transaction that writes.
pub(super) fn begin(connection: &Connection, spill: bool) -> rusqlite::Result<Transaction<'_>> {
    let spill = if spill { "PRAGMA cache_spill = ON" } else { "PRAGMA cache_spill = OFF" };
    connection.execute_batch(spill)?;
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

/// The rows of a message.
///
/// # Errors
/// Kind `Internal` for a format that was not agreed on.
pub(super) fn rows(payload: &Payload) -> Result<&Batch> {
    match payload {
        Payload::Rows(batch) => Ok(batch),
        Payload::Raw(_) => Err(Error::internal("SQLite was sent bytes instead of rows")),
    }
}

/// Adds what was received.
pub(super) fn count(receipt: &mut Receipt, batch: &Batch) {
    receipt.rows += batch.rows() as u64;
    receipt.bytes += batch.bytes() as u64;
}
