//! The spans of a run's trace, from its submission to its end.
//!
//! A trace begins where a run is submitted, or comes with the message that asks for it. The ledger
//! keeps it with the run, so that every attempt, every participant and every later message is in it.
//! Spans hold ids, counts and kinds of errors, never a row's values.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, TraceContextExt, Tracer};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::field::Empty;
use tracing::{Instrument, Span, error_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::traceparent::Traceparent;
use crate::error::{Error, Result};
use crate::event::Event;

/// Set where spans are exported.
static EXPORT: OnceLock<Export> = OnceLock::new();

struct Export {
    tracer: SdkTracer,
    /// The share of traces that are recorded.
    ratio: f64,
}

/// From now on spans are exported.
pub(super) fn switch_on(tracer: SdkTracer, ratio: f64) {
    // A process has one export; `start` refuses a second.
    drop(EXPORT.set(Export { tracer, ratio }));
}

/// Whether spans are exported.
pub fn is_on() -> bool {
    EXPORT.get().is_some()
}

/// The trace of a run whose submitter has begun none.
pub fn of_run(run_id: Uuid) -> Traceparent {
    let is_sampled =
        EXPORT.get().is_none_or(|export| Traceparent::is_sampled(run_id, export.ratio));
    Traceparent::of_run(run_id, is_sampled)
}

/// Where a span stands, if it is exported.
pub fn place(span: &Span) -> Option<Traceparent> {
    Traceparent::of_context(&span.context())
}

/// Makes a span that has not begun yet a child of this one.
pub fn put_below(span: &Span, parent: &Traceparent) {
    if span.set_parent(parent.context()).is_err() {
        tracing::debug!("a span has begun before its parent was known");
    }
}

/// Notes in a span how its work ended.
pub fn note<T>(span: &Span, result: &Result<T>) {
    if let Err(error) = result {
        fail(span, error);
    }
}

/// Notes in a span that its work has failed, and by which kind of error.
pub fn fail(span: &Span, error: &Error) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error.kind().name());
}

/// Ends a span now: a task that is being stopped may hold it for a while yet, and what is held when the
/// process ends would not be exported.
pub fn end(span: &Span) {
    if is_on() {
        span.context().span().end();
    }
}

/// Does the work in a span, and notes how it ended.
pub async fn within<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = work.instrument(span.clone()).await;
    note(&span, &result);
    end(&span);
    result
}

/// The span of one step of a run: `plan`, `settle` or `finish`.
macro_rules! step {
    ($name:literal) => {
        tracing::error_span!(
            $name,
            "otel.status_code" = tracing::field::Empty,
            "error.type" = tracing::field::Empty
        )
    };
}
pub(crate) use step;

/// The span of a shard.
pub fn shard(number: u64) -> Span {
    error_span!(
        "shard",
        shard = number,
        rows = Empty,
        "otel.status_code" = Empty,
        "error.type" = Empty
    )
}

/// A span for something that is over, and took so long.
pub fn past(name: &'static str, took: Duration, parent: &Traceparent, attributes: Vec<KeyValue>) {
    let Some(export) = EXPORT.get() else { return };
    let end = SystemTime::now();
    let builder = export.tracer.span_builder(name).with_start_time(end - took);
    let builder = builder.with_attributes(attributes);
    builder.start_with_context(&export.tracer, &parent.context()).end_with_timestamp(end);
}

/// The span of a message on its way to the broker, and the message's `traceparent`.
pub fn publishing(event: &Event) -> (Span, Option<String>) {
    let own = event.traceparent.as_deref().and_then(Traceparent::parse);
    let own = own.or_else(|| event.run_id.map(of_run));
    if !is_on() {
        return (Span::none(), own.map(|at| at.to_string()));
    }
    let span = error_span!(
        parent: None, "publish", "otel.kind" = "producer", task = event.task_id,
        run = event.run_id.map(display), "otel.status_code" = Empty, "error.type" = Empty
    );
    if let Some(own) = &own {
        put_below(&span, own);
    }
    let at = place(&span).or(own);
    (span, at.map(|at| at.to_string()))
}
