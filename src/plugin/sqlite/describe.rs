//! A table's shape from SQLite's pragmas.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{default, sql, types};
use crate::schema::{Column, Key, LogicalType, Schema, TableRef};

/// What kind of thing a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table whose rows have a rowid.
    Rowid,
    /// A table whose rows are found by their primary key only.
    WithoutRowid,
    /// A view or a virtual table: rows can't be addressed.
    View,
}

/// A table as SQLite lists it.
pub(super) struct Listed {
    /// Its own spelling of its name.
    name: String,
    /// What it is.
    pub(super) kind: Kind,
    strict: bool,
}

/// Finds a table; `None` if there is none of that name.
///
/// # Errors
/// SQLite's.
pub(super) fn find(connection: &Connection, table: &TableRef) -> rusqlite::Result<Option<Listed>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, type, wr, strict FROM pragma_table_list(?1) WHERE schema = 'main'",
    )?;
    let found = |row: &Row<'_>| {
        let kind = match (row.get_ref(1)?.as_str()?, row.get(2)?) {
            ("table" | "shadow", false) => Kind::Rowid,
            ("table" | "shadow", true) => Kind::WithoutRowid,
            _ => Kind::View,
        };
        Ok(Listed { name: row.get(0)?, kind, strict: row.get(3)? })
    };
    statement.query_row([sql::table_name(table)], found).optional()
}

/// Reads the shape; `None` if there is no such table.
///
/// # Errors
/// SQLite's.
pub(super) fn describe(
    connection: &Connection,
    table: &TableRef,
) -> rusqlite::Result<Option<Arc<Schema>>> {
    let Some(Listed { name, kind, strict }) = find(connection, table)? else { return Ok(None) };
    let table = TableRef { schema: None, name };
    let mut found = columns(connection, &table.name, strict)?;
    let primary = primary_key(&found);
    let unique = unique_keys(connection, &table, &found)?;
    if kind == Kind::WithoutRowid {
        primary.iter().for_each(|&c| found[c].column.nullable = false);
    }
    // `INTEGER PRIMARY KEY DESC` is the one spelling that has an index and so is no rowid.
    let indexed = unique.iter().any(|index| index.origin == "pk");
    if let &[only] = primary.as_slice()
        && kind == Kind::Rowid
        && !indexed
        && found[only].column.native.eq_ignore_ascii_case("INTEGER")
    {
        let column = &mut found[only].column;
        (column.nullable, column.auto_increment, column.optional) = (false, true, true);
        column.logical = LogicalType::Int(64);
    }
    for (position, collation) in unique.iter().flat_map(|index| &index.collations) {
        if matches!(found[*position].column.logical, LogicalType::Text(_)) {
            found[*position].column.collation = Some(collation.clone());
        }
    }
    let usable = !primary.is_empty()
        && unique.iter().filter(|index| index.origin == "pk").all(|index| index.usable);
    let mut keys = Vec::new();
    if usable {
        keys.push(Key { name: "PRIMARY KEY".into(), columns: primary, primary: true });
    }
    keys.extend(unique.into_iter().filter(|i| i.usable && i.origin != "pk").map(|index| Key {
        columns: index.collations.iter().map(|(position, _)| *position).collect(),
        name: index.name,
        primary: false,
    }));
    let columns: Vec<_> = found.into_iter().map(|c| c.column).collect();
    let estimated_rows =
        if kind == Kind::Rowid { estimate(connection, &table, columns.len())? } else { None };
    Ok(Some(Arc::new(Schema {
        table,
        columns,
        keys,
        estimated_rows,
        pending: None,
        comment: None,
    })))
}

struct Found {
    column: Column,
    /// SQLite's own number, which counts hidden columns too.
    id: i64,
    /// Place in the primary key, from 1; 0 if not in it.
    primary: u32,
}

fn columns(connection: &Connection, table: &str, strict: bool) -> rusqlite::Result<Vec<Found>> {
    let mut statement = connection.prepare_cached(
        "SELECT cid, name, type, \"notnull\", dflt_value, pk, hidden \
         FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid",
    )?;
    let rows = statement.query_map([table], |row| {
        let mut native: String = row.get(2)?;
        // There it means what no type means elsewhere; elsewhere it is a name of NUMERIC affinity.
        if strict && native.eq_ignore_ascii_case("ANY") {
            native.clear();
        }
        let nullable = !row.get::<_, bool>(3)?;
        let logical = types::logical(&native);
        let default: Option<String> = row.get(4)?;
        Ok(Found {
            column: Column {
                name: row.get(1)?,
                default: default.as_deref().and_then(|text| default::read(text, &logical)),
                logical,
                native,
                nullable,
                generated: row.get::<_, i64>(6)? != 0,
                auto_increment: false,
                optional: nullable || default.is_some(),
                collation: None,
                comment: None,
            },
            id: row.get(0)?,
            primary: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn primary_key(columns: &[Found]) -> Vec<usize> {
    let mut key: Vec<_> = (0..columns.len()).filter(|&c| columns[c].primary > 0).collect();
    key.sort_by_key(|&c| columns[c].primary);
    key
}

struct Unique {
    name: String,
    /// `pk`, `u` or `c`.
    origin: String,
    /// Position and collation of each column.
    collations: Vec<(usize, String)>,
    /// Whether it keeps rows apart by the columns' own collations.
    usable: bool,
}

/// The unique indexes on whole columns without a predicate.
fn unique_keys(
    connection: &Connection,
    table: &TableRef,
    columns: &[Found],
) -> rusqlite::Result<Vec<Unique>> {
    let mut indexes = connection.prepare_cached(
        "SELECT name, origin FROM pragma_index_list(?1) \
         WHERE \"unique\" AND NOT partial ORDER BY seq DESC",
    )?;
    let mut parts = connection
        .prepare_cached("SELECT cid, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")?;
    let mut keys = Vec::new();
    let named = indexes.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for index in named {
        let (name, origin): (String, String) = index?;
        let parts = parts.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let parts: Vec<(i64, String)> = parts.collect::<rusqlite::Result<_>>()?;
        let collations: Option<Vec<_>> = parts
            .into_iter()
            .map(|(id, collation)| Some((columns.iter().position(|c| c.id == id)?, collation)))
            .collect();
        // An expression has no column.
        let Some(collations) = collations else { continue };
        let names = collations.iter().map(|(c, _)| columns[*c].column.name.as_str());
        let usable = own_collation(connection, table, &name, names)?;
        keys.push(Unique { name, origin, collations, usable });
    }
    Ok(keys)
}

/// Whether an index compares as its columns do. It may have been declared with another collation,
/// and then two rows that it keeps apart are equal in a `WHERE`. The planner knows: it can look
/// all columns up in the index or not.
pub(super) fn own_collation<'a>(
    connection: &Connection,
    table: &TableRef,
    index: &str,
    columns: impl Iterator<Item = &'a str>,
) -> rusqlite::Result<bool> {
    let terms: Vec<_> = columns.map(|name| format!("{} = ?", sql::quote(name))).collect();
    let statement = format!(
        "EXPLAIN QUERY PLAN SELECT 1 FROM {} INDEXED BY {} WHERE {}",
        sql::table(table),
        sql::quote(index),
        terms.join(" AND ")
    );
    let mut statement = connection.prepare(&statement)?;
    let plan: String = statement.raw_query().next()?.map_or(Ok(String::new()), |r| r.get(3))?;
    Ok(plan.starts_with("SEARCH") && plan.matches("=?").count() == terms.len())
}

/// The span of rowids, but no more rows than the file has room for.
fn estimate(
    connection: &Connection,
    table: &TableRef,
    columns: usize,
) -> rusqlite::Result<Option<u64>> {
    let Some(rowid) = rowid_name(connection, table)? else { return Ok(None) };
    // A row takes at least 5 bytes and one a column (https://www.sqlite.org/fileformat2.html).
    let statement = format!(
        "SELECT min((SELECT max({rowid}) FROM {0}) * 1.0 - (SELECT min({rowid}) FROM {0}) + 1, \
         page_count * page_size / ?1) FROM pragma_page_count, pragma_page_size",
        sql::table(table)
    );
    let span: Option<f64> =
        connection.query_row(&statement, params![columns as i64 + 5], |row| row.get(0))?;
    Ok(span.map(|rows| rows as u64))
}

/// A name of the rowid that no column has taken.
///
/// # Errors
/// SQLite's.
pub(super) fn rowid_name(
    connection: &Connection,
    table: &TableRef,
) -> rusqlite::Result<Option<&'static str>> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE")?;
    for name in ["rowid", "_rowid_", "oid"] {
        if !statement.exists(params![sql::table_name(table), name])? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
