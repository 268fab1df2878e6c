//! Lets a load go first, before the server cleans up behind it.
//!
//! MariaDB visits every inserted row once more after its transaction's COMMIT, to reset the row's
//! transaction number (MDEV-12288, since 10.3). A run has many transactions, so that this work on the
//! first rows takes the server's time from those that are still to come. An open read view
//! makes it wait. MySQL drops the undo of inserts at their COMMIT: there is nothing to gain.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, MySqlConnection, Row};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use super::connect::{self, Database};
use crate::config::connection::ConnectionConfig;

/// How long the server may be kept from it, as by any dump or long query: it keeps the undo of all
/// changes meanwhile.
const LONGEST: Duration = Duration::from_secs(60);

/// Ends the session if this process can't.
const SESSION: &str = "SET SESSION wait_timeout = 90";
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
const OPEN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT";

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// A read view that is open while a run's shards are loaded, [`LONGEST`] at most; dropped with it.
#[derive(Default)]
pub(super) struct PurgeHold {
    shards: AtomicU64,
    over: CancellationToken,
    dropped: OnceLock<DropGuard>,
}

impl PurgeHold {
    /// Another shard is about to be loaded. From the second on there is something to gain.
    pub(super) fn begin(&self, db: &Database) {
        if !db.purges_inserts() || self.shards.fetch_add(1, Ordering::Relaxed) != 1 {
            return;
        }
        self.dropped.get_or_init(|| self.over.clone().drop_guard());
        let (config, over) = (db.config.clone(), self.over.clone());
        let holding = async move {
            let held = match tokio::time::timeout(config.timeout(), open(&config)).await {
                Ok(Ok(Some(connection))) => hold(connection, over).await,
                Ok(Ok(None)) => return,
                Ok(Err(error)) => Err(error),
                Err(late) => Err(late.into()),
            };
            if let Err(error) = held {
                tracing::debug!(place = config.place, %error, "the purge is not held back");
            }
        };
        tokio::spawn(holding.in_current_span());
    }

    /// All rows are in.
    pub(super) fn end(&self) {
        self.over.cancel();
    }
}

/// A session with a read view, unless the server slows down all writers when it can't purge.
async fn open(config: &ConnectionConfig) -> Result<Option<MySqlConnection>, Trouble> {
    let mut connection = connect::options(config)?.connect().await?;
    let limit = connection.fetch_one("SELECT CAST(@@innodb_max_purge_lag AS SIGNED)").await?;
    if limit.try_get::<i64, _>(0)? > 0 {
        connection.close().await?;
        return Ok(None);
    }
    for statement in [SESSION, ISOLATION, OPEN] {
        connection.execute(statement).await?;
    }
    Ok(Some(connection))
}

async fn hold(connection: MySqlConnection, over: CancellationToken) -> Result<(), Trouble> {
    // Too long or in time: both are its end.
    tokio::time::timeout(LONGEST, over.cancelled()).await.ok();
    Ok(connection.close().await?)
}
