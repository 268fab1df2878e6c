//! A table's indexes: what they are, and those that goshift adds to a table that it has created.

use sqlx::mysql::MySqlRow;
use sqlx::{Executor, Row};

use super::connect::Database;
use super::{describe, sql, types};
use crate::error::Result;
use crate::plugin::{NewTable, not_added};
use crate::schema::{Index, IndexPart, Indexes, Schema, TableRef};

// A part of an expression has no column; the collation is A for ascending, D, or NULL for unsorted.
const INDEXES: &str = "SELECT CAST(INDEX_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR), \
     CAST(SUB_PART AS SIGNED), NON_UNIQUE = 0, \
     INDEX_TYPE = 'BTREE' AND COLUMN_NAME IS NOT NULL AND COLLATION = 'A' \
     FROM information_schema.statistics WHERE table_schema = COALESCE(?, DATABASE()) \
     AND table_name = ? AND INDEX_NAME <> 'PRIMARY' ORDER BY INDEX_NAME, SEQ_IN_INDEX";

/// Bytes that a key of InnoDB may have (DYNAMIC row format).
const LONGEST_KEY: u32 = 3072;

/// See [`crate::plugin::Reader::indexes`].
pub(super) async fn find(db: &Database, schema: &Schema) -> Result<Indexes> {
    let table = &schema.table;
    let doing = format!("looking for the indexes of {table}");
    let query = sqlx::query(INDEXES).bind(table.schema.as_deref()).bind(table.name.as_str());
    let mut lease = db.lease().await?;
    let rows = (&mut *lease).fetch_all(query).await.map_err(|error| db.failure(&doing, error))?;
    lease.keep();
    indexes(&rows, schema).map_err(|error| db.failure(&doing, error))
}

fn indexes(rows: &[MySqlRow], schema: &Schema) -> Result<Indexes, sqlx::Error> {
    let mut found = Indexes::default();
    for row in rows {
        let name: String = row.try_get(0)?;
        let column = row.try_get::<Option<String>, _>(1)?;
        let is_plain = row.try_get::<Option<i64>, _>(4)?.is_some_and(|plain| plain != 0);
        let column = column.filter(|_| is_plain).and_then(|column| schema.position(&column));
        if found.special.last() == Some(&name) {
            continue;
        }
        let Some(column) = column else {
            found.plain.retain(|index| index.name != name);
            found.special.push(name);
            continue;
        };
        let prefix = row.try_get::<Option<i64>, _>(2)?.and_then(|n| u32::try_from(n).ok());
        let part = IndexPart { column, prefix };
        match found.plain.last_mut().filter(|index| index.name == name) {
            Some(index) => index.parts.push(part),
            None => {
                let unique = row.try_get::<i64, _>(3)? != 0;
                found.plain.push(Index { name, unique, parts: vec![part] });
            }
        }
    }
    Ok(found)
}

/// Whether a new table could have the index: LONGTEXT and the like take none, and others only so long
/// ones. From another MySQL it takes what it took there.
pub(super) fn fits(new: &NewTable<'_>, index: &Index) -> bool {
    let bytes = |part: &IndexPart| {
        let native = types::native(&new.columns[part.column].logical, 0)?;
        let (kind, length) = native.split_once('(').unwrap_or((&native, ""));
        let length = || length.trim_end_matches(')').parse::<u32>().ok();
        match kind {
            "longtext" | "longblob" | "json" | "geometry" => None,
            "varchar" | "char" => length().map(|n| n.saturating_mul(4)),
            "varbinary" => length(),
            _ => Some(32),
        }
    };
    if new.engine == "mysql" {
        return true;
    }
    let total =
        index.parts.iter().map(bytes).try_fold(0u32, |sum, part| Some(sum.saturating_add(part?)));
    index.whole_columns().is_some() && total.is_some_and(|total| total <= LONGEST_KEY)
}

/// Adds what the table's comment names, and removes the note from it. Harmless if another process is
/// doing it, or has done it. Returns what could not be added, for people: rows are more than their
/// indexes.
///
/// # Errors
/// What trying again may help against.
pub(super) async fn add_pending(db: &Database, table: &TableRef) -> Result<Vec<String>> {
    let Some(schema) = describe::describe(db, table).await? else { return Ok(Vec::new()) };
    let Some(pending) = &schema.pending else { return Ok(Vec::new()) };
    add(db, &schema, &pending.indexes).await
}

/// See [`add_pending`], whatever has become of the comment.
pub(super) async fn add(db: &Database, schema: &Schema, wanted: &[Index]) -> Result<Vec<String>> {
    let table = &schema.table;
    let doing = format!("adding indexes to {table}");
    let lacks = async || {
        let there = find(db, schema).await?.plain;
        let lacks =
            wanted.iter().filter(|&index| !there.iter().any(|other| index.is_served_by(other)));
        Ok::<_, crate::error::Error>(lacks.cloned().collect::<Vec<_>>())
    };
    crate::fault::point("index.before");
    let missing = lacks().await?;
    // All at once, which reads the rows once.
    let all: Vec<_> = missing.iter().map(|index| clause(schema, index)).collect();
    let done = match all.is_empty() {
        true => Ok(()),
        false => {
            db.execute(&doing, format!("ALTER TABLE {} {}", sql::table(table), all.join(", ")))
                .await
        }
    };
    let mut notes = Vec::new();
    match done {
        Ok(()) => {}
        Err(error) if error.is_transient() => return Err(error),
        Err(_) => {
            for index in lacks().await? {
                let one = format!("ALTER TABLE {} {}", sql::table(table), clause(schema, &index));
                match db.execute(&doing, one).await {
                    Err(error) if error.is_transient() => return Err(error),
                    Err(error) => notes.push(not_added(schema, &index, Some(&error))),
                    Ok(()) => {}
                }
            }
        }
    }
    crate::fault::point("index.added");
    let own = sql::text(schema.comment.as_deref().unwrap_or_default());
    let settle = format!("ALTER TABLE {} COMMENT = {own}", sql::table(table));
    match db.execute(&doing, settle).await {
        Err(error) if error.is_transient() => return Err(error),
        // Without the right to alter, neither indexes nor this.
        Err(error) => {
            notes.push(format!("the comment of {table} still names its indexes: {error}"))
        }
        Ok(()) => {}
    }
    Ok(notes)
}

fn clause(schema: &Schema, index: &Index) -> String {
    format!("ADD {}", definition(index, |part| schema.columns[part.column].name.as_str()))
}

/// An index as a line of CREATE TABLE.
pub(super) fn definition<'a>(index: &Index, name: impl Fn(&IndexPart) -> &'a str) -> String {
    let part = |part: &IndexPart| {
        let length = part.prefix.map(|n| format!("({n})")).unwrap_or_default();
        format!("{}{length}", sql::name(name(part)))
    };
    let parts: Vec<_> = index.parts.iter().map(part).collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    format!("{unique}KEY {} ({})", sql::name(&index.name), parts.join(", "))
}
