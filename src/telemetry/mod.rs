//! What a process tells of itself while it works: its log, and the spans of its runs.
//!
//! The log goes to standard error, and to daily files under `log.log_path`. Spans go to a collector
//! where one is configured.

use std::io::IsTerminal;
use std::path::Path;

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::Settings;
use crate::config::sections::{LogFormat, LogSettings};
use crate::error::{Error, Result};
use lines::Lines;

mod export;
mod lines;
pub mod trace;
pub mod traceparent;

/// Keeps what was started alive; dropping it sends and writes what is left.
pub struct Telemetry {
    #[expect(dead_code, reason = "held for its drop")]
    export: Option<export::Export>,
    #[expect(dead_code, reason = "held for its drop")]
    file: Option<WorkerGuard>,
}

/// Who reads a binary's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The person who has called a command whose output is its result: warnings only, and in words.
    Caller,
    /// Whoever runs a service: notices too, as JSON where no terminal shows them.
    Operator,
}

/// Starts the log of a binary, and the export of spans where it is configured.
///
/// # Errors
/// Kind `Config` when the log folder can't be made, the level can't be read, or spans can't go where
/// they are to.
pub fn start(binary: &str, settings: &Settings, audience: Audience) -> Result<Telemetry> {
    let (terminal, log) = (std::io::stderr().is_terminal(), &settings.log);
    let telemetry = settings.telemetry()?;
    let (file, guard) = match &log.log_path {
        None => (None, None),
        Some(folder) => {
            let (writer, guard) = tracing_appender::non_blocking(daily(folder, binary)?);
            (Some(layer(Lines::Json, writer, false, filter(log, Audience::Operator)?)), Some(guard))
        }
    };
    let lines = match (log.format, audience) {
        (LogFormat::Json, _) => Lines::Json,
        (LogFormat::Auto, Audience::Operator) if !terminal => Lines::Json,
        (LogFormat::Auto | LogFormat::Human, _) => Lines::Human,
    };
    let export = export::Export::start(binary, &telemetry)?;
    let spans = export.as_ref().map(|export| {
        trace::switch_on(export.tracer(), telemetry.ratio());
        tracing_opentelemetry::layer()
            .with_tracer(export.tracer())
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(FilterFn::new(is_span_of_ours).with_max_level_hint(LevelFilter::ERROR))
    });
    tracing_subscriber::registry()
        .with(layer(lines, std::io::stderr, terminal, filter(log, audience)?))
        .with(file)
        .with(spans)
        .try_init()
        .map_err(|error| Error::internal("logging was started twice").caused_by(error))?;
    Ok(Telemetry { export, file: guard })
}

fn layer<S, W>(
    lines: Lines,
    writer: W,
    is_coloured: bool,
    filter: EnvFilter,
) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(lines)
        .with_writer(writer)
        .with_ansi(is_coloured)
        .with_filter(filter)
}

/// The drivers log each reconnect and protocol detail as a warning of their own; what matters of it
/// reaches the log through goshift's errors.
fn filter(settings: &LogSettings, audience: Audience) -> Result<EnvFilter> {
    let default = match audience {
        Audience::Caller => "goshift=warn,lapin=off,error",
        Audience::Operator => "goshift=info,lapin=off,error",
    };
    let configured = std::env::var("RUST_LOG").ok().or_else(|| settings.level.clone());
    EnvFilter::try_new(configured.as_deref().unwrap_or(default))
        .map_err(|error| Error::config("log.level can't be read").caused_by(error))
}

fn daily(folder: &str, binary: &str) -> Result<tracing_appender::rolling::RollingFileAppender> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::config(format!("can't make the log folder {folder}"))
            .caused_by(error)
            .with_remedy("correct log.log_path, or make the folder writable")
    })?;
    Ok(tracing_appender::rolling::daily(Path::new(folder), format!("{binary}.log")))
}

/// Events stay in the log: their texts may hold a key at fault.
fn is_span_of_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("goshift")
}
