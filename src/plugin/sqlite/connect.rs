//! Connections to one file, and the blocking threads they work on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle, OpenFlags};

use super::error;
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Kind, Result};
use crate::plugin::snapshot_lost;

/// How long a call waits for another program's lock on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Page cache of the writing connection, in KiB with a minus sign as SQLite wants it.
const WRITER_CACHE: i32 = -40 * 1024;

/// A file that this process reads or writes.
///
/// SQLite locks whole files, so what a run may do to a file depends on every other run of this
/// process: there is one `File` for all that use it.
pub(super) struct File {
    /// The absolute path, links resolved.
    pub(super) path: PathBuf,
    /// The one connection that writes; whoever holds it has the turn. Fair, unlike SQLite's lock.
    pub(super) turn: Arc<tokio::sync::Mutex<Option<Connection>>>,
    readers: AtomicUsize,
    _headroom: Mutex<Connection>,
}

/// Pages in [`headroom`], far more than the caches of a process.
const HEADROOM: i32 = 1_000_000;

static FILES: LazyLock<Mutex<HashMap<PathBuf, Weak<File>>>> = LazyLock::new(Mutex::default);

impl File {
    fn of(path: PathBuf) -> Result<Arc<Self>> {
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, file| file.strong_count() > 0);
        if let Some(file) = files.get(&path).and_then(Weak::upgrade) {
            return Ok(file);
        }
        let file = Arc::new(Self {
            path: path.clone(),
            turn: Arc::default(),
            readers: AtomicUsize::new(0),
            _headroom: Mutex::new(headroom().map_err(|e| error::sqlite(&path, e))?),
        });
        files.insert(path, Arc::downgrade(&file));
        Ok(file)
    }

    /// Whether a reader of this process is connected to the file.
    pub(super) fn is_read(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// Finds the file to read.
    ///
    /// # Errors
    /// Kind `Config` when there is none.
    pub(super) fn to_read(config: &ConnectionConfig) -> Result<Arc<Self>> {
        let given = configured(config)?;
        let path = Path::new(given).canonicalize().map_err(|error| {
            Error::config(format!("{}: no SQLite file {given}", config.place))
                .caused_by(error)
                .with_remedy(format!("correct \"path\" of {}", config.place))
        })?;
        Self::of(path)
    }

    /// Finds the file to write, which need not exist.
    ///
    /// # Errors
    /// Kind `Config` when its folder doesn't exist.
    pub(super) fn to_write(config: &ConnectionConfig) -> Result<Arc<Self>> {
        let given = configured(config)?;
        let no_folder = |error| {
            Error::config(format!("{}: no folder for the SQLite file {given}", config.place))
                .caused_by(error)
                .with_remedy("create the folder, or correct \"path\"")
        };
        let path = Path::new(given);
        let path = match (path.canonicalize(), path.parent(), path.file_name()) {
            (Ok(path), ..) => path,
            (Err(_), Some(folder), Some(name)) => {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                folder.canonicalize().map_err(no_folder)?.join(name)
            }
            (Err(error), ..) => return Err(no_folder(error)),
        };
        Self::of(path)
    }

    /// Opens the file to write and proves that it is a database.
    ///
    /// # Errors
    /// By SQLite's result code.
    pub(super) fn open_to_write(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let open = || {
            let connection = connection(&self.path, flags)?;
            connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
            Ok(connection)
        };
        open().map_err(|e| error::sqlite(&self.path, e))
    }

    fn open_to_read(&self) -> Result<Connection> {
        let open = || {
            let connection = connection(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.pragma_update(None, "query_only", true)?;
            Ok(connection)
        };
        open().map_err(|e| error::sqlite(&self.path, e))
    }
}

/// An idle connection that only widens the process's page budget.
///
/// The bundled SQLite is built with SQLITE_ENABLE_MEMORY_MANAGEMENT: all connections share the sum
/// of their `cache_size`s, and while that is overdrawn a page is thrown away after each use. A
/// reader and a writer that both have full caches do overdraw it, and then the writer reads its
/// B-tree from the file for every row: 1 M upserts took 6 s instead of 0.8 s. This cache counts
/// but never fills. Each of the others still keeps to its own `cache_size`.
fn headroom() -> rusqlite::Result<Connection> {
    // The empty name is a temporary database, which has no file while it has no pages.
    let connection = Connection::open("")?;
    connection.pragma_update(None, "cache_size", HEADROOM)?;
    Ok(connection)
}

fn configured(config: &ConnectionConfig) -> Result<&str> {
    const OF_SERVERS: &[&str] = &[
        "statement_timeout",
        "max_threads_running",
        "max_active_sessions",
        "max_replay_lag",
        "replica",
        "local_infile",
        "server_side",
    ];
    config.refuse(OF_SERVERS, "on SQLite, which has no server")?;
    let value = if config.path.is_none() { &config.db } else { &config.path };
    let path = config.require("path", value)?;
    if path == ":memory:" {
        return Err(Error::config(format!("{}: \"path\" must name a file", config.place))
            .with_remedy("a database in memory would be gone at the end of the run"));
    }
    Ok(path)
}

fn connection(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Read-only connections to a file, kept between shards.
pub(super) struct Pool {
    file: Arc<File>,
    idle: Mutex<Vec<Connection>>,
    /// The turn at the one connection of a snapshot; `None` where connections may be opened.
    single: Option<tokio::sync::Mutex<()>>,
}

impl Pool {
    /// Opens the first connection.
    ///
    /// # Errors
    /// By SQLite's result code.
    pub(super) async fn connect(config: &ConnectionConfig) -> Result<Self> {
        let config = config.clone();
        let (file, first) = blocking(move || {
            let file = File::to_read(&config)?;
            let first = file.open_to_read()?;
            Ok((file, first))
        })
        .await?;
        file.readers.fetch_add(1, Ordering::Relaxed);
        Ok(Self { file, idle: Mutex::new(vec![first]), single: None })
    }

    /// Works with a connection on a blocking thread. Dropping the future interrupts the work.
    ///
    /// # Errors
    /// What `work` returns.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _turn = match &self.single {
            Some(single) => Some(single.lock().await),
            None => None,
        };
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None if self.single.is_some() => {
                return Err(snapshot_lost(&self.file.path.display().to_string()));
            }
            None => {
                let file = Arc::clone(&self.file);
                blocking(move || file.open_to_read()).await?
            }
        };
        let (result, connection, ()) = on_thread(&self.file, connection, (), work).await?;
        self.idle().push(connection);
        result
    }

    /// The same file by one connection, within a read transaction that has begun.
    ///
    /// # Errors
    /// By SQLite's result code.
    pub(super) async fn in_one_transaction(&self) -> Result<Self> {
        let file = Arc::clone(&self.file);
        let connection = blocking(move || {
            let connection = file.open_to_read()?;
            super::snapshot::begin(&connection).map_err(|e| error::sqlite(&file.path, e))?;
            Ok(connection)
        })
        .await?;
        self.file.readers.fetch_add(1, Ordering::Relaxed);
        let idle = Mutex::new(vec![connection]);
        Ok(Self { file: Arc::clone(&self.file), idle, single: Some(tokio::sync::Mutex::new(())) })
    }

    /// Whether that transaction is still open.
    ///
    /// # Errors
    /// Kind `Transient` if it is not.
    pub(super) async fn still_holds(&self) -> Result<()> {
        if self.single.is_none() {
            return Ok(());
        }
        let open = self.run(|session| Ok(!session.connection.is_autocommit())).await?;
        if open { Ok(()) } else { Err(snapshot_lost(&self.file.path.display().to_string())) }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.file.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection at work.
pub(super) struct Session<'a> {
    /// The connection.
    pub(super) connection: &'a Connection,
    /// The file, for messages.
    pub(super) path: &'a Path,
    /// Set when nobody waits for the result any more.
    pub(super) stopped: &'a AtomicBool,
}

impl Session<'_> {
    /// SQLite's error as goshift's.
    pub(super) fn error(&self, error: rusqlite::Error) -> Error {
        error::sqlite(self.path, error)
    }

    /// Ends the work when nobody waits for it any more.
    ///
    /// # Errors
    /// Kind `Cancelled`.
    pub(super) fn check(&self) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Cancelled, "the shard was given up"));
        }
        Ok(())
    }
}

/// Works with a connection on a blocking thread, which holds `guard` as long as it works: also
/// after the future was dropped, which interrupts the work.
///
/// # Errors
/// Kind `Internal` if the work panics; its own result is in the tuple.
pub(super) async fn on_thread<T: Send + 'static, G: Send + 'static>(
    file: &File,
    connection: Connection,
    guard: G,
    work: impl FnOnce(&Session<'_>) -> Result<T> + Send + 'static,
) -> Result<(Result<T>, Connection, G)> {
    let mut stop =
        StopOnDrop { stopped: Arc::default(), interrupt: Some(connection.get_interrupt_handle()) };
    let stopped = Arc::clone(&stop.stopped);
    let path = file.path.clone();
    let done = blocking(move || {
        let session = Session { connection: &connection, path: &path, stopped: &stopped };
        Ok((work(&session), connection, guard))
    })
    .await?;
    // Only now may the connection go to somebody else: an interrupt would hit him.
    stop.interrupt = None;
    Ok(done)
}

/// Tells a blocking thread to stop when the future that waits for it is dropped.
struct StopOnDrop {
    stopped: Arc<AtomicBool>,
    interrupt: Option<InterruptHandle>,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(interrupt) = &self.interrupt {
            self.stopped.store(true, Ordering::Relaxed);
            interrupt.interrupt();
        }
    }
}

/// Runs work that blocks.
///
/// # Errors
/// What `work` returns; kind `Internal` if it panics.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("an SQLite thread ended early").caused_by(error))?
}
