//! What people see: tables, lines and notices.
//!
//! Everything fits the terminal's width; elsewhere lines are as long as they need to be.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::error::{Error, Result};
use crate::ledger::{PauseRow, Progress};

pub(super) mod people;
mod table;

pub(super) use table::{Table, wrap};

/// Writes a line of the command's result.
///
/// # Errors
/// When standard output is gone.
pub(super) fn line(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| Error::usage("can't write to standard output").caused_by(error))
}

/// Writes a line about what is going on.
#[allow(clippy::print_stderr, reason = "this is the terminal's notice output")]
pub(super) fn notice(text: &str) {
    eprintln!("{text}");
}

/// A shell's completions for a command.
///
/// # Errors
/// When standard output is gone.
pub(super) fn completions<T: CommandFactory>(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut command = T::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    std::io::stdout()
        .lock()
        .write_all(&script)
        .map_err(|error| Error::usage("can't write to standard output").caused_by(error))?;
    Ok(ExitCode::SUCCESS)
}

/// Who runs this command, for the ledger.
pub(super) fn who() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "cli".to_owned())
}

/// Why a run doesn't start.
pub(super) fn waits_for(place: &str) -> String {
    format!("waits for {place}, which has its max_runs at work")
}

/// A run's figures in a line.
pub(super) fn progress(progress: &Progress) -> String {
    let mut text = progress.state.clone();
    if progress.shards_total > 0 {
        let open = if progress.split_done { "" } else { "+" };
        text.push_str(&format!(
            "  {} rows, shards {}/{}{open}",
            people::count(progress.rows_done as i64),
            people::count(progress.shards_done as i64),
            people::count(progress.shards_total as i64)
        ));
    }
    if let Some(place) = &progress.waits_for {
        text.push_str(&format!("  {}", waits_for(place)));
    }
    if let Some(reason) = &progress.reason {
        text.push_str(&format!("  {reason}"));
    }
    if let Some(remedy) = &progress.remedy {
        text.push_str(&format!("\n  → {remedy}"));
    }
    text
}

/// How wide the terminal is; `None` when standard output is something else. COLUMNS decides if it
/// is set.
pub(super) fn width() -> Option<usize> {
    let set = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    set.filter(|width| *width > 0).or_else(|| {
        let terminal = console::Term::stdout();
        terminal.is_term().then(|| usize::from(terminal.size().1))
    })
}

/// Writes lines of the command's result.
///
/// # Errors
/// When standard output is gone.
pub(super) fn lines(lines: &[String]) -> Result<()> {
    lines.iter().try_for_each(|text| line(text))
}

/// Prints a table, as wide as the terminal at most.
///
/// # Errors
/// When standard output is gone.
pub(super) fn table(table: &Table) -> Result<()> {
    lines(&table.lines(width()))
}

/// A value on one line of JSON.
///
/// # Errors
/// Kind `Internal` when it has no JSON form.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::internal("no JSON form").caused_by(e))
}

/// What is paused, each with the way out, in lines that fit the width.
pub(super) fn pauses(pauses: &[PauseRow], width: Option<usize>) -> Vec<String> {
    let text = |pause: &PauseRow| {
        let by = pause.paused_by.as_deref().map(|who| format!(" by {who}")).unwrap_or_default();
        let why = pause.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let since = people::ago(pause.age_ms);
        let remedy = pause.remedy();
        people::plain(&format!("{} is paused ({since}{by}{why}) → {remedy}", pause.what()))
    };
    pauses.iter().flat_map(|pause| wrap(&text(pause), "", width, usize::MAX)).collect()
}
