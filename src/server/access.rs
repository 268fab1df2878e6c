//! Who may do what: by a bearer token, by a browser's session, and on a machine of one's own by
//! nothing but that machine.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, Method, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::App;
use super::problem::Problem;
use super::session::Session;
use crate::config::connection::Secret;
use crate::config::server::{ServerSettings, Tokens};

/// What a session's page proves itself with.
const CSRF: &str = "x-csrf-token";

/// What a caller may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// To look.
    Read,
    /// To submit, cancel and rerun.
    Submit,
    /// To edit tasks, pause and purge.
    Admin,
}

impl Role {
    /// As the configuration names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Admin => "admin",
        }
    }

    const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Admin];

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The token that gives it; empty if there is none.
    pub fn token(self, tokens: &Tokens) -> &Secret {
        match self {
            Self::Read => &tokens.read,
            Self::Submit => &tokens.submit,
            Self::Admin => &tokens.admin,
        }
    }

    /// The role that a token gives.
    pub fn of(token: &str, tokens: &Tokens) -> Option<Self> {
        // Every token is compared, and in a time that does not tell how much of it fits.
        let fits = |role: &Self| {
            let known = role.token(tokens).expose();
            !known.is_empty() & bool::from(known.as_bytes().ct_eq(token.as_bytes()))
        };
        Self::ALL.into_iter().filter(fits).max()
    }
}

/// Who asks, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Whoever is on this machine, where no tokens are configured.
    Local,
    /// By a bearer token.
    Token(Role),
    /// By a browser's cookie.
    Session(Session),
}

impl Caller {
    /// What the caller may do.
    pub fn role(&self) -> Role {
        match self {
            Self::Local => Role::Admin,
            Self::Token(role) => *role,
            Self::Session(session) => session.role,
        }
    }

    /// How it is known, in a word.
    pub fn by(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Token(_) => "token",
            Self::Session(_) => "session",
        }
    }

    /// What a session's page proves itself with.
    pub fn csrf(&self) -> Option<&str> {
        match self {
            Self::Session(session) => Some(&session.csrf),
            _ => None,
        }
    }
}

/// Finds out who asks before anything else.
pub(super) async fn admit(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&app.server, request.method(), request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn caller(
    server: &ServerSettings,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    if server.tokens.is_empty() {
        // A page of another site can have a browser on this machine ask by a name of its own.
        return is_own_name(headers).then_some(Caller::Local).ok_or_else(Problem::strange_host);
    }
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        return given
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| Role::of(token.trim(), &server.tokens))
            .map(Caller::Token)
            .ok_or_else(Problem::no_token);
    }
    let session = Session::of(headers, &server.tokens).ok_or_else(Problem::no_token)?;
    if !method.is_safe() {
        // The browser sends the cookie with whatever asks; only our page knows this.
        let proof = headers.get(CSRF).map_or(&[][..], |value| value.as_bytes());
        if !bool::from(proof.ct_eq(session.csrf.as_bytes())) {
            return Err(Problem::forged());
        }
    }
    Ok(Caller::Session(session))
}

/// Whether the request was sent to a name of this machine, by a page of it or by none.
fn is_own_name(headers: &HeaderMap) -> bool {
    let is_own = |authority: &str| {
        let name = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).is_none_or(is_own);
    let origin = text(header::ORIGIN)
        .is_none_or(|origin| origin.split_once("://").is_some_and(|(_, name)| is_own(name)));
    host && origin
}

/// A role that a handler needs.
pub(super) trait Needed: Send + Sync {
    /// Which.
    const ROLE: Role;
}

/// To look.
pub(super) struct Reads;
/// To submit, cancel and rerun.
pub(super) struct Submits;
/// To edit tasks, pause and purge.
pub(super) struct Administers;

impl Needed for Reads {
    const ROLE: Role = Role::Read;
}

impl Needed for Submits {
    const ROLE: Role = Role::Submit;
}

impl Needed for Administers {
    const ROLE: Role = Role::Admin;
}

/// Proof that the caller may do what the handler does.
pub(super) struct May<N>(PhantomData<N>);

impl<N: Needed, S: Send + Sync> FromRequestParts<S> for May<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Caller>().map(Caller::role) {
            Some(role) if role >= N::ROLE => Ok(Self(PhantomData)),
            Some(_) => Err(Problem::forbidden(N::ROLE.name())),
            None => Err(Problem::no_token()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_its_role_and_nothing_else_is_one() {
        let secret = |text: &str| Secret::new(text);
        let tokens =
            Tokens { read: secret("r-token"), submit: secret(""), admin: secret("a-token") };
        let server = ServerSettings { tokens, ..ServerSettings::default() };
        let asked = |value: &str| {
            caller(&server, &Method::POST, &headers(&[(header::AUTHORIZATION, value)])).ok()
        };
        assert_eq!(asked("Bearer r-token"), Some(Caller::Token(Role::Read)));
        assert_eq!(asked("bearer a-token"), Some(Caller::Token(Role::Admin)));
        for value in ["Bearer ", "Bearer", "Bearer r-toke", "Bearer r-token2", "Basic r-token"] {
            assert_eq!(asked(value), None, "{value}");
        }
        assert!(caller(&server, &Method::GET, &HeaderMap::new()).is_err());
    }

    #[test]
    fn without_tokens_only_this_machine_s_names_are_taken() {
        let server = ServerSettings::default();
        let asked = |pairs: &[_]| caller(&server, &Method::GET, &headers(pairs)).is_ok();
        assert!(asked(&[(header::HOST, "127.0.0.1:8780")]));
        assert!(asked(&[(header::HOST, "[::1]:8780"), (header::ORIGIN, "http://localhost:8780")]));
        assert!(!asked(&[(header::HOST, "evil.example:8780")]));
        assert!(!asked(&[(header::HOST, "localhost"), (header::ORIGIN, "https://evil.example")]));
        assert!(!asked(&[(header::HOST, "localhost"), (header::ORIGIN, "null")]));
    }
}
