//! A table's indexes: what they are, and those of a table that goshift creates.

use rusqlite::Connection;

use super::describe::own_collation;
use super::sql;
use crate::schema::{Column, Index, IndexPart, Indexes, Schema, TableRef};

/// Characters of a name that goshift makes up: every engine takes them.
const SHORT: usize = 60;

/// See [`crate::plugin::Reader::indexes`].
///
/// # Errors
/// SQLite's.
pub(super) fn find(connection: &Connection, schema: &Schema) -> rusqlite::Result<Indexes> {
    let mut listed = connection.prepare_cached(
        "SELECT name, \"unique\", partial FROM pragma_index_list(?1) WHERE origin <> 'pk' ORDER BY seq DESC",
    )?;
    let mut parts = connection.prepare_cached(
        "SELECT name, \"desc\" FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno",
    )?;
    let mut indexes = Indexes::default();
    let rows = listed
        .query_map([&schema.table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for row in rows {
        let (name, unique, is_partial): (String, bool, bool) = row?;
        // An expression has no name.
        let rows = parts.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let columns: Vec<(Option<String>, bool)> = rows.collect::<rusqlite::Result<_>>()?;
        let column =
            |(name, is_descending): (Option<String>, bool)| name.filter(|_| !is_descending);
        let columns: Option<Vec<String>> = columns.into_iter().map(column).collect();
        let Some(columns) = columns.filter(|_| !is_partial) else {
            indexes.special.push(name);
            continue;
        };
        let names = columns.iter().map(String::as_str);
        let is_own = own_collation(connection, &schema.table, &name, names)?;
        let part =
            |column: &String| Some(IndexPart { column: schema.position(column)?, prefix: None });
        match columns.iter().map(part).collect::<Option<_>>().filter(|_| is_own) {
            // That of a UNIQUE clause has a name that SQLite keeps for itself.
            Some(parts) if name.starts_with("sqlite_") => {
                let name = format!("by_{}", columns.join("_")).chars().take(SHORT).collect();
                indexes.plain.push(Index { name, unique, parts });
            }
            Some(parts) => indexes.plain.push(Index { name, unique, parts }),
            None => indexes.special.push(name),
        }
    }
    Ok(indexes)
}

/// Creates a new table's indexes. Returns those that SQLite does not take, and why. Their names are the
/// file's, as the tables' are: what comes from another engine is named after its table too.
pub(super) fn create(
    connection: &Connection,
    table: &TableRef,
    (engine, columns, indexes): (&str, &[Column], &[Index]),
) -> rusqlite::Result<Vec<(Index, rusqlite::Error)>> {
    let mut taken =
        connection.prepare_cached("SELECT 1 FROM sqlite_master WHERE name = ?1 COLLATE NOCASE")?;
    let mut refused = Vec::new();
    for (number, index) in indexes.iter().enumerate() {
        let own = (engine == super::ENGINE && !index.name.is_empty()).then(|| index.name.clone());
        let after_table = format!("{}_{}", sql::table_name(table), index.name);
        let numbered = format!("{after_table}_{number}");
        let mut free = None;
        for name in own.into_iter().chain([after_table, numbered]) {
            if !taken.exists([&name])? {
                free = Some(name);
                break;
            }
        }
        let names: Vec<_> =
            index.parts.iter().map(|part| sql::quote(&columns[part.column].name)).collect();
        let statement = format!(
            "CREATE {}INDEX {} ON {} ({})",
            if index.unique { "UNIQUE " } else { "" },
            sql::quote(&free.unwrap_or_else(|| index.name.clone())),
            sql::quote(&sql::table_name(table)),
            names.join(", ")
        );
        if let Err(error) = connection.execute_batch(&statement) {
            refused.push((index.clone(), error));
        }
    }
    Ok(refused)
}
