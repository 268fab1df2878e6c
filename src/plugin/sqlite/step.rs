//! Statements that a run executes once: in one transaction with the row that remembers them.

use super::connect::Session;
use super::{shard, sql};
use crate::error::Result;
use crate::plugin::step::{Step, TABLE};

/// Returns whether they were run now: another attempt of the run may have done so.
pub(super) fn run(session: &Session<'_>, step: &Step) -> Result<bool> {
    let table = format!("main.{}", sql::quote(TABLE));
    let of = [step.run_id.to_string(), step.name.as_str().to_owned()];
    let error = |e| session.error(e);
    let transaction = shard::begin(session.connection, true).map_err(error)?;
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {table} (run_id TEXT NOT NULL, step TEXT NOT NULL, \
         done_at TEXT NOT NULL, PRIMARY KEY (run_id, step)) WITHOUT ROWID; \
         DELETE FROM {table} WHERE done_at < datetime('now', '-7 days')"
    );
    transaction.execute_batch(&create).map_err(error)?;
    let enter =
        format!("INSERT INTO {table} VALUES (?1, ?2, datetime('now')) ON CONFLICT DO NOTHING");
    if transaction.execute(&enter, of).map_err(error)? == 0 {
        return Ok(false);
    }
    for (at, statement) in step.statements.iter().enumerate() {
        step.fence.check()?;
        let ran = transaction.execute_batch(statement);
        ran.map_err(|e| step.failed(at, session.error(e)))?;
    }
    step.fence.check()?;
    crate::fault::point("step.before_commit");
    transaction.commit().map_err(error)?;
    crate::fault::point("step.committed");
    Ok(true)
}
