//! The ledger: the tables beside the task table that hold runs and shards. It is the truth about
//! every run; the broker only wakes workers.
//!
//! Every write for a run carries the claim's epoch and changes nothing once another worker has
//! claimed the run. Statements are written once for three engines (see [`dialect`]).

use std::future::Future;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, Transaction};

use crate::config::Settings;
use crate::config::connection::{ConnectionConfig, Tls};
use crate::error::{Error, Result};
use crate::plugin;
use dialect::Dialect;

mod claim;
mod detail;
pub mod dialect;
mod ending;
mod failure;
mod figures;
mod fleet;
mod gate;
mod inspect;
mod joining;
mod participants;
mod pause;
mod purge;
mod rejected;
mod resume;
mod retention;
mod shards;
mod submission;
mod sweep;
mod tasks;
mod window;

pub use claim::{Claim, ClaimOutcome, Role};
pub use detail::{ParticipantRow, ShardCount, ShardRow, TransitionRow};
pub use ending::{Ending, lease_lost};
pub use figures::Progress;
pub use fleet::{SeenWorker, WorkerRow};
pub use gate::{RunLimits, WaitingRun};
pub use inspect::{ActiveRun, RunFilter, RunRow, Since};
pub use participants::{Halt, Standing};
pub use pause::{PauseRow, Scope, Waiting};
pub use rejected::RejectedRow;
pub use resume::{PlanNote, StoredShards};
pub use shards::{Claimed, Cut, Holder};
pub use submission::{Entered, NewRun, Submitted, group};
pub use sweep::{DeadRun, Due};
pub use window::KeptWindow;

/// States of a run, as they are written to `task_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Accepted, waiting for a worker.
    Submitted,
    /// A worker holds it.
    Running,
    /// Failed for now; due again later.
    Retrying,
    /// Every shard is in.
    Succeeded,
    /// Needs a person.
    Failed,
    /// Stopped on request.
    Cancelled,
}

impl State {
    /// The word in the ledger and in `task_status`.
    pub fn name(self) -> &'static str {
        match self {
            State::Submitted => "submitted",
            State::Running => "running",
            State::Retrying => "retrying",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// Whether the run is over.
    pub fn is_terminal(name: &str) -> bool {
        ["succeeded", "failed", "cancelled"].contains(&name)
    }
}

/// The task database.
#[derive(Clone)]
pub struct Ledger {
    pool: AnyPool,
    dialect: Dialect,
    address: String,
    /// How long one transaction may take. The driver itself would wait for ever for a server that
    /// has vanished.
    patience: Duration,
}

/// How long an idle connection counts as alive without being asked.
const TRUSTED: Duration = Duration::from_secs(1);

/// How soon the task database is expected to take a connection.
const PROMPT: Duration = Duration::from_millis(250);

/// How often a transaction that lost a deadlock or a race is tried again.
const TRIES: u32 = 8;

impl Ledger {
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
        let pool = tokio::select! {
            opened = options.connect(&url) => {
                opened.map_err(|error| failure::connecting(error, &config, &address))?
            }
            error = trouble(&url, &config, &address) => return Err(error),
        };
        Ok(Self { pool, dialect, address, patience })
    }

    /// Creates every table goshift needs, the task table included. Safe to repeat. Returns
    /// whether the task table is new.
    ///
    /// # Errors
    /// Kind `Permanent` when a right is missing.
    pub async fn init(&self) -> Result<bool> {
        let task_table_is_new = !self.has_table("task_def_sync_manager").await?;
        if task_table_is_new {
            self.execute_script(self.dialect.task_ddl()).await?;
        }
        self.create_tables().await?;
        Ok(task_table_is_new)
    }

    /// Tables of another version of goshift would fail every run in its middle.
    async fn check_shape(&self) -> Result<()> {
        const LATEST: &str = "SELECT plan_hash, consistency, rows_written, last_epoch, lost_holder, \
             waits_for, bounds, row_key FROM goshift_run, goshift_worker, goshift_cursor, goshift_rejected \
             WHERE 1 = 0";
        let looking = self.query(LATEST).fetch_optional(&self.pool);
        match tokio::time::timeout(self.patience, looking).await {
            Ok(Err(error @ sqlx::Error::Database(_))) => Err(Error::config(format!(
                "the ledger in {} was made by another version of goshift",
                self.address
            ))
            .caused_by(error)
            .with_remedy(
                "let its runs end, drop goshift_run, goshift_shard, goshift_transition and \
                 goshift_worker, then run `goshift -cmd init-db`",
            )),
            Ok(answered) => answered.map(|_| ()).map_err(|e| self.failure("looking at it", e)),
            Err(_) => Err(self.silent("looking at it")),
        }
    }

    async fn create_tables(&self) -> Result<()> {
        let created = self.execute_script(self.dialect.ledger_ddl()).await;
        // Two processes may create at once; the loser finds the tables there.
        if created.is_err() && self.has_table("goshift_worker").await? {
            return Ok(());
        }
        created
    }

    async fn execute_script(&self, script: &'static str) -> Result<()> {
        let mut conn = self.pool.acquire().await.map_err(|e| self.failure("connecting", e))?;
        conn.execute(sqlx::raw_sql(script))
            .await
            .map(|_| ())
            .map_err(|error| self.failure("creating goshift's tables", error))
    }

    async fn has_table(&self, name: &str) -> Result<bool> {
        let sql = match self.dialect {
            Dialect::Mysql => {
                "SELECT {bigint:COUNT(*)} FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = ?"
            }
            Dialect::Postgres => "SELECT CASE WHEN to_regclass(?) IS NULL THEN 0 ELSE 1 END",
            Dialect::Sqlite => {
                "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"
            }
        };
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(self.dialect.sql(sql)))
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.failure("looking for goshift's tables", error))?;
        Ok(count > 0)
    }

    /// Where the task database is, for messages.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// Kind `Transient` when there is none.
    pub async fn ping(&self) -> Result<()> {
        self.answer("asking", self.pool.execute("SELECT 1")).await.map(|_| ())
    }

    fn query(&self, template: &str) -> sqlx::query::Query<'static, Any, sqlx::any::AnyArguments> {
        sqlx::query(AssertSqlSafe(self.dialect.sql(template)))
    }

    async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool.begin_with(self.dialect.begin()).await
    }

    fn failure(&self, doing: &str, error: sqlx::Error) -> Error {
        failure::classify(error, doing, &self.address)
    }

    /// Waits for a query, but not for ever.
    async fn answer<T>(
        &self,
        doing: &str,
        query: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T> {
        match tokio::time::timeout(self.patience, query).await {
            Ok(answered) => answered.map_err(|error| self.failure(doing, error)),
            Err(_) => Err(self.silent(doing)),
        }
    }

    fn silent(&self, doing: &str) -> Error {
        Error::transient(format!(
            "task database {}, {doing}: no answer within {:?}",
            self.address, self.patience
        ))
        .with_remedy("is the task database up, or one of its tables locked?")
    }

    /// Runs a transaction, again if it lost a deadlock or a race for a unique key.
    async fn transact<T, F, Fut>(&self, doing: &str, attempt: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Attempt>>,
    {
        let outcome = self.attempts(doing, TRIES, attempt).await?;
        outcome.map_err(|conflict| self.failure(doing, conflict))
    }

    /// [`Ledger::transact`] with so many tries; the inner error is the last one's conflict.
    async fn attempts<T, F, Fut>(
        &self,
        doing: &str,
        limit: u32,
        mut attempt: F,
    ) -> Result<Result<T, sqlx::Error>>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Attempt>>,
    {
        let mut tries = 0;
        loop {
            let tried = tokio::time::timeout(self.patience, attempt()).await;
            let tried = tried.unwrap_or_else(|_| Err(Attempt::Refused(self.silent(doing))));
            match tried {
                Ok(value) => return Ok(Ok(value)),
                Err(Attempt::Refused(error)) => return Err(error),
                Err(Attempt::Database(error)) if !failure::is_conflict(&error) => {
                    return Err(self.failure(doing, error));
                }
                Err(Attempt::Database(error)) => {
                    tries += 1;
                    if tries >= limit {
                        return Ok(Err(error));
                    }
                    let wait = rand::random_range(1..=10 * u64::from(tries));
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
            }
        }
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

/// Why a transaction ended without a result.
enum Attempt {
    /// The database said no; a conflict is tried again.
    Database(sqlx::Error),
    /// The ledger's own rules said no.
    Refused(Error),
}

impl From<sqlx::Error> for Attempt {
    fn from(error: sqlx::Error) -> Self {
        Attempt::Database(error)
    }
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Attempt::Refused(error)
    }
}

/// Reads a column of a ledger row.
fn get<'r, T>(row: &'r AnyRow, column: &str) -> Result<T, sqlx::Error>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    sqlx::Row::try_get(row, column)
}

/// So many placeholders.
fn values(count: usize) -> String {
    vec!["?"; count].join(", ")
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
