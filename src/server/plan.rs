//! What a run would do.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::access::{May, Submits};
use super::problem::Problem;
use super::{Shared, extract, tasks};
use crate::preview::Preview;

/// How long looking at both ends may take.
const LOOK: Duration = Duration::from_secs(30);

/// A run that is only thought of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Thought {
    /// `init`, `diff`, `mirror` or `cursor`; the task's own if not given.
    mode: Option<String>,
    /// Params over the task's own.
    #[serde(default)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
}

/// Tells what a run would do: connects both ends, looks at them, and writes nothing.
#[utoipa::path(post, path = "/tasks/{id}/plan", operation_id = "planTask", tag = "tasks",
    params(("id" = i64, Path, description = "Its number")), request_body = Thought,
    responses((status = 200, description = "What it would do", body = Preview),
              (status = 504, description = "An end does not answer", body = Problem,
               content_type = "application/problem+json")))]
pub(super) async fn plan(
    _: May<Submits>,
    State(app): Shared,
    extract::Path(id): extract::Path<i64>,
    extract::Json(thought): extract::Json<Thought>,
) -> Result<Json<Preview>, Problem> {
    let task = tasks::find(&app, id).await?;
    let task = task.checked(&thought.params, thought.mode.as_deref())?;
    let preview = Box::pin(Preview::of(&app.settings, &app.ledger, &task));
    match tokio::time::timeout(LOOK, preview).await {
        Ok(preview) => Ok(Json(preview?)),
        Err(_) => Err(Problem::late(format!("an end of task {id} does not answer in {LOOK:?}"))),
    }
}
