//! SQL text: the one place where names are quoted, and the statements made of them.

use super::{cells, default, types};
use crate::error::{Error, Result};
use crate::plugin::{BoundValue, ByKey, NewTable, WriteMode, WritePlan};
use crate::schema::{Column, LogicalType, TableRef};

/// The table of the shards that a keyless run has written.
pub(super) const MARKERS: &str = "CREATE TABLE IF NOT EXISTS goshift_marker (\
    run_id TEXT NOT NULL, shard INTEGER NOT NULL, written_at TEXT NOT NULL, \
    PRIMARY KEY (run_id, shard)) WITHOUT ROWID";

/// Enters a shard; changes no row if it has been entered before.
pub(super) const MARK: &str = "INSERT INTO goshift_marker (run_id, shard, written_at) \
    VALUES (?1, ?2, strftime('%Y-%m-%d %H:%M:%f', 'now')) ON CONFLICT DO NOTHING";

/// An identifier in double quotes.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as SQL.
pub(super) fn literal(value: &BoundValue) -> String {
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match value {
        BoundValue::Number(number) if is_plain(number) => number.clone(),
        // A NUL would end the statement.
        BoundValue::Number(text) | BoundValue::Text(text) if text.contains('\0') => {
            format!("CAST(x'{}' AS TEXT)", cells::hex(text.as_bytes()))
        }
        BoundValue::Number(text) | BoundValue::Text(text) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        BoundValue::Hex(digits) => {
            format!("x'{}'", digits.replace(|c: char| !c.is_ascii_hexdigit(), ""))
        }
    }
}

/// The unquoted name. A file has no schemas but `main`, so any other prefix is taken for a part
/// of the name.
pub(super) fn table_name(table: &TableRef) -> String {
    match table.schema.as_deref() {
        None => table.name.clone(),
        Some(schema) if schema.eq_ignore_ascii_case("main") => table.name.clone(),
        Some(_) => table.to_string(),
    }
}

/// The table as it stands in a statement.
pub(super) fn table(table: &TableRef) -> String {
    format!("main.{}", quote(&table_name(table)))
}

/// Names in a list.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quote).collect::<Vec<_>>().join(", ")
}

/// The statement that writes one row; a row that is replaced was taken out by [`take_out`]. Run row by
/// row in one transaction it is as fast as SQLite gets; statements of many rows (`write_batch`) gain
/// nothing here. Parameters are numbered by the plan's columns.
pub(super) fn write(plan: &WritePlan) -> String {
    if plan.mode == WriteMode::Upsert && plan.by_key == ByKey::Update {
        let set: Vec<_> = (0..plan.columns.len())
            .filter(|p| !plan.key.contains(p))
            .map(|p| holds(plan, p))
            .collect();
        return format!(
            "UPDATE {} SET {} WHERE {}",
            table(&plan.schema.table),
            set.join(", "),
            has_key(plan)
        );
    }
    let names = list(plan.target_columns().map(|c| c.name.as_str()));
    let holders = vec!["?"; plan.columns.len()].join(", ");
    let insert = format!("INSERT INTO {} ({names}) VALUES ({holders})", table(&plan.schema.table));
    if plan.mode == WriteMode::Insert || plan.by_key == ByKey::Replace {
        return insert;
    }
    let key = list(plan.key_columns().map(|column| column.name.as_str()));
    let rest = plan.other_columns().map(|column| {
        let name = quote(&column.name);
        format!("{name} = excluded.{name}")
    });
    let rest = rest.collect::<Vec<_>>().join(", ");
    match rest.is_empty() || plan.by_key == ByKey::Keep {
        true => format!("{insert} ON CONFLICT ({key}) DO NOTHING"),
        false => format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {rest}"),
    }
}

/// The statement that takes a row out which is going to be replaced, with the parameters of [`write`].
/// `INSERT OR REPLACE` would take out rows of other keys too, for the sake of another unique index.
pub(super) fn take_out(plan: &WritePlan) -> Option<String> {
    (plan.mode == WriteMode::Upsert && plan.by_key == ByKey::Replace)
        .then(|| format!("DELETE FROM {} WHERE {}", table(&plan.schema.table), has_key(plan)))
}

fn holds(plan: &WritePlan, position: usize) -> String {
    let column = &plan.schema.columns[plan.columns[position].target];
    format!("{} = ?{}", quote(&column.name), position + 1)
}

fn has_key(plan: &WritePlan) -> String {
    let key: Vec<_> = plan.key.iter().map(|&position| holds(plan, position)).collect();
    key.join(" AND ")
}

/// The statement that creates a table.
///
/// # Errors
/// Kind `Permanent` for a table without columns.
pub(super) fn create(target: &TableRef, source: &NewTable<'_>) -> Result<String> {
    if source.columns.is_empty() {
        return Err(Error::permanent(format!("table {target} would have no column")));
    }
    let native = source.engine == super::ENGINE;
    let rowid = match source.key {
        &[only] if is_rowid(&source.columns[only], native) => Some(only),
        _ => None,
    };
    let mut lines: Vec<_> = source
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| definition(column, native, rowid == Some(position)))
        .collect();
    if rowid.is_none() && !source.key.is_empty() {
        let key = list(source.key.iter().map(|&p| source.columns[p].name.as_str()));
        lines.push(format!("PRIMARY KEY ({key})"));
    }
    Ok(format!("CREATE TABLE IF NOT EXISTS {} (\n  {}\n)", table(target), lines.join(",\n  ")))
}

/// The statements that add columns. If one fails the next run adds the others.
pub(super) fn add_columns(table_ref: &TableRef, new: &NewTable<'_>) -> String {
    let native = new.engine == super::ENGINE;
    let add = |column| {
        format!(
            "ALTER TABLE {} ADD COLUMN {};",
            table(table_ref),
            definition(column, native, false)
        )
    };
    new.columns.iter().map(add).collect::<Vec<_>>().join(" ")
}

/// Whether a table's only key column becomes the rowid itself.
///
/// A source in SQLite has it so or not. An unsigned 64-bit key only if the server counts it up:
/// such a counter doesn't get past 2^63, while a hash does.
fn is_rowid(column: &Column, native: bool) -> bool {
    match column.logical {
        _ if native => column.auto_increment,
        LogicalType::UInt(64) => column.auto_increment,
        LogicalType::Int(_) | LogicalType::UInt(_) => true,
        _ => false,
    }
}

fn definition(column: &Column, native: bool, rowid: bool) -> String {
    let name = quote(&column.name);
    if rowid {
        return format!("{name} INTEGER PRIMARY KEY");
    }
    let declared = if native { verbatim(&column.native) } else { types::declared(&column.logical) };
    let mut line = format!("{name} {declared}").trim_end().to_owned();
    if !column.nullable {
        line += " NOT NULL";
    }
    if let Some(default) = default::clause(column, native) {
        line += &format!(" {default}");
    }
    if let Some(collation) = column.collation.as_deref().filter(|_| native) {
        line += &format!(" COLLATE {}", quote(collation));
    }
    line
}

/// Words that would end a declared type.
const CONSTRAINTS: [&str; 11] = [
    "AS",
    "CHECK",
    "COLLATE",
    "CONSTRAINT",
    "DEFAULT",
    "GENERATED",
    "NOT",
    "NULL",
    "PRIMARY",
    "REFERENCES",
    "UNIQUE",
];

/// A declared type as another table has it; quoted if it is more than words with numbers.
fn verbatim(declared: &str) -> String {
    let (words, rest) = declared.split_once('(').unwrap_or((declared, ")"));
    let plain = words.split_ascii_whitespace().all(|word| {
        word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_' || b.is_ascii_digit())
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && !CONSTRAINTS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
    });
    let numbers = rest
        .strip_suffix(')')
        .is_some_and(|numbers| numbers.bytes().all(|b| b.is_ascii_digit() || b", ".contains(&b)));
    if plain && numbers { declared.to_owned() } else { quote(declared) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_literal() {
        let text = |text: &str| literal(&BoundValue::Text(text.to_owned()));
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text("a\0'"), "CAST(x'610027' AS TEXT)");
        assert_eq!(literal(&BoundValue::Number("-1.5".into())), "-1.5");
        assert_eq!(literal(&BoundValue::Number("1 OR 1".into())), "'1 OR 1'");
    }
}
