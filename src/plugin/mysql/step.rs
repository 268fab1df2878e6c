//! Statements that a run executes once.
//!
//! The step's row is written last, in the same transaction: statements that commit implicitly (DDL)
//! may run again after a crash in their midst, the others can't.

use sqlx::{AssertSqlSafe, Executor};

use super::connect::{Database, Lease};
use super::{lock, sql};
use crate::error::{Error, Result};
use crate::plugin::step::{Step, TABLE};
use crate::schema::TableRef;

/// Returns whether they were run now: another attempt of the run may have done so.
pub(super) async fn run(db: &Database, step: &Step) -> Result<bool> {
    let table = sql::table(&TableRef { schema: None, name: TABLE.to_owned() });
    let (run, name) = (step.run_id, step.name.as_str());
    // Whoever is late must not end the session of who is not.
    step.fence.check()?;
    db.execute(&format!("preparing {TABLE}"), create(&table)).await?;
    let mut session = StepSession { db, lease: db.lease().await?, doing: name };
    let held = lock::name(run, step.name.lock());
    let taken = format!("SELECT GET_LOCK('{held}', 0)");
    if !lock::got(&session.rows(taken).await?).map_err(|e| session.failure(e))? {
        lock::take_over(db, &mut session.lease, &held).await?;
    }
    let done = format!("SELECT 1 FROM {table} WHERE run_id = '{run}' AND step = '{name}'");
    if !session.rows(done).await?.is_empty() {
        session.rows(format!("DO RELEASE_LOCK('{held}')")).await?;
        session.lease.keep();
        return Ok(false);
    }
    session.rows("START TRANSACTION".to_owned()).await?;
    for (at, statement) in step.statements.iter().enumerate() {
        step.fence.check()?;
        session.rows(statement.clone()).await.map_err(|error| step.failed(at, error))?;
    }
    session
        .rows(format!(
            "DELETE FROM {table} WHERE done_at < NOW() - INTERVAL 7 DAY; \
             INSERT INTO {table} (run_id, step) VALUES ('{run}', '{name}')"
        ))
        .await?;
    step.fence.check()?;
    crate::fault::point("step.before_commit");
    session.rows("COMMIT".to_owned()).await?;
    crate::fault::point("step.committed");
    // What the statements have set in the session goes with it, and so does the lock.
    Ok(true)
}

fn create(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (run_id char(36) CHARACTER SET ascii NOT NULL, \
         step varchar(16) CHARACTER SET ascii NOT NULL, \
         done_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (run_id, step)) \
         ENGINE=InnoDB COMMENT='statements that goshift has run for its runs'"
    )
}

struct StepSession<'a> {
    db: &'a Database,
    lease: Lease,
    doing: &'static str,
}

impl StepSession<'_> {
    fn failure(&self, error: sqlx::Error) -> Error {
        self.db.failure(self.doing, error)
    }

    async fn rows(&mut self, statement: String) -> Result<Vec<sqlx::mysql::MySqlRow>> {
        let rows = (&mut *self.lease).fetch_all(sqlx::raw_sql(AssertSqlSafe(statement))).await;
        rows.map_err(|error| self.failure(error))
    }
}
