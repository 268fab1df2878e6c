//! `goshift-worker`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use super::Common;
use crate::error::{Error, Result};
use crate::shutdown::Shutdown;
use crate::telemetry::{self, Audience};
use crate::worker::{self, Options};

const EXAMPLES: &str = "\
Examples:
  goshift-worker -c etc -e prod --concurrency 4
  goshift-worker --drain          work until nothing is left, then exit 0

SIGTERM stops taking work and lets running shards end; a second signal stops at once. What is not
finished is given back and goes on elsewhere from the shards that are left.";

/// Run submitted tasks: pull events from the queue and copy tables
#[derive(Debug, Parser)]
#[command(name = "goshift-worker", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Runs at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Work until nothing is left to do, then exit 0
    #[arg(long)]
    drain: bool,
    /// Name in the ledger and in logs; host and process without
    #[arg(long)]
    name: Option<String>,
    /// Print a shell's completions and exit
    #[arg(long, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
}

/// The whole binary.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match super::parse::<Arguments>(arguments) {
        Ok(arguments) => super::block_on(run(arguments)),
        Err(code) => code,
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(shell) = arguments.completions {
        return super::show::completions::<Arguments>(shell);
    }
    if arguments.name.as_ref().is_some_and(|name| name.is_empty() || name.len() > 100) {
        return Err(Error::usage("--name must have 1 to 100 characters"));
    }
    let settings = arguments.common.settings()?;
    let _telemetry = telemetry::start("goshift-worker", &settings, Audience::Operator)?;
    let options = Options {
        concurrency: usize::from(arguments.concurrency),
        drain: arguments.drain,
        name: arguments.name,
    };
    Box::pin(worker::serve(settings, options, Shutdown::listen(false)?)).await?;
    Ok(ExitCode::SUCCESS)
}
