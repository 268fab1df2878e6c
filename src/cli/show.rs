//! What people see: tables, lines and notices.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::error::{Error, Result};
use crate::ledger::Progress;

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
            progress.rows_done, progress.shards_done, progress.shards_total
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

/// Rows under a heading, columns aligned.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&text| text.to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| cell.replace('\n', " ")).collect());
    }

    /// Prints the table; the last column takes the room that it needs.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(super) fn print(&self) -> Result<()> {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max()
        };
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}
