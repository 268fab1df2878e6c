//! `goshift dead`: list, show, rerun, purge.

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use super::Call;
use super::command::{Dead, Run, Which};
use crate::cli::dead::{choose, list, message_lines, refused};
use crate::cli::find;
use crate::cli::show::{self, people};
use crate::dead::{self, Subject, Told};
use crate::error::{Error, Result};
use crate::submit::Submitter;

/// What `goshift dead` does without another word.
const LISTED: usize = 1000;

pub(super) async fn dead(call: &Call, what: Option<Dead>) -> Result<ExitCode> {
    match what.unwrap_or(Dead::List { task: None, limit: LISTED }) {
        Dead::List { task, limit } => {
            list(&call.settings, &call.ledger().await?, task, limit, call.json).await?;
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
    let messages = dead::messages(&call.settings, &ledger).await?;
    let mut found = messages.iter().filter(|message| dead::name(message) == text).peekable();
    if found.peek().is_none() {
        return Err(Error::usage(format!("there is no dead run or message \"{text}\""))
            .with_remedy("list what is dead with `goshift dead list`"));
    }
    for message in found {
        show::lines(&message_lines(message, call.json))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn rerun(call: &Call, which: Which) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let submitter = Submitter::open(&call.settings, ledger.clone(), "goshift dead rerun")?;
    let limit = which.limit.unwrap_or(usize::MAX);
    let chosen = choose(&ledger, which.task, which.names, limit).await?;
    // Several may have joined one run that waits.
    let (mut again, mut stay) = (HashSet::new(), 0_i64);
    let tell = |told| match told {
        Told::Entered { task_id, run_id, of } => {
            again.insert(run_id);
            show::line(&entered(task_id, run_id, of, call.json))
        }
        Told::Refused(refusal) => {
            stay += 1;
            refused("not rerun", refusal);
            Ok(())
        }
    };
    dead::rerun(&call.settings, &ledger, &submitter, chosen, &show::who(), tell).await?;
    let again = people::count(again.len() as i64);
    if stay == 0 {
        show::notice(&format!("{again} submitted again"));
        return Ok(ExitCode::SUCCESS);
    }
    show::notice(&format!("{again} submitted again, {} refused", people::count(stay)));
    Ok(ExitCode::FAILURE)
}

fn entered(task_id: i64, run_id: Uuid, of: Subject, json: bool) -> String {
    if json {
        let (run, message) = of.split();
        let event = json!({"event": "rerun", "run_id": run_id, "task_id": task_id,
            "rerun_of": run, "message_id": message});
        return event.to_string();
    }
    format!("{run_id}  task {task_id}, repeats {of}")
}

async fn purge(call: &Call, which: Which, yes: bool) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let limit = which.limit.unwrap_or(usize::MAX);
    let chosen = choose(&ledger, which.task, which.names, limit).await?;
    if !yes {
        let (messages, _) = chosen.messages(&call.settings, &ledger).await?;
        if !confirmed(chosen.runs().len(), messages.len())? {
            show::notice("nothing was purged");
            return Ok(ExitCode::FAILURE);
        }
    }
    let purged = dead::purge(&call.settings, &ledger, chosen).await?;
    let (runs, messages, stay) = (purged.runs as i64, purged.messages as i64, purged.refused.len());
    purged.refused.into_iter().for_each(|refusal| refused("not purged", refusal));
    if call.json {
        show::line(
            &json!({"event": "purged", "runs": runs, "messages": messages,
                "refused": stay})
            .to_string(),
        )?;
    } else {
        show::line(&format!(
            "{} run(s), {} message(s) purged",
            people::count(runs),
            people::count(messages)
        ))?;
    }
    Ok(if stay == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
