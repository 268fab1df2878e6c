//! Runs: listed, shown with what belongs to them, cancelled.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::{May, Reads, Submits};
use super::extract;
use super::page::{Page, limit};
use super::problem::Problem;
use super::{App, Shared};
use crate::error::{Error, Kind, Result};
use crate::ledger::{
    ParticipantRow, RunFilter, RunRow, ShardCount, ShardRow, TransitionRow, known_state,
};

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only this task's.
    task_id: Option<i64>,
    /// Only those in one of these states, with commas between.
    state: Option<String>,
    /// Only those submitted within this time, as in `1h` or `7d`.
    since: Option<String>,
    /// Only those that failed, wait for a person, and were neither repeated nor purged.
    #[serde(default)]
    dead: bool,
    /// The `next` of the page before.
    after: Option<Uuid>,
    /// Entries of a page: 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A run, with what belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Run {
    #[serde(flatten)]
    run: RunRow,
    /// Its changes of state, in order.
    transitions: Vec<TransitionRow>,
    /// Its shards, counted by state.
    shards: Vec<ShardCount>,
    /// The workers that share it besides its owner.
    participants: Vec<ParticipantRow>,
}

/// What became of a cancellation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Cancelled {
    run_id: Uuid,
    /// `cancelled`, or `running`: then its worker stops it at its next heartbeat.
    state: &'static str,
}

/// Which shards.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WantedShards {
    /// The `next` of the page before.
    after: Option<i64>,
    /// Entries of a page: 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Lists runs, the latest first.
#[utoipa::path(get, path = "/runs", operation_id = "listRuns", tag = "runs", params(Wanted),
    responses((status = 200, description = "A page of runs", body = Page<RunRow>)))]
pub(super) async fn list(
    _: May<Reads>,
    State(app): Shared,
    extract::Query(wanted): extract::Query<Wanted>,
) -> Result<Json<Page<RunRow>>, Problem> {
    let limit = limit(wanted.limit)?;
    let names = wanted.state.iter().flat_map(|states| states.split(','));
    let states: Result<Vec<_>> = names.map(|name| known_state(name.trim())).collect();
    let since = wanted.since.as_deref().map(humantime::parse_duration).transpose();
    let since: Option<Duration> = since.map_err(|error| {
        Error::usage("\"since\" is not a duration")
            .caused_by(error)
            .with_remedy("write it as 1h or 7d")
    })?;
    let filter = RunFilter {
        task_id: wanted.task_id,
        states: states?.into_iter().map(str::to_owned).collect(),
        since,
        dead: wanted.dead,
        limit: limit + 1,
    };
    let runs = app.ledger.run_page(&filter, wanted.after).await?;
    Ok(Json(Page::new(runs, limit, |run: &RunRow| run.run_id.to_string())))
}

/// Shows a run.
#[utoipa::path(get, path = "/runs/{id}", operation_id = "showRun", tag = "runs", params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "The run", body = Run)))]
pub(super) async fn show(
    _: May<Reads>,
    State(app): Shared,
    extract::Path(id): extract::Path<Uuid>,
) -> Result<Json<Run>, Problem> {
    let run = find(&app, id).await?;
    let (transitions, shards, participants) = tokio::try_join!(
        app.ledger.transitions(id),
        app.ledger.shard_counts(id),
        app.ledger.participants(id)
    )?;
    Ok(Json(Run { run, transitions, shards, participants }))
}

/// Lists a run's shards by number.
#[utoipa::path(get, path = "/runs/{id}/shards", operation_id = "listShards", tag = "runs",
    params(("id" = Uuid, Path, description = "The run"), WantedShards),
    responses((status = 200, description = "A page of shards", body = Page<ShardRow>)))]
pub(super) async fn shards(
    _: May<Reads>,
    State(app): Shared,
    extract::Path(id): extract::Path<Uuid>,
    extract::Query(wanted): extract::Query<WantedShards>,
) -> Result<Json<Page<ShardRow>>, Problem> {
    find(&app, id).await?;
    let limit = limit(wanted.limit)?;
    let shards = app.ledger.shards_after(id, wanted.after, limit + 1).await?;
    Ok(Json(Page::new(shards, limit, |shard: &ShardRow| shard.shard_no.to_string())))
}

/// Cancels a run: at once if it waits, else by its worker. What is in stays in.
#[utoipa::path(post, path = "/runs/{id}/cancel", operation_id = "cancelRun", tag = "runs",
    params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "It is cancelled, or its worker was asked to", body = Cancelled),
              (status = 409, description = "It is over", body = Problem,
               content_type = "application/problem+json")))]
pub(super) async fn cancel(
    _: May<Submits>,
    State(app): Shared,
    extract::Path(id): extract::Path<Uuid>,
) -> Result<Json<Cancelled>, Problem> {
    find(&app, id).await?;
    let state = app.ledger.cancel(id).await.map_err(|error| match error.kind() {
        Kind::Usage => Problem::conflict(&error),
        _ => error.into(),
    })?;
    Ok(Json(Cancelled { run_id: id, state: state.name() }))
}

/// The run, or that there is none.
pub(super) async fn find(app: &App, id: Uuid) -> Result<RunRow, Problem> {
    app.ledger.run(id).await.map_err(|error| match error.kind() {
        Kind::Usage => Problem::not_found(error.to_string()),
        _ => error.into(),
    })
}
