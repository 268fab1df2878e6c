//! Takes every row out of a target before its run's first shard.

use sqlx::{AssertSqlSafe, Executor};

use super::connect::{Database, Lease};
use super::writer::marker;
use super::{lock, sql};
use crate::error::Result;
use crate::fence::Fence;
use crate::plugin::{WritePlan, not_emptied};

/// See [`crate::plugin::Writer::empty`]. By DELETE: TRUNCATE would commit at once, whatever becomes of
/// the marker.
pub(super) async fn empty(
    db: &Database,
    plan: &WritePlan,
    again: bool,
    fence: &Fence,
) -> Result<bool> {
    let name = &plan.schema.table;
    let (table, markers, run) = (sql::table(name), marker(plan), plan.run_id);
    let lock = lock::of_table(db.config.db.as_deref(), name);
    let mut emptying = Emptying { db, lease: db.lease().await?, doing: format!("emptying {name}") };
    emptying.begin(&lock).await?;
    if again {
        emptying.run(format!("DELETE FROM {markers} WHERE run_id = '{run}'")).await?;
    }
    let mark = format!(
        "INSERT IGNORE INTO {markers} (run_id, shard) VALUES ('{run}', {})",
        plan.emptied_marker()
    );
    let is_first = emptying.run(mark).await? == 1;
    if is_first {
        emptying.run(format!("DELETE FROM {table}")).await?;
        if !emptying.is_empty(&table).await? {
            return Err(not_emptied(name));
        }
        fence.check()?;
        crate::fault::point("target.emptying");
    }
    emptying.run(format!("COMMIT; DO RELEASE_LOCK('{lock}')")).await?;
    emptying.lease.keep();
    Ok(is_first)
}

/// The transaction. Dropped before its commit, the connection is closed and the server rolls back.
struct Emptying<'a> {
    db: &'a Database,
    lease: Lease,
    doing: String,
}

impl Emptying<'_> {
    async fn begin(&mut self, lock: &str) -> Result<()> {
        let begin = format!(
            "SET SESSION wait_timeout = 20; SELECT GET_LOCK('{lock}', 0); START TRANSACTION"
        );
        let rows = (&mut *self.lease).fetch_all(sqlx::raw_sql(AssertSqlSafe(begin))).await;
        let got = rows.and_then(|rows| lock::got(&rows));
        if got.map_err(|error| self.db.failure(&self.doing, error))? {
            return Ok(());
        }
        lock::take_over(self.db, &mut self.lease, lock).await
    }

    async fn run(&mut self, statement: String) -> Result<u64> {
        let done = (&mut *self.lease).execute(sqlx::raw_sql(AssertSqlSafe(statement))).await;
        Ok(done.map_err(|error| self.db.failure(&self.doing, error))?.rows_affected())
    }

    async fn is_empty(&mut self, table: &str) -> Result<bool> {
        let query = format!("SELECT 1 FROM {table} LIMIT 1");
        let row = (&mut *self.lease).fetch_optional(sqlx::raw_sql(AssertSqlSafe(query))).await;
        Ok(row.map_err(|error| self.db.failure(&self.doing, error))?.is_none())
    }
}
