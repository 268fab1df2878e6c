//! `goshift purge-runs`: deletes runs that ended long ago.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::Call;
use crate::cli::show::{self, people};
use crate::dead;
use crate::error::Result;

/// Deletes old runs in batches, so that the ledger stays usable meanwhile.
pub(super) async fn purge_runs(call: &Call, age: Duration, with_dead: bool) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let kept = ledger.old_dead(age).await?;
    if with_dead {
        ledger.purge_dead(&kept).await?;
    }
    if ledger.old_dead_letters(age).await? {
        dead::forget_old_letters(&call.settings, &ledger).await?;
    }
    let (mut deleted, mut last) = (0, None);
    loop {
        let batch = ledger.delete_old_runs(age, last).await?;
        if batch.is_empty() {
            break;
        }
        deleted += batch.len();
        last = batch.last().copied();
    }
    let kept = if with_dead { 0 } else { kept.len() };
    if call.json {
        show::line(&json!({"event": "purged", "runs": deleted, "dead_kept": kept}).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let deleted = people::count(deleted as i64);
    show::line(&format!(
        "{deleted} run(s) deleted that ended more than {} ago",
        people::span(age.as_millis() as i64)
    ))?;
    if kept > 0 {
        show::notice(&format!(
            "{} dead run(s) stay: rerun or purge them with `goshift dead`, or add --with-dead",
            people::count(kept as i64)
        ));
    }
    Ok(ExitCode::SUCCESS)
}
