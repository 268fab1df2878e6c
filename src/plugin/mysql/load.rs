//! Writes one shard by LOAD DATA LOCAL INFILE, from memory, in one transaction.
//!
//! With LOCAL the server turns errors into warnings, skips rows whose key is there, and takes the
//! part of a broken stream that has arrived. So a load counts only if every row of it was taken
//! without a warning; otherwise its transaction is rolled back and the shard is written by
//! statements, which say what is wrong.

use std::io;

use bytes::Bytes;
use futures::StreamExt;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::connect::Database;
use super::encode::Encoder;
use super::feed::{Feed, Stop};
use super::loader::LoadSession;
use super::lock::SIGN_OF_LIFE;
use super::writer::marker;
use super::{failure, lock, passed, sql};
use crate::batch::{BatchReceiver, Payload};
use crate::error::{Error, Result};
use crate::plugin::reuse::{Connections, Lease};
use crate::plugin::{Receipt, WriteMode, WritePlan};
use crate::schema::{Column, LogicalType};

/// Writes a shard and returns after its COMMIT. Dropped before that, the connection is closed and
/// the server rolls back.
pub(super) async fn write_shard(
    db: &Database,
    connections: &Connections<LoadSession>,
    plan: &WritePlan,
    shard: u64,
    mut input: BatchReceiver,
) -> Result<Receipt> {
    let mut next = input.next().await?;
    let lease = connections.lease().await?;
    let mut load = Load { db, plan, lease, receipt: Receipt::default() };
    let lock = load.begin(shard).await?;
    if plan.mode == WriteMode::Insert && !load.mark(shard).await? {
        while let Some(payload) = next {
            load.receipt.rows += passed::rows(&payload);
            load.receipt.bytes += payload.bytes() as u64;
            next = load.wait(&mut input).await?;
        }
        return load.already_done(&lock).await;
    }
    while next.is_some() {
        next = load.statement(next, &mut input).await?;
    }
    crate::fault::point("shard.fenced");
    load.commit(&lock).await
}

/// What the server takes the text for. Every load is checked to be UTF-8. As `binary` it goes into
/// columns of UTF-8 as it is, a tenth faster than by character. Others need it converted; MySQL's
/// JSON wants to be told; and MariaDB's UUID and INET6 would take 16 bytes for their inner form.
fn character_set(plan: &WritePlan) -> &'static str {
    use LogicalType as T;
    let takes_bytes = |column: &Column| match column.logical {
        T::Bool | T::Int(_) | T::UInt(_) | T::Decimal { .. } | T::Float32 | T::Float64 => true,
        T::Date | T::Time(_) | T::DateTime(_) | T::TimestampTz(_) | T::Year => true,
        // By UNHEX or as a number.
        T::Bytes(_) | T::Geometry | T::Bit { .. } => true,
        T::Text(_) | T::Enum => column.collation.as_ref().is_some_and(|c| c.starts_with("utf8")),
        T::Json | T::Uuid | T::Interval | T::Other(_) => false,
    };
    if plan.target_columns().all(takes_bytes) { "binary" } else { "utf8mb4" }
}

/// A shard's transaction on a connection for loads.
pub(super) struct Load<'a> {
    pub(super) db: &'a Database,
    pub(super) plan: &'a WritePlan,
    pub(super) lease: Lease<LoadSession>,
    pub(super) receipt: Receipt,
}

impl Load<'_> {
    pub(super) fn conn(&mut self) -> &mut Conn {
        &mut self.lease.0
    }

    pub(super) fn failure(&self, error: mysql_async::Error) -> Error {
        self.db.load_failure(&format!("loading {}", self.plan.schema.table), error)
    }

    pub(super) async fn run(&mut self, statements: &str) -> Result<()> {
        let done = self.conn().query_drop(statements).await;
        done.map_err(|error| self.failure(error))
    }

    /// Begins the transaction behind the shard's lock; returns the lock's name.
    pub(super) async fn begin(&mut self, shard: u64) -> Result<String> {
        let lock = lock::name(self.plan.run_id, shard);
        let begin = format!(
            "SET SESSION wait_timeout = 20; SELECT GET_LOCK('{lock}', 0); START TRANSACTION"
        );
        // The first statement has no rows: the lock's answer is in the second set.
        let mut answers = match self.conn().query_iter(begin).await {
            Ok(answers) => answers,
            Err(error) => return Err(self.failure(error)),
        };
        let mut got = None;
        while !answers.is_empty() {
            match answers.collect::<Option<i64>>().await {
                Ok(values) => got = values.into_iter().next().flatten().or(got),
                Err(error) => return Err(self.failure(error)),
            }
        }
        if got == Some(1) {
            return Ok(lock);
        }
        let mut killer = self.db.lease().await?;
        lock::end_holders(self.db, &mut killer, std::slice::from_ref(&lock)).await?;
        killer.keep();
        let again = format!("SELECT GET_LOCK('{lock}', {})", lock::PATIENCE.as_secs());
        match self.conn().query_first::<Option<i64>, _>(again).await {
            Ok(got) if got.flatten() == Some(1) => Ok(lock),
            Ok(_) => Err(lock::still_held()),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Writes the shard's marker; `false` if it is there already.
    pub(super) async fn mark(&mut self, shard: u64) -> Result<bool> {
        let mark = format!(
            "INSERT IGNORE INTO {} (run_id, shard) VALUES ('{}', {shard})",
            marker(self.plan),
            self.plan.run_id
        );
        self.run(&mark).await?;
        Ok(self.conn().affected_rows() == 1)
    }

    /// Commits, and lets the lock go.
    pub(super) async fn commit(mut self, lock: &str) -> Result<Receipt> {
        crate::fault::point("shard.before_commit");
        self.run(&format!("COMMIT; DO RELEASE_LOCK('{lock}')")).await?;
        self.lease.keep();
        Ok(self.receipt)
    }

    /// An earlier attempt has committed the shard.
    pub(super) async fn already_done(mut self, lock: &str) -> Result<Receipt> {
        self.run(&format!("ROLLBACK; DO RELEASE_LOCK('{lock}')")).await?;
        self.lease.keep();
        Ok(Receipt { already_done: true, ..self.receipt })
    }

    /// One LOAD DATA, of `next` and what follows it. Returns what comes after.
    async fn statement(
        &mut self,
        next: Option<Payload>,
        input: &mut BatchReceiver,
    ) -> Result<Option<Payload>> {
        let (chunks, stream) = mpsc::channel::<io::Result<Bytes>>(2);
        let encoder = Encoder::new(self.plan);
        let statement = format!(
            "LOAD DATA LOCAL INFILE 'goshift' INTO TABLE {} CHARACTER SET {} \
             FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' {}",
            sql::table(&self.plan.schema.table),
            character_set(self.plan),
            encoder.load_columns(self.plan)
        );
        let plan = self.plan;
        let conn = self.conn();
        conn.set_infile_handler(async move { Ok(ReceiverStream::new(stream).boxed()) });
        let feed = Feed::new(plan, encoder, chunks);
        let loading = async {
            let loaded = conn.query_drop(statement).await;
            // A server that refuses the statement never asks for the rows. The driver then keeps
            // the stream, and whoever feeds it would wait for ever.
            conn.set_infile_handler(async { Ok(futures::stream::empty().boxed()) });
            loaded
        };
        let (loaded, fed) = tokio::join!(loading, feed.run(next, input));
        let conn = self.conn();
        let (taken, warnings) = (conn.affected_rows(), conn.get_warnings());
        let fed = match (loaded, fed) {
            // The feed's own error broke the stream.
            (_, Err(Stop::Failed(error))) => return Err(error),
            (Ok(()), Ok(fed)) => fed,
            (Ok(()), Err(Stop::NotTaken)) => {
                return Err(Error::internal("a load ended before its rows"));
            }
            (Err(error), _) => return Err(self.give_up(error)),
        };
        if taken != fed.rows || warnings > 0 {
            let why = format!("{taken} of {} rows were taken, {warnings} warnings", fed.rows);
            return Err(self.fall_back(&why));
        }
        self.receipt.rows += fed.rows;
        self.receipt.bytes += fed.bytes;
        match fed.next {
            Some(next) => Ok(next),
            None => self.wait(input).await,
        }
    }

    /// The next payload of a reader that is slow to find any, while the server hears from us.
    async fn wait(&mut self, input: &mut BatchReceiver) -> Result<Option<Payload>> {
        loop {
            self.run("DO 0").await?;
            if let Some(next) = input.next_within(SIGN_OF_LIFE).await? {
                return Ok(next);
            }
        }
    }

    /// The load failed as a whole. What only loads meet, such as a proxy that does not pass them on,
    /// must not fail a run that statements would bring to its end.
    fn give_up(&self, error: mysql_async::Error) -> Error {
        let may_pass = match &error {
            mysql_async::Error::Server(said) => failure::is_conflict(said.code),
            _ => self.plan.path.is_forgiven(),
        };
        let is_timeout = failure::is_load_timeout(&error);
        let failure = self.failure(error);
        if failure.is_transient() && (may_pass || is_timeout) {
            return failure;
        }
        self.fall_back(&failure.to_string())
    }

    /// Other rows hold keys of this run, or some value needs a closer look: statements do both.
    fn fall_back(&self, why: &str) -> Error {
        let table = &self.plan.schema.table;
        if self.plan.path.fall_back() {
            Error::transient(format!("LOAD DATA into {table} does not do ({why}): by statements"))
        } else {
            Error::permanent(format!("LOAD DATA into {table} failed: {why}"))
        }
    }
}
