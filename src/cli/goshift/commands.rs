//! The commands besides `sync`.

use std::process::ExitCode;

use serde_json::json;

use super::Call;
use crate::cli::find;
use crate::cli::show::{self, Table};
use crate::config::Side;
use crate::error::Result;
use crate::ledger::{Ledger, State};
use crate::plugin;
use crate::preview::{ColumnWay, Preview};
use crate::queue::rabbitmq::RabbitPublisher;
use crate::submit;

/// Creates the tables.
pub(super) async fn init_db(call: &Call) -> Result<ExitCode> {
    let ledger = Ledger::connect(&call.settings).await?;
    let new = ledger.init().await?;
    let task_table = if new { "created" } else { "was there" };
    show::line(&format!(
        "{}: task_def_sync_manager {task_table}; goshift_run, goshift_shard, goshift_transition \
         and goshift_worker are there",
        ledger.address()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Tries every connection of the configuration.
pub(super) async fn check(call: &Call) -> Result<ExitCode> {
    let settings = &call.settings;
    let mut outcomes: Vec<(String, Result<()>)> = Vec::new();
    let ledger = Ledger::connect(settings).await;
    outcomes.push(("task_meta".to_owned(), ledger.map(|_| ())));
    for (side, engine, key) in settings.connections() {
        let place = format!("{}.{engine}.{key}", if side == Side::From { "from" } else { "to" });
        let outcome = async {
            let config = settings.connection_by_key(side, &engine, &key)?;
            let plugin = plugin::find(&engine)?;
            match side {
                Side::From => plugin.reader(&config, 1).await.map(|_| ()),
                Side::To => plugin.writer(&config, 1).await.map(|_| ()),
            }
        };
        outcomes.push((place, outcome.await));
    }
    let broker = match submit::broker(settings) {
        Ok(Some(config)) => RabbitPublisher::connect(config, "goshift check").await.map(|_| ()),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    outcomes.push(("queue".to_owned(), broker));
    let mut failed = false;
    for (place, outcome) in outcomes {
        match outcome {
            Ok(()) => show::line(&format!("ok      {place}"))?,
            Err(error) => {
                failed = true;
                show::line(&format!("FAILED  {place}: {error}"))?;
                if let Some(remedy) = error.remedy() {
                    show::line(&format!("        → {remedy}"))?;
                }
            }
        }
    }
    Ok(ExitCode::from(if failed { 2 } else { 0 }))
}

/// Shows what a run would do.
pub(super) async fn plan(call: &Call, task_id: i64) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let task = ledger.task(task_id).await?.checked(&call.overrides, call.mode.as_deref())?;
    let preview = Box::pin(Preview::of(&call.settings, &ledger, &task)).await?;
    if call.json {
        show::line(&json!(preview).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    show::line(&format!("task {task_id}, mode {}", preview.mode))?;
    for line in preview.lines {
        show::line(&format!("{:<8}{}", line.heading, line.text))?;
    }
    for note in preview.notes {
        show::line(&format!("note    {note}"))?;
    }
    for lack in preview.lacks {
        show::line(&format!("lacks   {lack}"))?;
    }
    let mut table =
        Table::new(&["COLUMN", "SOURCE TYPE", "TARGET COLUMN", "TARGET TYPE", "CHECK", "POLICY"]);
    for way in preview.columns {
        let ColumnWay { source, source_type, target, target_type, check, policy } = way;
        table.row([source, source_type, target, target_type, check, policy]);
    }
    show::table(&table)?;
    Ok(ExitCode::SUCCESS)
}

/// Lists tasks.
pub(super) async fn tasks(call: &Call) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let mut table = Table::new(&["ID", "FROM", "TO", "ONLINE", "STATUS", "OWNER", "DESCRIPTION"]);
    for task in ledger.tasks().await? {
        let end = |end: &crate::task::Endpoint| {
            format!("{} {}_{}.{}", end.db_type, end.app, end.db, end.table)
        };
        if call.json {
            show::line(
                &json!({"id": task.id, "from": end(&task.from), "to": end(&task.to),
                    "online": task.online, "status": task.status, "owner": task.owner,
                    "description": task.description})
                .to_string(),
            )?;
        }
        table.row([
            task.id.to_string(),
            end(&task.from),
            end(&task.to),
            if task.online { "yes" } else { "no" }.to_owned(),
            task.status,
            task.owner,
            task.description,
        ]);
    }
    if !call.json {
        show::table(&table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Cancels a run.
pub(super) async fn cancel(call: &Call, run: &str) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let run_id = find::run(&ledger, run).await?.run_id;
    let said = match ledger.cancel(run_id).await? {
        State::Running => "asked its worker to stop it",
        _ => "cancelled",
    };
    show::line(&format!("run {run_id}: {said}"))?;
    Ok(ExitCode::SUCCESS)
}
