//! `goshift dead`: list, show, rerun, purge.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use super::Call;
use super::command::{Dead, Run, Which};
use crate::cli::dead::{self, Chosen};
use crate::cli::find;
use crate::cli::show::{self, people};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::submit::Submitter;

/// What `goshift dead` does without another word.
const LISTED: usize = 1000;

pub(super) async fn dead(call: &Call, what: Option<Dead>) -> Result<ExitCode> {
    match what.unwrap_or(Dead::List { task: None, limit: LISTED }) {
        Dead::List { task, limit } => {
            let which = dead::Which { task, names: Vec::new(), limit };
            dead::list(&call.settings, &call.ledger().await?, &which, call.json).await?;
            Ok(ExitCode::SUCCESS)
        }
        Dead::Show { run } => show_one(call, &run).await,
        Dead::Rerun(which) => rerun(call, which).await,
        Dead::Purge { which, yes } => purge(call, which, yes).await,
    }
}

async fn show_one(call: &Call, text: &str) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    if !find::candidates(&ledger, text).await?.is_empty() {
        let whole = Run { run: None, shards: false, watch: false };
        return super::run::run(call, text, &whole).await;
    }
    let strangers = dead::strangers(&call.settings, &ledger).await?;
    let mut found = strangers.iter().filter(|message| dead::name(message) == text).peekable();
    if found.peek().is_none() {
        return Err(Error::usage(format!("there is no dead run or message \"{text}\""))
            .with_remedy("list what is dead with `goshift dead list`"));
    }
    for message in found {
        show::lines(&dead::message_lines(message, call.json))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn choose(ledger: &Ledger, which: Which) -> Result<Chosen> {
    let limit = which.limit.unwrap_or(usize::MAX);
    let which = dead::Which { task: which.task, names: which.names, limit };
    dead::choose(ledger, which).await
}

async fn rerun(call: &Call, which: Which) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let submitter = Submitter::open(&call.settings, ledger.clone(), "goshift dead rerun")?;
    let chosen = choose(&ledger, which).await?;
    let entered = |task_id: i64, run_id: Uuid, old: Option<Uuid>| {
        if call.json {
            return show::line(
                &json!({"event": "rerun", "run_id": run_id, "task_id": task_id, "rerun_of": old})
                    .to_string(),
            );
        }
        let old = old.map_or("a message".to_owned(), |old| format!("run {old}"));
        show::line(&format!("{run_id}  task {task_id}, repeats {old}"))
    };
    let outcome = dead::rerun(&call.settings, &ledger, &submitter, chosen, entered).await?;
    let again = people::count(outcome.runs.len() as i64);
    if outcome.refused.is_empty() {
        show::notice(&format!("{again} submitted again"));
        return Ok(ExitCode::SUCCESS);
    }
    let refused = people::count(outcome.refused.len() as i64);
    show::notice(&format!("{again} submitted again, {refused} refused"));
    Ok(ExitCode::FAILURE)
}

async fn purge(call: &Call, which: Which, yes: bool) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let chosen = choose(&ledger, which).await?;
    if !yes {
        let messages = chosen.messages(&call.settings, &ledger).await?;
        if !confirmed(chosen.runs.len(), messages)? {
            show::notice("nothing was purged");
            return Ok(ExitCode::FAILURE);
        }
    }
    let purged = dead::purge(&call.settings, &ledger, chosen).await?;
    for error in &purged.refused {
        show::notice(&format!("not purged: {error}"));
        if let Some(remedy) = error.remedy() {
            show::notice(&format!("  → {remedy}"));
        }
    }
    let (runs, messages) = (purged.runs as i64, purged.messages as i64);
    if call.json {
        show::line(
            &json!({"event": "purged", "runs": runs, "messages": messages,
                "refused": purged.refused.len()})
            .to_string(),
        )?;
    } else {
        show::line(&format!(
            "{} run(s), {} message(s) purged",
            people::count(runs),
            people::count(messages)
        ))?;
    }
    Ok(if purged.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks the person at the terminal; where there is none, --yes must say so.
fn confirmed(runs: usize, messages: usize) -> Result<bool> {
    let (input, terminal) = (std::io::stdin(), std::io::stderr());
    let what = format!("{runs} dead run(s) and {messages} message(s) that never became a run");
    if !input.is_terminal() || !terminal.is_terminal() {
        return Err(Error::usage(format!("this would purge {what}"))
            .with_remedy("add --yes if that is what you want"));
    }
    show::notice(&format!("purge {what}? Type yes to go on:"));
    let mut answer = String::new();
    input
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::usage("can't read standard input").caused_by(error))?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
