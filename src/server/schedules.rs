//! Schedules: listed, shown, set, taken away.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::access::{Administers, May, Reads};
use super::page::{Page, limit};
use super::problem::Problem;
use super::{Shared, extract, tasks};
use crate::ledger::{NewSchedule, ScheduleRow};
use crate::schedule::Missed;
use crate::task::Mode;

/// Which schedules.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The `next` of the page before.
    after: Option<i64>,
    /// Entries of a page: 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// What a schedule is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// Five fields: minute, hour, day of the month, month, day of the week.
    #[schema(example = "30 2 * * *")]
    cron: String,
    /// IANA name; UTC if not given.
    #[serde(default = "utc")]
    #[schema(example = "Asia/Shanghai")]
    time_zone: String,
    /// The mode of its runs; the task's own if not given.
    mode: Option<String>,
    /// What becomes of ticks that came while nobody was there.
    #[serde(default)]
    missed: Missed,
    /// Whether it ticks.
    #[serde(default = "yes")]
    enabled: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn yes() -> bool {
    true
}

fn none(task_id: i64) -> Problem {
    Problem::not_found(format!("task {task_id} has no schedule"))
}

/// Lists schedules by their tasks' numbers.
#[utoipa::path(get, path = "/schedules", operation_id = "listSchedules", tag = "schedules", params(Wanted),
    responses((status = 200, description = "A page of schedules", body = Page<ScheduleRow>)))]
pub(super) async fn list(
    _: May<Reads>,
    State(app): Shared,
    extract::Query(wanted): extract::Query<Wanted>,
) -> Result<Json<Page<ScheduleRow>>, Problem> {
    let limit = limit(wanted.limit)?;
    let schedules = app.ledger.schedules(wanted.after, limit + 1).await?;
    Ok(Json(Page::new(schedules, limit, |schedule| schedule.task_id.to_string())))
}

/// Shows a task's schedule.
#[utoipa::path(get, path = "/tasks/{id}/schedule", operation_id = "showSchedule", tag = "schedules",
    params(("id" = i64, Path, description = "The task")),
    responses((status = 200, description = "Its schedule", body = ScheduleRow)))]
pub(super) async fn show(
    _: May<Reads>,
    State(app): Shared,
    extract::Path(id): extract::Path<i64>,
) -> Result<Json<ScheduleRow>, Problem> {
    app.ledger.schedule(id).await?.map(Json).ok_or_else(|| none(id))
}

/// Gives a task a schedule, in place of the one it has.
#[utoipa::path(put, path = "/tasks/{id}/schedule", operation_id = "setSchedule", tag = "schedules",
    params(("id" = i64, Path, description = "The task")), request_body = Content,
    responses((status = 200, description = "Its schedule, with the next tick", body = ScheduleRow)))]
pub(super) async fn set(
    _: May<Administers>,
    State(app): Shared,
    extract::Path(id): extract::Path<i64>,
    extract::Json(content): extract::Json<Content>,
) -> Result<Json<ScheduleRow>, Problem> {
    tasks::find(&app, id).await?;
    let mode = content.mode.as_deref().map(Mode::parse).transpose()?;
    let schedule = NewSchedule {
        task_id: id,
        cron: content.cron,
        time_zone: content.time_zone,
        mode: mode.map(|mode| mode.name().to_owned()),
        missed: content.missed,
        enabled: content.enabled,
    };
    Ok(Json(app.ledger.set_schedule(&schedule).await?))
}

/// Takes a task's schedule away. Runs that it has submitted go on.
#[utoipa::path(delete, path = "/tasks/{id}/schedule", operation_id = "removeSchedule", tag = "schedules",
    params(("id" = i64, Path, description = "The task")),
    responses((status = 204, description = "It has none any more")))]
pub(super) async fn remove(
    _: May<Administers>,
    State(app): Shared,
    extract::Path(id): extract::Path<i64>,
) -> Result<StatusCode, Problem> {
    match app.ledger.remove_schedule(id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(none(id)),
    }
}
