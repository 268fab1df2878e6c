//! The primary key of a table that goshift created, added when the rows are in: an index that is built
//! at once costs a fraction of one that grows row by row in several sessions.
//!
//! Until then the table's comment says which key is missing and whose it is, so that it can be added
//! after a crash too.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::connect::Db;
use super::{error, sql};
use crate::error::{Error, Result};
use crate::plugin::WritePlan;
use crate::schema::{Column, PendingKey, TableRef};

const PREFIX: &str = "goshift adds the primary key when the rows are in: ";

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    run: Uuid,
    columns: Vec<String>,
    /// The table's own comment, which takes the note's place.
    #[serde(default)]
    comment: Option<String>,
}

/// The comment of a table without its key.
pub(super) fn note(run: Uuid, key: &[&Column], comment: Option<&str>) -> String {
    let columns = key.iter().map(|column| column.name.clone()).collect();
    let note = Note { run, columns, comment: comment.map(str::to_owned) };
    // Names and a UUID always have a JSON form.
    format!("{PREFIX}{}", serde_json::to_string(&note).unwrap_or_default())
}

/// Whether a comment is such a note, and not the table's own.
pub(super) fn is_note(comment: &str) -> bool {
    comment.starts_with(PREFIX)
}

/// What such a comment says.
pub(super) fn pending(comment: &str, columns: &[Column]) -> Option<PendingKey> {
    let note: Note = serde_json::from_str(comment.strip_prefix(PREFIX)?).ok()?;
    let position = |name: &String| columns.iter().position(|column| column.name == *name);
    let columns = note.columns.iter().map(position).collect::<Option<Vec<_>>>()?;
    Some(PendingKey { run_id: note.run, columns })
}

/// Adds the key that the table's comment names, and removes the comment. Harmless if another process
/// is doing it, or has done it.
///
/// # Errors
/// Kind `Permanent` when rows share the key.
pub(super) async fn add(db: &Db, table: &TableRef) -> Result<()> {
    let Some(schema) = db.describe(table).await? else { return Ok(()) };
    let Some(pending) = &schema.pending_key else { return Ok(()) };
    let key = sql::names(pending.columns.iter().map(|&column| &schema.columns[column]));
    add_named(db, &schema.table, &key).await
}

/// Adds the key of the run's plan, whatever has become of the comment.
///
/// # Errors
/// As [`add`].
pub(super) async fn finish(db: &Db, plan: &WritePlan) -> Result<()> {
    let columns = plan.key.iter().map(|&key| &plan.schema.columns[plan.columns[key].target]);
    add_named(db, &plan.schema.table, &sql::names(columns)).await
}

async fn add_named(db: &Db, table: &TableRef, key: &str) -> Result<()> {
    let mut lane = db.lane().await?;
    crate::fault::point("key.before");
    lane.execute(statements(table, key)).await.map_err(|error| {
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

fn statements(table: &TableRef, key: &str) -> String {
    let table = sql::table(table);
    let name = sql::literal(&table);
    let block = format!(
        "BEGIN IF NOT EXISTS (SELECT FROM pg_constraint \
         WHERE conrelid = {name}::regclass AND contype = 'p') THEN \
         ALTER TABLE {table} ADD PRIMARY KEY ({key}); END IF; \
         IF obj_description({name}::regclass, 'pg_class') LIKE {} THEN \
         EXECUTE 'COMMENT ON TABLE ' || {name} || ' IS ' || quote_nullable(substr(\
         obj_description({name}::regclass, 'pg_class'), {})::json ->> 'comment'); END IF; END",
        sql::literal(&format!("{PREFIX}%")),
        PREFIX.chars().count() + 1
    );
    // The lock first: whoever waited for it sees what the other has done. A large index takes longer
    // than a statement may elsewhere.
    format!(
        "BEGIN; SET LOCAL statement_timeout = 0; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; \
         DO {}; COMMIT",
        sql::literal(&block)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::LogicalType;

    fn column(name: &str) -> Column {
        Column {
            name: name.to_owned(),
            logical: LogicalType::Int(64),
            native: "bigint".to_owned(),
            nullable: false,
            generated: false,
            auto_increment: false,
            optional: false,
            collation: None,
            comment: None,
            default: None,
        }
    }

    #[test]
    fn a_comment_says_which_key_is_missing() {
        let columns = ["a\"b", "c", "d"].map(column);
        let run_id = Uuid::from_u128(7);
        let note = note(run_id, &[&columns[2], &columns[0]], Some("own"));
        assert_eq!(pending(&note, &columns), Some(PendingKey { run_id, columns: vec![2, 0] }));
        assert_eq!(pending(&note, &columns[..2]), None, "a column of it is gone");
        assert_eq!(pending("orders of the shop", &columns), None);
    }
}
