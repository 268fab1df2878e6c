//! Streams a MySQL table's shards as canonical text.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::connect::Database;
use super::jump::{self, Jump, Jumps};
use super::{describe, digest, hash, hazards, indexes, inside, rights, snapshot, sql, window};
use crate::batch::{Batch, BatchSender, Payload, WireFormat};
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Result};
use crate::plugin::digest::{
    Buckets, Digest, DigestPlan, HashFunction, HashedRow, Ordering, Print,
};
use crate::plugin::rights::Lack;
use crate::plugin::window::{Newest, Window};
use crate::plugin::{
    Bound, BoundValue, ColumnPair, Inside, KeyRange, ReadPlan, Reader, SnapshotWay,
};
use crate::schema::{Column, Indexes, LogicalType, Schema, TableRef};

/// Reads one MySQL database.
pub(super) struct MysqlReader {
    db: Database,
    jumps: Jumps,
}

impl MysqlReader {
    /// Connects with at most `lanes` + 1 connections.
    pub(super) async fn open(config: &ConnectionConfig, lanes: usize) -> Result<Self> {
        Ok(Self { db: Database::open(config, lanes).await?, jumps: Jumps::default() })
    }

    fn full_name(&self, table: &TableRef) -> TableRef {
        let schema = table.schema.clone().or_else(|| self.db.config.db.clone());
        TableRef { schema, name: table.name.clone() }
    }

    /// The end of a large shard by the index's estimates.
    async fn jump(&self, plan: &ReadPlan, after: Option<&Bound>, rows: u64) -> Jump {
        let after = match after.map(|bound| &bound.0[..]) {
            Some([BoundValue::Number(after)]) => after.parse().ok(),
            _ => None,
        };
        let Some(after) = after.filter(|_| jump::is_worth_it(plan, rows)) else {
            return Jump::Walk;
        };
        self.jumps.next(&self.db, plan, after, rows).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "{}: no estimates, walking over the key", plan.schema.table);
            Jump::Walk
        })
    }

    /// Split keys of a range in their order, or those of them that `which` says.
    async fn walk(&self, plan: &ReadPlan, range: &KeyRange, which: &str) -> Result<Vec<Bound>> {
        let keys: Vec<_> = plan.split_columns().map(sql::key_expression).collect();
        let order: Vec<_> = plan.split_columns().map(|c| sql::name(&c.name)).collect();
        let query = format!(
            "SELECT {} FROM {}{} ORDER BY {} {which}",
            keys.join(", "),
            sql::table(&plan.schema.table),
            sql::range(plan, range),
            order.join(", "),
        );
        let doing = format!("splitting {}", plan.schema.table);
        let mut lease = self.db.lease().await?;
        let rows = (&mut *lease)
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(query)))
            .await
            .map_err(|error| self.db.failure(&doing, error))?;
        lease.keep();
        let bound = |row: &MySqlRow| {
            let values = plan.split_columns().enumerate().map(|(position, column)| {
                let printed = bytes(row, position)
                    .map_err(|error| self.db.failure(&doing, error))?
                    .unwrap_or_default();
                let printed = String::from_utf8(printed.to_vec()).map_err(|_| {
                    Error::permanent(format!("{doing}: key column {} is not text", column.name))
                })?;
                Ok(sql::key_value(column, printed))
            });
            Ok(Bound(values.collect::<Result<_>>()?))
        };
        rows.iter().map(bound).collect()
    }
}

#[async_trait]
impl Reader for MysqlReader {
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        describe::describe(&self.db, table).await
    }

    fn offers(&self, pairs: &[ColumnPair<'_>]) -> Vec<WireFormat> {
        let inside = inside::keeps_values(pairs).then_some(WireFormat::ServerSide);
        inside.into_iter().chain([WireFormat::Canonical]).collect()
    }

    async fn inside(&self, table: &TableRef) -> Result<Option<Inside>> {
        inside::find(&self.db, &self.full_name(table)).await
    }

    async fn cut(
        &self,
        plan: &ReadPlan,
        after: Option<&Bound>,
        rows: u64,
    ) -> Result<Option<Bound>> {
        match self.jump(plan, after, rows).await {
            Jump::To(bound) => return Ok(Some(bound)),
            Jump::Rest => return Ok(None),
            Jump::Walk => {}
        }
        let range = KeyRange::Between { after: after.cloned(), to: None };
        let last = format!("LIMIT 1 OFFSET {}", rows.saturating_sub(1));
        Ok(self.walk(plan, &range, &last).await?.pop())
    }

    async fn keys(&self, plan: &ReadPlan, range: &KeyRange) -> Result<Vec<Bound>> {
        self.walk(plan, range, "").await
    }

    async fn is_view(&self, table: &TableRef) -> Result<bool> {
        hazards::is_view(&self.db, table).await
    }

    async fn has_rows(&self, plan: &ReadPlan) -> Result<bool> {
        let table = sql::table(&plan.schema.table);
        let query = format!("SELECT 1 FROM {table}{} LIMIT 1", sql::range(plan, &KeyRange::All));
        let mut lease = self.db.lease().await?;
        let row = (&mut *lease).fetch_optional(sqlx::raw_sql(AssertSqlSafe(query))).await;
        let doing = format!("reading {}", plan.schema.table);
        let found = row.map_err(|error| self.db.failure(&doing, error))?.is_some();
        lease.keep();
        Ok(found)
    }

    async fn newest(&self, table: &TableRef, column: &Column) -> Result<Newest> {
        window::newest(&self.db, table, column).await
    }

    fn within(&self, column: &Column, window: &Window) -> String {
        window.condition(&sql::name(&column.name), sql::bound_value)
    }

    fn may_be_truth(&self, column: &Column) -> bool {
        column.native == "tinyint(1)"
    }

    async fn indexes(&self, schema: &Schema) -> Result<Indexes> {
        indexes::find(&self.db, schema).await
    }

    async fn has_index(&self, table: &TableRef, column: &str) -> Result<bool> {
        hazards::has_index(&self.db, table, column).await
    }

    async fn lacks(&self, plan: &ReadPlan) -> Result<Vec<Lack>> {
        rights::of_reader(&self.db, plan).await
    }

    async fn orderings(&self, plan: &ReadPlan) -> Result<Vec<Ordering>> {
        Ok(plan.split_columns().map(digest::ordering).collect())
    }

    fn key_value(&self, column: &Column, cell: &[u8], _format: WireFormat) -> BoundValue {
        digest::key_value(column, cell)
    }

    fn prints(&self, column: &Column, print: Print) -> bool {
        digest::prints(column, print)
    }

    async fn hash_functions(&self) -> Result<Vec<HashFunction>> {
        hash::functions(&self.db).await
    }

    async fn digest(
        &self,
        plan: &DigestPlan,
        range: &KeyRange,
        buckets: u32,
    ) -> Result<Option<Vec<Digest>>> {
        digest::digest(&self.db, plan, range, buckets).await
    }

    async fn hashes(
        &self,
        plan: &DigestPlan,
        range: &KeyRange,
        buckets: &Buckets,
    ) -> Result<Vec<HashedRow>> {
        digest::hashes(&self.db, plan, range, buckets).await
    }

    async fn snapshot_way(&self, table: &TableRef, lanes: usize) -> Result<SnapshotWay> {
        snapshot::way(&self.db, &self.full_name(table), lanes).await
    }

    async fn snapshot(&self, table: &TableRef, lanes: usize) -> Result<Arc<dyn Reader>> {
        let db = snapshot::open(&self.db, &self.full_name(table), lanes).await?;
        Ok(Arc::new(Self { db, jumps: Jumps::default() }))
    }

    async fn still_holds(&self) -> Result<()> {
        self.db.still_whole()
    }

    async fn read(&self, plan: &ReadPlan, range: &KeyRange, mut out: BatchSender) -> Result<()> {
        if plan.format == WireFormat::ServerSide {
            let table = self.full_name(&plan.schema.table);
            out.send(Payload::Raw(inside::query(plan, range, &table).into())).await?;
            return out.finish().await;
        }
        let doing = format!("reading {}", plan.schema.table);
        let columns: Vec<&Column> = plan.read_columns().collect();
        let expressions: Vec<_> = columns.iter().map(|column| expression(column)).collect();
        // sqlx's text protocol misreads a first column of 16 MiB or more, so that a constant
        // goes first.
        let query = format!(
            "SELECT 0, {} FROM {}{}",
            expressions.join(", "),
            sql::table(&plan.schema.table),
            sql::range(plan, range)
        );
        let mut lease = self.db.lease().await?;
        // The driver enters the span of this moment around each row.
        let mut rows = tracing::dispatcher::with_default(&tracing::Dispatch::none(), || {
            (&mut *lease).fetch(sqlx::raw_sql(AssertSqlSafe(query)))
        });
        let mut batch = Batch::new(columns.len());
        while let Some(row) = rows.try_next().await.map_err(|e| self.db.failure(&doing, e))? {
            push_row(&mut batch, &row, &columns).map_err(|e| self.db.failure(&doing, e))?;
            if batch.is_full() {
                let full = std::mem::replace(&mut batch, Batch::new(columns.len()));
                if let Err(cut_off) = out.send(Payload::Rows(full)).await {
                    if self.db.is_irreplaceable() && snapshot::drained(&mut rows).await {
                        drop(rows);
                        lease.keep();
                    }
                    return Err(cut_off);
                }
            }
        }
        drop(rows);
        lease.keep();
        if batch.rows() > 0 {
            out.send(Payload::Rows(batch)).await?;
        }
        out.finish().await
    }
}

/// The column's value in canonical text, as SQL.
fn expression(column: &Column) -> String {
    let name = sql::name(&column.name);
    match column.logical {
        // The text protocol prints FLOAT with six digits; as a double it is exact.
        LogicalType::Float32 => format!("{name}+0e0"),
        LogicalType::Bit { length: Some(n), .. } => format!("LPAD(BIN({name}+0),{n},'0')"),
        // The error value prints as the empty member does, if there is one: it must not become that.
        LogicalType::Enum if column.native.contains("''") => {
            format!("IF({name}+0=0,CHAR(0),{name})")
        }
        _ if column.native.contains("zerofill") => format!("{name}+0"),
        _ => name,
    }
}

fn push_row(batch: &mut Batch, row: &MySqlRow, columns: &[&Column]) -> Result<(), sqlx::Error> {
    for (position, column) in columns.iter().enumerate() {
        match bytes(row, position + 1)? {
            None => batch.push_null(),
            Some(cell) => {
                batch
                    .check_room(cell.len())
                    .map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
                match column.logical {
                    LogicalType::Float32 => push_single(batch, cell)?,
                    _ => batch.push(cell),
                }
            }
        }
    }
    Ok(())
}

/// A FLOAT that was printed as a double, as the shortest text of its own precision.
fn push_single(batch: &mut Batch, cell: &[u8]) -> Result<(), sqlx::Error> {
    let number = std::str::from_utf8(cell).ok().and_then(|text| text.parse::<f64>().ok());
    let number = number.ok_or_else(|| sqlx::Error::Protocol("a FLOAT is not a number".into()))?;
    write!(batch.arena(), "{:?}", number as f32)?;
    batch.end_cell();
    Ok(())
}

/// The cell as the server printed it.
pub(super) fn bytes(row: &MySqlRow, position: usize) -> Result<Option<&[u8]>, sqlx::Error> {
    row.try_get_unchecked::<Option<&[u8]>, _>(position)
}
