//! What a run does in MySQL: shards are written by [`super::load`], [`super::statements`] or
//! [`super::inside`].

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Executor, Row};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::connect::Database;
use super::loader::{self, LoadSession};
use super::purge::PurgeHold;
use super::{
    create, describe, empty, hazards, indexes, inside, load, lock, passed, pressure, rights, sql,
    statements, step, storage, swap,
};
use crate::batch::{BatchReceiver, WireFormat};
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Kind, Result};
use crate::fence::Fence;
use crate::plugin::path::{ChosenPath, WritePath};
use crate::plugin::reuse::Connections;
use crate::plugin::rights::{Lack, Work};
use crate::plugin::step::Step;
use crate::plugin::{
    Bound, ByKey, ColumnPair, Hazard, Inside, NewTable, Receipt, WriteMode, WritePlan, Writer,
};
use crate::schema::default::give_up;
use crate::schema::{Column, Index, Schema, TableRef};

/// Lanes for each of the server's cores, measured (TPC-H orders, 2 cores): with 10 the servers used a
/// third more of their processors for the same rows than with 2.
const LANES_A_CORE: usize = 2;
/// So many don't hurt a server with a single core.
const FEW_LANES: usize = 4;

/// Writes one MySQL database.
pub(super) struct MysqlWriter {
    db: Database,
    lanes: usize,
    /// Opened when the first shard is loaded.
    loaders: OnceCell<Connections<LoadSession>>,
    purge: PurgeHold,
}

impl MysqlWriter {
    /// Connects with at most `lanes` + 1 connections, for statements and for loads each.
    pub(super) async fn open(config: &ConnectionConfig, lanes: usize) -> Result<Self> {
        let db = Database::open(config, lanes).await?;
        Ok(Self { db, lanes, loaders: OnceCell::new(), purge: PurgeHold::default() })
    }

    async fn loaders(&self) -> Result<&Connections<LoadSession>> {
        let open = || Connections::open(&loader::KEPT, &self.db.config, self.lanes);
        self.loaders.get_or_try_init(open).await
    }

    /// The server's binary collation that tells trailing spaces apart: MySQL 8 has utf8mb4_0900_bin,
    /// MariaDB utf8mb4_nopad_bin; older servers have neither.
    async fn nopad(&self, doing: &str) -> Result<String> {
        let mut lease = self.db.lease().await?;
        let found = (&mut *lease)
            .fetch_optional(
                "SELECT CAST(COLLATION_NAME AS CHAR) FROM information_schema.collations WHERE \
                 COLLATION_NAME IN ('utf8mb4_0900_bin', 'utf8mb4_nopad_bin') LIMIT 1",
            )
            .await
            .and_then(|row| row.map(|row| row.try_get::<String, _>(0)).transpose())
            .map_err(|error| self.db.failure(doing, error))?;
        lease.keep();
        Ok(found.unwrap_or_else(|| "utf8mb4_bin".to_owned()))
    }
}

#[async_trait]
impl Writer for MysqlWriter {
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        describe::describe(&self.db, table).await
    }

    async fn create(&self, table: &TableRef, new: &NewTable<'_>) -> Result<Vec<String>> {
        let doing = format!("creating {table}");
        let nopad = self.nopad(&doing).await?;
        let mut new = new.clone();
        let mut notes = create::fit_indexes(table, &mut new);
        if !new.indexes.is_empty() && !indexes::may_add(&self.db, table).await? {
            new.indexes.clear();
            notes.push(format!("{table} is created without indexes: the login may not ALTER it"));
        }
        loop {
            let done = self.db.execute(&doing, create::table(table, &new, &nopad)?).await;
            match done {
                // A default that this server does not take costs the default, not the run.
                Err(error)
                    if error.kind() == Kind::Permanent
                        && give_up(&mut new.columns, &error.to_string()) => {}
                done => return done.map(|()| notes),
            }
        }
    }

    fn default_of(&self, engine: &str, column: &Column) -> Option<String> {
        create::default_of(engine, column)
    }

    fn fits_index(&self, new: &NewTable<'_>, index: &Index) -> bool {
        indexes::fits(new, index)
    }

    async fn add_pending(&self, table: &TableRef) -> Result<Vec<String>> {
        indexes::add_pending(&self.db, table).await
    }

    async fn add_columns(&self, table: &TableRef, new: &NewTable<'_>) -> Result<()> {
        let doing = format!("adding columns to {table}");
        let nopad = self.nopad(&doing).await?;
        self.db.execute(&doing, create::add(table, new, &nopad)?).await
    }

    async fn can_read(&self, table: &Inside) -> Result<bool> {
        if self.db.config.server_side == Some(false) {
            return Ok(false);
        }
        // Whatever is in the way here, rows that go through goshift may not meet.
        let may = match self.loaders().await {
            Ok(loaders) => inside::can_read(loaders, table).await,
            Err(error) => Err(error),
        };
        Ok(may.unwrap_or_else(|error| {
            tracing::debug!(%error, "{} can't be read by the target's login", table.table);
            false
        }))
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
        let inside = inside::keeps_values(pairs).then_some(WireFormat::ServerSide);
        let text = pairs.iter().all(passed::fits).then_some(WireFormat::PostgresText);
        inside.into_iter().chain(text).chain([WireFormat::Canonical]).collect()
    }

    fn enough_lanes(&self) -> Option<usize> {
        self.db.cores().map(|cores| (cores * LANES_A_CORE).max(FEW_LANES))
    }

    async fn choose_path(&self, plan: &WritePlan, is_free: bool) -> Result<ChosenPath> {
        let table = &plan.schema.table;
        let is_kept = storage::keeps_transactions(&self.db, table).await?;
        if plan.mode == WriteMode::Insert && !is_kept {
            return Err(Error::permanent(format!(
                "{table} has neither a key that tells rows apart nor transactions: what a lost \
                 worker has left could not be told from what is missing"
            ))
            .with_remedy(
                "give the table a primary key, or another engine: ALTER TABLE … ENGINE = InnoDB",
            ));
        }
        if (plan.by_key == ByKey::Replace || plan.empties) && !is_kept {
            let wish = if plan.empties { "truncate_insert" } else { "replace" };
            return Err(Error::permanent(format!(
                "write_mode \"{wish}\" takes rows out of {table} before it puts them in again, and the \
                 table has no transactions that would keep both together"
            ))
            .with_remedy("use write_mode \"upsert\", or ALTER TABLE … ENGINE = InnoDB"));
        }
        if plan.by_key == ByKey::Update {
            return Ok(ChosenPath::only(WritePath::StagedStatements));
        }
        let slow = match plan.by_key.needs_stage() {
            true => WritePath::StagedStatements,
            false => WritePath::Statements,
        };
        let is_free = plan.mode == WriteMode::Insert || is_free || self.is_empty(table).await?;
        Ok(if plan.format == WireFormat::ServerSide {
            match (plan.mode, is_free) {
                (WriteMode::Insert, _) => ChosenPath::only(WritePath::Inside),
                (_, true) => ChosenPath::new(WritePath::Inside, WritePath::InsideMerged),
                (_, false) => ChosenPath::only(WritePath::InsideMerged),
            }
        } else if is_free && is_kept && self.db.takes_loads() {
            ChosenPath::new(WritePath::Direct, slow)
        } else {
            ChosenPath::only(slow)
        })
    }

    async fn is_empty(&self, table: &TableRef) -> Result<bool> {
        let mut lease = self.db.lease().await?;
        let query = format!("SELECT 1 FROM {} LIMIT 1", sql::table(table));
        let row = (&mut *lease)
            .fetch_optional(sqlx::raw_sql(AssertSqlSafe(query)))
            .await
            .map_err(|error| self.db.failure(&format!("looking into {table}"), error))?;
        lease.keep();
        Ok(row.is_none())
    }

    async fn count(&self, table: &TableRef) -> Result<u64> {
        let doing = format!("counting {table}");
        let mut lease = self.db.lease().await?;
        let query = format!("SELECT COUNT(*) FROM {}", sql::table(table));
        let count: i64 = (&mut *lease)
            .fetch_one(sqlx::query(AssertSqlSafe(query)))
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|error| self.db.failure(&doing, error))?;
        lease.keep();
        Ok(count.max(0) as u64)
    }

    async fn prepare(&self, plan: &WritePlan) -> Result<bool> {
        if !plan.has_markers() {
            return Ok(false);
        }
        let doing = "preparing goshift_marker";
        let marker = marker(plan);
        self.db.execute(doing, create::marker(&marker)).await?;
        let mut lease = self.db.lease().await?;
        let query = format!("SELECT 1 FROM {marker} WHERE run_id = '{}' LIMIT 1", plan.run_id);
        let row = (&mut *lease)
            .fetch_optional(sqlx::raw_sql(AssertSqlSafe(query)))
            .await
            .map_err(|error| self.db.failure(doing, error))?;
        lease.keep();
        Ok(row.is_some())
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
        if plan.format == WireFormat::ServerSide {
            let loaders = self.loaders().await?;
            self.purge.begin(&self.db);
            return inside::write_shard(&self.db, loaders, plan, shard, input).await;
        }
        if plan.path.now() == WritePath::Direct {
            match self.loaders().await {
                Ok(loaders) => {
                    if !input.is_paced() {
                        self.purge.begin(&self.db);
                    }
                    return load::write_shard(&self.db, loaders, plan, shard, input).await;
                }
                // Whatever keeps this driver out may let the other one in.
                Err(error) => {
                    tracing::warn!(%error, "no connection for bulk loads: going on by statements");
                    plan.path.fall_back();
                }
            }
        }
        statements::write_shard(&self.db, plan, shard, input).await
    }

    async fn forget(&self, plan: &WritePlan) -> Result<()> {
        self.db.execute("preparing goshift_marker", create::marker(&marker(plan))).await?;
        let query = format!("DELETE FROM {} WHERE run_id = '{}'", marker(plan), plan.run_id);
        self.db.execute("clearing goshift_marker", query).await
    }

    async fn delete(
        &self,
        plan: &WritePlan,
        shard: u64,
        keys: &[Bound],
        fence: &Fence,
    ) -> Result<u64> {
        let names: Vec<_> = plan
            .key
            .iter()
            .map(|&k| sql::name(&plan.schema.columns[plan.columns[k].target].name))
            .collect();
        let delete = format!(
            "DELETE FROM {} WHERE {}",
            sql::table(&plan.schema.table),
            sql::among(&names, keys)
        );
        statements::run_in_shard(&self.db, plan, shard, delete, fence).await
    }

    async fn expel(&self, shards: &[(Uuid, u64)]) -> Result<()> {
        let names: Vec<_> = shards.iter().map(|&(run, shard)| lock::name(run, shard)).collect();
        let mut lease = self.db.lease().await?;
        lock::end_holders(&self.db, &mut lease, &names).await?;
        lease.keep();
        Ok(())
    }

    async fn run_once(&self, step: &Step) -> Result<bool> {
        step::run(&self.db, step).await
    }

    fn has_bounds(&self) -> bool {
        pressure::has_bounds(&self.db.config)
    }

    async fn pressure(&self) -> Result<Option<String>> {
        pressure::ask(&self.db).await
    }

    async fn finish(&self, plan: &WritePlan) -> Result<Vec<String>> {
        self.purge.end();
        let notes = match &plan.schema.pending {
            Some(_) => indexes::add_pending(&self.db, &plan.schema.table).await?,
            None => Vec::new(),
        };
        if !plan.has_markers() {
            return Ok(notes);
        }
        // A worker that was paused may still wake up: this run's markers keep it from doubling.
        let query =
            format!("DELETE FROM {} WHERE written_at < NOW() - INTERVAL 7 DAY", marker(plan));
        self.db.execute("clearing goshift_marker", query).await.map(|()| notes)
    }
}

pub(super) fn marker(plan: &WritePlan) -> String {
    sql::table(&TableRef {
        schema: plan.schema.table.schema.clone(),
        name: "goshift_marker".to_owned(),
    })
}
