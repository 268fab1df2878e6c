//! Whether the server is there, and whether it can work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::problem::Problem;
use crate::error::Error;

/// A load balancer that asks does not wait longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// That all is well.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`.
    status: &'static str,
    /// goshift's version.
    version: &'static str,
}

const WELL: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// The process answers.
#[utoipa::path(get, path = "/healthz", operation_id = "alive", tag = "health", security(()),
    responses((status = 200, description = "It answers", body = Health)))]
pub(super) async fn alive() -> Json<Health> {
    std::future::ready(Json(WELL)).await
}

/// The task database answers too.
#[utoipa::path(get, path = "/readyz", operation_id = "ready", tag = "health", security(()),
    responses((status = 200, description = "It can work", body = Health),
              (status = 503, description = "The task database does not answer", body = Problem,
               content_type = "application/problem+json")))]
pub(super) async fn ready(State(app): Shared) -> Response {
    match tokio::time::timeout(PATIENCE, app.ledger.ping()).await {
        Ok(Ok(())) => Json(WELL).into_response(),
        Ok(Err(error)) => Problem::from(error).into_response(),
        Err(_) => {
            let silent = Error::transient("the task database does not answer");
            Problem::from(silent).into_response()
        }
    }
}
