//! Lets a load go first, before the server cleans up behind it.
//!
//! MariaDB visits every inserted row once more after its transaction's COMMIT, to reset the row's
//! transaction number (MDEV-12288). A run has many transactions, so that this work on the first rows
//! takes a third of the server's time from those that are still to come. An open read view makes it
//! wait. MySQL drops the undo of inserts at their COMMIT: there is nothing to gain.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, MySqlConnection, Row};
use tokio::task::AbortHandle;

use super::connect;
use crate::config::connection::ConnectionConfig;

/// How long the server may be kept from it, as by any dump or long query: it keeps the undo of all
/// changes meanwhile, about 20 bytes an inserted row.
const LONGEST: Duration = Duration::from_secs(60);

/// Ends the session if this process can't.
const SESSION: &str = "SET SESSION wait_timeout = 90";
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
const OPEN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT";

/// A read view that is open while a run's shards are loaded, [`LONGEST`] at most.
#[derive(Default)]
pub(super) struct PurgeHold {
    shards: AtomicU64,
    holder: OnceLock<AbortHandle>,
}

impl PurgeHold {
    /// Another shard is about to be loaded. From the second on there is something to gain.
    pub(super) fn begin(&self, config: &ConnectionConfig) {
        if self.shards.fetch_add(1, Ordering::Relaxed) != 1 {
            return;
        }
        let config = config.clone();
        self.holder.get_or_init(|| {
            let holding = async move {
                if let Err(error) = hold(&config).await {
                    tracing::debug!(place = config.place, %error, "the purge is not held back");
                }
            };
            tokio::spawn(holding).abort_handle()
        });
    }

    /// All rows are in.
    pub(super) fn end(&self) {
        if let Some(holder) = self.holder.get() {
            holder.abort();
        }
    }
}

/// Dropped with its connection, the view is closed too.
impl Drop for PurgeHold {
    fn drop(&mut self) {
        self.end();
    }
}

async fn hold(config: &ConnectionConfig) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut connection = connect::options(config)?.connect().await?;
    if is_mariadb(&mut connection).await? {
        for statement in [SESSION, ISOLATION, OPEN] {
            connection.execute(statement).await?;
        }
        tokio::time::sleep(LONGEST).await;
    }
    Ok(connection.close().await?)
}

async fn is_mariadb(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    let row = connection.fetch_one("SELECT CAST(VERSION() AS CHAR)").await?;
    Ok(row.try_get::<String, _>(0)?.contains("MariaDB"))
}
