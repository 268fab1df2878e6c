//! The ledger's own tables: made, and made sure of.

use sqlx::{AssertSqlSafe, Executor};

use super::Ledger;
use super::dialect::Dialect;
use crate::error::{Error, Result};

impl Ledger {
    /// Creates every table goshift needs, the task table included. Safe to repeat. Returns
    /// whether the task table is new.
    ///
    /// # Errors
    /// Kind `Permanent` when a right is missing.
    pub async fn init(&self) -> Result<bool> {
        let task_table_is_new = !self.has_table("task_def_sync_manager").await?;
        if task_table_is_new {
            self.execute_script(self.dialect.task_ddl()).await?;
        }
        self.create_tables().await?;
        Ok(task_table_is_new)
    }

    /// Tables of another version of goshift would fail every run in its middle.
    pub(super) async fn check_shape(&self) -> Result<()> {
        // What this version has added last stands for all that came before it, and the table that the
        // script creates last for the other tables: a small task has no time for more questions.
        const LATEST: &str =
            "SELECT traceparent, drain_requested FROM goshift_run, goshift_worker WHERE 1 = 0";
        let looking = self.query(LATEST).fetch_optional(self.pool());
        match tokio::time::timeout(self.patience, looking).await {
            Ok(Err(error @ sqlx::Error::Database(_))) => Err(Error::config(format!(
                "the ledger in {} was made by another version of goshift",
                self.address
            ))
            .caused_by(error)
            .with_remedy(
                "let its runs end, drop goshift_run, goshift_shard, goshift_transition and \
                 goshift_worker, then run `goshift -cmd init-db`",
            )),
            Ok(answered) => answered.map(|_| ()).map_err(|e| self.failure("looking at it", e)),
            Err(_) => Err(self.silent("looking at it")),
        }
    }

    pub(super) async fn create_tables(&self) -> Result<()> {
        let created = self.execute_script(self.dialect.ledger_ddl()).await;
        // Two processes may create at once; the loser finds the tables there.
        if created.is_err() && self.has_table("goshift_worker").await? {
            return Ok(());
        }
        created
    }

    async fn execute_script(&self, script: &'static str) -> Result<()> {
        let mut conn = self.pool().acquire().await.map_err(|e| self.failure("connecting", e))?;
        conn.execute(sqlx::raw_sql(script))
            .await
            .map(|_| ())
            .map_err(|error| self.failure("creating goshift's tables", error))
    }

    pub(super) async fn has_table(&self, name: &str) -> Result<bool> {
        let sql = match self.dialect {
            Dialect::Mysql => {
                "SELECT {bigint:COUNT(*)} FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = ?"
            }
            Dialect::Postgres => "SELECT CASE WHEN to_regclass(?) IS NULL THEN 0 ELSE 1 END",
            Dialect::Sqlite => {
                "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"
            }
        };
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(self.dialect.sql(sql)))
            .bind(name)
            .fetch_one(self.pool())
            .await
            .map_err(|error| self.failure("looking for goshift's tables", error))?;
        Ok(count > 0)
    }
}
