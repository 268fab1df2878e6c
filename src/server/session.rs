//! A browser's session: a signed cookie in place of a token, and what proves that a request comes
//! from the page that was given it.
//!
//! Nothing is kept here: the cookie is signed with its role's token, so that any server with the
//! same tokens takes it, and that replacing a token ends its sessions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

use super::access::{Caller, May, Reads, Role};
use super::problem::Problem;
use super::{App, Shared, extract};
use crate::config::server::Tokens;

const NAME: &str = "goshift_session";
/// How long a browser stays signed in.
const LIFE: Duration = Duration::from_secs(12 * 3600);

/// What a browser shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub role: Role,
    /// What its requests that change something carry as `X-CSRF-Token`.
    pub csrf: String,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Who {
    /// `read`, `submit` or `admin`.
    role: &'static str,
    /// `token`, `session`, or `local`: then no tokens are configured.
    by: &'static str,
    /// With a session: what requests that change something carry as the header `X-CSRF-Token`.
    csrf: Option<String>,
}

/// Whom to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    /// One of `server.tokens`.
    token: String,
}

impl Who {
    fn of(caller: &Caller) -> Self {
        let by = caller.by();
        Self { role: caller.role().name(), by, csrf: caller.csrf().map(str::to_owned) }
    }
}

/// The seconds since 1970 by this machine's clock: sessions are the server's own, not the ledger's.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn signed(role: Role, tokens: &Tokens, purpose: &str, text: &str) -> Option<Hmac<Sha256>> {
    let key = role.token(tokens).expose();
    if key.is_empty() {
        return None;
    }
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(purpose.as_bytes());
    mac.update(b"\n");
    mac.update(text.as_bytes());
    Some(mac)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl Session {
    /// A new cookie's value.
    fn issue(role: Role, tokens: &Tokens, until: u64) -> Option<String> {
        let nonce = hex(&rand::random::<[u8; 16]>());
        let claim = format!("{}.{until}.{nonce}", role.name());
        let mac = signed(role, tokens, "session", &claim)?.finalize().into_bytes();
        Some(format!("{claim}.{}", hex(&mac)))
    }

    /// What a cookie's value says, if a server with these tokens has issued it and it still holds.
    fn read(value: &str, tokens: &Tokens, now: u64) -> Option<Self> {
        let (claim, mac) = value.rsplit_once('.')?;
        let mut parts = claim.split('.');
        let role = Role::parse(parts.next()?)?;
        let until: u64 = parts.next()?.parse().ok()?;
        signed(role, tokens, "session", claim)?.verify_slice(&from_hex(mac)?).ok()?;
        if until <= now {
            return None;
        }
        let csrf = signed(role, tokens, "csrf", claim)?.finalize().into_bytes();
        Some(Self { role, csrf: hex(&csrf) })
    }

    /// The session of a request.
    pub(super) fn of(headers: &HeaderMap, tokens: &Tokens) -> Option<Self> {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|c| c.split_once('='));
        let value = pairs.find(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim())?;
        Self::read(value, tokens, now())
    }
}

fn cookie(value: &str, age: u64, app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    // Behind TLS, of ours or a proxy's, the browser must not send it in the clear.
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if forwarded || app.server.is_tls() { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

/// Tells who asks, and what they may do.
#[utoipa::path(get, path = "/session", operation_id = "showSession", tag = "session",
    responses((status = 200, description = "Who asks", body = Who)))]
pub(super) async fn show(
    _: May<Reads>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Who>, Problem> {
    std::future::ready(Ok(Json(Who::of(&caller)))).await
}

/// Signs a browser in by a token: the answer sets a cookie that stands for it for 12 hours.
#[utoipa::path(post, path = "/session", operation_id = "signIn", tag = "session", security(()),
    request_body = Credentials,
    responses((status = 200, description = "Signed in", body = Who,
               headers(("Set-Cookie" = String, description = "The session")))))]
pub(super) async fn sign_in(
    State(app): Shared,
    headers: HeaderMap,
    extract::Json(credentials): extract::Json<Credentials>,
) -> Result<Response, Problem> {
    std::future::ready(enter(&app, &headers, credentials.token.trim())).await
}

fn enter(app: &App, headers: &HeaderMap, token: &str) -> Result<Response, Problem> {
    let tokens = &app.server.tokens;
    let role = Role::of(token, tokens).ok_or_else(Problem::no_token)?;
    let session = Session::issue(role, tokens, now() + LIFE.as_secs())
        .and_then(|value| Some((Session::read(&value, tokens, now())?, value)))
        .and_then(|(session, value)| {
            Some((session, cookie(&value, LIFE.as_secs(), app, headers)?))
        });
    let (session, cookie) = session.ok_or_else(Problem::no_token)?;
    let mut response = Json(Who::of(&Caller::Session(session))).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Signs a browser out.
#[utoipa::path(delete, path = "/session", operation_id = "signOut", tag = "session",
    responses((status = 204, description = "Signed out")))]
pub(super) async fn sign_out(
    _: May<Reads>,
    State(app): Shared,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .extend(cookie("", 0, &app, &headers).map(|gone| (header::SET_COOKIE, gone)));
    std::future::ready(Ok(response)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::connection::Secret;

    fn tokens(admin: &str) -> Tokens {
        let secret = |text: &str| Secret::new(text);
        Tokens { read: secret("read-token"), submit: secret(""), admin: secret(admin) }
    }

    #[test]
    fn a_cookie_is_its_role_until_it_ends_or_the_token_changes() {
        let ours = tokens("admin-token");
        let value = Session::issue(Role::Admin, &ours, 1000).unwrap();
        let session = Session::read(&value, &ours, 999).unwrap();
        assert_eq!(session.role, Role::Admin);
        assert_eq!(session.csrf.len(), 64);
        assert_eq!(Session::read(&value, &ours, 1000), None);
        assert_eq!(Session::read(&value, &tokens("another"), 999), None);
        assert!(!value.contains("admin-token"));
    }

    #[test]
    fn a_cookie_that_was_written_by_hand_is_none() {
        let ours = tokens("admin-token");
        let value = Session::issue(Role::Read, &ours, 1000).unwrap();
        let raised = value.replacen("read", "admin", 1);
        let longer = value.replacen("1000", "9000", 1);
        for forged in
            [raised.as_str(), &longer, "", "read", "read.1.2", "admin.9.9.", "submit.9.9.00"]
        {
            assert_eq!(Session::read(forged, &ours, 1), None, "{forged}");
        }
        // A role without a token has no sessions.
        assert_eq!(Session::issue(Role::Submit, &ours, 1000), None);
    }

    #[test]
    fn each_session_has_a_csrf_token_of_its_own() {
        let ours = tokens("admin-token");
        let csrf = || {
            let value = Session::issue(Role::Admin, &ours, 1000).unwrap();
            Session::read(&value, &ours, 1).unwrap().csrf
        };
        assert_ne!(csrf(), csrf());
    }
}
