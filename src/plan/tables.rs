//! The two tables of a task: the source as it is, and the target as it is or as it is going to be.

use std::sync::Arc;

use super::{Planner, columns, wish};
use crate::error::{Error, Result};
use crate::plugin::{NewTable, Reader, Writer};
use crate::schema::{LogicalType, Schema, TableRef};
use crate::task::{TaskMeta, Tinyint1};

/// Rows from which on a target's key is worth a step of its own.
const LATE_KEY_ROWS: u64 = 20_000;

impl Planner<'_> {
    pub(super) async fn source(&self) -> Result<Arc<Schema>> {
        source(self.reader, self.task).await
    }

    pub(super) async fn found_target(&self) -> Result<Option<Arc<Schema>>> {
        find_table(self.writer, &self.task.to.table).await
    }

    pub(super) async fn target(
        &self,
        source: &Arc<Schema>,
        found: Option<Arc<Schema>>,
        chosen: &[(usize, String)],
        dry: bool,
        notes: &mut Vec<String>,
    ) -> Result<(Arc<Schema>, bool)> {
        let name = &self.task.to.table;
        if let Some(schema) = found {
            if self.same_database && schema.table == source.table {
                return Err(Error::config(format!("source and target are both {name}"))
                    .with_remedy("choose another to_table"));
            }
            return Ok((schema, false));
        }
        wish::require_table(self.task.params.write_mode, name)?;
        let table = TableRef::parse(name);
        let key: Vec<usize> = source
            .split_key()
            .iter()
            .map(|key| chosen.iter().position(|(position, _)| position == key))
            .collect::<Option<_>>()
            .unwrap_or_default();
        let mut new = columns::new_columns(source, chosen, &key);
        if self.values.tinyint1 == Some(Tinyint1::Boolean) && self.from_engine != self.to_engine {
            for column in new.iter_mut().filter(|column| self.reader.may_be_truth(column)) {
                column.logical = LogicalType::Bool;
            }
        }
        let mut new = NewTable {
            engine: self.from_engine,
            columns: new,
            key: &key,
            late_key: false,
            indexes: Vec::new(),
            run_id: self.run_id,
            comment: source.comment.clone(),
        };
        self.take_indexes(source, chosen, &mut new, notes).await?;
        new.late_key = self.wants_late_key(source, &new);
        self.note_left_out(&new, dry, notes);
        if dry {
            let pending = new.pending();
            return Ok((Arc::new(columns::imagined(table, new.columns, &key, pending)), true));
        }
        notes.extend(self.writer.create(&table, &new).await?);
        if self.swaps() && !new.indexes.is_empty() {
            // The table beside it is made like it.
            notes.extend(self.writer.add_pending(&table).await?);
        }
        let created = self.writer.describe(&table).await?;
        let created = created
            .ok_or_else(|| Error::internal(format!("{name} was created and is not to be seen")))?;
        self.note_refused(&new.columns, &created, notes);
        // Another run may have been faster, and its key still be missing.
        Ok((created, true))
    }

    /// Whether the target that is going to be created gets its key only when the rows are in. Not if
    /// the task itself has a say in how rows are told apart, and not for a few rows.
    fn wants_late_key(&self, source: &Schema, new: &NewTable<'_>) -> bool {
        let params = &self.task.params;
        let wanted = params.target_key();
        let is_wanted = wanted.len() == new.key.len()
            && new.key.iter().all(|&position| wanted.contains(&new.columns[position].name));
        self.writer.prefers_late_keys()
            && !self.task.mode.compares()
            && !new.key.is_empty()
            && (wanted.is_empty() || is_wanted)
            && params.write_mode.is_none()
            && params.max_errors.is_none()
            && source.estimated_rows.is_none_or(|rows| rows >= LATE_KEY_ROWS)
    }
}

/// The target of a task by its name there; `None` if it is missing.
///
/// # Errors
/// The writer's.
pub async fn find_table(writer: &dyn Writer, name: &str) -> Result<Option<Arc<Schema>>> {
    for table in spellings(name) {
        if let Some(schema) = writer.describe(&table).await? {
            return Ok(Some(schema));
        }
    }
    Ok(None)
}

/// A task's table name, first as it stands, then taken apart at its dot.
fn spellings(name: &str) -> Vec<TableRef> {
    let whole = TableRef { schema: None, name: name.to_owned() };
    let parsed = TableRef::parse(name);
    if parsed == whole { vec![whole] } else { vec![parsed, whole] }
}

/// Whether there is something to copy: the source table, with the columns that the task names.
///
/// # Errors
/// Kind `Permanent` or `Config`, naming the table and the column.
pub async fn check_source(reader: &dyn Reader, task: &TaskMeta) -> Result<()> {
    columns::chosen(source(reader, task).await?.as_ref(), task).map(|_| ())
}

async fn source(reader: &dyn Reader, task: &TaskMeta) -> Result<Arc<Schema>> {
    let name = &task.from.table;
    for table in spellings(name) {
        if let Some(schema) = reader.describe(&table).await? {
            return Ok(schema);
        }
    }
    Err(Error::permanent(format!("there is no source table {name} in {}", task.from.db))
        .with_remedy("correct from_table, or check that the user may see it"))
}
