//! Reading task rows.

use std::collections::HashMap;

use sqlx::any::AnyRow;

use super::{Ledger, get, values};
use crate::error::{Error, Result};
use crate::task::{Endpoint, TaskRow};

pub(super) const COLUMNS: &str = "id, from_app, from_db_type, from_db, from_table, to_app, to_db_type, \
     to_db, to_table, params, online_status, task_desc, task_status, owner";

/// Tasks read by one statement.
const GROUP: usize = 500;

impl Ledger {
    /// The task of that number.
    ///
    /// # Errors
    /// Kind `Config` when there is none.
    pub async fn task(&self, id: i64) -> Result<TaskRow> {
        let row = self
            .query(&format!("SELECT {COLUMNS} FROM task_def_sync_manager WHERE id = ?"))
            .bind(id)
            .fetch_optional(self.pool())
            .await
            .map_err(|error| self.task_failure(error))?;
        let row = row.ok_or_else(|| unknown_task(id))?;
        read(&row).map_err(|error| self.failure("reading a task", error))
    }

    /// The tasks of these numbers, in their order.
    ///
    /// # Errors
    /// Kind `Config` at the first that there is none of.
    pub async fn tasks_of(&self, ids: &[i64]) -> Result<Vec<TaskRow>> {
        let mut tasks = Vec::with_capacity(ids.len());
        for group in ids.chunks(GROUP) {
            let mut query = self.query(&format!(
                "SELECT {COLUMNS} FROM task_def_sync_manager WHERE id IN ({})",
                values(group.len())
            ));
            for id in group {
                query = query.bind(*id);
            }
            let rows = query.fetch_all(self.pool()).await.map_err(|e| self.task_failure(e))?;
            let found: Result<HashMap<i64, TaskRow>, _> =
                rows.iter().map(|row| read(row).map(|task| (task.id, task))).collect();
            let mut found = found.map_err(|error| self.failure("reading tasks", error))?;
            for id in group {
                tasks.push(found.remove(id).ok_or_else(|| unknown_task(*id))?);
            }
        }
        Ok(tasks)
    }

    /// Every task, by number.
    ///
    /// # Errors
    /// When the table can't be read.
    pub async fn tasks(&self) -> Result<Vec<TaskRow>> {
        self.query(&format!("SELECT {COLUMNS} FROM task_def_sync_manager ORDER BY id"))
            .fetch_all(self.pool())
            .await
            .and_then(|rows| rows.iter().map(read).collect())
            .map_err(|error| self.task_failure(error))
    }

    fn task_failure(&self, error: sqlx::Error) -> Error {
        self.failure("reading task_def_sync_manager", error)
            .with_remedy("create it with `goshift -cmd init-db`")
    }
}

/// The error for a task that is not in the table.
pub(super) fn unknown_task(id: i64) -> Error {
    Error::config(format!("there is no task {id}"))
        .with_remedy("list the tasks with `goshift tasks`")
}

pub(super) fn read(row: &AnyRow) -> Result<TaskRow, sqlx::Error> {
    let text = |column: &str| {
        Ok::<_, sqlx::Error>(
            sqlx::Row::try_get::<Option<String>, _>(row, column)?.unwrap_or_default(),
        )
    };
    let end = |side: &str| {
        Ok::<_, sqlx::Error>(Endpoint {
            app: text(&format!("{side}_app"))?,
            db_type: text(&format!("{side}_db_type"))?,
            db: text(&format!("{side}_db"))?,
            table: text(&format!("{side}_table"))?,
        })
    };
    Ok(TaskRow {
        id: get(row, "id")?,
        from: end("from")?,
        to: end("to")?,
        params: text("params")?,
        // Only 0 means offline: rows written by hand often leave it out.
        online: get::<Option<i64>>(row, "online_status")? != Some(0),
        description: text("task_desc")?,
        status: text("task_status")?,
        owner: text("owner")?,
    })
}
