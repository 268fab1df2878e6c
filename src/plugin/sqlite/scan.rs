//! Reading one shard, page by page.
//!
//! A page is what fits a batch. Its statement is reset before the batch is sent, and the next
//! page goes on behind the last row: so the file's read lock is never held while the writer is
//! slow. A program that writes to the source doesn't wait for the target, and a target in the
//! same file can commit.

use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement, params_from_iter};

use super::connect::Session;
use super::describe::{self, Kind};
use super::range::{Param, Position, Range};
use super::{cells, sql};
use crate::batch::{Batch, BatchSender, Payload, WireFormat};
use crate::error::{Context, Error, Result};
use crate::plugin::{KeyRange, ReadPlan};

/// A shard to read.
pub(super) struct Scan<'a> {
    plan: &'a ReadPlan,
    session: &'a Session<'a>,
    range: Range,
    /// The columns that put the rows into order and name one in messages.
    order: Vec<String>,
    /// Whether the order tells any two rows apart, so that a page may end anywhere.
    total: bool,
    /// The file's schema version if the order leans on a hidden rowid, which VACUUM changes.
    version: Option<i64>,
}

impl<'a> Scan<'a> {
    /// Decides on the order.
    ///
    /// # Errors
    /// SQLite's, or a bound that doesn't fit.
    pub(super) fn new(
        session: &'a Session<'a>,
        plan: &'a ReadPlan,
        range: &KeyRange,
    ) -> Result<Self> {
        let schema = &plan.schema;
        let by_split = matches!(range, KeyRange::Between { .. });
        let mut order = if by_split { plan.split.clone() } else { Vec::new() };
        let mut total = by_split
            && schema.keys.iter().any(|key| key.columns.iter().all(|c| plan.split.contains(c)));
        let mut rowid = None;
        if !total {
            let found =
                describe::find(session.connection, &schema.table).map_err(|e| session.error(e))?;
            let primary = schema.keys.first().filter(|key| key.primary);
            let alias = primary.filter(|key| schema.columns[key.columns[0]].auto_increment);
            match (found.map(|listed| listed.kind), alias, primary) {
                (Some(Kind::Rowid), Some(key), _) | (Some(Kind::WithoutRowid), _, Some(key)) => {
                    order.extend(&key.columns);
                    total = true;
                }
                (Some(Kind::Rowid), None, _) => {
                    rowid = describe::rowid_name(session.connection, &schema.table)
                        .map_err(|e| session.error(e))?;
                    total = rowid.is_some();
                }
                _ => {}
            }
        }
        let mut names: Vec<_> =
            order.iter().map(|&c| sql::quote(&schema.columns[c].name)).collect();
        names.extend(rowid.map(str::to_owned));
        let version = rowid.map(|_| schema_version(session)).transpose()?;
        let range = Range::new(plan, range)?;
        Ok(Self { plan, session, range, order: names, total, version })
    }

    /// Sends the shard and its end.
    ///
    /// # Errors
    /// SQLite's; kind `Permanent` for a value that doesn't fit; kind `Cancelled` when the writer
    /// is gone.
    pub(super) fn run(&self, mut out: BatchSender) -> Result<()> {
        let mut position = None;
        loop {
            let (batch, next) = self.page(position.as_ref(), &mut out)?;
            self.session.check()?;
            if batch.rows() > 0 {
                out.blocking_send(Payload::Rows(batch))?;
            }
            if next.is_none() {
                self.session.check()?;
                return out.blocking_finish();
            }
            position = next;
        }
    }

    /// Reads on from `position` and returns the last batch with the place where the next page
    /// starts. Without a total order there is one page, and its full batches are sent from here.
    fn page(
        &self,
        position: Option<&Position>,
        out: &mut BatchSender,
    ) -> Result<(Batch, Option<Position>)> {
        let error = |e| self.session.error(e);
        // A rowid's version and its rows are read in one transaction.
        let _snapshot = match self.version {
            // Unless the whole run is in one.
            Some(_) if self.session.connection.is_autocommit() => {
                Some(self.session.connection.unchecked_transaction().map_err(error)?)
            }
            _ => None,
        };
        if let Some(version) = self.version
            && schema_version(self.session)? != version
        {
            let table = &self.plan.schema.table;
            return Err(Error::transient(format!(
                "table {table}: the file was compacted or altered while it was read"
            )));
        }
        let sql = self.select(position);
        let mut statement = self.session.connection.prepare_cached(&sql).map_err(error)?;
        self.rows(&mut statement, position, out)
    }

    fn rows(
        &self,
        statement: &mut Statement<'_>,
        position: Option<&Position>,
        out: &mut BatchSender,
    ) -> Result<(Batch, Option<Position>)> {
        let error = |e| self.session.error(e);
        let width = self.plan.columns.len();
        let mut batch = Batch::new(width);
        let params = params_from_iter(self.range.params(position));
        let mut rows = statement.query(params).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            self.push(row, &mut batch)?;
            if !batch.is_full() {
                continue;
            }
            if self.total {
                return Ok((batch, Some(self.position(row)?)));
            }
            self.session.check()?;
            let full = std::mem::replace(&mut batch, Batch::new(width));
            out.blocking_send(Payload::Rows(full))?;
        }
        Ok((batch, None))
    }

    /// The columns to read, then those of the order.
    fn select(&self, position: Option<&Position>) -> String {
        let columns = self.plan.read_columns().map(|column| sql::quote(&column.name));
        let columns: Vec<_> = columns.chain(self.order.iter().cloned()).collect();
        let table = sql::table(&self.plan.schema.table);
        let condition = self.range.condition(&self.order, position);
        let mut select = format!("SELECT {} FROM {table}{condition}", columns.join(", "));
        if !self.order.is_empty() {
            select += &format!(" ORDER BY {}", self.order.join(", "));
        }
        select
    }

    fn push(&self, row: &Row<'_>, batch: &mut Batch) -> Result<()> {
        let columns = self.plan.columns.iter().zip(self.plan.read_columns());
        for (index, (position, column)) in columns.enumerate() {
            let value = row.get_ref(index).map_err(|e| self.session.error(e))?;
            let pushed = match value {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => batch.check_room(bytes.len() + 1),
                _ => Ok(()),
            };
            pushed.context(|| self.place(row, &column.name))?;
            match self.plan.format {
                WireFormat::SqliteValues => cells::push_tagged(value, batch),
                _ if self.plan.rules.replaces_invalid_utf8(*position)
                    && cells::push_invalid(value, batch) => {}
                _ => cells::push(value, &column.logical, batch).map_err(|phrase| {
                    Error::permanent(format!("{} {phrase}", self.place(row, &column.name)))
                        .with_remedy(
                            "correct the row, leave it out by \"where\", or read the table \
                             through a view that converts the column",
                        )
                        .about_a_row()
                })?,
            }
        }
        Ok(())
    }

    /// Where the next page starts if this row ended one.
    fn position(&self, row: &Row<'_>) -> Result<Position> {
        let first = self.plan.columns.len();
        (first..first + self.order.len())
            .map(|index| {
                let value = row.get_ref(index).map_err(|e| self.session.error(e))?;
                Param::of(value).ok_or_else(|| Error::internal("a page ended at a NULL key"))
            })
            .collect()
    }

    /// Names a row and a column of it.
    fn place(&self, row: &Row<'_>, column: &str) -> String {
        let first = self.plan.columns.len();
        let key = self.order.iter().enumerate().filter_map(|(index, name)| {
            let value = row.get_ref(first + index).ok()?;
            Some(format!("{}={}", name.trim_matches('"'), cells::shown(value)))
        });
        let key: Vec<_> = key.collect();
        let table = &self.plan.schema.table;
        if key.is_empty() {
            return format!("table {table}, column {column}");
        }
        format!("table {table}, row {}: column {column}", key.join(", "))
    }
}

fn schema_version(session: &Session<'_>) -> Result<i64> {
    session
        .connection
        .pragma_query_value(None, "schema_version", |row| row.get(0))
        .map_err(|e| session.error(e))
}
