//! The workers, and pauses: of the fleet, or of a queue.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Shared;
use super::access::{Administers, May, Reads};
use super::extract;
use super::page::Page;
use super::problem::Problem;
use super::submit::CALLER;
use crate::event::Priority;
use crate::ledger::{PauseRow, Scope, SeenWorker};

/// Why there is a pause.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// What for, for those who wonder.
    reason: Option<String>,
}

/// Lists the workers, as they say of themselves.
#[utoipa::path(get, path = "/workers", operation_id = "listWorkers", tag = "workers",
    responses((status = 200, description = "All workers", body = Page<SeenWorker>)))]
pub(super) async fn list(
    _: May<Reads>,
    State(app): Shared,
) -> Result<Json<Page<SeenWorker>>, Problem> {
    Ok(Json(Page::whole(app.ledger.workers(app.settings.worker.lease).await?)))
}

/// Asks a worker to drain: it takes nothing new, finishes what it has, and ends. It hears of that at its
/// next heartbeat. Repeating it is harmless.
#[utoipa::path(put, path = "/workers/{worker}/drain", operation_id = "drainWorker", tag = "workers",
    params(("worker" = String, Path, description = "Its name, as the list has it")),
    responses((status = 204, description = "It is asked to")))]
pub(super) async fn drain(
    _: May<Administers>,
    State(app): Shared,
    extract::Path(worker): extract::Path<String>,
) -> Result<StatusCode, Problem> {
    match app.ledger.drain_worker(&worker).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(format!("there is no worker \"{worker}\""))),
    }
}

/// Lists the pauses.
#[utoipa::path(get, path = "/pauses", operation_id = "listPauses", tag = "workers",
    responses((status = 200, description = "All pauses", body = Page<PauseRow>)))]
pub(super) async fn pauses(
    _: May<Reads>,
    State(app): Shared,
) -> Result<Json<Page<PauseRow>>, Problem> {
    Ok(Json(Page::whole(app.ledger.pauses().await?)))
}

fn scope(name: &str) -> Result<Scope, Problem> {
    let queue = [Priority::Low, Priority::Normal, Priority::High];
    match name {
        "fleet" => Ok(Scope::Fleet),
        name => queue
            .into_iter()
            .find(|priority| priority.name() == name)
            .map(Scope::Queue)
            .ok_or_else(|| Problem::not_found(format!("there is no queue \"{name}\""))),
    }
}

/// Pauses the fleet or a queue: it takes no new runs; those that run go on. Repeating it is harmless.
#[utoipa::path(put, path = "/pauses/{scope}", operation_id = "pause", tag = "workers", request_body = Reason,
    params(("scope" = String, Path, description = "`fleet`, `low`, `normal` or `high`")),
    responses((status = 204, description = "Nothing of it starts any more")))]
pub(super) async fn pause(
    _: May<Administers>,
    State(app): Shared,
    extract::Path(name): extract::Path<String>,
    extract::Json(why): extract::Json<Reason>,
) -> Result<StatusCode, Problem> {
    app.ledger.pause(scope(&name)?, CALLER, why.reason.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a pause, and wakes the workers for what waited.
#[utoipa::path(delete, path = "/pauses/{scope}", operation_id = "resume", tag = "workers",
    params(("scope" = String, Path, description = "`fleet`, `low`, `normal` or `high`")),
    responses((status = 204, description = "It takes runs")))]
pub(super) async fn resume(
    _: May<Administers>,
    State(app): Shared,
    extract::Path(name): extract::Path<String>,
) -> Result<StatusCode, Problem> {
    if !app.ledger.resume(scope(&name)?).await? {
        return Err(Problem::not_found(format!("\"{name}\" is not paused")));
    }
    app.submitter.wake_due().await?;
    Ok(StatusCode::NO_CONTENT)
}
