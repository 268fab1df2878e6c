//! How a line of the log is written: for a person, or as JSON for a program.
//!
//! The fields of the spans around an event are part of its line, so that every line about a run has
//! the run's id and its task's.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Fields that begin so are meant for traces, or come from the `log` crate's bridge.
const HIDDEN: [&str; 3] = ["otel.", "error.type", "log."];
/// What every JSON line has; a field of the same name must not take its place.
const TIMESTAMP: &str = "timestamp";
const LEVEL: &str = "level";
const MESSAGE: &str = "message";

/// Writes one line an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Time, level, message, then `field=value`.
    Human,
    /// One object: `timestamp`, `level`, `message`, then the fields.
    Json,
}

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut collected = Collected::default();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<JsonFields>>() {
                collected.add_span(fields)?;
            }
        }
        event.record(&mut collected);
        match self {
            Self::Human => human(&mut writer, *event.metadata().level(), &collected),
            Self::Json => json(&mut writer, *event.metadata().level(), &collected),
        }
    }
}

/// The message and the fields of an event and of the spans around it; the innermost wins.
#[derive(Default)]
struct Collected {
    message: String,
    fields: Map<String, Value>,
}

impl Collected {
    /// Adds a span's fields, which are kept as the text of a JSON object.
    fn add_span(&mut self, fields: &str) -> fmt::Result {
        if fields.is_empty() {
            return Ok(());
        }
        let Value::Object(fields) = serde_json::from_str(fields).map_err(|_| fmt::Error)? else {
            return Err(fmt::Error);
        };
        fields.into_iter().for_each(|(name, value)| self.add(&name, value));
        Ok(())
    }

    fn add(&mut self, name: &str, value: Value) {
        if HIDDEN.iter().any(|hidden| name.starts_with(hidden)) {
            return;
        }
        match (name, value) {
            (MESSAGE, Value::String(text)) => self.message = text,
            (TIMESTAMP | LEVEL, value) => drop(self.fields.insert(format!("{name}_"), value)),
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value.into());
    }
}

fn json(writer: &mut Writer<'_>, level: Level, collected: &Collected) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let head =
        [(TIMESTAMP, time), (LEVEL, level.to_string()), (MESSAGE, collected.message.clone())];
    let mut line: Map<String, Value> =
        head.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    line.extend(collected.fields.clone());
    writeln!(writer, "{}", Value::Object(line))
}

fn human(writer: &mut Writer<'_>, level: Level, collected: &Collected) -> fmt::Result {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    let is_coloured = writer.has_ansi_escapes();
    let (dim, strong, plain) = match is_coloured {
        true => ("\u{1b}[2m".to_owned(), format!("\u{1b}[{colour}m"), "\u{1b}[0m"),
        false => Default::default(),
    };
    write!(writer, "{dim}")?;
    SystemTime.format_time(writer)?;
    write!(writer, "{plain} {strong}{level:>5}{plain} {}", printable(&collected.message))?;
    for (name, value) in &collected.fields {
        let text = match value {
            Value::String(text) => printable(text),
            other => other.to_string(),
        };
        write!(writer, " {dim}{name}={plain}{text}")?;
    }
    writeln!(writer)
}

/// A text that can't steer the terminal.
fn printable(text: &str) -> String {
    let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_harmless(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(lines: Lines, log: impl FnOnce()) -> String {
        let page = Page::default();
        let target = page.clone();
        let layer = fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(lines)
            .with_ansi(false)
            .with_writer(move || target.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    fn about_a_run() {
        let run = tracing::error_span!("run", task = 5, run = "r1", otel.kind = "consumer");
        run.in_scope(|| {
            let shard = tracing::error_span!("shard", shard = 2_u64, rows = tracing::field::Empty);
            shard.record("rows", 7);
            shard.in_scope(
                || tracing::warn!(error = %"no\u{1b}[31m answer", level = 3, "left {}", 1),
            );
        });
    }

    #[test]
    fn a_json_line_has_the_fields_of_all_spans_around_it() {
        let text = written(Lines::Json, about_a_run);
        let mut line: Value = serde_json::from_str(text.trim_end()).unwrap();
        let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(humantime::parse_rfc3339_weak(time.as_str().unwrap()).is_ok(), "{time}");
        let expected = serde_json::json!({"level": "WARN", "message": "left 1", "task": 5, "run": "r1",
            "shard": 2, "rows": 7, "error": "no\u{1b}[31m answer", "level_": 3});
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_for_a_person_begins_with_what_happened_and_cannot_steer_the_terminal() {
        let text = written(Lines::Human, about_a_run);
        let (_, text) = text.split_once("  ").unwrap();
        assert_eq!(
            text,
            "WARN left 1 run=r1 task=5 rows=7 shard=2 error=no\\u{1b}[31m answer level_=3\n"
        );
    }
}
