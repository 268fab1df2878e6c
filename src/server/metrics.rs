//! What Prometheus scrapes.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Shared;
use super::access::{May, Reads};
use super::problem::Problem;
use crate::ledger::{Overview, State as RunState};

/// The text format's version (Prometheus documentation, "Exposition formats").
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The ledger's figures, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, description = "Prometheus's text format", body = String,
               content_type = "text/plain")))]
pub(super) async fn metrics(
    _: May<Reads>,
    State(app): Shared,
) -> Result<impl IntoResponse, Problem> {
    let overview = super::overview::look(&app).await?;
    Ok(([(header::CONTENT_TYPE, FORMAT)], text(&overview)))
}

fn text(overview: &Overview) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(String, i64)]| {
        // Writing to a String can't fail.
        write!(text, "# HELP goshift_{name} {help}\n# TYPE goshift_{name} gauge\n")
            .unwrap_or_default();
        for (labels, value) in values {
            writeln!(text, "goshift_{name}{labels} {value}").unwrap_or_default();
        }
    };
    let label = |name: &str, value: &str| format!("{{{name}=\"{value}\"}}");
    let runs: Vec<_> = [RunState::Submitted, RunState::Running, RunState::Retrying]
        .into_iter()
        .map(RunState::name)
        .map(|state| (label("state", state), overview.open.get(state).copied().unwrap_or(0)))
        .collect();
    gauge("runs_open", "Runs that are not over, by state.", &runs);
    gauge(
        "runs_overdue",
        "Runs that could start now and wait.",
        &[(String::new(), overview.overdue)],
    );
    gauge(
        "runs_dead",
        "Runs that failed and wait for a person.",
        &[(String::new(), overview.dead)],
    );
    let workers: Vec<_> =
        overview.workers.iter().map(|(state, count)| (label("state", state), *count)).collect();
    gauge("workers", "Workers, by what they say of themselves.", &workers);
    gauge(
        "worker_slots",
        "Runs that working workers take at once.",
        &[(String::new(), overview.slots)],
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_the_text_format() {
        let overview = Overview {
            open: [("running".to_owned(), 3)].into(),
            workers: [("working".to_owned(), 2)].into(),
            overdue: 1,
            dead: 4,
            slots: 5,
            ..Overview::default()
        };
        let text = text(&overview);
        assert!(text.contains("goshift_runs_open{state=\"running\"} 3\n"), "{text}");
        assert!(text.contains("goshift_runs_open{state=\"retrying\"} 0\n"), "{text}");
        assert!(text.contains("goshift_runs_dead 4\n"), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("goshift_") && value.parse::<i64>().is_ok(), "{line}");
        }
    }
}
