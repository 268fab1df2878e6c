//! Statements that a run executes once: in one transaction with the row that remembers them.

use super::connect::Db;
use super::{load, lock, sql};
use crate::error::{Context, Result};
use crate::plugin::step::{Step, TABLE};
use crate::schema::TableRef;

/// Returns whether they were run now: another attempt of the run may have done so.
pub(super) async fn run(db: &Db, step: &Step) -> Result<bool> {
    let table = sql::table(&db.resolve(&TableRef { schema: None, name: TABLE.to_owned() }));
    let (run, name) = (step.run_id, step.name.as_str());
    // Whoever is late must not end the session of who is not.
    step.fence.check()?;
    let mut lane = db.lane().await?;
    lane.execute(create(&table)).await.context(|| format!("table {table}"))?;
    lane.execute(format!("{}; {}", load::BEGIN, lock::take(run, step.name.lock()))).await?;
    let done = format!("SELECT FROM {table} WHERE run_id = '{run}' AND step = '{name}'");
    if !lane.rows(done).await?.is_empty() {
        lane.execute("ROLLBACK".to_owned()).await?;
        lane.release();
        return Ok(false);
    }
    for (at, statement) in step.statements.iter().enumerate() {
        step.fence.check()?;
        let ran = lane.execute(statement.clone()).await;
        ran.map_err(|error| step.failed(at, db.explain(error)))?;
    }
    lane.execute(format!(
        "DELETE FROM {table} WHERE done_at < now() - interval '7 days'; \
         INSERT INTO {table} (run_id, step) VALUES ('{run}', '{name}')"
    ))
    .await
    .context(|| format!("table {table}"))?;
    step.fence.check()?;
    crate::fault::point("step.before_commit");
    lane.execute("COMMIT".to_owned()).await.context(|| name.to_owned())?;
    crate::fault::point("step.committed");
    // What the statements have set in the session goes with it.
    Ok(true)
}

/// Asked first: to create takes a right on the schema even where there is nothing to create.
fn create(table: &str) -> String {
    let name = sql::literal(table);
    format!(
        "DO {}",
        sql::literal(&format!(
            "BEGIN IF to_regclass({name}) IS NULL THEN CREATE TABLE {table} (run_id uuid, \
             step varchar(16), done_at timestamptz NOT NULL DEFAULT now(), \
             PRIMARY KEY (run_id, step)); END IF; \
             EXCEPTION WHEN duplicate_table OR unique_violation THEN NULL; END"
        ))
    )
}
