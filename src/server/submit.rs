//! Submitting runs, and repeating them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::access::{May, Submits};
use super::extract;
use super::problem::Problem;
use super::{App, Shared, runs, tasks};
use crate::error::Error;
use crate::event::Priority;
use crate::ledger::{NewRun, Submitted};
use crate::rerun;
use crate::submit::dedup_key;
use crate::task::Mode;
use crate::telemetry::traceparent::Traceparent;

/// Who submits by this server, if the request does not say.
pub(super) const CALLER: &str = "REST API";
/// The header that makes repeating a request harmless.
const KEY: &str = "idempotency-key";
/// The longest such key.
const LONGEST_KEY: usize = 200;

/// A run to submit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Submission {
    /// The task.
    task_id: i64,
    /// `init`, `diff`, `mirror` or `cursor`; the task's own if not given.
    mode: Option<String>,
    /// Params of this run only, over the task's own.
    #[serde(default)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Which queue it waits in; `normal` if not given.
    priority: Option<Priority>,
    /// How long it must wait, as in `30s`, `10m` or `1h`.
    delay: Option<String>,
    /// Who asks, for those who look at it later.
    submitted_by: Option<String>,
}

/// Where a submission ended up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// The run.
    run_id: Uuid,
    /// Its task.
    task_id: i64,
    /// Whether it was entered now; otherwise the submission joined a run that waits already, or had the
    /// same key as another.
    new: bool,
}

impl Submission {
    async fn run(self, app: &App, key: Option<&str>) -> Result<NewRun, Problem> {
        let mode = match &self.mode {
            Some(mode) => Mode::parse(mode)?.name().to_owned(),
            None => String::new(),
        };
        let delay = self.delay.as_deref().map(humantime::parse_duration).transpose();
        let delay: Option<Duration> = delay.map_err(|error| {
            Error::usage("\"delay\" is not a duration")
                .caused_by(error)
                .with_remedy("write it as 30s, 10m or 1h")
        })?;
        let task_id = self.task_id;
        let task = tasks::find(app, task_id).await?;
        task.checked(&self.params, Some(&mode))?;
        if !task.online {
            let offline = Error::config(format!("task {task_id} is offline"))
                .with_remedy("put it online to run it");
            return Err(Problem::conflict(&offline));
        }
        Ok(NewRun {
            run_id: None,
            task_id,
            mode,
            params: self.params,
            priority: self.priority.unwrap_or_default(),
            delay_ms: delay.map_or(0, |delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)),
            dedup_key: key.map(|key| dedup_key(task_id, key)),
            submitted_by: Some(self.submitted_by.unwrap_or_else(|| CALLER.to_owned())),
            rerun_of: None,
            traceparent: None,
        })
    }
}

/// Submits a run. It is in the ledger when this returns; a worker takes it from there.
#[utoipa::path(post, path = "/runs", operation_id = "submitRun", tag = "runs", request_body = Submission,
    params(("Idempotency-Key" = Option<String>, Header,
            description = "Repeating a request with the same key gives the same run")),
    responses((status = 202, description = "Accepted", body = Accepted)))]
pub(super) async fn submit(
    _: May<Submits>,
    State(app): Shared,
    headers: HeaderMap,
    extract::Json(submission): extract::Json<Submission>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    throttle(&app)?;
    let key = idempotency_key(&headers)?;
    let run = NewRun { traceparent: traceparent(&headers), ..submission.run(&app, key).await? };
    let submitted = app.submitter.enter(&run).await.map_err(|error| Problem::refused(&error))?;
    Ok(accepted(run.task_id, &submitted))
}

/// Repeats a run that is over: by a new run with its task, mode and params.
#[utoipa::path(post, path = "/runs/{id}/rerun", operation_id = "rerunRun", tag = "runs",
    params(("id" = Uuid, Path, description = "The run")),
    responses((status = 202, description = "The new run", body = Accepted),
              (status = 409, description = "It is not over", body = Problem,
               content_type = "application/problem+json")))]
pub(super) async fn again(
    _: May<Submits>,
    State(app): Shared,
    extract::Path(id): extract::Path<Uuid>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    throttle(&app)?;
    runs::find(&app, id).await?;
    let row = rerun::latest(&app.ledger, id).await?;
    let run = rerun::again(&row, CALLER).map_err(|error| Problem::conflict(&error))?;
    let submitted = app.submitter.enter(&run).await.map_err(|error| Problem::refused(&error))?;
    Ok(accepted(run.task_id, &submitted))
}

fn accepted(task_id: i64, submitted: &Submitted) -> (StatusCode, Json<Accepted>) {
    let accepted = Accepted { run_id: submitted.run_id, task_id, new: submitted.new };
    (StatusCode::ACCEPTED, Json(accepted))
}

fn throttle(app: &App) -> Result<(), Problem> {
    let limit = app.server.max_submits_per_second.get();
    app.submits.check().map_err(|_| Problem::too_many(limit))
}

/// The trace that the request is part of. One that is malformed is none.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("traceparent")?.to_str().ok()?;
    Traceparent::parse(header).map(|read| read.to_string())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.trim().is_empty() && key.len() <= LONGEST_KEY => Ok(Some(key.trim())),
        _ => Err(Problem::unreadable(
            StatusCode::BAD_REQUEST,
            format!("Idempotency-Key must have 1 to {LONGEST_KEY} visible ASCII characters"),
        )),
    }
}
