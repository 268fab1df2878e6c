//! Writes one shard by literal multi-row statements, in one transaction.

use sqlx::{AssertSqlSafe, Executor};

use super::connect::{Database, Lease};
use super::encode::Encoder;
use super::lock::SIGN_OF_LIFE;
use super::statement::{STATEMENT_BYTES, Statement};
use super::writer::marker;
use super::{culprit, failure, lock, passed, sql, stage};
use crate::batch::{Batch, BatchReceiver, Payload};
use crate::error::{Error, Result};
use crate::fence::Fence;
use crate::plugin::row_keys::RowKeys;
use crate::plugin::{ByKey, Receipt, WriteMode, WritePlan};

/// Writes a shard and returns after its COMMIT. Dropped before that, the connection is closed and the
/// server rolls back.
pub(super) async fn write_shard(
    db: &Database,
    plan: &WritePlan,
    shard: u64,
    mut input: BatchReceiver,
) -> Result<Receipt> {
    // The transaction begins with the first rows: a source that is slow to find any holds no
    // locks here.
    let mut next = input.next().await?;
    let mut shard_write = ShardWrite::begin(db, plan, shard).await?;
    let fresh = plan.mode == WriteMode::Upsert || shard_write.mark(shard).await?;
    while let Some(payload) = next {
        shard_write.receipt.rows += passed::rows(&payload);
        shard_write.receipt.bytes += payload.bytes() as u64;
        if fresh {
            for batch in passed::batches(plan, payload)? {
                shard_write.write(&batch).await?;
            }
            if input.is_paced() {
                shard_write.flush().await?;
            }
        }
        next = shard_write.next(&mut input).await?;
    }
    if fresh { shard_write.commit().await } else { Ok(shard_write.already_done()) }
}

/// Runs a statement in a transaction of the shard's own, and returns the rows affected.
pub(super) async fn run_in_shard(
    db: &Database,
    plan: &WritePlan,
    shard: u64,
    statement: String,
    fence: &Fence,
) -> Result<u64> {
    let mut shard_write = ShardWrite::begin(db, plan, shard).await?;
    let affected = shard_write.run(statement).await?;
    fence.check()?;
    shard_write.commit().await?;
    Ok(affected)
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
