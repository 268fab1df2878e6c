//! Reads a table as of one moment: while one connection keeps writers from the table, which takes no
//! longer than a question and its answer, all others begin to read by snapshots of their own. Those
//! show the same rows, as nobody could commit a change to the table between them.
//!
//! LOCK TABLES is enough: with autocommit off InnoDB takes its own lock of the table with it, which
//! waits for transactions that have written to the table and for no others. FLUSH TABLES … WITH READ
//! LOCK waits for readers as well, makes every session open the table again, and needs RELOAD. While
//! LOCK TABLES waits, new writers wait behind it: so it does not wait for long.

use std::time::Duration;

use futures::future::try_join_all;
use futures::{Stream, TryStreamExt};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, MySqlConnection, Row};

use super::connect::{Database, MysqlSession};
use super::{failure, inside, sql};
use crate::config::connection::ConnectionConfig;
use crate::error::{Context, Error, Result};
use crate::plugin::SnapshotWay;
use crate::plugin::reuse::Session;
use crate::schema::TableRef;

/// How long the lock may keep writers waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of a shard may take that nobody wants, so as not to lose its connection.
const REST: Duration = Duration::from_secs(30);

/// The read-only transaction of a lane. The server must not end it for being idle.
const BEGIN: &str = "SET SESSION wait_timeout = 604800; \
     SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// The same for idle transactions, which only MariaDB knows.
const UNBOUNDED: &str =
    "SET SESSION idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0";

const ENGINE: &str = "SELECT CAST(TABLE_TYPE AS CHAR), CAST(ENGINE AS CHAR) \
     FROM information_schema.tables WHERE table_schema = ? AND table_name = ?";
const CLUSTER: &str = "SHOW VARIABLES WHERE Variable_name = 'wsrep_on' AND Value = 'ON'";

/// The tables' engine, the rights and the server's kind decide.
pub(super) async fn way(db: &Database, table: &TableRef, lanes: usize) -> Result<SnapshotWay> {
    let doing = format!("looking into {table}");
    let mut lease = db.lease().await?;
    let query = sqlx::query(ENGINE).bind(table.schema.as_deref()).bind(table.name.as_str());
    let row = (&mut *lease).fetch_optional(query).await.map_err(|e| db.failure(&doing, e))?;
    let clustered = (&mut *lease).fetch_optional(sqlx::raw_sql(CLUSTER)).await;
    let clustered = clustered.map_err(|e| db.failure(&doing, e))?.is_some();
    lease.keep();
    let text = |column| row.as_ref().and_then(|row| row.try_get::<Option<String>, _>(column).ok());
    let kind = text(0).flatten().unwrap_or_default();
    let engine = text(1).flatten().unwrap_or_default();
    let refused = |why: String, remedy: String| {
        let what = format!("consistency \"snapshot\" can't be kept for {table}: {why}");
        Err(Error::config(what).with_remedy(remedy))
    };
    if kind.contains("VIEW") {
        let why = "it is a view, whose tables may be of any kind".to_owned();
        let remedy = "copy the tables behind it, or set \"consistency\": \"shard\"".to_owned();
        return refused(why, remedy);
    }
    if !engine.eq_ignore_ascii_case("InnoDB") {
        let why = format!("its storage engine, {engine}, has no snapshots as InnoDB has");
        let remedy = format!(
            "ALTER TABLE {} ENGINE = InnoDB, or set \"consistency\": \"shard\"",
            sql::table(table)
        );
        return refused(why, remedy);
    }
    if lanes == 1 {
        let how = "one lane reads all of it in one transaction";
        return Ok(SnapshotWay { how, lanes });
    }
    if clustered {
        let why = "in a Galera cluster, other nodes' changes pass its lock".to_owned();
        let remedy = "set \"worker_num\": 1, which needs no lock, or \"consistency\": \"shard\"";
        return refused(why, remedy.to_owned());
    }
    let how = "the lanes' snapshots begin together, under a lock of the table that lasts a moment \
               (needs the privilege LOCK TABLES)";
    Ok(SnapshotWay { how, lanes })
}

/// Connects again, once for each lane and once to cut shards, all to read as of one moment. A single
/// lane shares its connection with the cutting, and needs no lock.
pub(super) async fn open(db: &Database, table: &TableRef, lanes: usize) -> Result<Database> {
    let count = if lanes == 1 { 1 } else { lanes + 1 };
    let opening = async {
        let config = &db.config;
        let connected = try_join_all((0..count).map(|_| MysqlSession::connect(config))).await?;
        let mut sessions = connected;
        let server = same_server(db, &mut sessions).await?;
        if db.purges_inserts() {
            // MariaDB since 10.3, which has these variables.
            all(db, &mut sessions, UNBOUNDED).await?;
        }
        match count {
            1 => all(db, &mut sessions, BEGIN).await?,
            _ => under_lock(db, table, &server, &mut sessions).await?,
        }
        Ok::<_, Error>(db.only(sessions))
    };
    opening.await.context(|| "taking a snapshot of the source")
}

/// Runs statements on all connections at once.
async fn all(db: &Database, sessions: &mut [MysqlSession], sql: &'static str) -> Result<()> {
    let running = sessions.iter_mut().map(|session| session.connection.execute(sqlx::raw_sql(sql)));
    try_join_all(running).await.map_err(|error| db.failure("beginning a snapshot", error))?;
    Ok(())
}

/// A proxy may have spread the connections over several servers, each with rows of its own.
async fn same_server(db: &Database, sessions: &mut [MysqlSession]) -> Result<String> {
    let asking = sessions.iter_mut().map(|session| inside::server(&mut session.connection));
    let mut names = try_join_all(asking).await.map_err(|e| db.failure("asking its name", e))?;
    names.dedup();
    match names.pop() {
        Some(name) if names.is_empty() => Ok(name),
        _ => Err(spread(&db.config)),
    }
}

fn spread(config: &ConnectionConfig) -> Error {
    Error::permanent(format!(
        "{}: connections end at different servers, whose snapshots differ",
        config.place
    ))
    .with_remedy("connect to one server, not to a proxy before several; or set \"worker_num\": 1")
}

async fn under_lock(
    db: &Database,
    table: &TableRef,
    server: &str,
    sessions: &mut [MysqlSession],
) -> Result<()> {
    let mut locker = MysqlSession::connect(&db.config).await?.connection;
    let name = inside::server(&mut locker).await.map_err(|e| db.failure("asking its name", e))?;
    if name != server {
        return Err(spread(&db.config));
    }
    // Should this process be stopped while it holds the lock, the server ends the session.
    let seconds = PATIENCE.as_secs();
    let lock = format!(
        "SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}, \
         wait_timeout = {seconds}, innodb_table_locks = 1, autocommit = 0; LOCK TABLES {} READ",
        sql::table(table)
    );
    let locking = locker.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await;
    if let Err(error) = locking {
        return Err(not_locked(db, table, &mut locker, error).await);
    }
    // Dropped on every other way out, the connection takes its lock with it.
    let begun = tokio::time::timeout(PATIENCE, all(db, sessions, BEGIN)).await;
    let still_held = locker.execute("UNLOCK TABLES").await;
    begun.unwrap_or_else(|_| Err(Error::transient("snapshots took too long to begin")))?;
    // The lock counts only if it was held until now.
    still_held.map_err(|error| db.failure("unlocking the table", error))?;
    Ok(())
}

/// Why the table could not be locked, and what helps.
async fn not_locked(
    db: &Database,
    table: &TableRef,
    locker: &mut MySqlConnection,
    error: sqlx::Error,
) -> Error {
    match failure::number(&error) {
        // Access denied: to the database, to the table, for want of a privilege.
        Some(1044 | 1142 | 1227) => {
            let user = user(locker).await.unwrap_or_else(|| "the user".to_owned());
            let schema = table.schema.as_deref().map(sql::name).unwrap_or_default();
            Error::permanent(format!(
                "consistency \"snapshot\" with several lanes locks {table} for a moment, and {user} \
                 lacks the privilege LOCK TABLES"
            ))
            .caused_by(error)
            .with_remedy(format!(
                "GRANT SELECT, LOCK TABLES ON {schema}.* TO {user}; or set \"worker_num\": 1, \
                 which needs no lock, or \"consistency\": \"shard\""
            ))
        }
        Some(1205) => Error::transient(format!(
            "{table} could not be locked within {} s for a snapshot",
            PATIENCE.as_secs()
        ))
        .caused_by(error)
        .with_remedy(
            "a transaction that has written to it stays open, or it is locked: look into \
             information_schema.innodb_trx; \"worker_num\": 1 needs no lock",
        ),
        _ => db.failure(&format!("locking {table}"), error),
    }
}

/// The login, as GRANT wants it.
async fn user(connection: &mut MySqlConnection) -> Option<String> {
    let row = connection.fetch_one("SELECT CAST(CURRENT_USER() AS CHAR)").await.ok()?;
    let login: String = row.try_get(0).ok()?;
    let (name, host) = login.rsplit_once('@')?;
    Some(format!("{}@{}", sql::name(name), sql::name(host)))
}

/// Reads what is left of a shard that nobody wants any more: its connection is as good as before then.
pub(super) async fn drained<S>(rows: &mut S) -> bool
where
    S: Stream<Item = Result<MySqlRow, sqlx::Error>> + Unpin,
{
    let draining = async {
        loop {
            match rows.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(REST, draining).await.unwrap_or(false)
}
