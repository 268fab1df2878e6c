//! `goshift-server`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use super::{Common, show};
use crate::error::{Error, Result};
use crate::server;
use crate::shutdown::Shutdown;
use crate::telemetry::{self, Audience};

const EXAMPLES: &str = "\
Examples:
  goshift-server -c etc -e prod
  goshift-server --openapi        print the API's description and exit

It listens where server.listen says, 127.0.0.1:8780 without, and beyond this machine only with
server.tokens. It does no copying itself: workers do.";

/// Serve the REST API: tasks, runs and workers
#[derive(Debug, Parser)]
#[command(name = "goshift-server", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Print the OpenAPI document and exit
    #[arg(long)]
    openapi: bool,
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
        return show::completions::<Arguments>(shell);
    }
    if arguments.openapi {
        let document = server::document().to_pretty_json();
        let document = document
            .map_err(|error| Error::internal("the document has no JSON form").caused_by(error))?;
        show::line(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = arguments.common.settings()?;
    let _telemetry = telemetry::start("goshift-server", &settings, Audience::Operator)?;
    Box::pin(server::serve(settings, Shutdown::listen(false)?)).await?;
    Ok(ExitCode::SUCCESS)
}
