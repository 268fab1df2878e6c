//! The page's files, which are part of the binary.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::Problem;

/// What the page may do: use its own files and ask its own server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "src/server/assets"]
struct Assets;

/// The page.
pub(super) async fn index(headers: HeaderMap) -> Response {
    std::future::ready(answer("index.html", &headers)).await
}

/// One of its files.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    std::future::ready(answer(&name, &headers)).await
}

fn answer(name: &str, asked: &HeaderMap) -> Response {
    match Assets::get(name) {
        Some(file) => send(file, asked),
        None => Problem::not_found("there is no such file").into_response(),
    }
}

fn send(file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let hash = file.metadata.sha256_hash();
    let tag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.data.into_response(),
    };
    let kind = file.metadata.mimetype().to_owned();
    let kind = if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind };
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, &kind),
        (header::ETAG, &tag),
        // Kept, but asked for again: a new version must not meet the old one's files.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    for (name, text) in headers {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
