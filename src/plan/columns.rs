//! Which source column goes into which target column, and which target key tells rows apart.

use super::check::{self, Check};
use crate::error::{Error, Result};
use crate::schema::{Column, Key, LogicalType, Pending, Schema, TableRef};
use crate::task::TaskMeta;

/// One column on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// Position in the source.
    pub source: usize,
    /// Position in the target.
    pub target: usize,
    /// What its cells must satisfy.
    pub check: Check,
}

/// A condition is one expression: it must not end the statement and begin another. Events may
/// carry params, and whoever may publish one is not meant to run statements on the source.
pub(super) fn check_filter(filter: Option<&str>) -> Result<()> {
    let mut quote = None;
    for character in filter.unwrap_or_default().chars() {
        match (quote, character) {
            (None, ';') => {
                return Err(Error::config("params.where holds a \";\"")
                    .with_remedy("write one condition, without a semicolon"));
            }
            (None, '\'' | '"' | '`') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            // How a backslash counts inside quotes differs by engine.
            (Some(_), '\\') => {
                return Err(Error::config("params.where holds a backslash inside quotes")
                    .with_remedy("write the condition without it"));
            }
            _ => {}
        }
    }
    match quote {
        Some(_) => Err(Error::config("params.where has a quote that is not closed")),
        None => Ok(()),
    }
}

/// The source columns to copy, each with its name in the target.
pub(super) fn chosen(source: &Schema, task: &TaskMeta) -> Result<Vec<(usize, String)>> {
    let Some(map) = &task.params.columns else {
        return Ok(source.columns.iter().enumerate().map(|(i, c)| (i, c.name.clone())).collect());
    };
    let mut chosen = Vec::with_capacity(map.len());
    for (from, to) in map {
        let position = source.position(from).ok_or_else(|| {
            Error::config(format!("params.columns: {} has no column \"{from}\"", source.table))
                .with_remedy(format!("its columns: {}", all_names(source)))
        })?;
        let to = to.as_str().filter(|name| !name.is_empty()).ok_or_else(|| {
            Error::config(format!("params.columns: the target of \"{from}\" is not a name"))
        })?;
        chosen.push((position, to.to_owned()));
    }
    if chosen.is_empty() {
        return Err(Error::config("params.columns names no column"));
    }
    Ok(chosen)
}

/// Pairs the chosen columns with the target's, by name and in any order.
pub(super) fn pair(
    source: &Schema,
    target: &Schema,
    chosen: &[(usize, String)],
    by_name: bool,
) -> Result<Vec<Pair>> {
    let mut pairs = Vec::with_capacity(chosen.len());
    for (position, name) in chosen {
        let from = &source.columns[*position];
        let Some(to) = target.position(name) else {
            return Err(missing(target, name));
        };
        let column = &target.columns[to];
        if column.generated {
            if by_name {
                continue;
            }
            return Err(Error::config(format!("{}: {name} is generated", target.table))
                .with_remedy("leave it out of params.columns: the target computes it"));
        }
        let check = check::choose(&from.logical, &column.logical).map_err(|reason| {
            Error::permanent(format!(
                "column {} ({}) → {}.{} ({}): {reason}",
                from.name, from.native, target.table, column.name, column.native
            ))
            .with_remedy("change the target's column, or leave it out with \"columns\"")
        })?;
        pairs.push(Pair { source: *position, target: to, check });
    }
    Ok(pairs)
}

fn missing(target: &Schema, name: &str) -> Error {
    Error::permanent(format!("target table {} has no column \"{name}\"", target.table)).with_remedy(
        format!(
            "add the column, set \"drift\" to \"add_columns\" or \"ignore\" in params, or choose the columns with \"columns\"; it has: {}",
            all_names(target)
        ),
    )
}

/// Every target column that a row needs must get a value.
pub(super) fn required(target: &Schema, pairs: &[Pair]) -> Result<()> {
    let unfed = target.columns.iter().enumerate().find(|(position, column)| {
        !column.optional && !column.generated && pairs.iter().all(|pair| pair.target != *position)
    });
    match unfed {
        None => Ok(()),
        Some((_, column)) => Err(Error::permanent(format!(
            "target column {}.{} is NOT NULL without a default, and the source has no such column",
            target.table, column.name
        ))
        .with_remedy("give it a default, or map a source column to it with \"columns\"")),
    }
}

/// The target key to upsert by, as positions in `pairs`: the one the task names, else the primary
/// key, else a unique key. Every column of it must be written and never NULL.
pub(super) fn target_key(
    source: &Schema,
    target: &Schema,
    pairs: &[Pair],
    wanted: &[String],
) -> Vec<usize> {
    let usable = |key: &Key| -> Option<Vec<usize>> {
        key.columns
            .iter()
            .map(|&column| {
                let position = pairs.iter().position(|pair| pair.target == column)?;
                let never_null = !target.columns[column].nullable
                    || !source.columns[pairs[position].source].nullable;
                never_null.then_some(position)
            })
            .collect()
    };
    let named = |key: &&Key| {
        key.columns.len() == wanted.len()
            && wanted.iter().all(|name| {
                target.position(name).is_some_and(|position| key.columns.contains(&position))
            })
    };
    let first = target.keys.iter().filter(named);
    first.chain(target.keys.iter()).find_map(usable).unwrap_or_default()
}

/// Whether the source itself makes sure that no two rows share the target's key: one of its keys
/// is part of it, under a comparison at least as fine.
pub(super) fn key_is_unique_in_source(
    source: &Schema,
    target: &Schema,
    pairs: &[Pair],
    key: &[usize],
) -> bool {
    let same_comparison = |pair: &Pair| {
        let (from, to) = (&source.columns[pair.source], &target.columns[pair.target]);
        !matches!(from.logical, LogicalType::Text(_) | LogicalType::Enum | LogicalType::Other(_))
            || (from.collation == to.collation && from.native == to.native)
    };
    source.keys.iter().any(|unique| {
        unique.columns.iter().all(|&column| {
            !source.columns[column].nullable
                && key.iter().any(|&k| pairs[k].source == column && same_comparison(&pairs[k]))
        })
    })
}

/// The columns of a target that is created: the source's, under their target names. A generated
/// column becomes a plain one that holds the values.
pub(super) fn new_columns(
    source: &Schema,
    chosen: &[(usize, String)],
    key: &[usize],
) -> Vec<Column> {
    let column = |(index, (position, name)): (usize, &(usize, String))| {
        let column = &source.columns[*position];
        Column {
            name: name.clone(),
            generated: false,
            nullable: column.nullable && !key.contains(&index),
            ..column.clone()
        }
    };
    chosen.iter().enumerate().map(column).collect()
}

/// What a target would look like once created, for a plan that creates nothing.
pub(super) fn imagined(
    table: TableRef,
    columns: Vec<Column>,
    key: &[usize],
    pending: Option<Pending>,
) -> Schema {
    let is_late = pending.as_ref().is_some_and(|pending| !pending.key.is_empty());
    let has_key = !key.is_empty() && !is_late;
    let keys = has_key.then(|| primary(key.to_vec())).into_iter().collect();
    Schema { table, columns, keys, estimated_rows: Some(0), pending, comment: None }
}

/// A table as it will be once the key that it lacks has been added.
pub(super) fn completed(schema: &Schema) -> Schema {
    let pending = schema.pending.iter().map(|pending| primary(pending.key.clone()));
    Schema { keys: pending.chain(schema.keys.clone()).collect(), pending: None, ..schema.clone() }
}

fn primary(columns: Vec<usize>) -> Key {
    Key { name: "PRIMARY".to_owned(), columns, primary: true }
}

/// The key that the run is going to add to its target, as positions in `pairs`.
pub(super) fn pending_key(target: &Schema, pairs: &[Pair]) -> Option<Vec<usize>> {
    let pending = target.pending.as_ref().filter(|pending| !pending.key.is_empty())?;
    let position = |&column| pairs.iter().position(|pair| pair.target == column);
    pending.key.iter().map(position).collect()
}

/// For the person who mistyped one.
pub(super) fn all_names(schema: &Schema) -> String {
    let names: Vec<_> = schema.columns.iter().map(|c: &Column| c.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, nullable: bool) -> Column {
        Column {
            name: name.into(),
            logical: LogicalType::Int(64),
            native: "bigint".into(),
            nullable,
            generated: false,
            auto_increment: false,
            optional: true,
            collation: None,
            comment: None,
            default: None,
        }
    }

    fn schema(columns: &[(&str, bool)], keys: &[&[usize]]) -> Schema {
        Schema {
            table: TableRef::parse("t"),
            columns: columns.iter().map(|(name, nullable)| column(name, *nullable)).collect(),
            keys: keys
                .iter()
                .enumerate()
                .map(|(i, k)| Key { name: format!("k{i}"), columns: k.to_vec(), primary: i == 0 })
                .collect(),
            estimated_rows: None,
            pending: None,
            comment: None,
        }
    }

    fn by_name(source: &Schema, target: &Schema) -> Result<Vec<Pair>> {
        let chosen: Vec<_> =
            source.columns.iter().enumerate().map(|(i, c)| (i, c.name.clone())).collect();
        pair(source, target, &chosen, true)
    }

    #[test]
    fn columns_pair_by_name_in_any_order() {
        let source = schema(&[("id", false), ("a", true)], &[&[0]]);
        let target = schema(&[("a", true), ("id", false), ("extra", true)], &[&[1]]);
        let pairs = by_name(&source, &target).unwrap();
        assert_eq!(
            pairs.iter().map(|p| (p.source, p.target)).collect::<Vec<_>>(),
            [(0, 1), (1, 0)]
        );
        assert_eq!(target_key(&source, &target, &pairs, &[]), [0]);
        assert!(key_is_unique_in_source(&source, &target, &pairs, &[0]));
    }

    #[test]
    fn a_condition_is_one_expression() {
        assert!(check_filter(Some("a = 'x;y' AND b > 3")).is_ok());
        for bad in ["1=1); DROP TABLE t", "a = 'x", "a = 'x\\'; DROP TABLE t; --'"] {
            assert!(check_filter(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_missing_target_column_is_named() {
        let source = schema(&[("id", false), ("gone", true)], &[&[0]]);
        let target = schema(&[("id", false)], &[&[0]]);
        let error = by_name(&source, &target).unwrap_err();
        assert!(error.to_string().contains("\"gone\""), "{error}");
    }

    #[test]
    fn a_required_target_column_without_a_source_is_named() {
        let source = schema(&[("id", false)], &[&[0]]);
        let mut target = schema(&[("id", false), ("must", false)], &[&[0]]);
        target.columns[1].optional = false;
        let pairs = by_name(&source, &target).unwrap();
        let error = required(&target, &pairs).unwrap_err();
        assert!(error.to_string().contains("t.must"), "{error}");
    }

    #[test]
    fn a_key_that_may_be_null_or_is_not_written_tells_no_rows_apart() {
        let source = schema(&[("a", true)], &[]);
        let target = schema(&[("surrogate", false), ("a", true)], &[&[0], &[1]]);
        let pairs = by_name(&source, &target).unwrap();
        assert!(target_key(&source, &target, &pairs, &[]).is_empty());
    }
}
