//! `goshift workers`.

use std::process::ExitCode;

use super::Call;
use crate::cli::show::{self, Table, people};
use crate::error::Result;

/// Lists workers.
pub(super) async fn workers(call: &Call) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let workers = ledger.workers(call.settings.worker.lease).await?;
    if call.json {
        for worker in &workers {
            show::line(&show::json(worker)?)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    show::lines(&show::pauses(&ledger.pauses().await?, show::width()))?;
    let mut table = Table::new(&["~WORKER", "STATE", ">RUNS", "~HOST", "VERSION", "HEARD"]);
    for worker in &workers {
        let row = &worker.row;
        table.row([
            row.worker.clone(),
            row.state.clone(),
            format!("{}/{}", row.running, row.concurrency),
            row.host.clone(),
            row.version.clone(),
            people::ago(worker.silent_ms),
        ]);
    }
    show::table(&table)?;
    if workers.iter().all(|worker| worker.row.state == "lost") {
        show::notice("no worker is running: start one with `goshift-worker`");
    }
    Ok(ExitCode::SUCCESS)
}
