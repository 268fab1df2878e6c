//! Tables that goshift creates in MySQL: the target, and the marker table.

use super::sql;
use super::types;
use crate::error::{Error, Result};
use crate::plugin::NewTable;
use crate::schema::{Column, LogicalType, TableRef};

/// `CREATE TABLE IF NOT EXISTS` for a target that is missing. `nopad` is the server's binary
/// collation that tells trailing spaces apart.
pub(super) fn table(table: &TableRef, new: &NewTable<'_>, nopad: &str) -> Result<String> {
    let mut lines = columns(new, nopad)?;
    if !new.key.is_empty() {
        let names: Vec<_> = new.key.iter().map(|&k| sql::name(&new.columns[k].name)).collect();
        lines.push(format!("PRIMARY KEY ({})", names.join(", ")));
    }
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {} ({}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        sql::table(table),
        lines.join(", ")
    ))
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
        match same_engine {
            true => Ok(native_column(column, new.key.first() == Some(&position))),
            false => mapped_column(column, if in_key { parts } else { 0 }, nopad),
        }
    };
    new.columns.iter().enumerate().map(column).collect()
}

fn native_column(column: &Column, leads_key: bool) -> String {
    let mut line = format!("{} {}", sql::name(&column.name), column.native);
    if let Some(collation) = &column.collation {
        // A collation's name starts with its character set's.
        let charset = collation.split('_').next().unwrap_or(collation);
        line.push_str(&format!(" CHARACTER SET {charset} COLLATE {collation}"));
    }
    finish_column(&mut line, column, column.auto_increment && leads_key);
    line
}

fn mapped_column(column: &Column, key_parts: u32, nopad: &str) -> Result<String> {
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
    finish_column(&mut line, column, false);
    Ok(line)
}

fn finish_column(line: &mut String, column: &Column, auto_increment: bool) {
    if !column.nullable {
        line.push_str(" NOT NULL");
        if column.native.starts_with("timestamp") {
            // Without a default of its own the first TIMESTAMP gets ON UPDATE CURRENT_TIMESTAMP.
            line.push_str(" DEFAULT '1970-01-01 00:00:01'");
        }
    } else if matches!(column.logical, LogicalType::TimestampTz(_)) {
        line.push_str(" NULL");
    }
    if auto_increment {
        line.push_str(" AUTO_INCREMENT");
    }
    if let Some(comment) = &column.comment {
        line.push_str(" COMMENT ");
        line.push_str(&sql::text(comment));
    }
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
