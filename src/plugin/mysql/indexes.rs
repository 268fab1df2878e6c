//! A table's indexes: what they are, and those that goshift adds to a table that it has created.

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::connect::Database;
use super::{describe, failure, sql, types};
use crate::error::{Error, Result};
use crate::plugin::{NewTable, not_added};
use crate::schema::{Index, IndexPart, Indexes, Schema, TableRef};

// A part of an expression has no column; the collation is A for ascending, D, or NULL for unsorted.
const INDEXES: &str = "SELECT CAST(INDEX_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR), \
     CAST(SUB_PART AS SIGNED), NON_UNIQUE = 0, \
     INDEX_TYPE = 'BTREE' AND COLUMN_NAME IS NOT NULL AND COLLATION = 'A' \
     FROM information_schema.statistics WHERE table_schema = COALESCE(?, DATABASE()) \
     AND table_name = ? AND INDEX_NAME <> 'PRIMARY' ORDER BY INDEX_NAME, SEQ_IN_INDEX";

/// Lifts the session's bound of a statement's time, which MariaDB has for ALTER too, and MySQL has not.
const PATIENT: &str = "SET SESSION wait_timeout = 3600 /*M! , max_statement_time = 0 */";

/// How the server says that rows share a key.
const DUPLICATE: &str = "Duplicate entry";

/// Bytes that a key of InnoDB may have (DYNAMIC row format).
const LONGEST_KEY: u32 = 3072;

/// Whether the login may add indexes to a table that is still to be created. The server looks at rights
/// first, then for the table, then for the column, which does not exist.
pub(super) async fn may_add(db: &Database, table: &TableRef) -> Result<bool> {
    let statement =
        format!("ALTER TABLE {} ADD KEY goshift (`goshift has no such column`)", sql::table(table));
    let mut lease = db.lease().await?;
    let tried = (&mut *lease).execute(sqlx::raw_sql(AssertSqlSafe(statement))).await;
    let number = tried.as_ref().err().and_then(failure::number);
    match tried {
        Err(error) if number.is_none() => Err(db.failure(&format!("creating {table}"), error)),
        _ => {
            lease.keep();
            Ok(!number.is_some_and(failure::is_denied))
        }
    }
}

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
    let doing = format!("adding indexes to {table}");
    crate::fault::point("index.before");
    let mut refused =
        add(db, &doing, &schema, missing(db, &schema, &pending.indexes).await?).await?;
    // Another process may have added one meanwhile.
    let wanted: Vec<_> = refused.iter().map(|(index, _)| index.clone()).collect();
    let lacks = missing(db, &schema, &wanted).await?;
    refused.retain(|(index, _)| lacks.contains(index));
    let mut notes = Vec::new();
    for (index, error) in &refused {
        // The server's own words have the value.
        let is_shared = index.unique && error.to_string().contains(DUPLICATE);
        let error = (!is_shared).then_some(error);
        notes.push(not_added(table, &schema.columns, index, error));
    }
    crate::fault::point("index.added");
    notes.extend(settle_comment(db, &doing, table).await?);
    Ok(notes)
}

/// Adds indexes, all at once, which reads the rows once; else each by itself. Returns those that the
/// server refuses.
async fn add(
    db: &Database,
    doing: &str,
    schema: &Schema,
    missing: Vec<Index>,
) -> Result<Vec<(Index, Error)>> {
    let all: Vec<_> = missing.iter().map(|index| clause(schema, index)).collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    match alter(db, doing, &schema.table, &all.join(", ")).await {
        Ok(()) => return Ok(Vec::new()),
        Err(error) if error.is_transient() => return Err(error),
        Err(_) => {}
    }
    let mut refused = Vec::new();
    for index in missing {
        match alter(db, doing, &schema.table, &clause(schema, &index)).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => refused.push((index, error)),
        }
    }
    Ok(refused)
}

/// Gives the table its own comment back, if the note is still there. Returns why it could not, for people.
async fn settle_comment(db: &Database, doing: &str, table: &TableRef) -> Result<Option<String>> {
    let Some(schema) = describe::describe(db, table).await? else { return Ok(None) };
    if schema.pending.is_none() {
        return Ok(None);
    }
    let own = sql::text(schema.comment.as_deref().unwrap_or_default());
    match alter(db, doing, table, &format!("COMMENT = {own}")).await {
        Err(error) if error.is_transient() => Err(error),
        Err(error) => Ok(Some(format!("the comment of {table} still names its indexes: {error}"))),
        Ok(()) => Ok(None),
    }
}

/// Those that the table does not have.
async fn missing(db: &Database, schema: &Schema, wanted: &[Index]) -> Result<Vec<Index>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let there = find(db, schema).await?.plain;
    let lacks = |index: &&Index| !there.iter().any(|other| index.is_served_by(other));
    Ok(wanted.iter().filter(lacks).cloned().collect())
}

/// Alters a table, however long it takes.
async fn alter(db: &Database, doing: &str, table: &TableRef, what: &str) -> Result<()> {
    let statement =
        sqlx::raw_sql(AssertSqlSafe(format!("ALTER TABLE {} {what}", sql::table(table))));
    let failure = |error| db.failure(doing, error);
    let mut lease = db.lease().await?;
    if db.config.statement_timeout.is_some() {
        (&mut *lease).execute(PATIENT).await.map_err(failure)?;
    }
    (&mut *lease).execute(statement).await.map_err(failure)?;
    if db.config.statement_timeout.is_none() {
        lease.keep();
    }
    Ok(())
}

fn clause(schema: &Schema, index: &Index) -> String {
    let part = |part: &IndexPart| {
        let length = part.prefix.map(|n| format!("({n})")).unwrap_or_default();
        format!("{}{length}", sql::name(&schema.columns[part.column].name))
    };
    let parts: Vec<_> = index.parts.iter().map(part).collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    format!("ADD {unique}KEY {} ({})", sql::name(&index.name), parts.join(", "))
}
