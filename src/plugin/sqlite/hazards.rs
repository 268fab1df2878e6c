//! What a person should know of a table before rows are read from it or written into it.

use std::path::Path;

use rusqlite::{MAIN_DB, params};

use super::connect::Session;
use super::sql;
use crate::error::Result;
use crate::plugin::Hazard;
use crate::plugin::rights::Lack;
use crate::schema::TableRef;

const INDEXED: &str = "SELECT COUNT(*) FROM pragma_index_list(?1) l JOIN pragma_index_info(l.name) i \
     ON i.seqno = 0 WHERE l.partial = 0 AND i.name = ?2 COLLATE NOCASE";
/// The only column of an INTEGER PRIMARY KEY, which is the table itself and no index.
const ROWID: &str = "SELECT COUNT(*) FROM pragma_table_info(?1) WHERE pk = 1 \
     AND name = ?2 COLLATE NOCASE AND type = 'INTEGER' COLLATE NOCASE";
const TRIGGERS: &str = "SELECT name, '' FROM sqlite_schema WHERE type = 'trigger' \
     AND tbl_name = ?1 COLLATE NOCASE ORDER BY 1";
const FOREIGN_KEYS: &str = "SELECT DISTINCT \"from\", \"table\" FROM pragma_foreign_key_list(?1) \
     WHERE (SELECT foreign_keys FROM pragma_foreign_keys) ORDER BY 1";

const FOLLOWERS: &str = "SELECT DISTINCT m.name FROM sqlite_schema m \
     JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table' AND k.\"table\" = ?1 COLLATE NOCASE \
     AND k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
     AND (SELECT foreign_keys FROM pragma_foreign_keys) ORDER BY 1";

/// See [`crate::plugin::Writer::followers`].
pub(super) fn followers(session: &Session<'_>, table: &TableRef) -> Result<Vec<String>> {
    let names = || -> rusqlite::Result<Vec<String>> {
        let mut statement = session.connection.prepare(FOLLOWERS)?;
        let rows = statement.query_map([sql::table_name(table)], |row| row.get(0))?;
        rows.collect()
    };
    names().map_err(|e| session.error(e))
}

/// See [`crate::plugin::Reader::has_index`].
pub(super) fn has_index(session: &Session<'_>, table: &TableRef, column: &str) -> Result<bool> {
    let name = sql::table_name(table);
    for query in [INDEXED, ROWID] {
        let count: i64 = session
            .connection
            .query_row(query, params![name, column], |row| row.get(0))
            .map_err(|e| session.error(e))?;
        if count > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// See [`crate::plugin::Writer::lacks`]. A file that may not be written is opened all the same, to be
/// read; its journal is made beside it.
pub(super) fn lacks(session: &Session<'_>) -> Result<Vec<Lack>> {
    let read_only = session.connection.is_readonly(MAIN_DB).map_err(|e| session.error(e))?;
    let folder = session.path.parent().unwrap_or(Path::new("."));
    let is_closed = |path: &Path| path.metadata().is_ok_and(|it| it.permissions().readonly());
    let lack = |what: &str, path: &Path| Lack {
        right: "write".to_owned(),
        on: format!("{what} {}", path.display()),
        remedy: format!("let goshift's user write it: chmod u+w {}", path.display()),
    };
    let file = read_only.then(|| lack("file", session.path));
    Ok(file.into_iter().chain(is_closed(folder).then(|| lack("folder", folder))).collect())
}

/// See [`crate::plugin::Writer::hazards`].
pub(super) fn find(session: &Session<'_>, table: &TableRef) -> Result<Vec<Hazard>> {
    let name = sql::table_name(table);
    let pairs = |query: &str| -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement = session.connection.prepare(query)?;
        let rows = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let triggers = pairs(TRIGGERS).map_err(|e| session.error(e))?;
    let keys = pairs(FOREIGN_KEYS).map_err(|e| session.error(e))?;
    let triggers = triggers.into_iter().map(|(name, _)| Hazard::Trigger(name));
    Ok(triggers.chain(keys.into_iter().map(|(name, to)| Hazard::ForeignKey(name, to))).collect())
}
