//! Reads shards by `COPY … TO STDOUT`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::connect::Db;
use super::describe::get;
use super::writer::single;
use super::{digest, hazards, indexes, rights, snapshot, sql, window};
use crate::batch::{BATCH_BYTES, BatchSender, Payload, WireFormat};
use crate::error::{Context, Error, Result};
use crate::plugin::copy_text::{self, Cell, Decoder};
use crate::plugin::digest::{
    Buckets, Digest, DigestPlan, HashFunction, HashedRow, Ordering, Print,
};
use crate::plugin::rights::Lack;
use crate::plugin::window::{Newest, Window};
use crate::plugin::{Bound, BoundValue, ColumnPair, KeyRange, ReadPlan, Reader, SnapshotWay};
use crate::schema::{Column, Indexes, LogicalType, Schema, TableRef};

/// Reads one database.
pub(super) struct PgReader {
    db: Db,
}

impl PgReader {
    /// On a connected database.
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    async fn bounds(&self, plan: &ReadPlan, query: String) -> Result<Vec<Bound>> {
        let mut lane = self.db.lane().await?;
        let splitting = || format!("splitting table {}", plan.schema.table);
        let rows = match lane.rows(query).await.context(splitting) {
            Ok(rows) => rows,
            Err(error) => return Err(rights::named(error, self.lacks(plan)).await),
        };
        lane.release();
        let bound = |row| {
            let values = (0..plan.split.len()).map(|i| get(row, i).map(BoundValue::Text));
            values.collect::<Result<_>>().map(Bound)
        };
        rows.iter().map(bound).collect()
    }

    async fn stream(&self, plan: &ReadPlan, range: &KeyRange, out: &mut BatchSender) -> Result<()> {
        let mut lane = self.db.lane().await?;
        let pieces = lane.copy_out(copy_statement(plan, range)?).await?;
        match plan.format {
            WireFormat::PostgresBinary => pass_on(pieces, out, <[u8]>::len).await?,
            WireFormat::PostgresText => pass_on(pieces, out, copy_text::whole_lines).await?,
            _ => decode(plan, pieces, out).await?,
        }
        lane.release();
        Ok(())
    }
}

#[async_trait]
impl Reader for PgReader {
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        self.db.describe(table).await
    }

    fn offers(&self, pairs: &[ColumnPair<'_>]) -> Vec<WireFormat> {
        let binary = super::are_alike(pairs).then_some(WireFormat::PostgresBinary);
        let text = pairs.iter().all(has_plain_text).then_some(WireFormat::PostgresText);
        binary.into_iter().chain(text).chain([WireFormat::Canonical]).collect()
    }

    async fn cut(
        &self,
        plan: &ReadPlan,
        after: Option<&Bound>,
        rows: u64,
    ) -> Result<Option<Bound>> {
        Ok(self.bounds(plan, sql::cut(plan, after, rows)).await?.pop())
    }

    async fn keys(&self, plan: &ReadPlan, range: &KeyRange) -> Result<Vec<Bound>> {
        self.bounds(plan, sql::keys(plan, range)).await
    }

    async fn is_view(&self, table: &TableRef) -> Result<bool> {
        hazards::is_view(&self.db, table).await
    }

    async fn has_rows(&self, plan: &ReadPlan) -> Result<bool> {
        let table = sql::table(&plan.schema.table);
        let condition = sql::shard_condition(plan, &KeyRange::All);
        let query = format!("SELECT EXISTS (SELECT FROM {table}{condition})");
        let mut lane = self.db.lane().await?;
        let found = single(&mut lane, query).await.context(|| format!("reading table {table}"))?;
        lane.release();
        Ok(found)
    }

    async fn newest(&self, table: &TableRef, column: &Column) -> Result<Newest> {
        window::newest(&self.db, table, column).await
    }

    fn within(&self, column: &Column, window: &Window) -> String {
        window.condition(&sql::ident(&column.name), |value| sql::value_as((column, value)))
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
        digest::orderings(&self.db, plan).await
    }

    fn key_value(&self, column: &Column, cell: &[u8], _format: WireFormat) -> BoundValue {
        digest::key_value(column, cell)
    }

    fn prints(&self, _column: &Column, _print: Print) -> bool {
        true
    }

    async fn hash_functions(&self) -> Result<Vec<HashFunction>> {
        digest::hash_functions(&self.db).await
    }

    async fn digest(
        &self,
        plan: &DigestPlan,
        range: &KeyRange,
        buckets: u32,
    ) -> Result<Option<Vec<Digest>>> {
        let digests = digest::digest(&self.db, plan, range, buckets).await;
        digests.map(Some).map_err(|e| self.db.explain(e))
    }

    async fn hashes(
        &self,
        plan: &DigestPlan,
        range: &KeyRange,
        buckets: &Buckets,
    ) -> Result<Vec<HashedRow>> {
        digest::hashes(&self.db, plan, range, buckets).await.map_err(|e| self.db.explain(e))
    }

    async fn snapshot_way(&self, table: &TableRef, lanes: usize) -> Result<SnapshotWay> {
        snapshot::way(&self.db, table, lanes).await
    }

    async fn snapshot(&self, table: &TableRef, lanes: usize) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(Self { db: snapshot::open(&self.db, table, lanes).await? }))
    }

    async fn still_holds(&self) -> Result<()> {
        match self.db.hold() {
            Some(hold) => hold.prove().await,
            None => Ok(()),
        }
    }

    async fn read(&self, plan: &ReadPlan, range: &KeyRange, mut out: BatchSender) -> Result<()> {
        self.stream(plan, range, &mut out)
            .await
            .context(|| format!("reading table {}", plan.schema.table))
            .map_err(|error| self.db.explain(error))?;
        out.finish().await
    }
}

fn copy_statement(plan: &ReadPlan, range: &KeyRange) -> Result<String> {
    let (expressions, options) = match plan.format {
        WireFormat::Canonical | WireFormat::PostgresText => {
            let canonical: Vec<_> = plan.read_columns().map(canonical).collect();
            (canonical.join(", "), "")
        }
        WireFormat::PostgresBinary => (sql::names(plan.read_columns()), " (FORMAT binary)"),
        WireFormat::SqliteValues | WireFormat::ServerSide => {
            return Err(Error::internal("PostgreSQL was asked for what it does not offer"));
        }
    };
    Ok(format!(
        "COPY (SELECT {expressions} FROM {}{}) TO STDOUT{options}",
        sql::table(&plan.schema.table),
        sql::shard_condition(plan, range)
    ))
}

/// An expression whose text is canonical in our sessions, once it is read as [`cell`] says.
fn canonical(column: &Column) -> String {
    let name = sql::ident(&column.name);
    match column.logical {
        LogicalType::Bool => format!("{name}::int"),
        LogicalType::TimestampTz(_) => format!("({name} AT TIME ZONE 'UTC')"),
        _ => name,
    }
}

fn cell(column: &Column) -> Cell {
    match column.logical {
        LogicalType::Bytes(_) => Cell::Hex,
        LogicalType::Text(_) if copy_text::is_padded(column) => Cell::Padded,
        _ => Cell::Plain,
    }
}

/// Whether a column's text in COPY can be passed on as [`WireFormat::PostgresText`].
fn has_plain_text(pair: &ColumnPair<'_>) -> bool {
    cell(pair.from) != Cell::Hex
}

async fn decode(
    plan: &ReadPlan,
    mut pieces: BoxStream<'_, Result<Bytes>>,
    out: &mut BatchSender,
) -> Result<()> {
    let mut decoder = Decoder::new(plan.read_columns().map(cell).collect());
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        let mut rest = &piece[..];
        while !rest.is_empty() {
            rest = &rest[decoder.feed(rest)?..];
            if let Some(batch) = decoder.take_full() {
                out.send(Payload::Rows(batch)).await?;
            }
        }
    }
    match decoder.take_rest()? {
        Some(batch) => out.send(Payload::Rows(batch)).await,
        None => Ok(()),
    }
}

/// Passes pieces on, about one a row, in payloads large enough that their number costs nothing: of what was
/// gathered, the first `whole` bytes.
async fn pass_on(
    mut pieces: BoxStream<'_, Result<Bytes>>,
    out: &mut BatchSender,
    whole: impl Fn(&[u8]) -> usize,
) -> Result<()> {
    let mut gathered = BytesMut::with_capacity(BATCH_BYTES * 2);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        gathered.extend_from_slice(&piece);
        if gathered.len() < BATCH_BYTES {
            continue;
        }
        let rest = gathered.split_off(whole(&gathered));
        if !gathered.is_empty() {
            out.send(Payload::Raw(gathered.freeze())).await?;
        }
        gathered = BytesMut::with_capacity(BATCH_BYTES * 2);
        gathered.extend_from_slice(&rest);
    }
    if whole(&gathered) < gathered.len() {
        return Err(copy_text::cut_off());
    }
    if gathered.is_empty() { Ok(()) } else { out.send(Payload::Raw(gathered.freeze())).await }
}
