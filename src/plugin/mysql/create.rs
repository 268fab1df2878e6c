//! Tables that goshift creates in MySQL: the target, and the marker table.

use super::{default, sql, types};
use crate::error::{Error, Result};
use crate::plugin::pending::note;
use crate::plugin::{NewTable, not_added};
use crate::schema::{Column, LogicalType, TableRef};

/// Characters that a column's comment and a table's may have. Other engines know no limit.
const MAX_COMMENT: usize = 1024;
const MAX_TABLE_COMMENT: usize = 2048;

/// `CREATE TABLE IF NOT EXISTS` for a target that is missing. `nopad` is the server's binary
/// collation that tells trailing spaces apart.
pub(super) fn table(table: &TableRef, new: &NewTable<'_>, nopad: &str) -> Result<String> {
    let mut lines = columns(new, nopad)?;
    if !new.key.is_empty() {
        let names: Vec<_> = new.key.iter().map(|&k| sql::name(&new.columns[k].name)).collect();
        lines.push(format!("PRIMARY KEY ({})", names.join(", ")));
    }
    let comment = match new.pending() {
        Some(pending) => Some(note(&pending, &new.columns, new.comment.as_deref())),
        None => new.comment.clone(),
    };
    let comment = comment.map(|text| self::comment(&text, MAX_TABLE_COMMENT));
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {} ({}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4{}",
        sql::table(table),
        lines.join(", "),
        comment.unwrap_or_default()
    ))
}

/// Leaves out the indexes for which the note in the table's comment has no room, and names them.
pub(super) fn fit_indexes(table: &TableRef, new: &mut NewTable<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let is_long = |new: &NewTable<'_>| {
        let noted = new.pending().map(|p| note(&p, &new.columns, new.comment.as_deref()));
        noted.is_some_and(|noted| noted.chars().count() > MAX_TABLE_COMMENT)
    };
    while is_long(new) {
        let Some(index) = new.indexes.pop() else { break };
        let why = Error::permanent("MySQL has no room in a table's comment to note it until then");
        notes.push(not_added(table, &new.columns, &index, Some(&why)));
    }
    notes
}

/// `ALTER TABLE` that adds the columns.
pub(super) fn add(table: &TableRef, new: &NewTable<'_>, nopad: &str) -> Result<String> {
    let columns = columns(new, nopad)?.join(", ADD COLUMN ");
    Ok(format!("ALTER TABLE {} ADD COLUMN {columns}", sql::table(table)))
}

fn columns(new: &NewTable<'_>, nopad: &str) -> Result<Vec<String>> {
    let same_engine = new.engine == "mysql";
    let parts = new.key.len() as u32;
    let column = |(position, column): (usize, &Column)| {
        let in_key = new.key.contains(&position);
        let counts = column.auto_increment && new.key.first() == Some(&position);
        match same_engine {
            true => Ok(native_column(column, counts)),
            false => mapped_column(column, if in_key { parts } else { 0 }, counts, nopad),
        }
    };
    new.columns.iter().enumerate().map(column).collect()
}

fn native_column(column: &Column, counts: bool) -> String {
    let mut line = format!("{} {}", sql::name(&column.name), column.native);
    if let Some(collation) = &column.collation {
        // A collation's name starts with its character set's.
        let charset = collation.split('_').next().unwrap_or(collation);
        line.push_str(&format!(" CHARACTER SET {charset} COLLATE {collation}"));
    }
    let default = default::clause(column, &column.native, true);
    if default.is_none() && !column.nullable && column.native.starts_with("timestamp") {
        // Without a default of its own the first TIMESTAMP gets ON UPDATE CURRENT_TIMESTAMP.
        finish_column(&mut line, column, Some("DEFAULT '1970-01-01 00:00:01'".to_owned()), counts);
    } else {
        finish_column(&mut line, column, default, counts);
    }
    line
}

fn mapped_column(column: &Column, key_parts: u32, counts: bool, nopad: &str) -> Result<String> {
    let native = types::native(&column.logical, key_parts).ok_or_else(|| {
        Error::permanent(format!(
            "column {}: MySQL has no type for {}",
            column.name, column.logical
        ))
        .with_remedy("create the target table yourself, or leave the column out with \"columns\"")
    })?;
    let mut line = format!("{} {native}", sql::name(&column.name));
    // Other engines compare text byte by byte; MySQL's default collation would take keys that
    // differ by case, accent or trailing space for the same.
    if native.starts_with("varchar") || native.starts_with("char") || native == "longtext" {
        line.push_str(&format!(" CHARACTER SET utf8mb4 COLLATE {nopad}"));
    }
    let default = default::clause(column, &native, false);
    finish_column(&mut line, column, default, counts && types::counts(&column.logical));
    Ok(line)
}

/// The default that a created column gets; `None` if it has none or it can't be carried over.
pub(super) fn default_of(engine: &str, column: &Column) -> Option<String> {
    match engine == "mysql" {
        true => default::clause(column, &column.native, true),
        false => default::clause(column, &types::native(&column.logical, 0)?, false),
    }
}

fn finish_column(line: &mut String, column: &Column, default: Option<String>, counts: bool) {
    if !column.nullable {
        line.push_str(" NOT NULL");
    } else if matches!(column.logical, LogicalType::TimestampTz(_)) {
        line.push_str(" NULL");
    }
    if let Some(default) = default.filter(|_| !counts) {
        line.push(' ');
        line.push_str(&default);
    }
    if counts {
        line.push_str(" AUTO_INCREMENT");
    }
    if let Some(text) = &column.comment {
        line.push_str(&comment(text, MAX_COMMENT));
    }
}

/// A comment of at most so many characters: what is longer would be refused.
fn comment(text: &str, limit: usize) -> String {
    let kept = match text.chars().count() > limit {
        true => text.chars().take(limit - 1).chain(['…']).collect(),
        false => text.to_owned(),
    };
    format!(" COMMENT {}", sql::text(&kept))
}

/// The marker table, beside the target.
pub(super) fn marker(marker: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {marker} (run_id char(36) CHARACTER SET ascii NOT NULL, \
         shard bigint NOT NULL, written_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, \
         PRIMARY KEY (run_id, shard)) ENGINE=InnoDB \
         COMMENT='shards that goshift has committed into tables without a key'"
    )
}
