//! From the `write_mode` that a task asks for to how its rows are written.

use super::Planner;
use super::matched::Matched;
use crate::error::{Error, Result};
use crate::plugin::{ByKey, WriteMode};
use crate::schema::TableRef;
use crate::task::WriteWish;

/// What an upsert does by the key, as the task wishes.
pub(super) fn by_key(wish: Option<WriteWish>) -> ByKey {
    match wish {
        Some(WriteWish::InsertIgnore) => ByKey::Keep,
        Some(WriteWish::Update) => ByKey::Update,
        Some(WriteWish::Replace) => ByKey::Replace,
        Some(WriteWish::Upsert | WriteWish::Insert) | None => ByKey::Merge,
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
    /// Rows that are taken out to be put in again would take others with them.
    pub(super) async fn refuse_followers(&self, table: &TableRef) -> Result<()> {
        let Some(wish @ WriteWish::Replace) = self.task.params.write_mode else {
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
            Some(WriteWish::Upsert) | None => {
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
