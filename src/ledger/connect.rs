//! Connecting to the task database.

use std::path::Path;
use std::sync::Once;
use std::time::{Duration, Instant};

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor};

use super::dialect::Dialect;
use super::{Ledger, failure};
use crate::config::Settings;
use crate::config::connection::{ConnectionConfig, Tls};
use crate::error::{Error, Result};
use crate::plugin;

/// How long an idle connection counts as alive without being asked.
const TRUSTED: Duration = Duration::from_secs(1);

/// How long after its start a process goes by one connection alone.
const START: Duration = Duration::from_millis(250);

/// The connections to the task database.
///
/// A pool asks each connection that comes back whether it is alive. Whoever goes on before that makes it
/// open another one, and a server takes longer to open one than a small task takes for all its questions.
/// So there is only one at the start, which is waited for.
#[derive(Clone)]
pub(super) struct Pools {
    first: AnyPool,
    /// Opens its connections when they are needed.
    usual: AnyPool,
    opened: Instant,
}

/// How soon the task database is expected to take a connection.
const PROMPT: Duration = Duration::from_millis(250);

impl Ledger {
    /// Where statements find a connection.
    pub(super) fn pool(&self) -> &AnyPool {
        let Pools { first, usual, opened } = &self.pools;
        if opened.elapsed() < START { first } else { usual }
    }

    /// Connects and makes sure that the ledger's tables are there.
    ///
    /// # Errors
    /// Kind `Config` for wrong credentials or a missing database, `Transient` when it is down.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let ledger = Self::connect(settings).await?;
        // One question where all is well, since a small task is over in a few.
        let Err(error) = ledger.check_shape().await else { return Ok(ledger) };
        if error.is_transient() || ledger.has_table("goshift_worker").await? {
            return Err(error);
        }
        ledger.create_tables().await?;
        ledger.check_shape().await?;
        Ok(ledger)
    }

    /// Connects only.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub async fn connect(settings: &Settings) -> Result<Self> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let (engine, config) = settings.task_meta()?;
        let plugin = plugin::find(&engine).map_err(|error| error.context("task_meta.type"))?;
        let dialect = Dialect::by_name(plugin.name())?;
        let url = connection_url(dialect, &config)?;
        let address = config.address(default_port(dialect));
        // SQLite has no server to vanish; its writers wait for each other.
        let floor = Duration::from_secs(if dialect == Dialect::Sqlite { 60 } else { 5 });
        let patience = (settings.worker.lease / 2).max(floor);
        // Shorter than what is left of a lease when its holder gives up: a participant that was
        // paused in the middle of a transaction must not cost the owner its lease.
        let silence = (settings.worker.lease / 4).max(Duration::from_secs(2));
        let session = dialect.session(silence);
        // SQLite has one writer: more connections would only wait for each other.
        let connections = if dialect == Dialect::Sqlite { 2 } else { 8 };
        let options = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(config.timeout())
            .idle_timeout(silence / 2)
            // A connection that was used a moment ago needs no question before each statement.
            .test_before_acquire(false)
            .before_acquire(|conn, meta| {
                Box::pin(async move {
                    if meta.idle_for >= TRUSTED {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |conn, _| {
                let session = session.clone();
                Box::pin(async move {
                    conn.execute(sqlx::raw_sql(AssertSqlSafe(session))).await.map(|_| ())
                })
            });
        let usual = options
            .clone()
            .connect_lazy(&url)
            .map_err(|error| failure::connecting(error, &config, &address))?;
        let first = tokio::select! {
            opened = options.max_connections(1).connect(&url) => {
                opened.map_err(|error| failure::connecting(error, &config, &address))?
            }
            error = trouble(&url, &config, &address) => return Err(error),
        };
        let pools = Pools { first, usual, opened: Instant::now() };
        Ok(Self { pools, dialect, address, patience, notices: settings.reminder()? })
    }
}

/// Why there is no connection yet, once that has taken a moment. The pool would try again for as long
/// as it may and then say only that it did not get one.
async fn trouble(url: &str, config: &ConnectionConfig, address: &str) -> Error {
    tokio::time::sleep(PROMPT).await;
    let connecting = tokio::time::timeout(config.timeout(), AnyConnection::connect(url));
    match connecting.await {
        Ok(Ok(connection)) => {
            // It is only slow. What the server makes of this farewell does not matter.
            connection.close().await.ok();
            std::future::pending().await
        }
        Ok(Err(error)) => failure::connecting(error, config, address),
        Err(_) => failure::connecting(sqlx::Error::PoolTimedOut, config, address),
    }
}

fn default_port(dialect: Dialect) -> u16 {
    match dialect {
        Dialect::Mysql => 3306,
        Dialect::Postgres => 5432,
        Dialect::Sqlite => 0,
    }
}

/// The URL that sqlx's run-time chosen driver wants; every part is percent-encoded.
fn connection_url(dialect: Dialect, config: &ConnectionConfig) -> Result<String> {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode as encode};
    if dialect == Dialect::Sqlite {
        let path = config.require("path", &config.path)?;
        let absolute = std::path::absolute(Path::new(path))
            .map_err(|error| Error::config(format!("task_meta.path {path}")).caused_by(error))?;
        let path = absolute.to_string_lossy();
        return Ok(format!("sqlite://{}?mode=rwc", encode(&path, NON_ALPHANUMERIC)));
    }
    let part = |text: &str| encode(text, NON_ALPHANUMERIC).to_string();
    let (scheme, tls_key) = match dialect {
        Dialect::Mysql => ("mysql", "ssl-mode"),
        _ => ("postgres", "sslmode"),
    };
    let tls = match (config.tls, dialect) {
        (Tls::Disable, Dialect::Mysql) => "DISABLED",
        (Tls::Prefer, Dialect::Mysql) => "PREFERRED",
        (Tls::Require, Dialect::Mysql) => "REQUIRED",
        (Tls::VerifyCa, Dialect::Mysql) => "VERIFY_CA",
        (Tls::VerifyFull, Dialect::Mysql) => "VERIFY_IDENTITY",
        (Tls::Disable, _) => "disable",
        (Tls::Prefer, _) => "prefer",
        (Tls::Require, _) => "require",
        (Tls::VerifyCa, _) => "verify-ca",
        (Tls::VerifyFull, _) => "verify-full",
    };
    let mut url = format!(
        "{scheme}://{}:{}@{}:{}/{}?{tls_key}={tls}",
        part(config.require("user", &config.user)?),
        part(config.password.expose()),
        config.host.as_deref().unwrap_or("127.0.0.1"),
        config.port.unwrap_or(default_port(dialect)),
        part(config.require("db", &config.db)?),
    );
    let prefix = if dialect == Dialect::Mysql { "ssl-" } else { "ssl" };
    let files = [
        (if dialect == Dialect::Mysql { "ca" } else { "rootcert" }, &config.tls_ca),
        ("cert", &config.tls_cert),
        ("key", &config.tls_key),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            url.push_str(&format!("&{prefix}{name}={}", part(file)));
        }
    }
    if let (Dialect::Postgres, Some(schema)) = (dialect, &config.schema) {
        url.push_str(&format!("&options={}", part(&format!("-c search_path={schema}"))));
    }
    Ok(url)
}
