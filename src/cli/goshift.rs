//! `goshift`: one run in the foreground, and the commands for the person at the terminal.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use uuid::Uuid;

use super::Common;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::telemetry;

mod commands;
mod foreground;
mod limits;

const EXAMPLES: &str = "\
Examples:
  goshift -c ../etc/ -e local -id 5       copy task 5's table now, in the foreground
  goshift -cmd init-db                    create the task table and the ledger
  goshift plan -id 5                      what a run would do; writes nothing
  goshift check                           configuration and connections
  goshift verify -id 5                    compare both sides, row by row
  goshift runs --task 5                   what became of it

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
    /// Mode of this run: init (a full copy, safe to repeat)
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

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run a task in the foreground (the default)
    Sync {
        /// Task number
        task: Option<String>,
    },
    /// Create every table goshift needs in the task database; safe to repeat
    InitDb,
    /// Check the configuration and every connection
    Check,
    /// Show what a run would do; nothing is written
    Plan {
        /// Task number
        task: Option<String>,
    },
    /// Compare source and target, every column of every row
    Verify {
        /// Task number
        task: Option<String>,
    },
    /// List the tasks
    Tasks,
    /// List runs, the latest first
    Runs {
        /// Only this task's
        #[arg(long, value_name = "N")]
        task: Option<i64>,
        /// Only in this state
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show one run with its changes of state
    Run {
        /// The run's id
        run: Option<String>,
    },
    /// Cancel a run
    Cancel {
        /// The run's id
        run: Option<String>,
    },
    /// List the workers
    Workers,
    /// Print a shell's completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The whole binary.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match super::parse::<Arguments>(arguments) {
        Ok(arguments) => super::block_on(run(arguments)),
        Err(code) => code,
    }
}

/// What every command is given.
struct Call {
    settings: Arc<Settings>,
    mode: Option<String>,
    participants: Option<u64>,
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
    let _logs = telemetry::start("goshift", &settings.log, true)?;
    let call = Call {
        settings,
        mode: arguments.mode,
        participants: arguments.participants,
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
        Command::Verify { task } => {
            let task = task_number(task.or(id), "goshift verify -id 5")?;
            Box::pin(commands::verify(&call, task)).await
        }
        Command::Tasks => commands::tasks(&call).await,
        Command::Runs { task, state, limit } => {
            let from_id = id.map(|id| task_number(Some(id), "goshift runs -id 5")).transpose()?;
            commands::runs(&call, task.or(from_id), state, limit).await
        }
        Command::Run { run } => commands::run(&call, run_id(run.or(id), "goshift run RUN")?).await,
        Command::Cancel { run } => {
            commands::cancel(&call, run_id(run.or(id), "goshift cancel RUN")?).await
        }
        Command::Workers => commands::workers(&call).await,
        Command::Completions { .. } => Ok(ExitCode::SUCCESS),
    }
}

impl Call {
    async fn ledger(&self) -> Result<Ledger> {
        Ledger::open(&self.settings).await
    }
}

/// The command that `-cmd` names.
fn by_name(name: &str) -> Result<Command> {
    Ok(match name {
        "sync" => Command::Sync { task: None },
        "init-db" => Command::InitDb,
        "check" => Command::Check,
        "plan" => Command::Plan { task: None },
        "verify" => Command::Verify { task: None },
        "tasks" => Command::Tasks,
        "runs" => Command::Runs { task: None, state: None, limit: 20 },
        "run" => Command::Run { run: None },
        "cancel" => Command::Cancel { run: None },
        "workers" => Command::Workers,
        other => {
            return Err(Error::usage(format!("unknown command \"{other}\"")).with_remedy(
                "use one of: sync, init-db, check, plan, verify, tasks, runs, run, cancel, workers",
            ));
        }
    })
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

fn run_id(text: Option<String>, example: &str) -> Result<Uuid> {
    let text = text.ok_or_else(|| {
        Error::usage("which run?").with_remedy(format!("name it, as in `{example}`"))
    })?;
    text.parse().map_err(|_| {
        Error::usage(format!("\"{text}\" is not a run's id"))
            .with_remedy("list the runs with `goshift runs`")
    })
}
