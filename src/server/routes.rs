//! Every path, and the document that describes them.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::{Json, Router, middleware};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{self, May, Reads};
use super::problem::Problem;
use super::{
    App, assets, dead, events, health, metrics, overview, plan, rejected, runs, schedules, session,
    submit, tasks, workers,
};

/// The largest request body: a task's params are a few hundred bytes.
const LARGEST_BODY: usize = 1024 * 1024;

/// Answers are about this moment, and may be for one caller only.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[derive(OpenApi)]
#[openapi(
    info(title = "goshift", description = "Moves tables between databases: tasks, runs and workers.",
         license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    components(schemas(Problem)),
    modifiers(&Guarded),
    security(("token" = []), ("session" = [])),
    servers((url = "/", description = "This server")),
    tags((name = "session", description = "Who asks"),
         (name = "tasks", description = "What is copied from where to where"),
         (name = "runs", description = "Executions of tasks"),
         (name = "schedules", description = "When tasks are submitted by themselves"),
         (name = "dead", description = "Runs that failed and messages that became none: they wait for a person"),
         (name = "rejected", description = "Rows that runs have left out"),
         (name = "workers", description = "The fleet"),
         (name = "health", description = "Whether it works"))
)]
struct Api;

/// The API is used with a bearer token, or by a browser that has signed in with one.
struct Guarded;

impl Modify for Guarded {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "One of server.tokens. Without any configured, this machine needs none",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::with_description(
            "goshift_session",
            "A browser's session; what changes something also needs the header X-CSRF-Token",
        );
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
        components.add_security_scheme("session", cookie);
    }
}

/// Every operation may be refused in these ways.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut Document) {
        for (path, item) in &mut document.paths.paths {
            let is_open = path.ends_with("healthz") || path.ends_with("readyz");
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let has_body = operation.request_body.is_some();
                let refusals: &[(&str, &str, bool)] = &[
                    ("400", "The request can't be read", !is_open),
                    ("401", "A valid token is needed", !is_open),
                    ("403", "The token does not allow this", !is_open),
                    ("404", "There is no such thing", path.contains('{') || has_body),
                    ("409", "Its state does not allow this", has_body),
                    ("413", "The body is too large", has_body),
                    ("415", "The body is no JSON", has_body),
                    ("422", "The content is refused", !is_open),
                    ("429", "More than may be submitted in a second", operation_submits(path)),
                    ("500", "goshift has met an error", !is_open),
                    ("503", "A database or the broker does not answer", !is_open),
                ];
                for (status, description, _) in refusals.iter().filter(|(.., applies)| *applies) {
                    let responses = &mut operation.responses.responses;
                    responses
                        .entry((*status).to_owned())
                        .or_insert_with(|| problem(description).into());
                }
            }
        }
    }
}

fn operation_submits(path: &str) -> bool {
    path.ends_with("/runs") || path.ends_with("/rerun")
}

fn problem(description: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}

fn api() -> OpenApiRouter<Arc<App>> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(tasks::list, tasks::create))
        .routes(routes!(tasks::show, tasks::replace))
        .routes(routes!(tasks::set_online))
        .routes(routes!(plan::plan))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::show, schedules::set, schedules::remove))
        .routes(routes!(runs::list, submit::submit))
        .routes(routes!(runs::show))
        .routes(routes!(runs::shards))
        .routes(routes!(runs::cancel))
        .routes(routes!(submit::again))
        .routes(routes!(events::stream))
        .routes(routes!(dead::messages))
        .routes(routes!(dead::again))
        .routes(routes!(dead::purge))
        .routes(routes!(rejected::list))
        .routes(routes!(workers::list))
        .routes(routes!(workers::drain))
        .routes(routes!(workers::pauses))
        .routes(routes!(workers::pause, workers::resume))
        .routes(routes!(overview::show))
        .routes(routes!(session::show, session::sign_out));
    OpenApiRouter::new().nest("/api/v1", v1).routes(routes!(metrics::metrics))
}

fn open() -> OpenApiRouter<Arc<App>> {
    let sign_in = OpenApiRouter::new().routes(routes!(session::sign_in));
    OpenApiRouter::new()
        .nest("/api/v1", sign_in)
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}

/// The OpenAPI document.
pub fn document() -> Document {
    let (_, paths) = api().merge(open()).split_for_parts();
    let mut document = Api::openapi();
    document.merge(paths);
    Refusals.modify(&mut document);
    document
}

/// Answers what the API is.
async fn describe(_: May<Reads>) -> Json<Document> {
    std::future::ready(Json(document())).await
}

/// Everything that the server answers.
pub(super) fn router(app: Arc<App>) -> Router {
    let (guarded, _) = api().split_for_parts();
    let (open, _) = open().split_for_parts();
    let admit = middleware::from_fn_with_state(Arc::clone(&app), access::admit);
    guarded
        .route("/api/v1/openapi.json", axum::routing::get(describe))
        .route_layer(admit)
        .layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, NO_STORE))
        .merge(open)
        .route("/", axum::routing::get(assets::index))
        .route("/assets/{*file}", axum::routing::get(assets::file))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, NO_STORE))
        .layer(header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .with_state(app)
}

fn header(name: header::HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn nothing() -> Problem {
    std::future::ready(Problem::not_found("there is no such path; see /api/v1/openapi.json")).await
}

async fn wrong_method() -> Problem {
    std::future::ready(Problem::wrong_method()).await
}
