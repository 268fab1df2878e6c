//! Connections: options, session settings, and leases that can't poison the pool.

use std::path::Path;
use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgCopyIn, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::instrument::WithSubscriber;

use super::snapshot::Hold;
use super::{error, sql};
use crate::checksum::checksum;
use crate::config::connection::{ConnectionConfig, Tls};
use crate::error::{Error, Result};
use crate::plugin::reuse::{Connections, Lease, Session, Store, Trouble};
use crate::schema::TableRef;

/// PostgreSQL's port.
pub(super) const DEFAULT_PORT: u16 = 5432;

/// The oldest server whose catalogs [`super::describe`] reads (`attgenerated`).
const OLDEST_SERVER: u32 = 12_00_00;

/// Canonical text depends on these. `row_security` off makes a row-level policy an error instead
/// of a silent filter. The keep-alives let the server give up on a worker whose machine is gone,
/// and free its locks, in two minutes instead of two hours. The connection check, which servers
/// before 14 and some platforms lack, does so within seconds for a closed connection, even while
/// the statement waits for a lock.
const SESSION: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex'; \
    SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; \
    SET lc_monetary = 'C'; SET xmloption = 'content'; SET row_security = off; SET jit = off; \
    SET idle_in_transaction_session_timeout = 0; SET plan_cache_mode = 'force_generic_plan'; \
    SET client_min_messages = 'warning'; SET tcp_keepalives_idle = 60; \
    SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6; \
    DO 'BEGIN PERFORM set_config(''client_connection_check_interval'', ''2s'', false); \
    EXCEPTION WHEN OTHERS THEN NULL; END'; ";

/// Removes the stages of [`super::load`]. That is not worth a wait for the server's disk.
const CLEAN: &str = "BEGIN; SET LOCAL synchronous_commit = off; DISCARD TEMP; COMMIT";

/// Stages that a connection keeps for the next run: each is emptied by every COMMIT.
const STAGES: usize = 4;

/// Connections that no run uses now.
static KEPT: LazyLock<Store<PgSession>> = LazyLock::new(Store::default);

/// Connections to one database, with what is needed to name it.
pub(super) struct Db {
    connections: Connections<PgSession>,
    config: ConnectionConfig,
    /// What all its connections read, if they don't read what is there now.
    hold: Option<Hold>,
}

impl Db {
    /// Connects with at most `lanes` + 1 connections, one of which has shown that it works.
    pub(super) async fn connect(config: &ConnectionConfig, lanes: usize) -> Result<Self> {
        config.refuse(&["max_threads_running"], "on PostgreSQL: use \"max_active_sessions\"")?;
        config.refuse(&["replica"], "on PostgreSQL, which knows its replicas")?;
        config.refuse(&["local_infile"], "on PostgreSQL, where loads need no leave")?;
        config.refuse(&["server_side"], "on PostgreSQL, whose databases don't reach each other")?;
        let connections = Connections::open(&KEPT, config, lanes).await?;
        Ok(Self { connections, config: config.clone(), hold: None })
    }

    /// From now on every connection reads what this one holds.
    pub(super) fn held(self, hold: Hold) -> Self {
        Self { hold: Some(hold), ..self }
    }

    /// What its connections read, if they don't read what is there now.
    pub(super) fn hold(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }

    /// Borrows a connection.
    pub(super) async fn lane(&self) -> Result<Lane> {
        let mut lane = Lane { lease: self.connections.lease().await?, remedy: self.remedy() };
        if let Some(hold) = &self.hold {
            hold.prove_lately().await?;
            lane.enter(hold).await?;
        }
        Ok(lane)
    }

    /// What the server's connection was configured with.
    pub(super) fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    /// Adds to a cancelled statement what bounds its time.
    pub(super) fn explain(&self, error: Error) -> Error {
        explain(error, &self.remedy())
    }

    fn remedy(&self) -> Option<String> {
        let place = &self.config.place;
        self.config.statement_timeout.map(|_| {
            format!(
                "raise \"statement_timeout\" of {place}, or make the shards smaller with read_batch; \
                 a statement's time includes its wait for the other side"
            )
        })
    }

    /// Puts the connection's schema in front of a table's name that has none.
    pub(super) fn resolve(&self, table: &TableRef) -> TableRef {
        let schema = table.schema.clone().or_else(|| self.config.schema.clone());
        TableRef { schema, name: table.name.clone() }
    }
}

/// A connection, set up as [`SESSION`] says.
pub(super) struct PgSession {
    connection: PgConnection,
    stages: Vec<Stage>,
    /// Whether it is in the transaction of its run's snapshot.
    in_snapshot: bool,
}

/// A temporary table that COPY loads into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    /// Its columns and their types.
    pub columns: String,
    /// Whether the next run may find it there. Not with types that users can drop: it would be in
    /// their way for as long as the connection waits.
    pub lasts: bool,
}

impl Stage {
    /// Its name, which stands for its columns.
    pub(super) fn name(&self) -> String {
        format!("pg_temp.goshift_stage_{:032x}", checksum(self.columns.as_bytes()))
    }
}

#[async_trait]
impl Session for PgSession {
    async fn connect(config: &ConnectionConfig) -> Result<Self> {
        Ok(Self { connection: connect(config).await?, stages: Vec::new(), in_snapshot: false })
    }

    async fn prove(&mut self) -> Result<(), Trouble> {
        Ok(self.connection.ping().await?)
    }

    async fn clean(&mut self) -> Result<(), Trouble> {
        if std::mem::take(&mut self.in_snapshot) {
            self.connection.execute("ROLLBACK").await?;
        }
        if self.stages.len() <= STAGES && self.stages.iter().all(|stage| stage.lasts) {
            return Ok(());
        }
        self.stages.clear();
        Ok(self.connection.execute(sqlx::raw_sql(CLEAN)).await.map(drop)?)
    }

    async fn close(self) -> Result<(), Trouble> {
        Ok(self.connection.close().await?)
    }
}

/// A connection on loan. It is used again only after [`Lane::release`]; dropped in any other way,
/// by an error or in the middle of a COPY, it is closed and the server rolls back.
pub(super) struct Lane {
    lease: Lease<PgSession>,
    /// For a statement that took too long.
    remedy: Option<String>,
}

impl Lane {
    /// Gives the connection back. Only outside of COPYs, and of transactions but the snapshot's.
    pub(super) fn release(self) {
        self.lease.keep();
    }

    /// Begins to read what `hold` holds, unless the connection does so already.
    async fn enter(&mut self, hold: &Hold) -> Result<()> {
        if !self.lease.in_snapshot {
            let begin = hold.join(self.connection().server_version_num());
            self.execute(begin).await.map_err(|error| hold.refused(error))?;
            self.lease.in_snapshot = true;
        }
        Ok(())
    }

    /// The server's version, as a number.
    pub(super) fn version(&self) -> Option<u32> {
        self.lease.connection.server_version_num()
    }

    fn connection(&mut self) -> &mut PgConnection {
        &mut self.lease.connection
    }

    /// As in 150018; 0 if the server does not say.
    pub(super) fn server_version(&self) -> u32 {
        self.lease.connection.server_version_num().unwrap_or(0)
    }

    /// Whether the connection has this stage.
    pub(super) fn has_stage(&self, stage: &Stage) -> bool {
        self.lease.stages.contains(stage)
    }

    /// The connection has this stage now, since a COMMIT.
    pub(super) fn keep_stage(&mut self, stage: Stage) {
        if !self.has_stage(&stage) {
            self.lease.stages.push(stage);
        }
    }

    /// Runs statements without parameters and returns the rows affected by all of them.
    pub(super) async fn execute(&mut self, sql: String) -> Result<u64> {
        let query = sqlx::raw_sql(AssertSqlSafe(without_nul(sql)?));
        let done = self.connection().execute(query).await;
        let done = done.map_err(|cause| explain(error::from_sqlx(cause), &self.remedy))?;
        Ok(done.rows_affected())
    }

    /// Runs a query and returns all its rows.
    pub(super) async fn rows(&mut self, sql: String) -> Result<Vec<PgRow>> {
        let query = sqlx::raw_sql(AssertSqlSafe(without_nul(sql)?));
        let rows = self.connection().fetch_all(query).await;
        rows.map_err(|cause| explain(error::from_sqlx(cause), &self.remedy))
    }

    /// Runs a query of ours with one value. Prepared once a connection: to plan a catalog query
    /// costs the server several times what it costs to run it.
    pub(super) async fn look_up<'q, T>(&mut self, sql: &'static str, value: T) -> Result<Vec<PgRow>>
    where
        T: 'q + sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let rows = self.connection().fetch_all(sqlx::query(sql).bind(value)).await;
        rows.map_err(|cause| explain(error::from_sqlx(cause), &self.remedy))
    }

    /// Starts a `COPY … TO STDOUT`.
    pub(super) async fn copy_out(&mut self, sql: String) -> Result<BoxStream<'_, Result<Bytes>>> {
        // The driver enters the span of this moment around each row, which costs more than the row.
        let stream = self
            .connection()
            .copy_out_raw(&without_nul(sql)?)
            .with_subscriber(tracing::Dispatch::none())
            .await;
        Ok(stream.map_err(error::from_sqlx)?.map_err(error::from_sqlx).boxed())
    }

    /// Starts a `COPY … FROM STDIN`.
    pub(super) async fn copy_in(&mut self, sql: &str) -> Result<PgCopyIn<&mut PgConnection>> {
        self.connection().copy_in_raw(&without_nul(sql.to_owned())?).await.map_err(error::from_sqlx)
    }
}

fn explain(error: Error, remedy: &Option<String>) -> Error {
    match remedy {
        Some(remedy) if error::is_cancelled(&error) => error.with_remedy(remedy),
        _ => error,
    }
}

/// The protocol ends a statement at the first NUL: a name with one would cut it short.
pub(super) fn without_nul(sql: String) -> Result<String> {
    if sql.contains('\0') {
        return Err(Error::config("a name or a condition contains a NUL character")
            .with_remedy("remove it from the task"));
    }
    Ok(sql)
}

fn options(config: &ConnectionConfig) -> Result<PgConnectOptions> {
    let mode = match config.tls {
        Tls::Disable => PgSslMode::Disable,
        Tls::Prefer => PgSslMode::Prefer,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    };
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(config.host.as_deref().filter(|h| !h.is_empty()).unwrap_or("127.0.0.1"))
        .port(config.port.unwrap_or(DEFAULT_PORT))
        .username(config.require("user", &config.user)?)
        .password(config.password.expose())
        .database(config.require("db", &config.db)?)
        .ssl_mode(mode)
        .application_name("goshift")
        .disable_statement_logging();
    if let Some(path) = file(config, "tls_ca", &config.tls_ca)? {
        options = options.ssl_root_cert(path);
    }
    if let Some(path) = file(config, "tls_cert", &config.tls_cert)? {
        options = options.ssl_client_cert(path);
    }
    if let Some(path) = file(config, "tls_key", &config.tls_key)? {
        options = options.ssl_client_key(path);
    }
    Ok(options)
}

fn file<'a>(
    config: &ConnectionConfig,
    key: &str,
    path: &'a Option<String>,
) -> Result<Option<&'a Path>> {
    let Some(path) = path.as_deref().map(Path::new) else { return Ok(None) };
    std::fs::metadata(path).map_err(|cause| {
        Error::config(format!("\"{key}\" of {}: {} can't be read", config.place, path.display()))
            .caused_by(cause)
            .with_remedy("correct the path or the file's permissions")
    })?;
    Ok(Some(path))
}

/// Puts the configured schema first and the extensions' schemas last: an operator that is not in
/// the path (citext's, say) would silently be replaced by that of a type it casts to.
fn search_path(schema: Option<&str>) -> String {
    let first = schema.map_or("NULL".to_owned(), |name| sql::literal(&sql::ident(name)));
    format!(
        "SELECT set_config('search_path', concat_ws(', ', {first}, \
         NULLIF(current_setting('search_path'), ''), \
         (SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ') FROM pg_extension e \
         JOIN pg_namespace n ON n.oid = e.extnamespace WHERE n.nspname <> 'pg_catalog')), false)"
    )
}

/// Does something on a thread of its own, as long as somebody waits for it. While it computes the proof
/// of a password (SCRAM, 4,096 rounds) the driver yields after every five of them, and each time a worker
/// of the runtime would wake another one to take over.
async fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let (mut done, outcome) = oneshot::channel();
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        runtime.block_on(async move {
            tokio::select! {
                made = work => drop(done.send(made)),
                () = done.closed() => {}
            }
        });
    });
    outcome.await.map_err(|_| Error::internal("connecting to PostgreSQL ended early"))
}

/// Opens and sets up one connection to a server that is new enough.
async fn connect(config: &ConnectionConfig) -> Result<PgConnection> {
    let (options, port) = (options(config)?, config.port.unwrap_or(DEFAULT_PORT));
    let timeout = config.statement_timeout.map_or(0, |timeout| timeout.as_millis().max(1));
    let session = format!(
        "{SESSION}SET statement_timeout = {timeout}; {}",
        search_path(config.schema.as_deref())
    );
    let attempt = async move {
        let mut connection = PgConnection::connect_with(&options).await?;
        #[cfg(target_os = "linux")]
        super::nodelay::set(port);
        connection.execute(sqlx::raw_sql(AssertSqlSafe(session))).await?;
        Ok::<_, sqlx::Error>(connection)
    };
    let connection = match tokio::time::timeout(config.timeout(), apart(attempt)).await {
        Ok(outcome) => outcome?.map_err(|error| error::connecting(config, error))?,
        Err(_) => {
            return Err(Error::transient(format!(
                "{} ({}): no answer within {} s",
                config.place,
                config.address(DEFAULT_PORT),
                config.timeout().as_secs()
            ))
            .with_remedy(format!("check \"host\" and \"port\" in {}", config.place)));
        }
    };
    match connection.server_version_num() {
        Some(old) if old < OLDEST_SERVER => Err(Error::permanent(format!(
            "{} is PostgreSQL {}: goshift needs 12 or newer",
            config.place,
            old / 10_000
        ))
        .with_remedy("upgrade the server")),
        _ => Ok(connection),
    }
}
