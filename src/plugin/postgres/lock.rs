//! One writer a shard, enforced by the server: the transaction that writes a shard holds an
//! advisory lock. Whoever takes the shard over ends the session that still has it, so that a
//! process which was paused, or cut off, can't commit over newer rows when it wakes.

use std::time::{Duration, Instant};

use sqlx::Row;
use uuid::Uuid;

use super::connect::Lane;
use super::error;
use crate::checksum::checksum;
use crate::error::{Error, Result};
use crate::schema::TableRef;

/// How long a session that was told to end may take to roll back.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// The key of a shard's lock.
fn key(run_id: Uuid, shard: u64) -> i64 {
    checksum(format!("goshift shard {run_id} {shard}").as_bytes()) as i64
}

/// Sessions that hold one of these locks.
fn holders(keys: &str) -> String {
    format!(
        "pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted \
         AND pid <> pg_backend_pid() \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND ((classid::bigint << 32) | objid::bigint) IN ({keys})"
    )
}

/// The statement that takes a shard's lock for the current transaction, ending the session that
/// has it. Without the right to end it, it waits: the server ends an idle transaction by itself.
pub(super) fn take(run_id: Uuid, shard: u64) -> String {
    take_key(key(run_id, shard))
}

/// The same for the lock of whoever empties a table.
pub(super) fn take_table(table: &TableRef) -> String {
    take_key(checksum(format!("goshift table {table}").as_bytes()) as i64)
}

fn take_key(key: i64) -> String {
    format!(
        "DO $goshift$ BEGIN IF NOT pg_try_advisory_xact_lock({key}) THEN \
           BEGIN PERFORM pg_terminate_backend(pid) FROM {}; \
           EXCEPTION WHEN insufficient_privilege THEN NULL; END; \
           PERFORM set_config('lock_timeout', '{}', true); \
           PERFORM pg_advisory_xact_lock({key}); \
           PERFORM set_config('lock_timeout', '0', true); \
         END IF; END $goshift$",
        holders(&key.to_string()),
        PATIENCE.as_millis()
    )
}

/// Ends the sessions that hold these shards' locks and waits until they are gone.
pub(super) async fn end_holders(lane: &mut Lane, shards: &[(Uuid, u64)]) -> Result<()> {
    let started = Instant::now();
    for group in shards.chunks(500) {
        let keys: Vec<_> = group.iter().map(|&(run, shard)| key(run, shard).to_string()).collect();
        let holders = holders(&keys.join(", "));
        // Sessions of another login are waited for: the server ends an idle transaction by itself.
        let end = format!(
            "DO $goshift$ BEGIN PERFORM pg_terminate_backend(pid) FROM {holders}; \
             EXCEPTION WHEN insufficient_privilege THEN NULL; END $goshift$"
        );
        let query = format!("SELECT count(*) FROM {holders}");
        loop {
            lane.execute(end.clone()).await?;
            let rows = lane.rows(query.clone()).await?;
            let found = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0));
            if found.map_err(error::from_sqlx)? == 0 {
                break;
            }
            if started.elapsed() > PATIENCE {
                return Err(Error::transient(
                    "a session of a lost worker still writes a shard and does not end",
                )
                .with_remedy("end it on the target server: pg_terminate_backend"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}
