//! The worker's own small listener: `/metrics`, `/healthz` and `/readyz`.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{WorkerMetrics, exposition};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

/// A load balancer that asks does not wait longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers until it is dropped.
pub struct Listener {
    ledger: Arc<OnceLock<Ledger>>,
    task: JoinHandle<()>,
}

struct Answers {
    registry: Registry,
    ledger: Arc<OnceLock<Ledger>>,
    drain: CancellationToken,
}

impl Listener {
    /// Listens at an address. Not ready until the task database is known, nor once the worker drains.
    ///
    /// # Errors
    /// Kind `Config` when the address can't be had.
    pub async fn start(
        address: SocketAddr,
        metrics: &WorkerMetrics,
        drain: CancellationToken,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Error::config(format!("can't listen on {address} for metrics"))
                .caused_by(error)
                .with_remedy(
                    "is another worker listening there? give each its own worker.metrics_listen, \
                     or port 0 for any that is free",
                )
        })?;
        let at = listener.local_addr().unwrap_or(address);
        tracing::info!("metrics at http://{at}/metrics");
        let ledger = Arc::new(OnceLock::new());
        let answers = Answers { registry: metrics.registry(), ledger: Arc::clone(&ledger), drain };
        let router = Router::new()
            .route("/metrics", get(figures))
            .route("/healthz", get(alive))
            .route("/readyz", get(ready))
            .with_state(Arc::new(answers));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "metrics are no longer served");
            }
        });
        Ok(Self { ledger, task })
    }

    /// The task database that has to answer for the worker to be ready.
    pub fn set_ledger(&self, ledger: Ledger) {
        self.ledger.get_or_init(|| ledger);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn figures(State(answers): State<Arc<Answers>>) -> Response {
    match std::future::ready(exposition(&answers.registry)).await {
        Ok(text) => text.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn alive() -> &'static str {
    std::future::ready("ok\n").await
}

async fn ready(State(answers): State<Arc<Answers>>) -> Response {
    let unavailable = |what: &'static str| (StatusCode::SERVICE_UNAVAILABLE, what).into_response();
    if answers.drain.is_cancelled() {
        return unavailable("the worker drains\n");
    }
    let Some(ledger) = answers.ledger.get() else {
        return unavailable("not connected to the task database yet\n");
    };
    match tokio::time::timeout(PATIENCE, ledger.ping()).await {
        Ok(Ok(())) => "ok\n".into_response(),
        Ok(Err(_)) | Err(_) => unavailable("the task database does not answer\n"),
    }
}
