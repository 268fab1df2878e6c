//! The whole at a glance.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::access::{May, Reads};
use super::problem::Problem;
use super::{App, Shared};
use crate::error::Result;
use crate::ledger;

/// However many look, the ledger is counted once in this time.
const FRESH: Duration = Duration::from_secs(1);

/// Runs and workers, counted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Overview {
    /// Runs that are not over, by state.
    runs: BTreeMap<String, i64>,
    /// Runs that could start now and wait.
    overdue: i64,
    /// Runs that failed and wait for a person.
    dead: i64,
    /// Workers, by what they say of themselves.
    workers: BTreeMap<String, i64>,
    /// Runs that working workers take at once.
    slots: i64,
    /// Rows a second that all runs together have got in, over the last minute.
    rows_per_second: f64,
    /// The same in bytes.
    bytes_per_second: f64,
    /// Runs that have ended within the last day, by state.
    last_day: BTreeMap<String, i64>,
    /// The server's version.
    version: &'static str,
}

impl From<ledger::Overview> for Overview {
    fn from(seen: ledger::Overview) -> Self {
        Self {
            runs: seen.open,
            overdue: seen.overdue,
            dead: seen.dead,
            workers: seen.workers,
            slots: seen.slots,
            rows_per_second: seen.rows_per_second,
            bytes_per_second: seen.bytes_per_second,
            last_day: seen.last_day,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The last look at the ledger.
#[derive(Default)]
pub(super) struct Seen(Mutex<Option<(Instant, ledger::Overview)>>);

/// What the ledger shows, now or a second ago.
pub(super) async fn look(app: &App) -> Result<ledger::Overview> {
    let mut seen = app.seen.0.lock().await;
    if let Some((at, overview)) = seen.as_ref()
        && at.elapsed() < FRESH
    {
        return Ok(overview.clone());
    }
    let overview = app.ledger.overview(app.settings.worker.lease).await?;
    *seen = Some((Instant::now(), overview.clone()));
    Ok(overview)
}

/// Counts runs and workers; figures may be a second old.
#[utoipa::path(get, path = "/overview", operation_id = "overview", tag = "health",
    responses((status = 200, description = "The whole at a glance", body = Overview)))]
pub(super) async fn show(_: May<Reads>, State(app): Shared) -> Result<Json<Overview>, Problem> {
    Ok(Json(look(&app).await?.into()))
}
