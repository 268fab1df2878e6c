//! The three command lines: arguments → configuration → one call → exit code.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, FromArgMatches};

use crate::config::Settings;
use crate::error::{Error, Kind, Result};

mod dead;
mod find;
pub mod goshift;
pub mod server;
mod show;
pub mod submit;
pub mod worker;

/// Flags of all binaries.
#[derive(Debug, Args)]
pub struct Common {
    /// Folder of the configuration files
    #[arg(short = 'c', long = "config", value_name = "DIR", default_value = "etc", global = true)]
    pub folder: PathBuf,
    /// Environment: the prefix of the configuration file, as in dev, test, prod or local
    #[arg(short = 'e', long = "env", value_name = "ENV", default_value = "local", global = true)]
    pub env: String,
    /// Put environment variables into the configuration
    #[arg(
        long = "UsedEnv", alias = "used-env", value_name = "BOOL", default_value_t = true,
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = clap::ArgAction::Set, global = true
    )]
    pub used_env: bool,
}

impl Common {
    /// Loads the configuration these flags name.
    ///
    /// # Errors
    /// Kind `Config`.
    pub fn settings(&self) -> Result<Arc<Settings>> {
        Settings::load(&self.folder, &self.env, self.used_env).map(Arc::new)
    }
}

/// Parses a command line in which long flags may have one dash, as Go's do: `-id 5`,
/// `-UsedEnv=false`. On `--help` or wrong usage the outer `Err` is the exit code.
fn parse<T: CommandFactory + FromArgMatches>(
    arguments: impl Iterator<Item = OsString>,
) -> Result<T, ExitCode> {
    let command = T::command();
    let mut long = Vec::new();
    long_flags(&command, &mut long);
    let arguments = arguments.map(|argument| double_dash(argument, &long));
    let parsed =
        command.try_get_matches_from(arguments).and_then(|matches| T::from_arg_matches(&matches));
    parsed.map_err(|error| {
        // A closed terminal is no reason for another exit code.
        error.print().unwrap_or_default();
        ExitCode::from(if error.use_stderr() { 2 } else { 0 })
    })
}

fn long_flags(command: &clap::Command, names: &mut Vec<String>) {
    for argument in command.get_arguments() {
        names.extend(argument.get_long().map(str::to_owned));
        names.extend(argument.get_all_aliases().into_iter().flatten().map(str::to_owned));
    }
    names.extend(["help".to_owned(), "version".to_owned()]);
    for subcommand in command.get_subcommands() {
        long_flags(subcommand, names);
    }
}

fn double_dash(argument: OsString, long: &[String]) -> OsString {
    let Some(text) = argument.to_str() else { return argument };
    let Some(rest) = text.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else {
        return argument;
    };
    let name = rest.split('=').next().unwrap_or(rest);
    if name.len() > 1 && long.iter().any(|known| known == name) {
        return format!("-{text}").into();
    }
    argument
}

/// Ends a binary: prints the error with its remedy and chooses the exit code.
fn finish(result: Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// The error for the person at the terminal.
#[allow(clippy::print_stderr, reason = "this is the terminal's error output")]
fn report(error: &Error) {
    let word = if error.kind() == Kind::Cancelled { "stopped" } else { "error" };
    eprintln!("{word}: {error}");
    if let Some(remedy) = error.remedy() {
        eprintln!("  → {remedy}");
    }
}

/// Starts tokio and runs `work` on it.
fn block_on(work: impl Future<Output = Result<ExitCode>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = finish(runtime.block_on(work));
            // The process ends here. Taking the runtime down task by task would only make lapin's
            // thread panic over a connection attempt that is cut off.
            std::mem::forget(runtime);
            code
        }
        Err(error) => finish(Err(Error::internal("can't start").caused_by(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dashes(text: &str) -> String {
        let long = ["id".to_owned(), "UsedEnv".to_owned()];
        double_dash(text.into(), &long).to_string_lossy().into_owned()
    }

    #[test]
    fn go_s_flags_are_taken_as_they_are() {
        assert_eq!(dashes("-id"), "--id");
        assert_eq!(dashes("-UsedEnv=false"), "--UsedEnv=false");
        assert_eq!(dashes("--id"), "--id");
        assert_eq!(dashes("-c"), "-c");
        assert_eq!(dashes("-"), "-");
        assert_eq!(dashes("-5"), "-5");
    }

    #[test]
    fn the_command_lines_are_sound() {
        goshift::Arguments::command().debug_assert();
        submit::Arguments::command().debug_assert();
        worker::Arguments::command().debug_assert();
    }
}
