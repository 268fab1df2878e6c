//! `goshift`: one run in the foreground, and the commands for the person at the terminal.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};
use serde_json::{Map, Value};

use super::Common;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::telemetry::{self, Audience};
use command::Command;

mod command;
mod commands;
mod dead;
mod detail;
mod foreground;
mod pause;
mod purge_runs;
mod rejected;
mod run;
mod runs;
mod schedule;
mod shards;
mod verify;
mod watch;
mod workers;

const EXAMPLES: &str = "\
Examples:
  goshift -c ../etc/ -e local -id 5       copy task 5's table now, in the foreground
  goshift -cmd init-db                    create the task table and the ledger
  goshift plan -id 5                      what a run would do; writes nothing
  goshift check                           configuration and connections
  goshift verify -id 5                    compare both sides, row by row
  goshift runs --watch                    what runs now, and what became of the rest
  goshift run 3f9a1c                      one run, by the end of its id
  goshift dead rerun --all                run again what was given up on
  goshift schedule set 5 '30 2 * * *' --time-zone Asia/Shanghai
                                          submit task 5 each night at 2:30
  goshift pause --reason maintenance      let no further run start

Exit codes: 0 done, 1 a run failed, 2 wrong usage or configuration.";

/// Move tables between MySQL, PostgreSQL and SQLite
#[derive(Debug, Parser)]
#[command(name = "goshift", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Task number; for cancel and run the run's id
    #[arg(long, value_name = "N", global = true)]
    id: Option<String>,
    /// Mode of this run: init (a full copy, safe to repeat), diff (writes what differs), mirror
    /// (diff, and deletes what only the target has) or cursor (what has changed since the last run)
    #[arg(long, value_name = "MODE", global = true)]
    mode: Option<String>,
    /// At most this many workers share a large run; 1 keeps it in this process
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u64).range(1..))]
    participants: Option<u64>,
    /// Command, the same as the subcommand of that name
    #[arg(long, value_name = "COMMAND", default_value = "sync")]
    cmd: String,
    /// Print JSON lines instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The whole binary.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match super::parse::<Arguments>(spell_out(arguments).into_iter()) {
        Ok(arguments) => super::block_on(run(arguments)),
        Err(code) => code,
    }
}

/// What every command is given.
#[derive(Clone)]
struct Call {
    settings: Arc<Settings>,
    mode: Option<String>,
    /// Params of this run only.
    overrides: Map<String, Value>,
    json: bool,
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    let id = arguments.id;
    let command = match arguments.command {
        Some(command) => command,
        None => by_name(&arguments.cmd)?,
    };
    if let Command::Completions { shell } = command {
        return super::show::completions::<Arguments>(shell);
    }
    let settings = arguments.common.settings()?;
    let _telemetry = telemetry::start("goshift", &settings, Audience::Caller)?;
    let call = Call {
        settings,
        mode: arguments.mode,
        overrides: arguments
            .participants
            .map(|participants| ("participants".to_owned(), participants.into()))
            .into_iter()
            .collect(),
        json: arguments.json,
    };
    match command {
        Command::Sync { task } => {
            let task = task_number(task.or(id), "goshift -id 5")?;
            Box::pin(foreground::sync(&call, task)).await
        }
        Command::InitDb => commands::init_db(&call).await,
        Command::Check => commands::check(&call).await,
        Command::Plan { task } => {
            commands::plan(&call, task_number(task.or(id), "goshift plan -id 5")?).await
        }
        Command::Verify(wanted) => {
            let task = task_number(wanted.task.clone().or(id), "goshift verify -id 5")?;
            Box::pin(verify::verify(&call, task, &wanted)).await
        }
        Command::Tasks => commands::tasks(&call).await,
        Command::Runs(mut chosen) => {
            let from_id = id.map(|id| task_number(Some(id), "goshift runs -id 5")).transpose()?;
            chosen.task = chosen.task.or(from_id);
            runs::runs(&call, &chosen).await
        }
        Command::Run(chosen) => {
            let name = named(chosen.run.clone().or(id), "goshift run RUN")?;
            run::run(&call, &name, &chosen).await
        }
        Command::Cancel { run } => {
            commands::cancel(&call, &named(run.or(id), "goshift cancel RUN")?).await
        }
        Command::Workers => workers::workers(&call).await,
        Command::Schedule { what } => schedule::schedule(&call, what).await,
        Command::Drain { worker } => workers::drain(&call, &worker).await,
        Command::Dead { what } => dead::dead(&call, what).await,
        Command::Rejected { what } => Box::pin(rejected::rejected(&call, what)).await,
        Command::Pause { queue, reason } => pause::pause(&call, queue, reason.as_deref()).await,
        Command::Resume { queue } => pause::resume(&call, queue).await,
        Command::PurgeRuns { older_than, with_dead } => {
            purge_runs::purge_runs(&call, older_than.into(), with_dead).await
        }
        Command::Completions { .. } => Ok(ExitCode::SUCCESS),
    }
}

impl Call {
    async fn ledger(&self) -> Result<Ledger> {
        Ledger::open(&self.settings).await
    }
}

/// `-cmd runs --task 5` becomes `runs --task 5`, so that a command takes its flags in both
/// spellings. What is no command stays, for [`by_name`] to refuse.
fn spell_out(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = arguments.collect();
    for at in 1..all.len() {
        let Some(text) = all[at].to_str() else { continue };
        let Some(flag) = text.strip_prefix("--").or_else(|| text.strip_prefix('-')) else {
            continue;
        };
        let (name, words) = match flag.split_once('=') {
            Some(("cmd", name)) => (name.to_owned(), 1),
            None if flag == "cmd" => match all.get(at + 1).and_then(|next| next.to_str()) {
                Some(name) => (name.to_owned(), 2),
                None => continue,
            },
            _ => continue,
        };
        if names().contains(&name) {
            all.splice(at..at + words, [name.into()]);
        }
        break;
    }
    all
}

/// Every command that `-cmd` may name.
fn names() -> Vec<String> {
    let command = Arguments::command();
    let names = command.get_subcommands().map(|command| command.get_name().to_owned());
    names.collect()
}

/// The command without a subcommand: `sync`, if `-cmd` says nothing else.
fn by_name(name: &str) -> Result<Command> {
    match name {
        "sync" => Ok(Command::Sync { task: None }),
        other => Err(Error::usage(format!("unknown command \"{other}\""))
            .with_remedy(format!("use one of: {}", names().join(", ")))),
    }
}

fn task_number(text: Option<String>, example: &str) -> Result<i64> {
    let text = text.ok_or_else(|| {
        Error::usage("which task?").with_remedy(format!("name it, as in `{example}`"))
    })?;
    text.parse().map_err(|_| {
        Error::usage(format!("\"{text}\" is not a task number"))
            .with_remedy("list the tasks with `goshift tasks`")
    })
}

fn named(run: Option<String>, example: &str) -> Result<String> {
    run.ok_or_else(|| Error::usage("which run?").with_remedy(format!("name it, as in `{example}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(line: &str) -> String {
        let all = spell_out(line.split(' ').map(OsString::from));
        all.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn cmd_names_a_subcommand_with_its_flags() {
        assert_eq!(spelled("goshift -c etc -cmd runs --task 5"), "goshift -c etc runs --task 5");
        assert_eq!(spelled("goshift --cmd=dead list"), "goshift dead list");
        assert_eq!(spelled("goshift -id 5 -cmd sync"), "goshift -id 5 sync");
        assert_eq!(spelled("goshift -cmd fly"), "goshift -cmd fly");
        assert_eq!(spelled("goshift -id 5"), "goshift -id 5");
    }

    #[test]
    fn an_unknown_command_names_the_others() {
        let error = by_name("fly").unwrap_err();
        assert!(error.remedy().unwrap_or_default().contains("purge-runs"), "{error}");
    }
}
