//! Errors as problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Kind};

/// What went wrong, for programs (`type`, `status`) and for people (`detail`, `remedy`).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Tells kinds of problems apart: a URN.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened here.
    detail: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (kind, title) = match status {
            StatusCode::BAD_REQUEST => {
                ("urn:goshift:problem:bad-request", "The request can't be read")
            }
            StatusCode::UNAUTHORIZED => ("urn:goshift:problem:no-token", "A valid token is needed"),
            StatusCode::FORBIDDEN => {
                ("urn:goshift:problem:forbidden", "The token does not allow this")
            }
            StatusCode::NOT_FOUND => ("urn:goshift:problem:not-found", "There is no such thing"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("urn:goshift:problem:method", "The path does not take this method")
            }
            StatusCode::CONFLICT => {
                ("urn:goshift:problem:conflict", "Its state does not allow this")
            }
            StatusCode::UNPROCESSABLE_ENTITY => {
                ("urn:goshift:problem:refused", "The content is refused")
            }
            StatusCode::TOO_MANY_REQUESTS => {
                ("urn:goshift:problem:too-many", "More than may be submitted in a second")
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                ("urn:goshift:problem:unavailable", "A database or the broker does not answer")
            }
            StatusCode::GATEWAY_TIMEOUT => {
                ("urn:goshift:problem:late", "A database does not answer in time")
            }
            _ => ("urn:goshift:problem:internal", "goshift has met an error"),
        };
        Self { kind, title, status: status.as_u16(), detail: detail.into(), remedy: None }
    }

    /// The request can't be read.
    pub fn unreadable(status: StatusCode, detail: impl Into<String>) -> Self {
        let status = match status {
            // Axum's own word for JSON of another shape; here it is kept for what is refused.
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self::new(status, detail)
    }

    /// A token is missing or unknown.
    pub fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "no valid bearer token was given")
            .remedy("send the header \"Authorization: Bearer TOKEN\" with one of server.tokens")
    }

    /// A request by cookie without the page's own header.
    pub fn forged() -> Self {
        Self::new(StatusCode::FORBIDDEN, "the header X-CSRF-Token is missing or another session's")
            .remedy("send what GET /api/v1/session gives as \"csrf\", or use a bearer token")
    }

    /// The token is for less.
    pub fn forbidden(needed: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, format!("this takes the role {needed}"))
            .remedy(format!("use the token of server.tokens.{needed}"))
    }

    /// The request came by another name than this machine's.
    pub fn strange_host() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "without tokens only requests to this machine's own name are taken",
        )
        .remedy("ask 127.0.0.1 or localhost, or configure server.tokens")
    }

    /// There is no such path, or nothing of that number.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The path is there for other methods.
    pub fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "see the header \"Allow\" for those it takes")
    }

    /// Its state does not allow this.
    pub fn conflict(error: &Error) -> Self {
        Self::of(StatusCode::CONFLICT, error)
    }

    /// The content was understood, and is refused.
    pub fn refused(error: &Error) -> Self {
        match error.kind() {
            Kind::Usage | Kind::Config | Kind::Permanent => {
                Self::of(StatusCode::UNPROCESSABLE_ENTITY, error)
            }
            _ => Self::from_kind(error),
        }
    }

    /// More than may be submitted in a second.
    pub fn too_many(limit: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, format!("at most {limit} runs a second are taken"))
            .remedy("try again in a second, or raise server.max_submits_per_second")
    }

    /// What was asked for took too long.
    pub fn late(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, detail)
            .remedy("see whether the database is reachable: `goshift check`")
    }

    fn from_kind(error: &Error) -> Self {
        let status = match error.kind() {
            Kind::Transient => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Usage | Kind::Config | Kind::Permanent => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::LeaseLost | Kind::Cancelled => StatusCode::CONFLICT,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::of(status, error)
    }

    fn of(status: StatusCode, error: &Error) -> Self {
        Self { remedy: error.remedy().map(str::to_owned), ..Self::new(status, error.to_string()) }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = Self::from_kind(&error);
        if problem.status >= 500 {
            tracing::warn!(%error, "a request failed");
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        match status {
            StatusCode::UNAUTHORIZED => {
                let bearer = HeaderValue::from_static("Bearer");
                headers.insert(header::WWW_AUTHENTICATE, bearer);
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
