//! The commands besides `sync`.

use std::process::ExitCode;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Call, limits};
use crate::cli::find;
use crate::cli::show::{self, Table, people};
use crate::config::Side;
use crate::error::Result;
use crate::ledger::{Ledger, State};
use crate::metrics::WorkerMetrics;
use crate::plugin::path::WritePath;
use crate::plugin::rights::Work;
use crate::plugin::{self, ByKey, WriteMode};
use crate::progress::Display;
use crate::queue::rabbitmq::RabbitPublisher;
use crate::room::Room;
use crate::run::{Ahead, Route, Runner, Stage};
use crate::submit::{self, Submitter};
use crate::task::{Mode, TaskMeta, WriteWish};

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
pub(super) async fn route(
    call: &Call,
    ledger: &Ledger,
    task_id: i64,
) -> Result<(TaskMeta, Runner, Route)> {
    let task = ledger.task(task_id).await?;
    let task = task.checked(&serde_json::Map::new(), call.mode.as_deref())?;
    let runner = Runner {
        settings: call.settings.clone(),
        ledger: ledger.clone(),
        submitter: Submitter::open(&call.settings, ledger.clone(), "goshift")?,
        display: Display::Quiet,
        drain: CancellationToken::new(),
        halt: CancellationToken::new(),
        ahead: Ahead::default(),
        room: Room::new(call.settings.worker.row_memory),
        metrics: WorkerMetrics::default(),
    };
    let route = Box::pin(runner.route(&task, Stage::Look)).await;
    let route = route.map_err(|error| error.context(format!("task {task_id}")))?;
    Ok((task, runner, route))
}

/// Shows what a run would do.
pub(super) async fn plan(call: &Call, task_id: i64) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let (task, _, route) = Box::pin(route(call, &ledger, task_id)).await?;
    let (read, write) = (&route.plan.read, &route.plan.write);
    let how = match write.mode {
        WriteMode::Insert if write.adds_key => {
            "insert, each shard once by a marker; the primary key when all rows are in".to_owned()
        }
        WriteMode::Insert => "insert, each shard once by a marker".to_owned(),
        WriteMode::Upsert => {
            let names: Vec<_> = write.key_columns().map(|column| column.name.as_str()).collect();
            let key = names.join(", ");
            match write.by_key {
                ByKey::Merge => format!("upsert by ({key})"),
                ByKey::Keep => "insert; rows whose key is there are kept".to_owned(),
                ByKey::Update => format!("update by ({key}); nothing is inserted"),
                ByKey::Replace => format!("replace whole rows by ({key})"),
            }
        }
    };
    let how = if write.empties { format!("empty the target once, then {how}") } else { how };
    let swaps = task.params.write_mode == Some(WriteWish::Swap);
    let how = if swaps { format!("into a table beside it, then swap; {how}") } else { how };
    let create = if route.plan.creates_target { ", which is going to be created" } else { "" };
    let split = match read.split.as_slice() {
        [] => "no key: one shard".to_owned(),
        split => format!(
            "by ({}), shards of {} rows at first",
            read.schema.names(split),
            read.shard_rows
        ),
    };
    let rows =
        read.schema.estimated_rows.map_or("unknown".to_owned(), |rows| people::count(rows as i64));
    show::line(&format!("task {task_id}, mode {}", task.mode.name()))?;
    show::line(&format!(
        "from    {} {} (about {rows} rows)",
        task.from.db_type, read.schema.table
    ))?;
    show::line(&format!("to      {} {}{create}", task.to.db_type, write.schema.table))?;
    if let Some(filter) = &read.filter {
        show::line(&format!("where   {}", filter.trim()))?;
    }
    show::line(&format!("split   {split}"))?;
    let wanted = task.params.worker_num.filter(|&wanted| wanted > route.plan.all_lanes);
    let why = wanted.map(|wanted| format!(" of {wanted}: more would not be faster there"));
    show::line(&format!("lanes   {}{}", route.plan.lanes, why.unwrap_or_default()))?;
    show::line(&format!("reads   {}", reads(&route)))?;
    if let Some(sync) = &route.sync {
        show::line(&format!("compare {}", sync.how()))?;
    }
    show::line(&format!("write   {how}"))?;
    let by = match write.path.now() {
        WritePath::Statements | WritePath::StagedStatements => {
            format!(", {} rows each", write.statement_rows)
        }
        _ => String::new(),
    };
    show::line(&format!("path    {}{by}", write.path))?;
    show::line(&format!("format  {}", read.format))?;
    for (heading, text) in limits::lines(&call.settings, &task)? {
        show::line(&format!("{heading:<8}{text}"))?;
    }
    for (when, statements) in [("before", &task.params.pre_sql), ("after", &task.params.post_sql)] {
        for statement in statements.list() {
            show::line(&format!("{when:<8}{statement}"))?;
        }
    }
    warn(&task, &route).await?;
    let mut table =
        Table::new(&["COLUMN", "SOURCE TYPE", "TARGET COLUMN", "TARGET TYPE", "CHECK", "POLICY"]);
    for ((position, from), column) in
        read.columns.iter().zip(read.read_columns()).zip(&write.columns)
    {
        let to = &write.schema.columns[column.target];
        let check = match column.check {
            crate::plan::check::Check::None => String::new(),
            check => format!("{check:?}"),
        };
        let native = if route.plan.creates_target { String::new() } else { to.native.clone() };
        let policy = read.rules.of(*position);
        table.row([from.name.clone(), from.native.clone(), to.name.clone(), native, check, policy]);
    }
    show::table(&table)?;
    Ok(ExitCode::SUCCESS)
}

/// What a person should know before the run, and may have to mend.
async fn warn(task: &TaskMeta, route: &Route) -> Result<()> {
    let (read, write) = (&route.plan.read, &route.plan.write);
    for note in &route.plan.notes {
        show::line(&format!("note    {note}"))?;
    }
    if let Some(first) = read.split_columns().next()
        && !route.reader.has_index(&read.schema.table, &first.name).await?
    {
        show::line(&format!(
            "note    no index of {} begins with {}: finding a shard's end reads the table",
            read.schema.table, first.name
        ))?;
    }
    if !route.plan.creates_target {
        for hazard in route.writer.hazards(&write.schema.table).await? {
            show::line(&format!("note    {}: {hazard}", write.schema.table))?;
        }
    }
    let work = Work {
        plan: write,
        creates_table: route.plan.creates_target,
        deletes: task.mode == Mode::Mirror,
    };
    let sides =
        [("source", route.reader.lacks(read).await?), ("target", route.writer.lacks(&work).await?)];
    for (side, lacks) in sides {
        for lack in lacks {
            show::line(&format!("lacks   {side}: {lack} → {}", lack.remedy))?;
        }
    }
    Ok(())
}

/// As of which moments the source is read, and why.
fn reads(route: &Route) -> String {
    match route.plan.snapshot {
        Some(way) => format!("consistency snapshot: {}", way.how),
        None => "consistency shard: each shard as of a moment of its own (\"consistency\": \
                 \"snapshot\" reads all as of one)"
            .to_owned(),
    }
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
