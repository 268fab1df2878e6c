//! Reads a file as of one moment: by one connection, in one read transaction. Other connections can't
//! share it, since SQLite hands snapshots on only where it was built for that.

use rusqlite::Connection;

use super::connect::Session;
use crate::error::{Error, Result};
use crate::plugin::SnapshotWay;
use crate::schema::TableRef;

/// How the table would be read. Only from a file in WAL mode: in any other, whoever writes to it would
/// wait for the end of the run.
pub(super) fn way(session: &Session<'_>, table: &TableRef) -> Result<SnapshotWay> {
    let mode: String = session
        .connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(|error| session.error(error))?;
    if mode.eq_ignore_ascii_case("wal") {
        let how = "one lane reads all of it in one transaction";
        return Ok(SnapshotWay { how, lanes: 1 });
    }
    Err(Error::config(format!(
        "consistency \"snapshot\" can't be kept for {table}: the file's journal mode is {mode}, in \
         which nobody could write to it during the run"
    ))
    .with_remedy(format!(
        "run `PRAGMA journal_mode = WAL` once on {}, or set \"consistency\": \"shard\"",
        session.path.display()
    )))
}

/// Begins the transaction, which fixes what it reads with its first look at the file.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN")?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}
