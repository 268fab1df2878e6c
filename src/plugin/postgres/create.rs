//! Creates target tables.

use super::connect::Db;
use super::sql::MAX_IDENTIFIER;
use super::{Postgres, default, sql, types};
use crate::error::{Context, Error, Result};
use crate::plugin::pending::note;
use crate::plugin::{NewTable, Plugin};
use crate::schema::{Column, Pending, TableRef};

/// Creates the table with its key and comments in one transaction. One that appears meanwhile is
/// left as it is.
pub(super) async fn create(db: &Db, table: &TableRef, new: &NewTable<'_>) -> Result<()> {
    let table = db.resolve(table);
    let statements = statements(&table, new).context(|| format!("creating table {table}"))?;
    let name = sql::literal(&sql::table(&table));
    // A block of its own, so that losing the race to another process is no error.
    let block = format!(
        "DO {} ",
        sql::literal(&format!(
            "BEGIN IF to_regclass({name}) IS NULL THEN {statements} END IF; \
             EXCEPTION WHEN duplicate_table OR unique_violation THEN NULL; END"
        ))
    );
    let mut lane = db.lane().await?;
    lane.execute(block).await.context(|| format!("creating table {table}"))?;
    lane.release();
    Ok(())
}

/// Adds columns with their comments, all or none.
pub(super) async fn add(db: &Db, table: &TableRef, new: &NewTable<'_>) -> Result<()> {
    let table = db.resolve(table);
    let doing = || format!("adding columns to {table}");
    let (parts, comments) = columns(&table, new).context(doing)?;
    let statement = format!(
        "BEGIN; ALTER TABLE {} ADD COLUMN {}; {comments}COMMIT",
        sql::table(&table),
        parts.join(", ADD COLUMN ")
    );
    let mut lane = db.lane().await?;
    lane.execute(statement).await.context(doing)?;
    lane.release();
    Ok(())
}

fn statements(table: &TableRef, new: &NewTable<'_>) -> Result<String> {
    let target = sql::table(table);
    check_length("table", &table.name)?;
    let (mut parts, mut comments) = columns(table, new)?;
    if !new.late_key && !new.key.is_empty() {
        let key = new.key.iter().map(|&position| &new.columns[position]);
        parts.push(format!("PRIMARY KEY ({})", sql::names(key)));
    }
    let comment = match pending(new) {
        Some(pending) => Some(note(&pending, &new.columns, new.comment.as_deref())),
        None => new.comment.clone(),
    };
    if let Some(comment) = comment {
        let comment = sql::literal(&comment);
        comments.push_str(&format!("COMMENT ON TABLE {target} IS {comment}; "));
    }
    let defaults: String =
        new.columns.iter().filter_map(|c| set_default(&target, c, new)).collect();
    Ok(format!("CREATE TABLE {target} ({}); {comments}{defaults}", parts.join(", ")))
}

/// What is added to the table later. Other engines name indexes within their table, here they share their
/// names with all tables: then the server finds one.
fn pending(new: &NewTable<'_>) -> Option<Pending> {
    let mut pending = new.pending()?;
    if new.engine != Postgres.name() {
        pending.indexes.iter_mut().for_each(|index| index.name.clear());
    }
    Some(pending)
}

/// Gives a column its default in a block of its own: a default that calls what this database lacks, or
/// is no value of the column's type here, costs the default and not the run.
fn set_default(target: &str, column: &Column, new: &NewTable<'_>) -> Option<String> {
    let clause = default_of(new.engine, column)?;
    Some(format!(
        "BEGIN ALTER TABLE {target} ALTER COLUMN {} SET {clause}; EXCEPTION WHEN OTHERS THEN NULL; END; ",
        sql::ident(&column.name)
    ))
}

/// The default that a created column gets; `None` if it has none or it can't be carried over.
pub(super) fn default_of(engine: &str, column: &Column) -> Option<String> {
    default::clause(column, engine == Postgres.name())
}

/// The columns' definitions, and statements with their comments.
fn columns(table: &TableRef, new: &NewTable<'_>) -> Result<(Vec<String>, String)> {
    let target = sql::table(table);
    let (mut parts, mut comments) = (Vec::new(), String::new());
    for (position, column) in new.columns.iter().enumerate() {
        check_length("column", &column.name)?;
        parts.push(definition(column, new, position)?);
        if let Some(comment) = column.comment.as_deref().filter(|text| !text.is_empty()) {
            comments.push_str(&format!(
                "COMMENT ON COLUMN {target}.{} IS {}; ",
                sql::ident(&column.name),
                sql::literal(comment)
            ));
        }
    }
    Ok((parts, comments))
}

fn definition(column: &Column, new: &NewTable<'_>, position: usize) -> Result<String> {
    let native = if new.engine == Postgres.name() {
        Some(column.native.clone())
    } else {
        types::for_new_column(&column.logical)
    };
    let native = native.ok_or_else(|| {
        Error::permanent(format!(
            "column {} of type {} has no counterpart in PostgreSQL",
            column.name, column.native
        ))
        .with_remedy("create the table yourself, or leave the column out with \"columns\"")
    })?;
    let not_null = if column.nullable && !new.key.contains(&position) { "" } else { " NOT NULL" };
    let counts = matches!(native.as_str(), "smallint" | "integer" | "bigint");
    let identity =
        if column.auto_increment && counts { " GENERATED BY DEFAULT AS IDENTITY" } else { "" };
    Ok(format!("{} {native}{not_null}{identity}", sql::ident(&column.name)))
}

/// The server would cut a longer name.
fn check_length(what: &str, name: &str) -> Result<()> {
    if name.len() <= MAX_IDENTIFIER {
        return Ok(());
    }
    Err(Error::permanent(format!(
        "the {what} name {name} has {} bytes, PostgreSQL allows {MAX_IDENTIFIER}",
        name.len()
    ))
    .with_remedy(format!("give the {what} a shorter name in the task")))
}
