//! Quoting for MySQL: the only functions that put names and values into its SQL.
//!
//! They rely on the session that `connect` sets: utf8mb4, and neither ANSI_QUOTES nor
//! NO_BACKSLASH_ESCAPES.

use crate::plugin::{Bound, BoundValue, KeyRange, ReadPlan};
use crate::schema::{Column, LogicalType, TableRef};

/// A quoted identifier.
pub(super) fn name(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

/// A quoted table, with its database if the task names one.
pub(super) fn table(table: &TableRef) -> String {
    match &table.schema {
        Some(schema) => format!("{}.{}", name(schema), name(&table.name)),
        None => name(&table.name),
    }
}

/// Appends text as a string literal.
pub(super) fn push_text(sql: &mut Vec<u8>, text: &[u8]) {
    sql.push(b'\'');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'\'', b'\\', rest) {
        sql.extend_from_slice(&rest[..at]);
        sql.push(b'\\');
        sql.push(rest[at]);
        rest = &rest[at + 1..];
    }
    sql.extend_from_slice(rest);
    sql.push(b'\'');
}

/// Appends bytes as a hexadecimal literal.
pub(super) fn push_hex(sql: &mut Vec<u8>, bytes: &[u8]) {
    sql.extend_from_slice(b"x'");
    push_digits(sql, bytes);
    sql.push(b'\'');
}

/// Appends bytes as hexadecimal digits.
pub(super) fn push_digits(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(
        bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]),
    );
}

/// Appends text as a field of a LOAD DATA whose fields end with a tab, whose lines end with a line
/// feed and which is escaped by the backslash.
pub(super) fn push_field(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'\\', b'\t', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(match rest[at] {
            b'\t' => b't',
            b'\n' => b'n',
            other => other,
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// A string literal.
pub(super) fn text(value: &str) -> String {
    let mut sql = Vec::with_capacity(value.len() + 2);
    push_text(&mut sql, value.as_bytes());
    String::from_utf8_lossy(&sql).into_owned()
}

/// A bound's value as a literal.
pub(super) fn bound_value(value: &BoundValue) -> String {
    match value {
        // Printed by the server from a numeric column; anything else is quoted all the same.
        BoundValue::Number(n) if n.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => {
            n.clone()
        }
        BoundValue::Number(other) => text(other),
        BoundValue::Text(t) => text(t),
        BoundValue::Hex(hex) => format!("x'{}'", hex.replace(|c: char| !c.is_ascii_hexdigit(), "")),
    }
}

/// How a key column is printed so that the server compares a literal with it as it orders it:
/// ENUM, SET and BIT by number, binary by bytes, FLOAT exactly.
pub(super) fn key_expression(column: &Column) -> String {
    let quoted = name(&column.name);
    match column.logical {
        LogicalType::Enum | LogicalType::Bit { .. } | LogicalType::Year => format!("{quoted}+0"),
        LogicalType::Float32 => format!("{quoted}+0e0"),
        LogicalType::Bytes(_) => format!("HEX({quoted})"),
        _ => quoted,
    }
}

/// The kind of literal a key column's bound is.
pub(super) fn key_value(column: &Column, printed: String) -> BoundValue {
    use LogicalType as T;
    match column.logical {
        T::Int(_)
        | T::UInt(_)
        | T::Decimal { .. }
        | T::Float32
        | T::Float64
        | T::Year
        | T::Enum
        | T::Bit { .. }
        | T::Bool => BoundValue::Number(printed),
        T::Bytes(_) => BoundValue::Hex(printed),
        _ => BoundValue::Text(printed),
    }
}

/// `WHERE …` for the rows of a range, or nothing for the whole table.
pub(super) fn range(plan: &ReadPlan, range: &KeyRange) -> String {
    let mut conditions = Vec::new();
    match range {
        KeyRange::All => {}
        KeyRange::Nulls => {
            let nulls: Vec<_> =
                plan.split_columns().map(|c| format!("{} IS NULL", name(&c.name))).collect();
            conditions.push(format!("({})", nulls.join(" OR ")));
        }
        KeyRange::Between { after, to } => {
            if let Some(after) = after {
                conditions.push(beyond(plan, after));
            }
            if let Some(to) = to {
                conditions.push(leading(plan, to, "<="));
                // The negated form alone can't use an index; with one column it adds nothing.
                if plan.split.len() > 1 {
                    conditions.push(format!("NOT {}", beyond(plan, to)));
                }
            }
            let nullable = plan.split_columns().filter(|c| c.nullable);
            conditions.extend(nullable.map(|c| format!("{} IS NOT NULL", name(&c.name))));
        }
        KeyRange::Keys(keys) => {
            let names: Vec<_> = plan.split_columns().map(|c| name(&c.name)).collect();
            conditions.push(among(&names, keys));
        }
    }
    if let Some(filter) = &plan.filter {
        // The line break ends a comment that the task's condition may end with.
        conditions.push(format!("({filter}\n)"));
    }
    if conditions.is_empty() {
        return String::new();
    }
    format!(" WHERE {}", conditions.join(" AND "))
}

/// The columns have one of these rows of values.
pub(super) fn among(names: &[String], keys: &[Bound]) -> String {
    if keys.is_empty() {
        return "FALSE".to_owned();
    }
    let row = |key: &Bound| {
        let values: Vec<_> = key.0.iter().map(bound_value).collect();
        if values.len() == 1 { values.concat() } else { format!("({})", values.join(", ")) }
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    match names {
        [only] => format!("{only} IN ({})", rows.join(", ")),
        _ => format!("({}) IN ({})", names.join(", "), rows.join(", ")),
    }
}

fn leading(plan: &ReadPlan, bound: &Bound, operator: &str) -> String {
    let first = plan.split_columns().next().map(|c| name(&c.name)).unwrap_or_default();
    let value = bound.0.first().map(bound_value).unwrap_or_default();
    format!("{first} {operator} {value}")
}

/// The key is greater than the bound, in the expanded form `a > x OR (a = x AND b > y)` with a
/// redundant `a >= x`: MySQL ranges over an index with it, but not with a row comparison.
fn beyond(plan: &ReadPlan, bound: &Bound) -> String {
    let names: Vec<_> = plan.split_columns().map(|c| name(&c.name)).collect();
    let values: Vec<_> = bound.0.iter().map(bound_value).collect();
    debug_assert_eq!(names.len(), values.len(), "the plan's fingerprint keeps them together");
    if names.len() == 1 {
        return format!("({} > {})", names[0], values[0]);
    }
    let alternatives: Vec<_> = (0..names.len())
        .map(|depth| {
            let equal = (0..depth).map(|i| format!("{} = {} AND ", names[i], values[i]));
            format!("({}{} > {})", equal.collect::<String>(), names[depth], values[depth])
        })
        .collect();
    format!("({} >= {} AND ({}))", names[0], values[0], alternatives.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_cannot_leave_a_literal() {
        assert_eq!(text("it's"), r"'it\'s'");
        assert_eq!(text(r"a\"), r"'a\\'");
        assert_eq!(text("\\' OR 1=1 -- "), r"'\\\' OR 1=1 -- '");
        assert_eq!(name("a`b"), "`a``b`");
        let mut sql = Vec::new();
        push_hex(&mut sql, &[0, 255, 16]);
        assert_eq!(sql, b"x'00ff10'");
    }

    #[test]
    fn a_bound_that_is_not_a_number_is_quoted() {
        assert_eq!(bound_value(&BoundValue::Number("-1.5e3".into())), "-1.5e3");
        assert_eq!(bound_value(&BoundValue::Number("1 OR 1".into())), "'1 OR 1'");
        assert_eq!(bound_value(&BoundValue::Hex("00'ff".into())), "x'00ff'");
    }
}
