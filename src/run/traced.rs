//! The span around all that a process does for a claim.

use opentelemetry::KeyValue;
use tracing::field::{Empty, display};
use tracing::{Span, error_span};

use crate::fence::Moment;
use crate::ledger::{Claim, Role};
use crate::telemetry::trace;
use crate::telemetry::traceparent::Traceparent;

/// Begins the span: `run` for the owner, `part` for one that takes part. Its fields are in every line
/// of the log within. `message` is the `traceparent` of the message that brought the run.
pub fn working(claim: &Claim, message: Option<&str>) -> Span {
    let (task, run, attempt) = (claim.task_id, display(claim.run_id), claim.attempt);
    let span = match claim.role {
        Role::Owner => error_span!(
            parent: None, "run", "otel.kind" = "consumer", task, run, attempt,
            "otel.status_code" = Empty, "error.type" = Empty
        ),
        Role::Participant => error_span!(
            parent: None, "part", "otel.kind" = "consumer", task, run, attempt,
            part = claim.epoch, "otel.status_code" = Empty, "error.type" = Empty
        ),
    };
    if trace::is_on() {
        let parent = parent(claim, message);
        // Whose trace a claim belongs to is known only once it has succeeded.
        let attributes = vec![
            KeyValue::new("task", claim.task_id),
            KeyValue::new("run", claim.run_id.to_string()),
            KeyValue::new("attempt", i64::from(claim.attempt)),
            KeyValue::new("rescued", claim.rescued),
        ];
        trace::past("claim", Moment::now().since(claim.claimed_at), &parent, attributes);
        trace::put_below(&span, &parent);
    }
    span
}

/// What a claimed run's spans are below: its message, if that is of the run's trace.
fn parent(claim: &Claim, message: Option<&str>) -> Traceparent {
    let own = claim.traceparent.as_deref().and_then(Traceparent::parse);
    let message = message.and_then(Traceparent::parse);
    match (own, message) {
        (Some(own), Some(message)) if message.is_with(&own) => message,
        (Some(own), _) => own,
        (None, _) => trace::of_run(claim.run_id),
    }
}
