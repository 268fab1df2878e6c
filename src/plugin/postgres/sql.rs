//! SQL text: identifiers, literals and the conditions of shards.

use crate::plugin::{Bound, BoundValue, KeyRange, ReadPlan};
use crate::schema::{Column, TableRef};

/// The longest identifier in bytes. Longer ones are cut by the server with no more than a notice
/// (`NAMEDATALEN` − 1, PostgreSQL manual 4.1.1).
pub(super) const MAX_IDENTIFIER: usize = 63;

/// A quoted identifier.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal. Needs `standard_conforming_strings`, which every session of ours sets.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A quoted table name.
pub(super) fn table(table: &TableRef) -> String {
    match &table.schema {
        Some(schema) => format!("{}.{}", ident(schema), ident(&table.name)),
        None => ident(&table.name),
    }
}

/// Quoted names, separated by commas.
pub(super) fn names<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    let quoted: Vec<_> = columns.into_iter().map(|column| ident(&column.name)).collect();
    quoted.join(", ")
}

/// The `WHERE` of a shard, or nothing when it is the whole table.
pub(super) fn shard_condition(plan: &ReadPlan, range: &KeyRange) -> String {
    let mut conditions = Vec::new();
    match range {
        KeyRange::All => {}
        KeyRange::Between { after, to } => {
            conditions.extend(after.as_ref().map(|bound| compare(plan, ">", bound)));
            conditions.extend(to.as_ref().map(|bound| compare(plan, "<=", bound)));
            if let (Some(after), Some(to)) = (after, to) {
                conditions.extend(first_column(plan, after, to));
            }
            let nullable = plan.split_columns().filter(|column| column.nullable);
            conditions.extend(nullable.map(|c| format!("{} IS NOT NULL", ident(&c.name))));
        }
        KeyRange::Nulls => {
            let any: Vec<_> =
                plan.split_columns().map(|c| format!("{} IS NULL", ident(&c.name))).collect();
            conditions.push(format!("({})", any.join(" OR ")));
        }
        KeyRange::Keys(keys) => {
            conditions.push(among(&plan.split_columns().collect::<Vec<_>>(), keys))
        }
    }
    // The line break ends a comment that the task's condition may end with.
    conditions.extend(plan.filter.as_ref().map(|filter| format!("({filter}\n)")));
    if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    }
}

/// Finds the last row of the next shard.
pub(super) fn cut(plan: &ReadPlan, after: Option<&Bound>, rows: u64) -> String {
    let range = KeyRange::Between { after: after.cloned(), to: None };
    format!("{} LIMIT 1 OFFSET {}", keys(plan, &range), rows.saturating_sub(1))
}

/// The split keys of a range in their order. Columns in `ORDER BY` carry the table's name: a bare one
/// would mean the text in the select list, which sorts differently.
pub(super) fn keys(plan: &ReadPlan, range: &KeyRange) -> String {
    let own = ident(&plan.schema.table.name);
    let columns: Vec<_> =
        plan.split_columns().map(|column| format!("{own}.{}", ident(&column.name))).collect();
    format!(
        "SELECT {}::text FROM {}{} ORDER BY {}",
        columns.join("::text, "),
        table(&plan.schema.table),
        shard_condition(plan, range),
        columns.join(", ")
    )
}

/// What both bounds say about the first column of a composite key. The planner does not see that two
/// comparisons of rows enclose a range: it takes it for up to a quarter of the table, and would read
/// all of that for every shard.
fn first_column(plan: &ReadPlan, after: &Bound, to: &Bound) -> Option<String> {
    let column = plan.split_columns().next().filter(|_| plan.split.len() > 1)?;
    let (name, after, to) = (ident(&column.name), after.0.first()?, to.0.first()?);
    let (after, to) = (value_as((column, after)), value_as((column, to)));
    Some(format!("{name} >= {after} AND {name} <= {to}"))
}

/// Compares the key with a bound, row-wise for a composite one: that form can use the key's index.
fn compare(plan: &ReadPlan, operator: &str, bound: &Bound) -> String {
    let values: Vec<_> = plan.split_columns().zip(&bound.0).map(value_as).collect();
    let columns: Vec<_> = plan.split_columns().map(|column| ident(&column.name)).collect();
    match (&columns[..], &values[..]) {
        ([column], [value]) => format!("{column} {operator} {value}"),
        _ => format!("({}) {operator} ({})", columns.join(", "), values.join(", ")),
    }
}

/// The columns have one of these rows of values. As a list of rows the planner knows how many there
/// are, and goes by the index.
pub(super) fn among(columns: &[&Column], keys: &[Bound]) -> String {
    if keys.is_empty() {
        return "false".to_owned();
    }
    let rows = keys.iter().map(|key| {
        let values: Vec<_> = columns.iter().copied().zip(&key.0).map(value_as).collect();
        format!("({})", values.join(", "))
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!("({}) IN (VALUES {rows})", names(columns.iter().copied()))
}

/// A literal of the column's own type, so that the column's collation decides.
pub(super) fn value_as((column, value): (&Column, &BoundValue)) -> String {
    let text = match value {
        BoundValue::Number(text) | BoundValue::Text(text) => literal(text),
        BoundValue::Hex(digits) => literal(&format!("\\x{digits}")),
    };
    format!("{text}::{}", column.native)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::WireFormat;
    use crate::schema::{LogicalType, Schema};
    use std::sync::Arc;

    fn plan(split: &[(&str, &str, bool)], filter: Option<&str>) -> ReadPlan {
        let columns = split.iter().map(|(name, native, nullable)| Column {
            name: (*name).to_owned(),
            logical: LogicalType::Text(None),
            native: (*native).to_owned(),
            nullable: *nullable,
            generated: false,
            auto_increment: false,
            optional: false,
            collation: None,
            comment: None,
            default: None,
        });
        let schema = Schema {
            table: TableRef { schema: Some("s".into()), name: "t".into() },
            columns: columns.collect(),
            keys: vec![],
            estimated_rows: None,
            pending: None,
            comment: None,
        };
        ReadPlan {
            columns: (0..split.len()).collect(),
            split: (0..split.len()).collect(),
            schema: Arc::new(schema),
            filter: filter.map(str::to_owned),
            shard_rows: 100,
            format: WireFormat::Canonical,
            rules: Default::default(),
        }
    }

    fn bound(values: &[&str]) -> Bound {
        Bound(values.iter().map(|v| BoundValue::Text((*v).to_owned())).collect())
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's \\ 'so'"), "'it''s \\ ''so'''");
    }

    #[test]
    fn a_single_key_is_compared_in_its_own_type() {
        let plan = plan(&[("id", "character(3)", false)], Some("x = 1 -- why"));
        let range = KeyRange::Between { after: Some(bound(&["a'"])), to: Some(bound(&["b"])) };
        assert_eq!(
            shard_condition(&plan, &range),
            " WHERE \"id\" > 'a'''::character(3) AND \"id\" <= 'b'::character(3) \
             AND (x = 1 -- why\n)"
        );
        assert_eq!(shard_condition(&plan, &KeyRange::All), " WHERE (x = 1 -- why\n)");
    }

    #[test]
    fn a_composite_key_is_compared_by_rows_and_leaves_nulls_out() {
        let plan = plan(&[("a", "integer", false), ("b", "text", true)], None);
        assert_eq!(
            cut(&plan, Some(&bound(&["1", "x"])), 100),
            "SELECT \"t\".\"a\"::text, \"t\".\"b\"::text FROM \"s\".\"t\" \
             WHERE (\"a\", \"b\") > ('1'::integer, 'x'::text) AND \"b\" IS NOT NULL \
             ORDER BY \"t\".\"a\", \"t\".\"b\" LIMIT 1 OFFSET 99"
        );
        let range =
            KeyRange::Between { after: Some(bound(&["1", "x"])), to: Some(bound(&["2", "y"])) };
        assert_eq!(
            shard_condition(&plan, &range),
            " WHERE (\"a\", \"b\") > ('1'::integer, 'x'::text) \
             AND (\"a\", \"b\") <= ('2'::integer, 'y'::text) \
             AND \"a\" >= '1'::integer AND \"a\" <= '2'::integer AND \"b\" IS NOT NULL"
        );
        assert_eq!(
            shard_condition(&plan, &KeyRange::Nulls),
            " WHERE (\"a\" IS NULL OR \"b\" IS NULL)"
        );
    }
}
