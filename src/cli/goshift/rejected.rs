//! `goshift rejected`: list the rows that runs have left out, and try them again.

use std::process::ExitCode;

use super::command::Rejected;
use super::{Call, foreground};
use crate::cli::find;
use crate::cli::show::{self, Table, people};
use crate::error::{Error, Result};
use crate::task;

/// What `goshift rejected` lists without another word.
const LISTED: i64 = 1000;

pub(super) async fn rejected(call: &Call, what: Option<Rejected>) -> Result<ExitCode> {
    let listed = Rejected::List { run: None, task: None, all: false, limit: LISTED };
    match what.unwrap_or(listed) {
        Rejected::List { run, task, all, limit } => {
            list(call, run.as_deref(), task, all, limit).await
        }
        Rejected::Replay { run } => replay(call, &run).await,
    }
}

async fn list(
    call: &Call,
    run: Option<&str>,
    task: Option<i64>,
    all: bool,
    limit: i64,
) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let run = match run {
        Some(text) => Some(find::run(&ledger, text).await?.run_id),
        None => None,
    };
    let rows = ledger.rejected(run, task, all, limit).await?;
    if call.json {
        for row in &rows {
            let text = serde_json::to_string(row)
                .map_err(|error| Error::internal("a row has no JSON form").caused_by(error))?;
            show::line(&text)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        show::notice("no rejected rows");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["#RUN", ">TASK", ">SHARD", "KEY", "REJECTED AT", "REPLAYED BY"]);
    for row in &rows {
        table.row([
            row.run_id.to_string(),
            row.task_id.to_string(),
            row.shard_no.to_string(),
            format!("{}={}", row.key_columns, row.key_text),
            row.rejected_at.clone(),
            row.replayed_by.clone().unwrap_or_default(),
        ]);
        table.note(&row.message);
    }
    show::table(&table)?;
    if rows.len() as i64 == limit {
        show::notice(&format!("the first {}; see more with --limit", people::count(limit)));
    }
    Ok(ExitCode::SUCCESS)
}

async fn replay(call: &Call, text: &str) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let run = find::run(&ledger, text).await?;
    if ledger.rejected(Some(run.run_id), None, false, 1).await?.is_empty() {
        return Err(Error::usage(format!(
            "run {} has no rejected rows that were not tried again",
            run.run_id
        ))
        .with_remedy("list what there is with `goshift rejected list --all`"));
    }
    let mut call = call.clone();
    call.overrides.extend(task::without_statements());
    call.overrides.insert("replay".to_owned(), run.run_id.to_string().into());
    call.mode = Some("init".to_owned());
    Box::pin(foreground::sync(&call, run.task_id)).await
}
