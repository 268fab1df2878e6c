//! What Prometheus scrapes: the ledger's figures, and the broker's.

use axum::extract::State;
use axum::response::IntoResponse;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Shared;
use super::access::{May, Reads};
use super::problem::Problem;
use crate::ledger::{Overview, State as RunState};
use crate::metrics::{PREFIX, exposition};

/// The ledger's figures and the broker's, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, description = "OpenMetrics' text format", body = String,
               content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(
    _: May<Reads>,
    State(app): Shared,
) -> Result<impl IntoResponse, Problem> {
    let overview = super::overview::look(&app).await?;
    let waiting = match app.submitter.publisher() {
        Some(publisher) => publisher.waiting().await,
        None => None,
    };
    Ok(exposition(&registry(&overview, waiting.as_deref()))?)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    queue: String,
}

/// All figures of one moment. `waiting` is absent where there is no broker to ask.
fn registry(overview: &Overview, waiting: Option<&[(String, u64)]>) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    let open = [RunState::Submitted, RunState::Running, RunState::Retrying].map(RunState::name);
    let open = open.map(|state| (state, overview.open.get(state).copied().unwrap_or(0)));
    registry.register("runs_open", "Runs that are not over, by state", by_state(open));
    registry.register(
        "runs_overdue",
        "Runs that could start now and wait",
        single(overview.overdue),
    );
    registry.register("runs_dead", "Runs that failed and wait for a person", single(overview.dead));
    let workers = overview.workers.iter().map(|(state, count)| (state.as_str(), *count));
    registry.register("workers", "Workers, by what they say of themselves", by_state(workers));
    registry.register(
        "worker_slots",
        "Runs that working workers take at once",
        single(overview.slots),
    );
    if let Some(waiting) = waiting {
        let queues = Family::<QueueLabels, Gauge>::default();
        for (queue, messages) in waiting {
            let labels = QueueLabels { queue: queue.clone() };
            queues.get_or_create(&labels).set(i64::try_from(*messages).unwrap_or(i64::MAX));
        }
        registry.register("queue_messages", "Messages that can be fetched from a queue", queues);
    }
    registry
}

fn single(value: i64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}

fn by_state<'a>(values: impl IntoIterator<Item = (&'a str, i64)>) -> Family<StateLabels, Gauge> {
    let family = Family::<StateLabels, Gauge>::default();
    for (state, value) in values {
        family.get_or_create(&StateLabels { state: state.to_owned() }).set(value);
    }
    family
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn text(waiting: Option<&[(String, u64)]>) -> String {
        let overview = Overview {
            open: [("running".to_owned(), 3)].into(),
            workers: [("working".to_owned(), 2)].into(),
            overdue: 1,
            dead: 4,
            slots: 5,
            ..Overview::default()
        };
        let mut text = String::new();
        encode(&mut text, &registry(&overview, waiting)).unwrap();
        text
    }

    #[test]
    fn every_figure_has_its_name() {
        let text = text(Some(&[("goshift.dead".to_owned(), 6)]));
        for line in [
            "# TYPE goshift_runs_open gauge",
            "goshift_runs_open{state=\"running\"} 3",
            "goshift_runs_open{state=\"retrying\"} 0",
            "goshift_runs_overdue 1",
            "goshift_runs_dead 4",
            "goshift_workers{state=\"working\"} 2",
            "goshift_worker_slots 5",
            "goshift_queue_messages{queue=\"goshift.dead\"} 6",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn without_a_broker_there_are_no_figures_of_queues() {
        assert!(!text(None).contains("queue_messages"));
    }
}
