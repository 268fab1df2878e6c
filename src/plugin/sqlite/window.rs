//! How far a column has come.

use rusqlite::types::ValueRef;

use super::connect::Session;
use super::range::Param;
use super::sql;
use crate::error::{Error, Result};
use crate::plugin::window::Newest;
use crate::schema::{Column, LogicalType, TableRef};

/// See [`crate::plugin::Reader::newest`].
pub(super) fn newest(session: &Session<'_>, table: &TableRef, column: &Column) -> Result<Newest> {
    let (name, from) = (sql::quote(&column.name), sql::table(table));
    // Times are text here, in UTC as SQLite's own functions write it. A row that writes a T between
    // date and time counts as later than all of that day: then more is read, never less.
    let clock = match column.logical {
        LogicalType::Date => Some("date('now')"),
        LogicalType::DateTime(_) | LogicalType::TimestampTz(_) => Some("datetime('now')"),
        _ => None,
    };
    let reached = clock.map_or("m".to_owned(), |clock| {
        format!("CASE typeof(m) WHEN 'text' THEN min(m, {clock}) ELSE m END")
    });
    let query = format!(
        "SELECT m, {reached}, EXISTS (SELECT 1 FROM {from} WHERE {name} IS NULL) \
         FROM (SELECT MAX({name}) AS m FROM {from})"
    );
    let mut statement = session.connection.prepare_cached(&query).map_err(|e| session.error(e))?;
    let found = statement
        .query_row([], |row| {
            let value = |index| row.get_ref(index).map(|value: ValueRef<'_>| Param::of(value));
            Ok((value(0)?, value(1)?, row.get::<_, bool>(2)?))
        })
        .map_err(|e| session.error(e))?;
    let bound = |value: Option<Param>| match value.map(Param::into_bound) {
        Some(None) => Err(Error::permanent(format!(
            "table {table}: the newest {} is text that is not UTF-8",
            column.name
        ))
        .with_remedy("correct the row, or name another diff_column")),
        Some(bound) => Ok(bound),
        None => Ok(None),
    };
    Ok(Newest { highest: bound(found.0)?, reached: bound(found.1)?, has_nulls: found.2 })
}
