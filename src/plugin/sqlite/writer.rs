//! Writes SQLite.
//!
//! A file has one writer at a time, so the lanes take turns: each waits for its first rows, then
//! for the file, and writes its shard in one transaction.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::types::FromSql;
use uuid::Uuid;

use super::bind;
use super::connect::{File, Session, blocking, on_thread};
use super::describe::{describe, find};
use super::shard::{Shard, count, rows};
use super::{default, hazards, indexes, range, reader, shard, sql, step};
use crate::batch::{BatchReceiver, WireFormat};
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Kind, Result};
use crate::fence::Fence;
use crate::plugin::path::{ChosenPath, WritePath};
use crate::plugin::rights::{Lack, Work};
use crate::plugin::step::Step;
use crate::plugin::{
    Bound, ColumnPair, Hazard, NewTable, Receipt, WriteMode, WritePlan, Writer, not_added,
};
use crate::schema::default::give_up;
use crate::schema::{Column, Index, Schema, TableRef};

/// Why a table is not replaced by another.
const NO_SWAP: &str = "SQLite keeps tables, views and triggers as the text they were written in, and has no \
     way to make a table just like another";

/// A file that is written.
pub(super) struct SqliteWriter {
    file: Arc<File>,
}

impl SqliteWriter {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// Kind `Config` when its folder isn't there or it is no database.
    pub(super) async fn connect(config: &ConnectionConfig) -> Result<Self> {
        let config = config.clone();
        let file = blocking(move || File::to_write(&config)).await?;
        let writer = Self { file };
        writer.take_turn(|_| Ok(())).await?;
        Ok(writer)
    }

    /// Works with the file's writing connection, alone in this process.
    async fn take_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut turn = Arc::clone(&self.file.turn).lock_owned().await;
        let connection = match turn.take() {
            Some(connection) => connection,
            None => {
                let file = Arc::clone(&self.file);
                blocking(move || file.open_to_write()).await?
            }
        };
        // The thread holds the turn, so that a dropped future can't let two write at a time.
        let (result, connection, mut turn) = on_thread(&self.file, connection, turn, work).await?;
        if connection.is_autocommit() {
            *turn = Some(connection);
        }
        result
    }

    /// The one value that a query gives.
    async fn query<T: FromSql + Send + 'static>(&self, query: String) -> Result<T> {
        self.take_turn(move |session| {
            let value = session.connection.query_row(&query, [], |row| row.get(0));
            value.map_err(|e| session.error(e))
        })
        .await
    }
}

#[async_trait]
impl Writer for SqliteWriter {
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        let table = table.clone();
        self.take_turn(move |session| {
            describe(session.connection, &table).map_err(|e| session.error(e))
        })
        .await
    }

    async fn create(&self, table: &TableRef, source: &NewTable<'_>) -> Result<Vec<String>> {
        let mut columns = source.columns.clone();
        loop {
            let new = NewTable { columns: columns.clone(), ..source.clone() };
            let statement = sql::create(table, &new)?;
            let place = format!("table {table} can't be created");
            let (engine, indexes, name) = (new.engine, new.indexes, table.clone());
            let done = self.take_turn(move |session| {
                let indexes = (engine, new.columns.as_slice(), indexes.as_slice());
                let refused = create(session.connection, &name, &statement, indexes);
                let refused = refused.map_err(|e| session.error(e).context(place))?;
                let note = |(index, error)| {
                    not_added(&name, &new.columns, &index, Some(&session.error(error)))
                };
                Ok(refused.into_iter().map(note).collect())
            });
            match done.await {
                // A default that SQLite does not take costs the default, not the run.
                Err(error)
                    if error.kind() == Kind::Permanent
                        && give_up(&mut columns, &error.to_string()) => {}
                done => return done,
            }
        }
    }

    fn default_of(&self, engine: &str, column: &Column) -> Option<String> {
        default::clause(column, engine == super::ENGINE)
    }

    async fn add_columns(&self, table: &TableRef, new: &NewTable<'_>) -> Result<()> {
        let statement = sql::add_columns(table, new);
        let place = format!("columns can't be added to table {table}");
        self.take_turn(move |session| {
            let done = session.connection.execute_batch(&statement);
            done.map_err(|e| session.error(e).context(place))
        })
        .await
    }

    async fn hazards(&self, table: &TableRef) -> Result<Vec<Hazard>> {
        let table = table.clone();
        self.take_turn(move |session| hazards::find(session, &table)).await
    }

    async fn lacks(&self, _work: &Work<'_>) -> Result<Vec<Lack>> {
        self.take_turn(hazards::lacks).await
    }

    async fn followers(&self, table: &TableRef) -> Result<Vec<String>> {
        let table = table.clone();
        self.take_turn(move |session| hazards::followers(session, &table)).await
    }

    fn accepts(&self, pairs: &[ColumnPair<'_>]) -> Vec<WireFormat> {
        reader::formats(pairs)
    }

    async fn choose_path(&self, _plan: &WritePlan, _is_free: bool) -> Result<ChosenPath> {
        Ok(ChosenPath::only(WritePath::Statements))
    }

    async fn is_empty(&self, table: &TableRef) -> Result<bool> {
        self.query(format!("SELECT NOT EXISTS (SELECT 1 FROM {})", sql::table(table))).await
    }

    async fn count(&self, table: &TableRef) -> Result<u64> {
        let rows: i64 = self.query(format!("SELECT count(*) FROM {}", sql::table(table))).await?;
        Ok(rows.unsigned_abs())
    }

    async fn prepare(&self, plan: &WritePlan) -> Result<bool> {
        let plan = copy(plan);
        self.take_turn(move |session| prepare(session, &plan)).await
    }

    async fn forget(&self, plan: &WritePlan) -> Result<()> {
        let run = plan.run_id.to_string();
        self.take_turn(move |session| {
            let forget = || {
                session.connection.execute_batch(sql::MARKERS)?;
                session.connection.execute("DELETE FROM goshift_marker WHERE run_id = ?1", [run])
            };
            forget().map(|_| ()).map_err(|e| session.error(e))
        })
        .await
    }

    async fn swap_obstacles(&self, _table: &TableRef) -> Result<Vec<String>> {
        Ok(vec![NO_SWAP.to_owned()])
    }

    async fn create_like(&self, new: &TableRef, _table: &TableRef) -> Result<()> {
        Err(Error::permanent(format!("table {new} can't be created: {NO_SWAP}")))
    }

    async fn swap(&self, _plan: &WritePlan, target: &TableRef, _fence: &Fence) -> Result<()> {
        Err(Error::permanent(format!("table {target} can't be replaced: {NO_SWAP}")))
    }

    async fn settle_swap(&self, _target: &TableRef, _run_id: Uuid) -> Result<bool> {
        Ok(false)
    }

    async fn empty(&self, plan: &WritePlan, again: bool, fence: &Fence) -> Result<bool> {
        let (plan, fence) = (copy(plan), fence.clone());
        self.take_turn(move |session| shard::empty(session, &plan, again, &fence)).await
    }

    async fn write(
        &self,
        plan: &WritePlan,
        shard: u64,
        mut input: BatchReceiver,
    ) -> Result<Receipt> {
        // A source that is slow to start must not keep the file from the other lanes.
        let first = input.next().await?;
        let plan = copy(plan);
        let spill = !self.file.is_read();
        let (mut receipt, rest) = self
            .take_turn(move |session| {
                let statement = sql::write(&plan);
                let take_out = sql::take_out(&plan);
                let binders = bind::binders(&plan);
                Shard { session, plan: &plan, statement, take_out, binders }
                    .write(shard, spill, first, input)
            })
            .await?;
        // Done by an earlier attempt: the reader may finish, without holding the file.
        if let Some(mut input) = rest {
            while let Some(payload) = input.next().await? {
                count(&mut receipt, rows(&payload)?);
            }
        }
        Ok(receipt)
    }

    async fn delete(
        &self,
        plan: &WritePlan,
        _shard: u64,
        keys: &[Bound],
        fence: &Fence,
    ) -> Result<u64> {
        let columns: Vec<_> = plan
            .key
            .iter()
            .map(|&k| sql::quote(&plan.schema.columns[plan.columns[k].target].name))
            .collect();
        let keys = keys.iter().map(|key| range::position(key, columns.len()));
        let keys: Vec<_> = keys.collect::<Result<_>>()?;
        let statement = format!(
            "DELETE FROM {} WHERE {}",
            sql::table(&plan.schema.table),
            range::among(&columns, &keys)
        );
        let fence = fence.clone();
        self.take_turn(move |session| {
            let error = |e| session.error(e);
            let transaction = shard::begin(session.connection, true).map_err(error)?;
            let values = rusqlite::params_from_iter(keys.iter().flatten());
            let deleted = transaction.execute(&statement, values).map_err(error)?;
            fence.check()?;
            transaction.commit().map_err(error)?;
            Ok(deleted as u64)
        })
        .await
    }

    // SQLite itself moves AUTOINCREMENT counters past explicit values.
    /// Nothing to do: whoever writes has locked the file since its transaction began. Others wait
    /// for its end, and what they write comes after it.
    async fn expel(&self, _shards: &[(Uuid, u64)]) -> Result<()> {
        Ok(())
    }

    async fn run_once(&self, step: &Step) -> Result<bool> {
        let step = step.clone();
        self.take_turn(move |session| step::run(session, &step)).await
    }

    async fn finish(&self, plan: &WritePlan) -> Result<Vec<String>> {
        if !plan.has_markers() {
            return Ok(Vec::new());
        }
        self.take_turn(move |session| {
            let done = session.connection.execute(
                "DELETE FROM goshift_marker WHERE written_at < datetime('now', '-7 days')",
                [],
            );
            done.map(|_| Vec::new()).map_err(|e| session.error(e))
        })
        .await
    }
}

/// Creates a table with its indexes, unless it is there. Returns the indexes that were refused.
fn create(
    connection: &Connection,
    table: &TableRef,
    statement: &str,
    indexes: (&str, &[Column], &[Index]),
) -> rusqlite::Result<Vec<(Index, rusqlite::Error)>> {
    let transaction = shard::begin(connection, true)?;
    if find(&transaction, table)?.is_some() {
        return Ok(Vec::new());
    }
    transaction.execute_batch(statement)?;
    let refused = indexes::create(&transaction, table, indexes)?;
    transaction.commit()?;
    Ok(refused)
}

/// A plan for another thread.
fn copy(plan: &WritePlan) -> WritePlan {
    WritePlan {
        schema: Arc::clone(&plan.schema),
        columns: plan.columns.clone(),
        key: plan.key.clone(),
        mode: plan.mode,
        by_key: plan.by_key,
        adds_key: plan.adds_key,
        empties: plan.empties,
        swap: plan.swap.clone(),
        unique_rows: plan.unique_rows,
        path: ChosenPath::only(WritePath::Statements),
        statement_rows: plan.statement_rows,
        format: plan.format,
        run_id: plan.run_id,
    }
}

fn prepare(session: &Session<'_>, plan: &WritePlan) -> Result<bool> {
    let table = &plan.schema.table;
    session.connection.prepare_cached(&sql::write(plan)).map_err(|e| {
        let key: Vec<_> = plan.key.iter().map(|&p| plan.columns[p].target).collect();
        let error = session.error(e).context(format!("table {table} can't be written"));
        match plan.mode {
            WriteMode::Upsert => error.with_remedy(format!(
                "the target needs a primary key or a unique index on ({})",
                plan.schema.names(&key)
            )),
            WriteMode::Insert => error,
        }
    })?;
    if !plan.has_markers() {
        return Ok(false);
    }
    let marked = || {
        session.connection.execute_batch(sql::MARKERS)?;
        session.connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM goshift_marker WHERE run_id = ?1)",
            [plan.run_id.to_string()],
            |row| row.get(0),
        )
    };
    marked().map_err(|e| session.error(e))
}
