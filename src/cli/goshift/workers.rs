//! `goshift workers` and `goshift drain`.

use std::process::ExitCode;

use super::Call;
use crate::cli::show::{self, Table, people};
use crate::error::{Error, Result};

/// Asks a worker to drain.
pub(super) async fn drain(call: &Call, worker: &str) -> Result<ExitCode> {
    if !call.ledger().await?.drain_worker(worker).await? {
        return Err(Error::usage(format!("there is no worker \"{worker}\""))
            .with_remedy("list them with `goshift workers`"));
    }
    show::line(&format!("worker {worker}: asked to finish what it has and to end"))?;
    Ok(ExitCode::SUCCESS)
}

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
