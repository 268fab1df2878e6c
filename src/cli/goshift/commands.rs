//! The commands besides `sync`.

use std::process::ExitCode;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Call, limits};
use crate::cli::show::{self, Table};
use crate::config::Side;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, RunFilter, RunRow, State};
use crate::plugin::{self, WriteMode};
use crate::progress::Display;
use crate::queue::rabbitmq::RabbitPublisher;
use crate::run::{Route, Runner};
use crate::submit::{self, Submitter};
use crate::task::TaskMeta;
use crate::verify;

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

/// A task, checked, and both its ends connected; nothing is created.
async fn route(call: &Call, ledger: &Ledger, task_id: i64) -> Result<(TaskMeta, Route)> {
    let task = ledger.task(task_id).await?;
    let task = task.checked(&serde_json::Map::new(), call.mode.as_deref())?;
    let runner = Runner {
        settings: call.settings.clone(),
        ledger: ledger.clone(),
        submitter: Submitter::open(&call.settings, ledger.clone(), "goshift")?,
        display: Display::Quiet,
        drain: CancellationToken::new(),
        halt: CancellationToken::new(),
    };
    let route = Box::pin(runner.route(&task, Uuid::nil(), true)).await;
    Ok((task, route.map_err(|error| error.context(format!("task {task_id}")))?))
}

/// Shows what a run would do.
pub(super) async fn plan(call: &Call, task_id: i64) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let (task, route) = Box::pin(route(call, &ledger, task_id)).await?;
    let (read, write) = (&route.plan.read, &route.plan.write);
    let how = match write.mode {
        WriteMode::Insert => "insert, each shard once by a marker".to_owned(),
        WriteMode::Upsert => {
            let names: Vec<_> = write
                .key
                .iter()
                .map(|&k| write.schema.columns[write.columns[k].target].name.as_str())
                .collect();
            format!("upsert by ({})", names.join(", "))
        }
    };
    let create = if route.plan.creates_target { ", which is going to be created" } else { "" };
    let split = match read.split.as_slice() {
        [] => "no key: one shard".to_owned(),
        split => format!("by ({}), {} rows a shard", read.schema.names(split), read.shard_rows),
    };
    let rows = read.schema.estimated_rows.map_or("unknown".to_owned(), |rows| rows.to_string());
    show::line(&format!("task {task_id}, mode {}", task.mode.name()))?;
    show::line(&format!(
        "from    {} {} (about {rows} rows)",
        task.from.db_type, read.schema.table
    ))?;
    show::line(&format!("to      {} {}{create}", task.to.db_type, write.schema.table))?;
    show::line(&format!("split   {split}"))?;
    show::line(&format!("lanes   {}", route.plan.lanes))?;
    show::line(&format!("write   {how}, {} rows a statement", write.statement_rows))?;
    show::line(&format!("format  {:?}", read.format))?;
    for (heading, text) in limits::lines(&call.settings, &task)? {
        show::line(&format!("{heading:<8}{text}"))?;
    }
    for note in &route.plan.notes {
        show::line(&format!("note    {note}"))?;
    }
    let mut table = Table::new(&["COLUMN", "SOURCE TYPE", "TARGET COLUMN", "TARGET TYPE", "CHECK"]);
    for (from, column) in read.read_columns().zip(&write.columns) {
        let to = &write.schema.columns[column.target];
        let check = match column.check {
            crate::plan::check::Check::None => String::new(),
            check => format!("{check:?}"),
        };
        let native = if route.plan.creates_target { String::new() } else { to.native.clone() };
        table.row([from.name.clone(), from.native.clone(), to.name.clone(), native, check]);
    }
    table.print()?;
    Ok(ExitCode::SUCCESS)
}

/// Compares both sides.
pub(super) async fn verify(call: &Call, task_id: i64) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let (task, route) = Box::pin(route(call, &ledger, task_id)).await?;
    if route.plan.creates_target {
        return Err(Error::permanent(format!(
            "task {task_id}: there is no target table {}",
            task.to.table
        ))
        .with_remedy(format!("copy it first: `goshift -id {task_id}`")));
    }
    let buffer = call.settings.worker.lane_buffer;
    let outcome = Box::pin(verify::compare(call.settings.as_ref(), &task, &route, buffer)).await?;
    if call.json {
        show::line(
            &json!({"task_id": task_id, "equal": outcome.equal(), "source_rows": outcome.source.rows,
                "target_rows": outcome.target.rows, "source_checksum": outcome.source.hex(),
                "target_checksum": outcome.target.hex()})
            .to_string(),
        )?;
    } else {
        let verdict = if outcome.equal() { "equal" } else { "DIFFERENT" };
        show::line(&format!("task {task_id}: {verdict}"))?;
        for (side, sum) in [("source", outcome.source), ("target", outcome.target)] {
            show::line(&format!("  {side}  {} rows  checksum {}", sum.rows, sum.hex()))?;
        }
        if !outcome.equal() {
            show::line(&format!(
                "  → copy it again with `goshift -id {task_id}`, or look for rows \
                 that only the target has"
            ))?;
        }
    }
    Ok(ExitCode::from(u8::from(!outcome.equal())))
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
        table.print()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists runs.
pub(super) async fn runs(
    call: &Call,
    task_id: Option<i64>,
    state: Option<String>,
    limit: usize,
) -> Result<ExitCode> {
    const STATES: &[&str] =
        &["submitted", "running", "retrying", "succeeded", "failed", "cancelled"];
    if let Some(state) = &state
        && !STATES.contains(&state.as_str())
    {
        return Err(Error::usage(format!("there is no state \"{state}\""))
            .with_remedy(format!("use one of: {}", STATES.join(", "))));
    }
    let ledger = call.ledger().await?;
    let runs = ledger.runs(&RunFilter { task_id, state, dead: false, limit }).await?;
    let mut table = Table::new(&[
        "RUN",
        "TASK",
        "STATE",
        "ATTEMPT",
        "ROWS",
        "SHARDS",
        "SUBMITTED",
        "FINISHED",
        "REASON",
    ]);
    for run in runs {
        if call.json {
            show::line(&to_json(&run)?)?;
        }
        table.row([
            run.run_id.to_string(),
            run.task_id.to_string(),
            run.state,
            run.attempt.to_string(),
            run.rows_done.to_string(),
            format!("{}/{}", run.shards_done, run.shards_total),
            seconds(&run.submitted_at),
            run.finished_at.as_deref().map(seconds).unwrap_or_default(),
            why(&run.waits_for, run.reason, run.remedy),
        ]);
    }
    if !call.json {
        table.print()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a run waits for, why it failed, and what to do next.
fn why(waits_for: &Option<String>, reason: Option<String>, remedy: Option<String>) -> String {
    let waits = waits_for.as_ref().map(|place| show::waits_for(place));
    let remedy = remedy.map(|remedy| format!("→ {remedy}"));
    [waits, reason, remedy].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// `2026-01-31T12:00:00.123456Z` without the fraction.
fn seconds(text: &str) -> String {
    text.split('.').next().unwrap_or(text).replace('T', " ")
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::internal("no JSON form").caused_by(e))
}

/// Shows one run.
pub(super) async fn run(call: &Call, run_id: Uuid) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let run: RunRow = ledger.run(run_id).await?;
    let transitions = ledger.transitions(run_id).await?;
    if call.json {
        show::line(&to_json(&json!({"run": run, "transitions": transitions}))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    show::line(&format!("run {} of task {}: {}", run.run_id, run.task_id, run.state))?;
    show::line(&format!(
        "  {} rows, shards {}/{}, attempt {}",
        run.rows_done, run.shards_done, run.shards_total, run.attempt
    ))?;
    if let Some(old) = &run.rerun_of {
        show::line(&format!("  repeats run {old}"))?;
    }
    if let Some(place) = &run.waits_for {
        show::line(&format!("  {}", show::waits_for(place)))?;
    }
    if let Some(reason) = &run.reason {
        show::line(&format!("  {reason}"))?;
    }
    if let Some(remedy) = &run.remedy {
        show::line(&format!("  → {remedy}"))?;
    }
    let mut table = Table::new(&["AT", "STATE", "ATTEMPT", "EPOCH", "WORKER", "REASON"]);
    for step in transitions {
        table.row([
            step.at.replace('T', " "),
            step.to_state,
            step.attempt.to_string(),
            step.epoch.to_string(),
            step.worker.unwrap_or_default(),
            step.reason.unwrap_or_default(),
        ]);
    }
    table.print()?;
    Ok(ExitCode::SUCCESS)
}

/// Cancels a run.
pub(super) async fn cancel(call: &Call, run_id: Uuid) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let said = match ledger.cancel(run_id).await? {
        State::Running => "asked its worker to stop it",
        _ => "cancelled",
    };
    show::line(&format!("run {run_id}: {said}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Lists workers.
pub(super) async fn workers(call: &Call) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let mut table =
        Table::new(&["WORKER", "HOST", "PID", "STATE", "RUNNING", "VERSION", "LAST HEARD"]);
    for worker in ledger.workers(call.settings.worker.lease).await? {
        if call.json {
            show::line(&to_json(&worker)?)?;
        }
        table.row([
            worker.worker,
            worker.host,
            worker.pid.to_string(),
            worker.state,
            format!("{}/{}", worker.running, worker.concurrency),
            worker.version,
            seconds(&worker.heartbeat_at),
        ]);
    }
    if !call.json {
        table.print()?;
    }
    Ok(ExitCode::SUCCESS)
}
