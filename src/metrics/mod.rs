//! Figures for Prometheus, counted where the work is done: once a shard or once a run, never once a
//! row. The labels are names of engines and of outcomes, since each combination is a series of its own.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::error::{Error, Result};
use crate::ledger::{Claim, Ending, Role};
use crate::plugin::Receipt;

pub mod listener;
mod notices;

pub use notices::NoticeMetrics;

/// The exposition format's media type (OpenMetrics 1.0).
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds: from a shard of a small table to one that waits for a throttled database.
const SHARD_SECONDS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

/// What the metrics' names begin with.
pub const PREFIX: &str = "goshift";

/// A registry's figures in the exposition format.
///
/// # Errors
/// Kind `Internal` when they have no text form.
pub fn exposition(registry: &Registry) -> Result<impl IntoResponse + use<>> {
    let mut text = String::new();
    encode(&mut text, registry)
        .map_err(|error| Error::internal("the metrics have no text form").caused_by(error))?;
    Ok(([(header::CONTENT_TYPE, FORMAT)], text))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WayLabels {
    from: &'static str,
    to: &'static str,
}

type Seconds = Family<WayLabels, Histogram, fn() -> Histogram>;

/// What a worker counts. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct WorkerMetrics {
    runs: Family<OutcomeLabels, Counter>,
    running: Gauge,
    retries: Counter,
    rescues: Counter,
    renewals: Counter,
    failed_renewals: Counter,
    rows: Family<WayLabels, Counter>,
    bytes: Family<WayLabels, Counter>,
    seconds: Seconds,
    /// What this worker has told people.
    pub notices: NoticeMetrics,
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        let runs = Family::<OutcomeLabels, Counter>::default();
        // A series that begins at its first event hides that event from rate().
        for outcome in ["succeeded", "failed", "cancelled", "retrying", "released"] {
            drop(runs.get_or_create(&OutcomeLabels { outcome }));
        }
        Self {
            runs,
            running: Gauge::default(),
            retries: Counter::default(),
            rescues: Counter::default(),
            renewals: Counter::default(),
            failed_renewals: Counter::default(),
            rows: Family::default(),
            bytes: Family::default(),
            seconds: Seconds::new_with_constructor(|| Histogram::new(SHARD_SECONDS)),
            notices: NoticeMetrics::default(),
        }
    }
}

impl WorkerMetrics {
    /// A registry that shows them.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let worker = registry.sub_registry_with_prefix("worker");
        worker.register("runs", "Runs that this worker has ended, by how", self.runs.clone());
        worker.register(
            "running",
            "Runs and parts of runs that this worker is at",
            self.running.clone(),
        );
        worker.register(
            "retries",
            "Attempts begun after an earlier attempt had ended unfinished",
            self.retries.clone(),
        );
        worker.register(
            "rescues",
            "Runs taken over from a worker whose lease had run out",
            self.rescues.clone(),
        );
        worker.register("lease_renewals", "Leases renewed", self.renewals.clone());
        worker.register(
            "lease_renewal_failures",
            "Renewals of a lease that failed",
            self.failed_renewals.clone(),
        );
        worker.register("rows", "Rows of the shards that are in, by engine", self.rows.clone());
        worker.register("bytes", "Bytes of the shards that are in, by engine", self.bytes.clone());
        worker.register(
            "shard_seconds",
            "Seconds that copying or comparing a shard took, by engine",
            self.seconds.clone(),
        );
        self.notices.register(&mut registry);
        registry
    }

    /// A run or a part in one begins; it ends when what is returned is dropped.
    pub fn working(&self, claim: &Claim) -> Working {
        if claim.rescued {
            self.rescues.inc();
        } else if claim.role == Role::Owner && claim.attempt > 1 {
            self.retries.inc();
        }
        self.running.inc();
        Working(self.running.clone())
    }

    /// A run has ended.
    pub fn ended(&self, ending: &Ending) {
        let outcome = match ending {
            Ending::Succeeded => "succeeded",
            Ending::Failed { .. } => "failed",
            Ending::Cancelled => "cancelled",
            Ending::Retry { .. } => "retrying",
            Ending::Released { .. } => "released",
        };
        self.runs.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// A lease was renewed, or could not be.
    pub fn renewed(&self, is_renewed: bool) {
        if is_renewed { &self.renewals } else { &self.failed_renewals }.inc();
    }

    /// What is counted between two engines.
    pub fn way(&self, from: &'static str, to: &'static str) -> WayMetrics {
        let labels = WayLabels { from, to };
        WayMetrics {
            rows: self.rows.get_or_create_owned(&labels),
            bytes: self.bytes.get_or_create_owned(&labels),
            seconds: self.seconds.get_or_create_owned(&labels),
        }
    }
}

/// Counts as running until it is dropped.
#[derive(Debug)]
pub struct Working(Gauge);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The counters between two engines, found once a run.
#[derive(Debug, Clone)]
pub struct WayMetrics {
    rows: Counter<u64, AtomicU64>,
    bytes: Counter<u64, AtomicU64>,
    seconds: Histogram,
}

impl WayMetrics {
    /// A shard is in.
    pub fn shard(&self, receipt: &Receipt, took: Duration) {
        self.rows.inc_by(receipt.rows);
        self.bytes.inc_by(receipt.bytes);
        self.seconds.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_under_its_name() {
        let metrics = WorkerMetrics::default();
        let receipt = Receipt { rows: 5, bytes: 70, ..Receipt::default() };
        metrics.way("mysql", "postgres").shard(&receipt, Duration::from_millis(7));
        metrics.ended(&Ending::Cancelled);
        metrics.renewed(true);
        metrics.renewed(false);
        let mut text = String::new();
        encode(&mut text, &metrics.registry()).unwrap();
        for line in [
            "goshift_worker_runs_total{outcome=\"cancelled\"} 1",
            "goshift_worker_runs_total{outcome=\"succeeded\"} 0",
            "goshift_worker_running 0",
            "goshift_worker_retries_total 0",
            "goshift_worker_rescues_total 0",
            "goshift_worker_lease_renewals_total 1",
            "goshift_worker_lease_renewal_failures_total 1",
            "goshift_worker_rows_total{from=\"mysql\",to=\"postgres\"} 5",
            "goshift_worker_bytes_total{from=\"mysql\",to=\"postgres\"} 70",
            "goshift_worker_shard_seconds_bucket{le=\"0.005\",from=\"mysql\",to=\"postgres\"} 0",
            "goshift_worker_shard_seconds_bucket{le=\"0.01\",from=\"mysql\",to=\"postgres\"} 1",
            "goshift_worker_shard_seconds_bucket{le=\"600.0\",from=\"mysql\",to=\"postgres\"} 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
