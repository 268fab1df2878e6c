//! Repeating runs that are over.

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::event::Priority;
use crate::ledger::{Ledger, NewRun, RunRow, State};
use crate::task::Params;

/// The run to repeat when somebody asks to repeat this one: the last of its reruns that is not
/// deleted.
///
/// # Errors
/// Kind `Usage` when there is no such run.
pub async fn latest(ledger: &Ledger, run_id: Uuid) -> Result<RunRow> {
    let mut row = ledger.run(run_id).await?;
    while let Some(next) = row.rerun_by.as_deref().and_then(|id| id.parse().ok())
        && ledger.exists(next).await?
    {
        row = ledger.run(next).await?;
    }
    Ok(row)
}

/// A new run that repeats an old one; `who` asks for it.
///
/// # Errors
/// Kind `Usage` when the old one is not over.
pub fn again(row: &RunRow, who: &str) -> Result<NewRun> {
    if !State::is_terminal(&row.state) {
        return Err(Error::usage(format!("run {} is {}, not over", row.run_id, row.state))
            .with_remedy("wait for it, or cancel it first"));
    }
    let dead = row.state == State::Failed.name();
    Ok(NewRun {
        run_id: None,
        task_id: row.task_id,
        mode: row.mode.clone(),
        params: Params::parse_object(row.params.as_deref().unwrap_or_default())?,
        priority: Priority::Normal,
        delay_ms: 0,
        dedup_key: dead.then(|| format!("rerun:{}", row.run_id)),
        submitted_by: Some(who.to_owned()),
        rerun_of: Some(row.run_id),
        traceparent: None,
    })
}
