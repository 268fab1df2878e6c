//! The spans that begin the traces of runs.

use std::borrow::Cow;

use tracing::field::{Empty, display};
use tracing::{Span, error_span};

use super::{Entered, NewRun};
use crate::error::Error;
use crate::telemetry::trace;
use crate::telemetry::traceparent::Traceparent;

/// Submissions, each with a span.
pub(super) struct Submitting<'a> {
    runs: Cow<'a, [NewRun]>,
    spans: Vec<Span>,
}

impl<'a> Submitting<'a> {
    /// Begins a span a run: of a new trace, or of the one the run brings.
    pub fn start(runs: &'a [NewRun]) -> Self {
        if !trace::is_on() {
            return Self { runs: Cow::Borrowed(runs), spans: Vec::new() };
        }
        let (mut runs, mut spans) = (runs.to_vec(), Vec::with_capacity(runs.len()));
        for run in &mut runs {
            let span = error_span!(
                parent: None, "submit", task = run.task_id, run = Empty, "otel.status_code" = Empty,
                "error.type" = Empty
            );
            if let Some(parent) = run.traceparent.as_deref().and_then(Traceparent::parse) {
                trace::put_below(&span, &parent);
            }
            run.traceparent =
                trace::place(&span).map(|at| at.to_string()).or(run.traceparent.take());
            spans.push(span);
        }
        Self { runs: Cow::Owned(runs), spans }
    }

    /// The submissions, each with its trace.
    pub fn runs(&self) -> &[NewRun] {
        &self.runs
    }

    /// Notes what became of them.
    pub fn note(&self, entered: &Entered) {
        for (span, submitted) in self.spans.iter().zip(&entered.accepted) {
            span.record("run", display(submitted.run_id));
        }
        let refused = self.spans.get(entered.accepted.len());
        if let (Some(error), Some(span)) = (&entered.refused, refused) {
            trace::fail(span, error);
        }
    }

    /// Notes that none was entered.
    pub fn fail(&self, error: &Error) {
        self.spans.iter().for_each(|span| trace::fail(span, error));
    }
}
