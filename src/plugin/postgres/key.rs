//! The primary key of a table that goshift created, added when the rows are in: an index that is built
//! at once costs a fraction of one that grows row by row in several sessions. The other indexes follow
//! it.
//!
//! Until then the table's comment says what is missing ([`crate::plugin::pending`]).

use super::connect::Db;
use super::{error, indexes, sql};
use crate::error::{Error, Result};
use crate::plugin::WritePlan;
use crate::plugin::pending::PREFIX;
use crate::schema::TableRef;

/// Adds what the table's comment names, and removes the note from it. Harmless if another process is
/// doing it, or has done it. Returns what could not be added, for people.
///
/// # Errors
/// Kind `Permanent` when rows share the key.
pub(super) async fn add(db: &Db, table: &TableRef) -> Result<Vec<String>> {
    let Some(schema) = db.describe(table).await? else { return Ok(Vec::new()) };
    let Some(pending) = &schema.pending else { return Ok(Vec::new()) };
    if !pending.key.is_empty() {
        let key = sql::names(pending.key.iter().map(|&column| &schema.columns[column]));
        add_named(db, &schema.table, &key, pending.indexes.is_empty()).await?;
    }
    match pending.indexes.is_empty() {
        true => settle_comment(db, &schema.table).await.map(|()| Vec::new()),
        false => indexes::add(db, &schema, &pending.indexes).await,
    }
}

/// Adds the key of the run's plan, and the indexes, whatever has become of the comment.
///
/// # Errors
/// As [`add`].
pub(super) async fn finish(db: &Db, plan: &WritePlan) -> Result<Vec<String>> {
    let Some(pending) = &plan.schema.pending else { return Ok(Vec::new()) };
    let is_all = pending.indexes.is_empty();
    if plan.adds_key {
        add_named(db, &plan.schema.table, &sql::names(plan.key_columns()), is_all).await?;
    }
    if is_all { Ok(Vec::new()) } else { indexes::add(db, &plan.schema, &pending.indexes).await }
}

/// With `is_all` the comment goes with it.
async fn add_named(db: &Db, table: &TableRef, key: &str, is_all: bool) -> Result<()> {
    let mut lane = db.lane().await?;
    crate::fault::point("key.before");
    lane.execute(statements(table, key, is_all)).await.map_err(|error| {
        if !error::is_duplicate(&error) {
            return error.context(format!("adding the primary key of {table}"));
        }
        Error::permanent(format!("rows of {table} share the key ({key})")).with_remedy(
            "the source tells them apart and the target does not: drop the target and create it with \
             a key, or a collation, that does",
        )
    })?;
    crate::fault::point("key.added");
    lane.release();
    Ok(())
}

/// Gives the table its own comment back.
pub(super) async fn settle_comment(db: &Db, table: &TableRef) -> Result<()> {
    let block = format!("BEGIN {} END", own_comment(&sql::literal(&sql::table(table))));
    let mut lane = db.lane().await?;
    lane.execute(format!("DO {}", sql::literal(&block))).await?;
    lane.release();
    Ok(())
}

fn statements(table: &TableRef, key: &str, is_all: bool) -> String {
    let table = sql::table(table);
    let name = sql::literal(&table);
    let block = format!(
        "BEGIN IF NOT EXISTS (SELECT FROM pg_constraint \
         WHERE conrelid = {name}::regclass AND contype = 'p') THEN \
         ALTER TABLE {table} ADD PRIMARY KEY ({key}); END IF; {} END",
        if is_all { own_comment(&name) } else { String::new() }
    );
    // The lock first: whoever waited for it sees what the other has done. A large index takes longer
    // than a statement may elsewhere.
    format!(
        "BEGIN; SET LOCAL statement_timeout = 0; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; \
         DO {}; COMMIT",
        sql::literal(&block)
    )
}

/// What a block does to put the table's own comment in the place of the note. `name` is a literal.
fn own_comment(name: &str) -> String {
    format!(
        "IF obj_description({name}::regclass, 'pg_class') LIKE {} THEN \
         EXECUTE 'COMMENT ON TABLE ' || {name} || ' IS ' || quote_nullable(substr(\
         obj_description({name}::regclass, 'pg_class'), {})::json ->> 'comment'); END IF;",
        sql::literal(&format!("{PREFIX}%")),
        PREFIX.chars().count() + 1
    )
}
