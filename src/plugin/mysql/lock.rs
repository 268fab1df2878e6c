//! One writer a shard, enforced by the server: the session that writes a shard holds a named lock.
//! Whoever takes the shard over ends the session that still has it, so that a process which was
//! paused, or cut off, can't commit over newer rows when it wakes.

use std::time::{Duration, Instant};

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, MySqlConnection, Row};
use uuid::Uuid;

use super::connect::Database;
use crate::checksum::checksum;
use crate::error::{Error, Result};
use crate::schema::TableRef;

/// A process that is paused or cut off in the middle of a transaction would keep its row locks for
/// hours: the server ends a session that is silent for 20 s. A live one says something this often.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// How long a session that was told to end may take to roll back.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Names asked for in one statement.
const GROUP: usize = 50;

/// The shard's lock; at most 64 characters, MySQL's limit.
pub(super) fn name(run_id: Uuid, shard: u64) -> String {
    format!("goshift:{}:{shard}", run_id.simple())
}

/// The lock of whoever empties a table. Locks are the server's, and a table its database's.
pub(super) fn of_table(database: Option<&str>, table: &TableRef) -> String {
    let database = table.schema.as_deref().or(database).unwrap_or_default();
    format!("goshift:{:032x}", checksum(format!("{database}\0{}", table.name).as_bytes()))
}

/// Whether `SELECT GET_LOCK(…)` in these rows has got the lock.
pub(super) fn got(rows: &[MySqlRow]) -> Result<bool, sqlx::Error> {
    rows.first().map_or(Ok(false), |row| row.try_get::<Option<i64>, _>(0).map(|got| got == Some(1)))
}

/// Takes a lock that another session holds, ending that session.
pub(super) async fn take_over(db: &Database, conn: &mut MySqlConnection, name: &str) -> Result<()> {
    end_holders(db, conn, &[name.to_owned()]).await?;
    let query = format!("SELECT GET_LOCK('{name}', {})", PATIENCE.as_secs());
    let rows = conn
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(query)))
        .await
        .map_err(|error| db.failure("locking a shard", error))?;
    if got(&rows).map_err(|error| db.failure("locking a shard", error))? {
        return Ok(());
    }
    Err(still_held())
}

/// Ends the sessions that hold these locks and waits until they are gone.
pub(super) async fn end_holders(
    db: &Database,
    conn: &mut MySqlConnection,
    names: &[String],
) -> Result<()> {
    let started = Instant::now();
    for group in names.chunks(GROUP) {
        loop {
            let holders = holders(db, conn, group).await?;
            if holders.is_empty() {
                break;
            }
            if started.elapsed() > PATIENCE {
                return Err(still_held());
            }
            for session in holders {
                let kill = format!("KILL {session}");
                // It may have ended by itself; a right that is missing shows in the next round, and
                // the server ends an idle transaction by itself.
                if let Err(error) = conn.execute(sqlx::raw_sql(AssertSqlSafe(kill))).await {
                    tracing::debug!(%error, "session {session} can't be ended");
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

async fn holders(db: &Database, conn: &mut MySqlConnection, names: &[String]) -> Result<Vec<i64>> {
    let each: Vec<_> = names.iter().map(|name| format!("SELECT IS_USED_LOCK('{name}')")).collect();
    let failure = |error| db.failure("looking for a shard's lock", error);
    let rows = conn
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(each.join(" UNION ALL "))))
        .await
        .map_err(failure)?;
    let mut sessions = Vec::new();
    for row in &rows {
        sessions.extend(row.try_get::<Option<i64>, _>(0).map_err(failure)?);
    }
    Ok(sessions)
}

pub(super) fn still_held() -> Error {
    Error::transient("a session of a lost worker still writes a shard and can't be ended")
        .with_remedy("end it on the target server (SHOW PROCESSLIST, KILL), or wait: the server ends an idle one within 20 s")
}
