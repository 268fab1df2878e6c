//! Connections to MySQL and MariaDB, and the session they work in.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use sqlx::pool::PoolConnection;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, MySql, MySqlConnection, MySqlPool, Row,
};

use super::{failure, pressure};
use crate::config::connection::{ConnectionConfig, Tls};
use crate::error::{Error, Result};

/// What every session is set to:
/// - strict, so that nothing is truncated or clipped in silence, yet taking what another MySQL may
///   hold: zero and impossible dates, and 0 in an AUTO_INCREMENT column;
/// - READ COMMITTED, so that parallel upserts don't lock gaps;
/// - patient timeouts, since a slow writer must not kill the streaming read.
const SESSION: &str = "SET SESSION \
     sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES', \
     net_write_timeout = 7200, net_read_timeout = 7200, wait_timeout = 28800, \
     group_concat_max_len = 1048576";
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// A pool of connections to one database.
pub(super) struct Database {
    pool: MySqlPool,
    address: String,
    /// For what it may not do to the server, and what the server is asked.
    pub(super) config: ConnectionConfig,
    max_packet: AtomicUsize,
}

impl Database {
    /// Connects, proves that the connection works and learns the server's limits.
    pub(super) async fn open(config: &ConnectionConfig, lanes: usize) -> Result<Self> {
        let address = config.address(3306);
        config.refuse(&["max_active_sessions"], "on MySQL: use \"max_threads_running\"")?;
        pressure::check(config)?;
        // Once outside the pool, which would try again for as long as it may and then say only
        // that it did not get a connection.
        let proof = tokio::time::timeout(config.timeout(), options(config)?.connect()).await;
        let mut proof = proof.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|error| {
            failure::classify(error, "connecting", &address).context(&config.place)
        })?;
        let limit = match config.statement_timeout {
            Some(timeout) => statement_timeout(&mut proof, timeout).await,
            None => Ok(None),
        };
        let limit = limit.map_err(|e| failure::classify(e, "asking for its version", &address))?;
        proof.close().await.map_err(|e| failure::classify(e, "connecting", &address))?;
        let pool = MySqlPoolOptions::new()
            .max_connections(lanes as u32 + 1)
            .acquire_timeout(config.timeout())
            .after_connect(move |conn, _| {
                let limit = limit.clone();
                Box::pin(async move {
                    conn.execute(SESSION).await?;
                    if let Some(limit) = limit {
                        conn.execute(sqlx::raw_sql(AssertSqlSafe(limit))).await?;
                    }
                    conn.execute(ISOLATION).await.map(|_| ())
                })
            })
            .connect_lazy_with(options(config)?);
        let database =
            Self { pool, address, config: config.clone(), max_packet: AtomicUsize::new(0) };
        let mut lease = database.lease().await?;
        let row = (&mut *lease)
            .fetch_one("SELECT CAST(@@max_allowed_packet AS SIGNED)")
            .await
            .map_err(|error| database.failure("asking for its limits", error))?;
        let max_packet: i64 =
            row.try_get(0).map_err(|error| database.failure("asking for its limits", error))?;
        database.max_packet.store(max_packet.max(1024) as usize, Ordering::Relaxed);
        lease.keep();
        Ok(database)
    }

    /// Largest statement the server takes, in bytes.
    pub(super) fn max_packet(&self) -> usize {
        self.max_packet.load(Ordering::Relaxed)
    }

    /// Takes a connection out of the pool. It goes back only after [`Lease::keep`].
    pub(super) async fn lease(&self) -> Result<Lease> {
        let conn = self.pool.acquire().await.map_err(|error| {
            let error = self.failure("connecting", error);
            let place = &self.config.place;
            if place.is_empty() { error } else { error.context(place) }
        })?;
        Ok(Lease { conn: Some(conn), clean: false })
    }

    /// Runs statements whose result doesn't matter.
    pub(super) async fn execute(&self, doing: &str, sql: String) -> Result<()> {
        let mut lease = self.lease().await?;
        (&mut *lease)
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .map_err(|error| self.failure(doing, error))?;
        lease.keep();
        Ok(())
    }

    pub(super) fn failure(&self, doing: &str, error: sqlx::Error) -> Error {
        if !failure::is_statement_timeout(&error) {
            return failure::classify(error, doing, &self.address);
        }
        let place = &self.config.place;
        let remedy = match self.config.statement_timeout {
            Some(_) => format!(
                "raise \"statement_timeout\" of {place}, or make the shards smaller with read_batch; \
                 a statement's time includes its wait for the other side"
            ),
            None => format!(
                "raise the server's own limit for statements, or set \"statement_timeout\" of {place}"
            ),
        };
        failure::classify(error, doing, &self.address).with_remedy(remedy)
    }
}

/// The statement that bounds every other of a session. MariaDB and MySQL call it differently, and
/// MySQL bounds SELECT only.
async fn statement_timeout(
    proof: &mut MySqlConnection,
    timeout: Duration,
) -> Result<Option<String>, sqlx::Error> {
    let row = proof.fetch_one("SELECT CAST(VERSION() AS CHAR)").await?;
    let version: String = row.try_get(0)?;
    Ok(Some(if version.contains("MariaDB") {
        format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64())
    } else {
        format!("SET SESSION max_execution_time = {}", timeout.as_millis().max(1))
    }))
}

/// A connection in use. Unless it is kept, dropping it closes it, so that neither a half-read
/// result nor an open transaction ever goes back to the pool.
pub(super) struct Lease {
    conn: Option<PoolConnection<MySql>>,
    clean: bool,
}

impl Lease {
    /// The connection is idle and may be used again.
    pub(super) fn keep(mut self) {
        self.clean = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(conn), false) = (self.conn.take(), self.clean) {
            drop(conn.detach());
        }
    }
}

impl Deref for Lease {
    type Target = MySqlConnection;

    #[allow(clippy::expect_used, reason = "taken only in drop")]
    fn deref(&self) -> &MySqlConnection {
        self.conn.as_ref().expect("taken only in drop")
    }
}

impl DerefMut for Lease {
    #[allow(clippy::expect_used, reason = "taken only in drop")]
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.conn.as_mut().expect("taken only in drop")
    }
}

pub(super) fn options(config: &ConnectionConfig) -> Result<MySqlConnectOptions> {
    let tls = match config.tls {
        Tls::Disable => MySqlSslMode::Disabled,
        Tls::Prefer => MySqlSslMode::Preferred,
        Tls::Require => MySqlSslMode::Required,
        Tls::VerifyCa => MySqlSslMode::VerifyCa,
        Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
    };
    let mut options = MySqlConnectOptions::new()
        .host(config.host.as_deref().unwrap_or("127.0.0.1"))
        .port(config.port.unwrap_or(3306))
        .username(config.require("user", &config.user)?)
        .password(config.password.expose())
        .database(config.require("db", &config.db)?)
        .ssl_mode(tls)
        .charset("utf8mb4")
        // The session is set in one place, above.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(Some("+00:00".to_owned()))
        .disable_statement_logging();
    if let Some(file) = &config.tls_ca {
        options = options.ssl_ca(file);
    }
    if let Some(file) = &config.tls_cert {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &config.tls_key {
        options = options.ssl_client_key(file);
    }
    Ok(options)
}
