//! Writes shards into MySQL, each in one transaction: by literal multi-row statements here, by
//! LOAD DATA in [`super::load`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Executor, Row};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::connect::{Database, Lease};
use super::encode::Encoder;
use super::loader::{self, LoadSession};
use super::purge::PurgeHold;
use super::statement::{STATEMENT_BYTES, Statement};
use super::{
    create, culprit, describe, empty, failure, hazards, inside, load, lock, pressure, rights, sql,
    stage, step, storage, swap,
};
use crate::batch::{Batch, BatchReceiver, Payload, WireFormat};
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Kind, Result};
use crate::fence::Fence;
use crate::plugin::path::{ChosenPath, WritePath};
use crate::plugin::reuse::Connections;
use crate::plugin::rights::{Lack, Work};
use crate::plugin::row_keys::RowKeys;
use crate::plugin::step::Step;
use crate::plugin::{
    Bound, ByKey, ColumnPair, Hazard, Inside, NewTable, Receipt, WriteMode, WritePlan, Writer,
};
use crate::schema::default::give_up;
use crate::schema::{Column, Schema, TableRef};

/// Lanes for each of the server's cores, measured (TPC-H orders, 2 cores): with 10 the servers used a
/// third more of their processors for the same rows than with 2.
const LANES_A_CORE: usize = 2;
/// So many don't hurt a server with a single core.
const FEW_LANES: usize = 4;
/// A process that is paused or cut off in the middle of a transaction would keep its row locks for
/// hours: the server ends a session that is silent for 20 s. A live one says something this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

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

    /// Writes a shard by statements.
    async fn write_statements(
        &self,
        plan: &WritePlan,
        shard: u64,
        mut input: BatchReceiver,
    ) -> Result<Receipt> {
        // The transaction begins with the first rows: a source that is slow to find any holds no
        // locks here.
        let mut next = input.next().await?;
        let mut shard_write = ShardWrite::begin(&self.db, plan, shard).await?;
        let fresh = plan.mode == WriteMode::Upsert || shard_write.mark(shard).await?;
        while let Some(payload) = next {
            let Payload::Rows(batch) = payload else {
                return Err(Error::internal("MySQL was sent a format it did not accept"));
            };
            if fresh {
                shard_write.write(&batch).await?;
                if input.is_paced() {
                    shard_write.flush().await?;
                }
            } else {
                shard_write.pass(&batch);
            }
            next = shard_write.next(&mut input).await?;
        }
        if fresh { shard_write.commit().await } else { Ok(shard_write.already_done()) }
    }
}

#[async_trait]
impl Writer for MysqlWriter {
    async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        describe::describe(&self.db, table).await
    }

    async fn create(&self, table: &TableRef, new: &NewTable<'_>) -> Result<()> {
        let doing = format!("creating {table}");
        let nopad = self.nopad(&doing).await?;
        let mut new = new.clone();
        loop {
            let done = self.db.execute(&doing, create::table(table, &new, &nopad)?).await;
            match done {
                // A default that this server does not take costs the default, not the run.
                Err(error)
                    if error.kind() == Kind::Permanent
                        && give_up(&mut new.columns, &error.to_string()) => {}
                done => return done,
            }
        }
    }

    fn default_of(&self, engine: &str, column: &Column) -> Option<String> {
        create::default_of(engine, column)
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
        super::formats(pairs)
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
        self.write_statements(plan, shard, input).await
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
        let mut deletion = ShardWrite::begin(&self.db, plan, shard).await?;
        let deleted = deletion.run(delete).await?;
        fence.check()?;
        deletion.commit().await?;
        Ok(deleted)
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

    async fn finish(&self, plan: &WritePlan) -> Result<()> {
        self.purge.end();
        if !plan.has_markers() {
            return Ok(());
        }
        // A worker that was paused may still wake up: this run's markers keep it from doubling.
        let query =
            format!("DELETE FROM {} WHERE written_at < NOW() - INTERVAL 7 DAY", marker(plan));
        self.db.execute("clearing goshift_marker", query).await
    }
}

pub(super) fn marker(plan: &WritePlan) -> String {
    sql::table(&TableRef {
        schema: plan.schema.table.schema.clone(),
        name: "goshift_marker".to_owned(),
    })
}

/// What an upsert does with a row that is there. A row may be found by another unique key than the
/// one that the plan goes by: then it is a stranger, and the NULL for its NOT NULL key column, which
/// comes first, makes the statement fail (error 1048) instead of overwriting it in silence.
pub(super) fn updates(plan: &WritePlan, names: &[String]) -> String {
    // In an INSERT … SELECT a bare name could be the source's.
    let table = sql::table(&plan.schema.table);
    let guards =
        plan.key.iter().filter(|&&k| !plan.schema.columns[plan.columns[k].target].nullable);
    let guards = guards.map(|&k| {
        let name = &names[k];
        // What is equal by its collation need not be the same.
        let kept = if plan.by_key == ByKey::Keep {
            format!("{table}.{name}")
        } else {
            format!("VALUES({name})")
        };
        format!("{name}=IF({table}.{name}<=>VALUES({name}),{kept},NULL)")
    });
    let guarded = |position: &usize| {
        plan.key.contains(position) && !plan.schema.columns[plan.columns[*position].target].nullable
    };
    let others = (0..names.len()).filter(|position| !guarded(position));
    let others = others.map(|p| match plan.by_key == ByKey::Keep {
        true => format!("{0}={table}.{0}", names[p]),
        false => format!("{0}=VALUES({0})", names[p]),
    });
    format!(" ON DUPLICATE KEY UPDATE {}", guards.chain(others).collect::<Vec<_>>().join(","))
}

/// One shard's transaction. Dropped before its commit, the connection is closed and the server
/// rolls back.
struct ShardWrite<'a> {
    db: &'a Database,
    plan: &'a WritePlan,
    lease: Lease,
    /// Held by the session while it writes the shard.
    lock: String,
    encoder: Encoder,
    doing: String,
    statement: Statement,
    /// Of the statement's rows.
    keys: RowKeys,
    limit: usize,
    receipt: Receipt,
}

impl<'a> ShardWrite<'a> {
    async fn begin(db: &'a Database, plan: &'a WritePlan, shard: u64) -> Result<Self> {
        let doing = format!("writing {}", plan.schema.table);
        let mut lease = db.lease().await?;
        let lock = lock::name(plan.run_id, shard);
        let staged = stage::name(plan);
        let create = staged.map(|_| format!("{}; ", stage::create(plan))).unwrap_or_default();
        let begin = format!(
            "SET SESSION wait_timeout = 20; SELECT GET_LOCK('{lock}', 0); {create}START TRANSACTION"
        );
        let rows = (&mut *lease).fetch_all(sqlx::raw_sql(AssertSqlSafe(begin))).await.map_err(
            |error| {
                let is_denied = failure::number(&error).is_some_and(failure::is_denied);
                match db.failure(&doing, error) {
                    // The server names the database only.
                    error if is_denied && staged.is_some() => {
                        error.context("the login lacks CREATE TEMPORARY TABLES")
                    }
                    error => error,
                }
            },
        )?;
        if !lock::got(&rows).map_err(|error| db.failure(&doing, error))? {
            lock::take_over(db, &mut lease, &lock).await?;
        }
        let names: Vec<_> = plan.target_columns().map(|c| sql::name(&c.name)).collect();
        let into = staged.map_or_else(|| sql::table(&plan.schema.table), str::to_owned);
        let head = format!("INSERT INTO {into} ({}) VALUES ", names.join(","));
        let tail = match plan.mode {
            WriteMode::Upsert if staged.is_none() => updates(plan, &names),
            WriteMode::Upsert | WriteMode::Insert => String::new(),
        };
        let limit = STATEMENT_BYTES.min(db.max_packet() / 2);
        Ok(Self {
            db,
            plan,
            lease,
            lock,
            encoder: Encoder::new(plan),
            doing,
            statement: Statement::new(head, tail),
            keys: RowKeys::new(plan),
            limit,
            receipt: Receipt::default(),
        })
    }

    /// Writes the shard's marker; `false` if it is there already.
    async fn mark(&mut self, shard: u64) -> Result<bool> {
        let query = format!(
            "INSERT IGNORE INTO {} (run_id, shard) VALUES ('{}', {shard})",
            marker(self.plan),
            self.plan.run_id
        );
        let done = (&mut *self.lease)
            .execute(sqlx::raw_sql(AssertSqlSafe(query)))
            .await
            .map_err(|error| self.db.failure("writing goshift_marker", error))?;
        Ok(done.rows_affected() == 1)
    }

    /// Runs a statement of its own in the transaction and returns the rows affected.
    async fn run(&mut self, statement: String) -> Result<u64> {
        let done = (&mut *self.lease).execute(sqlx::raw_sql(AssertSqlSafe(statement))).await;
        Ok(done.map_err(|error| self.db.failure(&self.doing, error))?.rows_affected())
    }

    async fn write(&mut self, batch: &Batch) -> Result<()> {
        for row in 0..batch.rows() {
            let text = self.statement.next_row();
            self.encoder.push_row(text, self.plan, batch, row)?;
            if self.is_too_large() && self.statement.rows() > 1 {
                let alone = self.statement.take_last();
                self.flush().await?;
                self.statement.next_row().extend_from_slice(&alone);
            }
            if self.is_too_large() {
                return Err(self.too_large(batch, row));
            }
            self.keys.push(self.plan, batch, row);
            let is_full = self.statement.rows() >= self.plan.statement_rows;
            if is_full || self.statement.bytes() >= self.limit {
                self.flush().await?;
            }
        }
        self.pass(batch);
        Ok(())
    }

    fn is_too_large(&self) -> bool {
        self.statement.whole_bytes() >= self.db.max_packet()
    }

    fn too_large(&self, batch: &Batch, row: usize) -> Error {
        let sizes = batch.row(row).map(|cell| cell.map_or(0, <[u8]>::len)).enumerate();
        let largest = sizes.max_by_key(|&(_, size)| size).map_or(0, |(position, _)| position);
        Error::permanent(format!(
            "{}, {}: with its column {} the row needs a statement of {} bytes, but the server's \
             max_allowed_packet is {}",
            self.doing,
            self.plan.describe_row(batch.row(row)),
            self.plan.schema.columns[self.plan.columns[largest].target].name,
            self.statement.whole_bytes(),
            self.db.max_packet(),
        ))
        .with_remedy("raise max_allowed_packet on the target server")
        .about_a_row()
    }

    /// The next payload; while there is none, shows the server that this session is alive.
    async fn next(&mut self, input: &mut BatchReceiver) -> Result<Option<Payload>> {
        input.beat();
        loop {
            if let Some(next) = input.next_within(SIGN_OF_LIFE).await? {
                return Ok(next);
            }
            (&mut *self.lease)
                .execute(sqlx::raw_sql("DO 0"))
                .await
                .map_err(|error| self.db.failure(&self.doing, error))?;
        }
    }

    /// Counts rows that an earlier attempt has committed.
    fn pass(&mut self, batch: &Batch) {
        self.receipt.bytes += batch.bytes() as u64;
        self.receipt.rows += batch.rows() as u64;
    }

    fn already_done(self) -> Receipt {
        Receipt { already_done: true, ..self.receipt }
    }

    async fn flush(&mut self) -> Result<()> {
        if self.statement.rows() == 0 {
            return Ok(());
        }
        let text = self.statement.whole().map_err(|_| failure::not_utf8(&self.doing))?;
        let result = (&mut *self.lease).execute(sqlx::raw_sql(AssertSqlSafe(text))).await;
        let done = match result {
            Ok(done) => done,
            Err(error) => {
                let row = culprit::find(&mut self.lease, &self.statement, &error).await;
                let row = row.map(|row| self.keys.describe(self.plan, row));
                let doing = row.map_or(self.doing.clone(), |row| format!("{}, {row}", self.doing));
                return Err(self.db.failure(&doing, error));
            }
        };
        let rows = self.keys.restart(self.plan);
        self.statement.restart();
        // An upsert counts 1 for a row that was inserted or is the same, 2 for one that changed.
        if done.rows_affected() < rows {
            return Err(Error::permanent(format!(
                "{}: {rows} rows were sent, the server counted {}",
                self.doing,
                done.rows_affected()
            ))
            .with_remedy("look for triggers on the target that drop rows"));
        }
        Ok(())
    }

    /// Brings the rows that wait beside the target into it.
    async fn merge(&mut self) -> Result<()> {
        let mut written = 0;
        for statement in stage::merge(self.plan) {
            written = self.run(statement).await?;
        }
        if self.plan.by_key == ByKey::Replace && written != self.receipt.rows {
            return Err(Error::permanent(format!(
                "{}: {} rows were sent, the server counted {written}",
                self.doing, self.receipt.rows
            ))
            .with_remedy("look for triggers on the target that drop rows"));
        }
        Ok(())
    }

    async fn commit(mut self) -> Result<Receipt> {
        crate::fault::point("shard.fenced");
        self.flush().await?;
        if stage::name(self.plan).is_some() {
            self.merge().await?;
        }
        crate::fault::point("shard.before_commit");
        let drop = stage::name(self.plan).map(|_| format!("; {}", stage::drop()));
        let commit =
            format!("COMMIT; DO RELEASE_LOCK('{}'){}", self.lock, drop.unwrap_or_default());
        (&mut *self.lease)
            .execute(sqlx::raw_sql(AssertSqlSafe(commit)))
            .await
            .map_err(|error| self.db.failure(&self.doing, error))?;
        self.lease.keep();
        Ok(self.receipt)
    }
}
