//! Connections to MySQL and MariaDB, and the session they work in.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, MySqlConnection, Row};

use super::{failure, pressure};
use crate::config::connection::{ConnectionConfig, Tls};
use crate::error::{Error, Result};
use crate::plugin::reuse::{self, Connections, Session, Store, Trouble};

/// MySQL's port.
pub(super) const DEFAULT_PORT: u16 = 3306;

/// What every session is set to:
/// - strict, so that nothing is truncated or clipped in silence, yet taking what another MySQL may
///   hold: zero and impossible dates, and 0 in an AUTO_INCREMENT column;
/// - READ COMMITTED, so that parallel upserts don't lock gaps;
/// - patient timeouts, since a slow writer must not kill the streaming read.
pub(super) const SESSION: &str = "SET SESSION \
     sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES', \
     net_write_timeout = 7200, net_read_timeout = 7200, wait_timeout = 28800, \
     group_concat_max_len = 1048576";
/// Undoes what a writer's transactions shorten.
pub(super) const PATIENT: &str = "SET SESSION wait_timeout = 28800";
pub(super) const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Connections that no run uses now.
static KEPT: LazyLock<Store<MysqlSession>> = LazyLock::new(Store::default);

/// Connections to one database.
pub(super) struct Database {
    connections: Connections<MysqlSession>,
    address: String,
    /// For what it may not do to the server, and what the server is asked.
    pub(super) config: ConnectionConfig,
    max_packet: usize,
    local_infile: bool,
    cores: Option<usize>,
    purges_inserts: bool,
}

impl Database {
    /// Connects, or takes over what another run has left, and learns the server's limits.
    pub(super) async fn open(config: &ConnectionConfig, lanes: usize) -> Result<Self> {
        config.refuse(&["max_active_sessions"], "on MySQL: use \"max_threads_running\"")?;
        pressure::check(config)?;
        let connections = Connections::open(&KEPT, config, lanes).await?;
        let lease = connections.lease().await?;
        let (max_packet, local_infile) = (lease.max_packet, lease.local_infile);
        let cores = lease.cores.or(config.cores());
        let purges_inserts = lease.purges_inserts;
        lease.keep();
        let address = config.address(DEFAULT_PORT);
        Ok(Self {
            connections,
            address,
            config: config.clone(),
            max_packet,
            local_infile,
            cores,
            purges_inserts,
        })
    }

    /// The same database by these connections and no others, which hold what a new one would not.
    pub(super) fn only(&self, sessions: Vec<MysqlSession>) -> Self {
        Self {
            connections: Connections::only(&KEPT, &self.config, sessions),
            address: self.address.clone(),
            config: self.config.clone(),
            ..*self
        }
    }

    /// Whether its connections are those that [`Database::only`] was given.
    pub(super) fn is_irreplaceable(&self) -> bool {
        self.connections.is_irreplaceable()
    }

    /// Whether nothing was lost of what [`Database::only`] was given.
    pub(super) fn still_whole(&self) -> Result<()> {
        self.connections.still_whole()
    }

    /// Largest statement the server takes, in bytes.
    pub(super) fn max_packet(&self) -> usize {
        self.max_packet
    }

    /// Whether the server and the configuration allow LOAD DATA LOCAL INFILE.
    pub(super) fn takes_loads(&self) -> bool {
        self.local_infile && self.config.local_infile != Some(false)
    }

    /// The server's processor cores, if known.
    pub(super) fn cores(&self) -> Option<usize> {
        self.cores
    }

    /// Whether the server visits inserted rows again once they are committed (see [`super::purge`]).
    pub(super) fn purges_inserts(&self) -> bool {
        self.purges_inserts
    }

    /// Borrows a connection. It is used again only after [`Lease::keep`].
    pub(super) async fn lease(&self) -> Result<Lease> {
        self.connections.lease().await.map(Lease)
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
        let timed_out = failure::is_statement_timeout(&error);
        self.explain(failure::classify(error, doing, &self.address), timed_out)
    }

    /// [`Database::failure`] for the other driver.
    pub(super) fn load_failure(&self, doing: &str, error: mysql_async::Error) -> Error {
        let timed_out = failure::is_load_timeout(&error);
        self.explain(failure::of_load(error, doing, &self.address), timed_out)
    }

    /// Adds to a statement that timed out what bounds its time.
    fn explain(&self, error: Error, timed_out: bool) -> Error {
        if !timed_out {
            return error;
        }
        let place = &self.config.place;
        error.with_remedy(match self.config.statement_timeout {
            Some(_) => format!(
                "raise \"statement_timeout\" of {place}, or make the shards smaller with read_batch; \
                 a statement's time includes its wait for the other side"
            ),
            None => format!(
                "raise the server's own limit for statements, or set \"statement_timeout\" of {place}"
            ),
        })
    }
}

/// The statement that bounds every other of a session. MariaDB and MySQL call it differently, and
/// MySQL bounds SELECT only.
pub(super) fn statement_timeout(version: &str, timeout: Duration) -> String {
    if version.contains("MariaDB") {
        format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64())
    } else {
        format!("SET SESSION max_execution_time = {}", timeout.as_millis().max(1))
    }
}

/// Whether a server of this version does what [`super::purge`] says: MariaDB since 10.3. Behind a
/// replication-safe prefix, some call themselves `5.5.5-10.6.4-MariaDB`.
fn purges_inserts(version: &str) -> bool {
    let Some(own) = version.contains("MariaDB").then(|| version.trim_start_matches("5.5.5-"))
    else {
        return false;
    };
    let mut numbers = own.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(10), Some(3))
}

/// A connection, set up as [`SESSION`] says.
pub(super) struct MysqlSession {
    pub(super) connection: MySqlConnection,
    max_packet: usize,
    local_infile: bool,
    cores: Option<usize>,
    purges_inserts: bool,
}

#[async_trait]
impl Session for MysqlSession {
    async fn connect(config: &ConnectionConfig) -> Result<Self> {
        let options = options(config)?;
        let opening = async {
            let mut connection = options.connect().await?;
            connection.execute(SESSION).await?;
            if let Some(timeout) = config.statement_timeout {
                let row = connection.fetch_one("SELECT CAST(VERSION() AS CHAR)").await?;
                let limit = statement_timeout(&row.try_get::<String, _>(0)?, timeout);
                connection.execute(sqlx::raw_sql(AssertSqlSafe(limit))).await?;
            }
            connection.execute(ISOLATION).await?;
            let limits = "SELECT CAST(@@max_allowed_packet AS SIGNED), \
                CAST(@@local_infile AS SIGNED), CAST(VERSION() AS CHAR)";
            let limits = connection.fetch_one(limits).await?;
            let max_packet = limits.try_get::<i64, _>(0)?.max(1024) as usize;
            let local_infile = limits.try_get::<i64, _>(1)? == 1;
            let purges_inserts = purges_inserts(&limits.try_get::<String, _>(2)?);
            // MariaDB's default is the number of cores; MySQL has no such variable.
            let pool = "SHOW VARIABLES WHERE Variable_name = 'thread_pool_size'";
            let pool = connection.fetch_optional(sqlx::raw_sql(pool)).await?;
            let pool = pool.map(|row| row.try_get_unchecked::<String, _>(1)).transpose()?;
            let cores = pool.and_then(|size| size.parse().ok());
            Ok(Self { connection, max_packet, local_infile, cores, purges_inserts })
        };
        let opened = tokio::time::timeout(config.timeout(), opening).await;
        opened.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|error| {
            failure::classify(error, "connecting", &config.address(DEFAULT_PORT))
                .context(&config.place)
        })
    }

    async fn prove(&mut self) -> Result<(), Trouble> {
        Ok(self.connection.ping().await?)
    }

    async fn clean(&mut self) -> Result<(), Trouble> {
        Ok(self.connection.execute(PATIENT).await.map(drop)?)
    }

    async fn close(self) -> Result<(), Trouble> {
        Ok(self.connection.close().await?)
    }
}

/// A connection in use.
pub(super) struct Lease(reuse::Lease<MysqlSession>);

impl Lease {
    /// The connection is idle and may be used again.
    pub(super) fn keep(self) {
        self.0.keep();
    }
}

impl Deref for Lease {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.0.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.0.connection
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
        .port(config.port.unwrap_or(DEFAULT_PORT))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_since_10_3_visits_inserted_rows_again() {
        for version in ["10.11.14-MariaDB-0+deb12u2", "5.5.5-10.3.1-MariaDB", "11.4.2-MariaDB-log"]
        {
            assert!(purges_inserts(version), "{version}");
        }
        for version in ["8.0.36", "8.4.0-debug", "10.2.44-MariaDB", "5.5.5-10.1.48-MariaDB"] {
            assert!(!purges_inserts(version), "{version}");
        }
    }
}
