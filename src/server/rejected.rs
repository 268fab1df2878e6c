//! Rows that runs have left out.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::Shared;
use super::access::{May, Reads};
use super::extract;
use super::page::{Page, limit};
use super::problem::Problem;
use crate::ledger::RejectedRow;

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only this run's.
    run_id: Option<Uuid>,
    /// Only this task's.
    task_id: Option<i64>,
    /// Those too that were tried again.
    #[serde(default)]
    all: bool,
    /// How many: 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Lists rows that the target has refused, the newest run's first, with their keys and the database's
/// messages.
#[utoipa::path(get, path = "/rejected", operation_id = "listRejected", tag = "rejected", params(Wanted),
    responses((status = 200, description = "The first of them", body = Page<RejectedRow>)))]
pub(super) async fn list(
    _: May<Reads>,
    State(app): Shared,
    extract::Query(wanted): extract::Query<Wanted>,
) -> Result<Json<Page<RejectedRow>>, Problem> {
    let limit = limit(wanted.limit)? as i64;
    let rows = app.ledger.rejected(wanted.run_id, wanted.task_id, wanted.all, limit).await?;
    Ok(Json(Page::whole(rows)))
}
