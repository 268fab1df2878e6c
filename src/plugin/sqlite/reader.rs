//! Reads SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::params_from_iter;
use rusqlite::types::ValueRef;

use super::connect::{Pool, Session};
use super::describe::{Kind, describe, find};
use super::range::{Param, Range};
use super::scan::Scan;
use super::{cells, hazards, indexes, snapshot, sql, types, window};
use crate::batch::{BatchSender, WireFormat};
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Result};
use crate::plugin::digest::Ordering;
use crate::plugin::rights::Lack;
use crate::plugin::window::{Newest, Window};
use crate::plugin::{Bound, BoundValue, ColumnPair, KeyRange, ReadPlan, Reader, SnapshotWay};
use crate::schema::{Column, Indexes, LogicalType, Schema, TableRef};

/// A file that is read.
pub(super) struct SqliteReader {
    pool: Pool,
}

impl SqliteReader {
    /// Opens the file read-only.
    ///
    /// # Errors
    /// Kind `Config` when it isn't there or is no database.
    pub(super) async fn connect(config: &ConnectionConfig) -> Result<Self> {
        Ok(Self { pool: Pool::connect(config).await? })
    }
}

#[async_trait]
impl Reader for SqliteReader {
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        let table = table.clone();
        self.pool
            .run(move |session| describe(session.connection, &table).map_err(|e| session.error(e)))
            .await
    }

    fn offers(&self, pairs: &[ColumnPair<'_>]) -> Vec<WireFormat> {
        formats(pairs)
    }

    async fn cut(
        &self,
        plan: &ReadPlan,
        after: Option<&Bound>,
        rows: u64,
    ) -> Result<Option<Bound>> {
        let range = KeyRange::Between { after: after.cloned(), to: None };
        let last = format!("LIMIT 1 OFFSET {}", rows.saturating_sub(1).min(i64::MAX as u64));
        let plan = plan.clone();
        let last = self.pool.run(move |session| walk(session, &plan, &range, &last)).await?;
        Ok(last.into_iter().next())
    }

    async fn keys(&self, plan: &ReadPlan, range: &KeyRange) -> Result<Vec<Bound>> {
        let (plan, range) = (plan.clone(), range.clone());
        self.pool.run(move |session| walk(session, &plan, &range, "")).await
    }

    async fn is_view(&self, table: &TableRef) -> Result<bool> {
        let table = table.clone();
        let find = move |session: &Session<'_>| {
            find(session.connection, &table).map_err(|e| session.error(e))
        };
        Ok(self.pool.run(find).await?.is_some_and(|listed| listed.kind == Kind::View))
    }

    async fn has_rows(&self, plan: &ReadPlan) -> Result<bool> {
        let condition = Range::new(plan, &KeyRange::All)?.condition(&[], None);
        let table = sql::table(&plan.schema.table);
        let query = format!("SELECT EXISTS (SELECT 1 FROM {table}{condition})");
        let ask = move |session: &Session<'_>| {
            let found = session.connection.query_row(&query, [], |row| row.get(0));
            found.map_err(|e| session.error(e))
        };
        self.pool.run(ask).await
    }

    async fn newest(&self, table: &TableRef, column: &Column) -> Result<Newest> {
        let (table, column) = (table.clone(), column.clone());
        self.pool.run(move |session| window::newest(session, &table, &column)).await
    }

    fn within(&self, column: &Column, window: &Window) -> String {
        window.condition(&sql::quote(&column.name), sql::literal)
    }

    async fn indexes(&self, schema: &Schema) -> Result<Indexes> {
        let schema = schema.clone();
        let find = move |session: &Session<'_>| {
            indexes::find(session.connection, &schema).map_err(|e| session.error(e))
        };
        self.pool.run(find).await
    }

    async fn has_index(&self, table: &TableRef, column: &str) -> Result<bool> {
        let (table, column) = (table.clone(), column.to_owned());
        self.pool.run(move |session| hazards::has_index(session, &table, &column)).await
    }

    /// None: the file was opened and read to describe the table.
    async fn lacks(&self, _plan: &ReadPlan) -> Result<Vec<Lack>> {
        Ok(Vec::new())
    }

    /// A column may hold anything: only a rowid's alias is sure to hold numbers. Between two files
    /// the same declaration and collation order alike.
    async fn orderings(&self, plan: &ReadPlan) -> Result<Vec<Ordering>> {
        let ordering = |column: &Column| match column.auto_increment {
            true => Ordering::Number,
            false => {
                let collation = column.collation.as_deref().unwrap_or_default();
                Ordering::Named(format!("SQLite {} {collation}", column.native))
            }
        };
        Ok(plan.split_columns().map(ordering).collect())
    }

    fn key_value(&self, column: &Column, cell: &[u8], format: WireFormat) -> BoundValue {
        let param = match format {
            WireFormat::SqliteValues => cells::tagged(cell).and_then(Param::of),
            _ => None,
        };
        let text = || String::from_utf8_lossy(cell).into_owned();
        // As text the column's affinity makes of it what it has made of the stored value.
        param.and_then(Param::into_bound).unwrap_or_else(|| match column.logical {
            LogicalType::Int(_) => BoundValue::Number(text()),
            LogicalType::Bytes(_) | LogicalType::Geometry => BoundValue::Hex(cells::hex(cell)),
            _ => BoundValue::Text(text()),
        })
    }

    async fn snapshot_way(&self, table: &TableRef, _lanes: usize) -> Result<SnapshotWay> {
        let table = table.clone();
        self.pool.run(move |session| snapshot::way(session, &table)).await
    }

    async fn snapshot(&self, _table: &TableRef, _lanes: usize) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(Self { pool: self.pool.in_one_transaction().await? }))
    }

    async fn still_holds(&self) -> Result<()> {
        self.pool.still_holds().await
    }

    async fn read(&self, plan: &ReadPlan, range: &KeyRange, out: BatchSender) -> Result<()> {
        let (plan, range) = (plan.clone(), range.clone());
        self.pool.run(move |session| Scan::new(session, &plan, &range)?.run(out)).await
    }
}

/// What a reader offers and a writer accepts. Tagged values keep their own types only where both
/// columns have the same affinity; the other side's engine doesn't know the format anyway.
pub(super) fn formats(pairs: &[ColumnPair<'_>]) -> Vec<WireFormat> {
    let kept = pairs.iter().all(|pair| {
        let from = types::Affinity::of(&pair.from.native);
        types::Affinity::of(&pair.to.native).keeps(from)
    });
    if kept {
        vec![WireFormat::SqliteValues, WireFormat::Canonical]
    } else {
        vec![WireFormat::Canonical]
    }
}

/// Split keys of a range in their order, or those of them that `which` says.
fn walk(
    session: &Session<'_>,
    plan: &ReadPlan,
    range: &KeyRange,
    which: &str,
) -> Result<Vec<Bound>> {
    let range = Range::new(plan, range)?;
    let columns = sql::list(plan.split_columns().map(|c| c.name.as_str()));
    let statement = format!(
        "SELECT {columns} FROM {}{} ORDER BY {columns} {which}",
        sql::table(&plan.schema.table),
        range.condition(&[], None),
    );
    let mut statement =
        session.connection.prepare_cached(&statement).map_err(|e| session.error(e))?;
    let keys = statement
        .query_map(params_from_iter(range.params(None)), |row| {
            let value = |index| row.get_ref(index).map(|value: ValueRef<'_>| Param::of(value));
            (0..plan.split.len()).map(value).collect::<rusqlite::Result<Option<Vec<_>>>>()
        })
        .map_err(|e| session.error(e))?;
    let bound = |key: rusqlite::Result<Option<Vec<Param>>>| {
        let key = key.map_err(|e| session.error(e))?;
        let values = key.and_then(|key| key.into_iter().map(Param::into_bound).collect());
        values.map(Bound).ok_or_else(|| {
            Error::permanent(format!(
                "table {}: a key in {} is text that is not UTF-8",
                plan.schema.table,
                plan.schema.names(&plan.split)
            ))
            .with_remedy("correct the row, or split the table by another key")
        })
    };
    keys.map(bound).collect()
}
