//! Tasks: listed, shown, created, edited, put online and offline.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::access::{Administers, May, Reads};
use super::extract;
use super::page::{Page, limit};
use super::problem::Problem;
use super::{App, Shared};
use crate::config::{Settings, Side};
use crate::error::Result;
use crate::ledger::{TaskFilter, known_state};
use crate::plugin;
use crate::task::{Endpoint, Params, TaskRow};

/// A task.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Task {
    /// Its number.
    id: i64,
    /// Where rows are read.
    from: End,
    /// Where they are written.
    to: End,
    /// Its params; none if what stands there can't be read.
    #[schema(value_type = Option<Object>)]
    params: Option<Map<String, Value>>,
    /// Its params as they stand there.
    params_text: String,
    /// Whether it may run.
    online: bool,
    /// What it is for.
    description: String,
    /// The state of its last run.
    status: String,
    /// Who looks after it.
    owner: String,
}

/// One end of a task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// The business system.
    app: String,
    /// The engine: mysql, postgres or sqlite.
    db_type: String,
    /// The database; with `app` it names a connection in the configuration.
    db: String,
    /// The table, with its schema if that is not the usual one.
    table: String,
}

/// What a task is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskContent {
    from: End,
    to: End,
    /// See the README's table of params.
    #[serde(default)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Whether it may run.
    #[serde(default = "yes")]
    online: bool,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Who looks after it.
    #[serde(default)]
    owner: String,
}

fn yes() -> bool {
    true
}

/// Whether a task may run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Online {
    online: bool,
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those with this text in a table's name, the description or the owner's name.
    q: Option<String>,
    /// Only those that are online, or offline.
    online: Option<bool>,
    /// Only those whose last run is in this state.
    status: Option<String>,
    /// The `next` of the page before.
    after: Option<i64>,
    /// Entries of a page: 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

impl From<End> for Endpoint {
    fn from(end: End) -> Self {
        Self { app: end.app, db_type: end.db_type, db: end.db, table: end.table }
    }
}

impl From<Endpoint> for End {
    fn from(end: Endpoint) -> Self {
        Self { app: end.app, db_type: end.db_type, db: end.db, table: end.table }
    }
}

impl From<TaskRow> for Task {
    fn from(row: TaskRow) -> Self {
        Self {
            id: row.id,
            from: row.from.into(),
            to: row.to.into(),
            params: Params::parse_object(&row.params).ok(),
            params_text: row.params,
            online: row.online,
            description: row.description,
            status: row.status,
            owner: row.owner,
        }
    }
}

impl TaskContent {
    /// The row, checked as a run of it would be.
    fn row(self, id: i64, settings: &Settings) -> Result<TaskRow> {
        let params = if self.params.is_empty() {
            String::new()
        } else {
            Value::Object(self.params).to_string()
        };
        let row = TaskRow {
            id,
            from: self.from.into(),
            to: self.to.into(),
            params,
            online: self.online,
            description: self.description,
            owner: self.owner,
            status: String::new(),
        };
        let task = row.checked(&Map::new(), None)?;
        for (side, end) in [(Side::From, &task.from), (Side::To, &task.to)] {
            let plugin = plugin::find(&end.db_type)?;
            settings.connection(side, plugin.names(), end.app.trim(), end.db.trim())?;
        }
        Ok(row)
    }
}

/// Lists tasks by number.
#[utoipa::path(get, path = "/tasks", operation_id = "listTasks", tag = "tasks", params(Wanted),
    responses((status = 200, description = "A page of tasks", body = Page<Task>)))]
pub(super) async fn list(
    _: May<Reads>,
    State(app): Shared,
    extract::Query(wanted): extract::Query<Wanted>,
) -> Result<Json<Page<Task>>, Problem> {
    let limit = limit(wanted.limit)?;
    let status = wanted.status.as_deref().map(known_state).transpose()?;
    let filter = TaskFilter {
        text: wanted.q,
        online: wanted.online,
        status: status.map(str::to_owned),
        after: wanted.after,
        limit: limit + 1,
    };
    let tasks = app.ledger.task_page(&filter).await?;
    let tasks = tasks.into_iter().map(Task::from).collect();
    Ok(Json(Page::new(tasks, limit, |task: &Task| task.id.to_string())))
}

/// Shows a task.
#[utoipa::path(get, path = "/tasks/{id}", operation_id = "showTask", tag = "tasks", params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, description = "The task", body = Task)))]
pub(super) async fn show(
    _: May<Reads>,
    State(app): Shared,
    extract::Path(id): extract::Path<i64>,
) -> Result<Json<Task>, Problem> {
    Ok(Json(find(&app, id).await?.into()))
}

/// The task, or that there is none.
pub(super) async fn find(app: &App, id: i64) -> Result<TaskRow, Problem> {
    app.ledger
        .find_task(id)
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no task {id}")))
}

/// Creates a task, if a run of it could begin: its params and its connections are checked.
#[utoipa::path(post, path = "/tasks", operation_id = "createTask", tag = "tasks", request_body = TaskContent,
    responses((status = 201, description = "The new task", body = Task,
               headers(("Location" = String, description = "Its path")))))]
pub(super) async fn create(
    _: May<Administers>,
    State(app): Shared,
    extract::Json(content): extract::Json<TaskContent>,
) -> Result<Response, Problem> {
    let mut row = content.row(0, &app.settings)?;
    row.id = app.ledger.create_task(&row).await?;
    let place = HeaderValue::from_str(&format!("/api/v1/tasks/{}", row.id));
    let mut created = (StatusCode::CREATED, Json(Task::from(row))).into_response();
    created.headers_mut().extend(place.ok().map(|place| (header::LOCATION, place)));
    Ok(created)
}

/// Puts other content into a task. A run that is under way goes on as it began.
#[utoipa::path(put, path = "/tasks/{id}", operation_id = "replaceTask", tag = "tasks", params(("id" = i64, Path, description = "Its number")),
    request_body = TaskContent,
    responses((status = 200, description = "The task as it is now", body = Task)))]
pub(super) async fn replace(
    _: May<Administers>,
    State(app): Shared,
    extract::Path(id): extract::Path<i64>,
    extract::Json(content): extract::Json<TaskContent>,
) -> Result<Json<Task>, Problem> {
    let row = content.row(id, &app.settings)?;
    app.ledger.replace_task(&row).await?;
    Ok(Json(find(&app, id).await?.into()))
}

/// Puts a task online, or offline: then it takes no runs.
#[utoipa::path(put, path = "/tasks/{id}/online", operation_id = "setTaskOnline", tag = "tasks", params(("id" = i64, Path, description = "Its number")),
    request_body = Online,
    responses((status = 200, description = "The task as it is now", body = Task)))]
pub(super) async fn set_online(
    _: May<Administers>,
    State(app): Shared,
    extract::Path(id): extract::Path<i64>,
    extract::Json(wanted): extract::Json<Online>,
) -> Result<Json<Task>, Problem> {
    app.ledger.set_online(id, wanted.online).await?;
    Ok(Json(find(&app, id).await?.into()))
}
