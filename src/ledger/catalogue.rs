//! Task rows for those who manage them: in pages, created, edited, put offline.

use super::dialect::Dialect;
use super::tasks::{COLUMNS, read};
use super::{Attempt, Ledger, State, get};
use crate::error::{Error, Result};
use crate::task::TaskRow;

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only those with this text in a table's name, the description or the owner's name.
    pub text: Option<String>,
    /// Only those that are online, or offline.
    pub online: Option<bool>,
    /// Only those whose last run ended so, or is so now.
    pub status: Option<String>,
    /// Only those of a higher number.
    pub after: Option<i64>,
    /// At most this many.
    pub limit: usize,
}

/// What stands in the columns that a person edits, in their order.
const EDITED: [&str; 12] = [
    "from_app",
    "from_db_type",
    "from_db",
    "from_table",
    "to_app",
    "to_db_type",
    "to_db",
    "to_table",
    "params",
    "online_status",
    "task_desc",
    "owner",
];

impl Ledger {
    /// Tasks by the filter, by number.
    ///
    /// # Errors
    /// When the table can't be read.
    pub async fn task_page(&self, filter: &TaskFilter) -> Result<Vec<TaskRow>> {
        let mut conditions = vec!["id > ?"];
        if filter.text.is_some() {
            // Every engine folds the case of ASCII so; nothing else is promised.
            conditions.push(
                "LOWER(CONCAT_WS(' ', from_table, to_table, task_desc, owner)) LIKE ? ESCAPE '|'",
            );
        }
        match filter.online {
            Some(true) => conditions.push("COALESCE(online_status, 1) <> 0"),
            Some(false) => conditions.push("online_status = 0"),
            None => {}
        }
        if filter.status.is_some() {
            conditions.push("task_status = ?");
        }
        let mut query = self
            .query(&format!(
                "SELECT {COLUMNS} FROM task_def_sync_manager WHERE {} ORDER BY id LIMIT ?",
                conditions.join(" AND ")
            ))
            .bind(filter.after.unwrap_or(i64::MIN));
        if let Some(text) = &filter.text {
            query = query.bind(containing(text));
        }
        if let Some(status) = &filter.status {
            query = query.bind(status.as_str());
        }
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        let rows = self.answer("listing tasks", query.bind(limit).fetch_all(self.pool())).await?;
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("listing tasks", error))
    }

    /// The task of that number, if there is one.
    ///
    /// # Errors
    /// When the table can't be read.
    pub async fn find_task(&self, id: i64) -> Result<Option<TaskRow>> {
        let asking = self
            .query(&format!("SELECT {COLUMNS} FROM task_def_sync_manager WHERE id = ?"))
            .bind(id)
            .fetch_optional(self.pool());
        let row = self.answer("reading a task", asking).await?;
        let task = row.as_ref().map(read).transpose();
        task.map_err(|error| self.failure("reading a task", error))
    }

    /// Enters a task and returns its number; its own is not looked at.
    ///
    /// # Errors
    /// When the table can't be written.
    pub async fn create_task(&self, task: &TaskRow) -> Result<i64> {
        self.transact("creating a task", || self.try_create(task)).await
    }

    async fn try_create(&self, task: &TaskRow) -> Result<i64, Attempt> {
        let mut tx = self.begin().await?;
        // MySQL does not return what it has inserted.
        let returning = if self.dialect == Dialect::Mysql { "" } else { " RETURNING id" };
        let insert = format!(
            "INSERT INTO task_def_sync_manager ({}, create_time, update_time) \
             VALUES ({}, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP){returning}",
            EDITED.join(", "),
            super::values(EDITED.len())
        );
        let query = bound(self.query(&insert), task);
        let id = match self.dialect {
            Dialect::Mysql => {
                query.execute(&mut *tx).await?;
                let asked = self.query("SELECT {bigint:LAST_INSERT_ID()} AS id");
                get(&asked.fetch_one(&mut *tx).await?, "id")?
            }
            Dialect::Postgres | Dialect::Sqlite => get(&query.fetch_one(&mut *tx).await?, "id")?,
        };
        tx.commit().await?;
        Ok(id)
    }

    /// Puts other content into a task. Returns whether there is one of that number.
    ///
    /// # Errors
    /// When the table can't be written.
    pub async fn replace_task(&self, task: &TaskRow) -> Result<bool> {
        let sets: Vec<_> = EDITED.iter().map(|column| format!("{column} = ?")).collect();
        let update = format!(
            "UPDATE task_def_sync_manager SET {}, update_time = CURRENT_TIMESTAMP WHERE id = ?",
            sets.join(", ")
        );
        let updating = bound(self.query(&update), task).bind(task.id).execute(self.pool());
        let done = self.answer("editing a task", updating).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Puts a task online or offline. Returns whether there is one of that number.
    ///
    /// # Errors
    /// When the table can't be written.
    pub async fn set_online(&self, id: i64, online: bool) -> Result<bool> {
        let updating = self
            .query(
                "UPDATE task_def_sync_manager SET online_status = ?, \
                 update_time = CURRENT_TIMESTAMP WHERE id = ?",
            )
            .bind(i32::from(online))
            .bind(id)
            .execute(self.pool());
        let done = self.answer("editing a task", updating).await?;
        Ok(done.rows_affected() > 0)
    }
}

/// A state's name, or why there is none of that name.
///
/// # Errors
/// Kind `Usage`.
pub fn known_state(name: &str) -> Result<&'static str> {
    State::ALL.into_iter().map(State::name).find(|known| *known == name).ok_or_else(|| {
        let known: Vec<_> = State::ALL.into_iter().map(State::name).collect();
        Error::usage(format!("there is no state \"{name}\""))
            .with_remedy(format!("use one of: {}", known.join(", ")))
    })
}

/// The pattern of what has this text in it.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '|') {
            pattern.push('|');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

fn bound(query: Query, task: &TaskRow) -> Query {
    let (from, to) = (&task.from, &task.to);
    let texts = [
        &from.app,
        &from.db_type,
        &from.db,
        &from.table,
        &to.app,
        &to.db_type,
        &to.db,
        &to.table,
        &task.params,
    ];
    let query = texts.into_iter().fold(query, |query, text| query.bind(text.clone()));
    query.bind(i32::from(task.online)).bind(task.description.clone()).bind(task.owner.clone())
}
