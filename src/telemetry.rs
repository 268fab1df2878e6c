//! Logs: to the terminal, and to daily files under `log.log_path`.

use std::io::IsTerminal;
use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::sections::LogSettings;
use crate::error::{Error, Result};

/// Keeps the log file's writer alive; dropping it flushes.
pub struct Logs(#[expect(dead_code, reason = "held for its drop")] Option<WorkerGuard>);

/// Starts logging for a binary. `quiet` keeps notices off the terminal, for commands whose output
/// is their result; warnings stay.
///
/// # Errors
/// Kind `Config` when the log folder can't be made or the level can't be read.
pub fn start(binary: &str, settings: &LogSettings, quiet: bool) -> Result<Logs> {
    let configured = std::env::var("RUST_LOG").ok().or_else(|| settings.level.clone());
    // The drivers log each reconnect and protocol detail as a warning of their own; what matters
    // of it reaches the log through goshift's errors.
    let base = if quiet { "goshift=warn,lapin=off,error" } else { "goshift=info,lapin=off,error" };
    let filter = |default: &str| {
        EnvFilter::try_new(configured.as_deref().unwrap_or(default))
            .map_err(|error| Error::config("log.level can't be read").caused_by(error))
    };
    let terminal = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(filter(base)?);
    let (file, guard) = match &settings.log_path {
        None => (None, None),
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| {
                Error::config(format!("can't make the log folder {folder}"))
                    .caused_by(error)
                    .with_remedy("correct log.log_path, or make the folder writable")
            })?;
            let appender =
                tracing_appender::rolling::daily(Path::new(folder), format!("{binary}.log"));
            let (writer, guard) = tracing_appender::non_blocking(appender);
            let layer = fmt::layer()
                .with_writer(writer)
                .with_ansi(false)
                .with_target(false)
                .with_filter(filter("goshift=info,lapin=off,error")?);
            (Some(layer), Some(guard))
        }
    };
    tracing_subscriber::registry()
        .with(terminal)
        .with(file)
        .try_init()
        .map_err(|error| Error::internal("logging was started twice").caused_by(error))?;
    Ok(Logs(guard))
}
