//! Writes one database.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::connect::{Db, Lane};
use super::describe::get;
use super::load::{begin, marker_table, write_shard};
use super::{create, empty, hazards, indexes, key, lock, pressure, rights, sql, step, swap};
use crate::batch::{BatchReceiver, WireFormat};
use crate::error::{Context, Error, Result};
use crate::fence::Fence;
use crate::plugin::path::{ChosenPath, WritePath};
use crate::plugin::rights::{Lack, Work};
use crate::plugin::step::Step;
use crate::plugin::{
    Bound, ByKey, ColumnPair, Hazard, NewTable, Receipt, WriteMode, WritePlan, Writer,
};
use crate::schema::{Column, Index, Schema, TableRef};

/// Lanes for each of the server's cores, of all workers together.
const LANES_A_CORE: usize = 2;
/// So many don't hurt a server with a single core.
const FEW_LANES: usize = 4;
/// While one lane commits, another should copy.
const FEWEST_LANES: usize = 2;

/// Writes one database.
pub(super) struct PgWriter {
    db: Db,
}

impl PgWriter {
    /// On a connected database.
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Writer for PgWriter {
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        self.db.describe(table).await
    }

    async fn create(&self, table: &TableRef, source: &NewTable<'_>) -> Result<Vec<String>> {
        match create::create(&self.db, table, source).await {
            Err(error) => Err(rights::named(error, rights::to_create(&self.db, table)).await),
            Ok(()) => Ok(Vec::new()),
        }
    }

    fn fits_index(&self, new: &NewTable<'_>, index: &Index) -> bool {
        indexes::fits(new, index)
    }

    fn default_of(&self, engine: &str, column: &Column) -> Option<String> {
        create::default_of(engine, column)
    }

    async fn add_columns(&self, table: &TableRef, new: &NewTable<'_>) -> Result<()> {
        create::add(&self.db, table, new).await
    }

    async fn hazards(&self, table: &TableRef) -> Result<Vec<Hazard>> {
        hazards::find(&self.db, table).await
    }

    async fn lacks(&self, work: &Work<'_>) -> Result<Vec<Lack>> {
        rights::of_writer(&self.db, work).await
    }

    async fn followers(&self, table: &TableRef) -> Result<Vec<String>> {
        hazards::followers(&self.db, table).await
    }

    fn accepts(&self, pairs: &[ColumnPair<'_>]) -> Vec<WireFormat> {
        match super::are_alike(pairs) {
            true => vec![WireFormat::PostgresBinary, WireFormat::Canonical],
            false => vec![WireFormat::Canonical],
        }
    }

    fn prefers_late_keys(&self) -> bool {
        true
    }

    async fn add_pending(&self, table: &TableRef) -> Result<Vec<String>> {
        key::add(&self.db, table).await
    }

    fn enough_lanes(&self) -> Option<usize> {
        self.db.config().cores().map(|cores| (cores * LANES_A_CORE).max(FEW_LANES))
    }

    /// A COPY keeps a core busy. Measured (TPC-H orders, 2 cores): 4 lanes took 8 % longer than 2.
    fn enough_lanes_alone(&self) -> Option<usize> {
        self.db.config().cores().map(|cores| cores.max(FEWEST_LANES))
    }

    async fn choose_path(&self, plan: &WritePlan, is_free: bool) -> Result<ChosenPath> {
        Ok(match plan.mode {
            WriteMode::Insert => ChosenPath::only(WritePath::Direct),
            WriteMode::Upsert if plan.by_key == ByKey::Update => {
                ChosenPath::only(WritePath::Staged)
            }
            WriteMode::Upsert if is_free || self.is_empty(&plan.schema.table).await? => {
                ChosenPath::new(WritePath::Direct, WritePath::Staged)
            }
            WriteMode::Upsert => ChosenPath::only(WritePath::Staged),
        })
    }

    async fn is_empty(&self, table: &TableRef) -> Result<bool> {
        let table = self.db.resolve(table);
        let mut lane = self.db.lane().await?;
        let query = format!("SELECT NOT EXISTS (SELECT FROM {})", sql::table(&table));
        match single(&mut lane, query).await.context(|| format!("table {table}")) {
            Ok(empty) => {
                lane.release();
                Ok(empty)
            }
            Err(error) => Err(rights::named(error, rights::to_look(&self.db, &table)).await),
        }
    }

    async fn count(&self, table: &TableRef) -> Result<u64> {
        let table = self.db.resolve(table);
        let mut lane = self.db.lane().await?;
        let query = format!("SELECT count(*) FROM {}", sql::table(&table));
        let rows: i64 = single(&mut lane, query).await.context(|| format!("table {table}"))?;
        lane.release();
        Ok(rows.unsigned_abs())
    }

    async fn prepare(&self, plan: &WritePlan) -> Result<bool> {
        if !plan.has_markers() {
            return Ok(false);
        }
        let mut lane = self.db.lane().await?;
        let marked = prepare_markers(&mut lane, plan).await;
        match marked.context(|| format!("marker table {}", marker_table(plan))) {
            Ok(marked) => {
                lane.release();
                Ok(marked)
            }
            Err(error) => {
                let work = Work { plan, creates_table: false, deletes: false };
                Err(rights::named(error, self.lacks(&work)).await)
            }
        }
    }

    async fn forget(&self, plan: &WritePlan) -> Result<()> {
        let table = marker_table(plan);
        let mut lane = self.db.lane().await?;
        prepare_markers(&mut lane, plan).await.context(|| format!("marker table {table}"))?;
        let delete = format!("DELETE FROM {table} WHERE run_id = '{}'", plan.run_id);
        lane.execute(delete).await.context(|| format!("markers in {table}"))?;
        lane.release();
        Ok(())
    }

    async fn swap_obstacles(&self, table: &TableRef) -> Result<Vec<String>> {
        swap::obstacles(&self.db, table).await
    }

    async fn create_like(&self, new: &TableRef, table: &TableRef) -> Result<()> {
        swap::create_like(&self.db, new, table).await
    }

    async fn swap(&self, plan: &WritePlan, target: &TableRef, fence: &Fence) -> Result<()> {
        swap::swap(&self.db, plan, target, fence).await
    }

    async fn settle_swap(&self, target: &TableRef, run_id: Uuid) -> Result<bool> {
        swap::settle(&self.db, target, run_id).await
    }

    async fn empty(&self, plan: &WritePlan, again: bool, fence: &Fence) -> Result<bool> {
        empty::empty(&self.db, plan, again, fence).await
    }

    async fn write(&self, plan: &WritePlan, shard: u64, input: BatchReceiver) -> Result<Receipt> {
        let written = write_shard(&self.db, plan, shard, input)
            .await
            .context(|| format!("writing table {}", plan.schema.table))
            .map_err(|error| self.db.explain(error));
        match written {
            Err(error) => {
                let work = Work { plan, creates_table: false, deletes: false };
                Err(rights::named(error, self.lacks(&work)).await)
            }
            Ok(receipt) => Ok(receipt),
        }
    }

    async fn delete(
        &self,
        plan: &WritePlan,
        shard: u64,
        keys: &[Bound],
        fence: &Fence,
    ) -> Result<u64> {
        let columns: Vec<_> =
            plan.key.iter().map(|&k| &plan.schema.columns[plan.columns[k].target]).collect();
        let table = &plan.schema.table;
        let delete =
            format!("DELETE FROM {} WHERE {}", sql::table(table), sql::among(&columns, keys));
        let mut lane = self.db.lane().await?;
        lane.execute(begin(plan, shard)).await?;
        let deleted = lane.execute(delete).await.context(|| format!("deleting from {table}"))?;
        fence.check()?;
        lane.execute("COMMIT".to_owned()).await?;
        lane.release();
        Ok(deleted)
    }

    async fn run_once(&self, step: &Step) -> Result<bool> {
        step::run(&self.db, step).await
    }

    fn has_bounds(&self) -> bool {
        pressure::has_bounds(self.db.config())
    }

    async fn pressure(&self) -> Result<Option<String>> {
        pressure::ask(&self.db).await
    }

    async fn expel(&self, shards: &[(Uuid, u64)]) -> Result<()> {
        let mut lane = self.db.lane().await?;
        lock::end_holders(&mut lane, shards).await?;
        lane.release();
        Ok(())
    }

    async fn finish(&self, plan: &WritePlan) -> Result<Vec<String>> {
        let notes = key::finish(&self.db, plan).await?;
        let mut lane = self.db.lane().await?;
        for column in plan.target_columns().filter(|column| column.auto_increment) {
            lane.execute(advance_sequence(&plan.schema.table, &column.name)).await.context(
                || format!("sequence of column {} of table {}", column.name, plan.schema.table),
            )?;
        }
        if plan.has_markers() {
            let delete = format!(
                "DELETE FROM {} WHERE written_at < now() - interval '7 days'",
                marker_table(plan)
            );
            lane.execute(delete).await.context(|| format!("markers in {}", marker_table(plan)))?;
        }
        lane.release();
        Ok(notes)
    }
}

/// Creates the marker table unless it is there, and looks for markers of this run. Asked first: to
/// create takes a right on the schema even where there is nothing to create.
async fn prepare_markers(lane: &mut Lane, plan: &WritePlan) -> Result<bool> {
    let table = marker_table(plan);
    let name = sql::literal(&table);
    lane.execute(format!(
        "DO {}",
        sql::literal(&format!(
            "BEGIN IF to_regclass({name}) IS NULL THEN CREATE TABLE {table} (run_id uuid, \
             shard bigint, written_at timestamptz NOT NULL DEFAULT now(), \
             PRIMARY KEY (run_id, shard)); END IF; \
             EXCEPTION WHEN duplicate_table OR unique_violation THEN NULL; END"
        ))
    ))
    .await?;
    let run = plan.run_id;
    single(lane, format!("SELECT EXISTS (SELECT FROM {table} WHERE run_id = '{run}')")).await
}

/// The single value of a query.
pub(super) async fn single<T>(lane: &mut Lane, query: String) -> Result<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let rows = lane.rows(query).await?;
    let row = rows.first().ok_or_else(|| Error::internal("a query had no row in its answer"))?;
    get(row, 0)
}

/// Moves the column's sequence up to its largest value, never back. The sequence is the one the
/// column owns, else the one its default calls. One that was never used counts from its start.
fn advance_sequence(table: &TableRef, column: &str) -> String {
    let name = sql::literal(&sql::table(table));
    let (quoted, text) = (sql::ident(column), sql::literal(column));
    format!(
        "SELECT setval(s.seqrelid, m.top) FROM \
         (SELECT max({quoted})::bigint AS top FROM {}) m, pg_sequence s \
         WHERE s.seqrelid = COALESCE(pg_get_serial_sequence({name}, {text})::regclass::oid, \
         (SELECT d.refobjid FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid \
         JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum \
         JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'S' \
         WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass \
         AND a.attrelid = {name}::regclass AND a.attname = {text} LIMIT 1)) \
         AND s.seqincrement > 0 \
         AND m.top > COALESCE(pg_sequence_last_value(s.seqrelid), s.seqstart - 1)",
        sql::table(table)
    )
}
