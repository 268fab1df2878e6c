//! From the `write_mode` that a task asks for to how its rows are written.

use super::Planner;
use super::matched::Matched;
use crate::error::{Error, Result};
use crate::plugin::{ByKey, WriteMode};
use crate::schema::{Schema, TableRef};
use crate::task::WriteWish;

/// What an upsert does by the key, as the task wishes.
pub(super) fn by_key(wish: Option<WriteWish>) -> ByKey {
    match wish {
        Some(WriteWish::InsertIgnore) => ByKey::Keep,
        Some(WriteWish::Update) => ByKey::Update,
        Some(WriteWish::Replace) => ByKey::Replace,
        Some(
            WriteWish::Upsert | WriteWish::Insert | WriteWish::TruncateInsert | WriteWish::Swap,
        )
        | None => ByKey::Merge,
    }
}

/// A table that is not there has no rows to be updated; created for that, it would only look like a
/// copy.
pub(super) fn require_table(wish: Option<WriteWish>, table: &str) -> Result<()> {
    match wish {
        Some(WriteWish::Update) => Err(Error::permanent(format!(
            "write_mode \"update\" changes rows that are there, and there is no target table {table}"
        ))
        .with_remedy("correct to_table, or use write_mode \"upsert\"")),
        _ => Ok(()),
    }
}

impl Planner<'_> {
    /// Whether the target is emptied before the run's first shard. Not for a few rows of an earlier run
    /// that are tried again.
    pub(super) fn empties(&self) -> bool {
        let params = &self.task.params;
        params.write_mode == Some(WriteWish::TruncateInsert) && params.replay.is_none()
    }

    /// A view may show the rows of the very table that is going to be emptied.
    pub(super) async fn refuse_view(&self, source: &TableRef) -> Result<()> {
        let may_share = self.same_server || self.same_database;
        if !self.empties() || !may_share || !self.reader.is_view(source).await? {
            return Ok(());
        }
        Err(Error::config(format!(
            "write_mode \"truncate_insert\" empties {} before it reads {source}, which is a view on the \
             same server: it might then be empty too",
            self.task.to.table
        ))
        .with_remedy("name the view's table in from_table, or use mode mirror"))
    }

    /// What a person should know of a target that is going to be emptied.
    pub(super) fn note_emptying(&self, target: &Schema, notes: &mut Vec<String>) {
        let about = match target.estimated_rows {
            Some(rows) => format!("about {rows} rows are taken out"),
            None => "how many rows are taken out is not known".to_owned(),
        };
        notes.push(format!(
            "{} is emptied when the run begins ({about}): until its end readers see fewer rows than \
             there are",
            target.table
        ));
    }

    /// Rows that are taken out to be put in again would take others with them.
    pub(super) async fn refuse_followers(&self, table: &TableRef) -> Result<()> {
        let Some(wish @ (WriteWish::Replace | WriteWish::TruncateInsert)) =
            self.task.params.write_mode
        else {
            return Ok(());
        };
        let followers = self.writer.followers(table).await?;
        if followers.is_empty() {
            return Ok(());
        }
        Err(Error::permanent(format!(
            "write_mode \"{}\" deletes rows of {table}, and foreign keys of {} would delete or change \
             theirs with them",
            wish.name(),
            followers.join(", ")
        ))
        .with_remedy("use write_mode \"upsert\", or take ON DELETE out of these foreign keys"))
    }

    /// A shard from which rows are left out is written in several transactions.
    pub(super) fn refuse_doubling(&self, mode: WriteMode, table: &TableRef) -> Result<()> {
        if mode != WriteMode::Insert || self.task.params.max_errors.is_none() {
            return Ok(());
        }
        Err(Error::config(format!(
            "max_errors goes by a key: without one the rows of a shard that is tried again could be \
             doubled in {table}"
        ))
        .with_remedy("give the target a primary key and let rows be upserted, or take max_errors out"))
    }

    /// How rows are written into a target that has its key, if it is to have one.
    pub(super) fn write_mode(
        &self,
        matched: &Matched,
        notes: &mut Vec<String>,
    ) -> Result<WriteMode> {
        let table = &matched.target.table;
        let key = &matched.key;
        Ok(match self.task.params.write_mode {
            Some(WriteWish::Insert) => WriteMode::Insert,
            Some(WriteWish::Update) if !key.is_empty() && key.len() == matched.pairs.len() => {
                return Err(Error::config(format!(
                    "write_mode \"update\" has nothing to change in {table}: every column that is \
                     copied is in its key"
                ))
                .with_remedy("copy more columns, or use write_mode \"insert_ignore\""));
            }
            _ if !key.is_empty() => WriteMode::Upsert,
            Some(wish @ (WriteWish::InsertIgnore | WriteWish::Update | WriteWish::Replace)) => {
                return Err(keyless(wish, table));
            }
            Some(WriteWish::Upsert | WriteWish::TruncateInsert | WriteWish::Swap) | None => {
                notes.push(format!(
                    "{table} has no key that tells rows apart: rows are inserted, each shard once, \
                     with a marker in goshift_marker",
                ));
                WriteMode::Insert
            }
        })
    }
}

fn keyless(wish: WriteWish, table: &TableRef) -> Error {
    Error::config(format!(
        "write_mode \"{}\" goes by a key, and {table} has none that tells rows apart",
        wish.name()
    ))
    .with_remedy("give the target a primary or unique key, and copy each of its columns")
}
