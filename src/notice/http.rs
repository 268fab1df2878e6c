//! Sending, and what can be said of a failure: never the address, which lets one write there.

use std::sync::LazyLock;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::connection::Secret;

/// How long one request may take.
pub(super) const TIME: Duration = Duration::from_secs(10);
/// No receiver has more to say.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// A request to a receiver.
pub(super) struct Request {
    pub url: Secret,
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

static AGENT: LazyLock<ureq::Agent> = LazyLock::new(|| {
    // The machine's own roots: receivers inside a company are often signed by the company.
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
    let tls = TlsConfig::builder().root_certs(RootCerts::from(roots)).build();
    ureq::Agent::config_builder()
        .timeout_global(Some(TIME))
        // A receiver that has moved is to be written down, not followed with our secrets.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .tls_config(tls)
        .user_agent(concat!("goshift/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
});

/// Sends a request; returns the answer's text, or what went wrong.
pub(super) fn send(request: Request) -> Result<String, String> {
    let mut sending = AGENT.post(request.url.expose()).content_type("application/json");
    for (name, value) in &request.headers {
        sending = sending.header(*name, value);
    }
    let mut answer = sending.send(request.body).map_err(|error| said(&error))?;
    if !answer.status().is_success() {
        return Err(format!("it has answered {}", answer.status()));
    }
    let text = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
    text.map_err(|error| said(&error))
}

fn said(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code) => format!("it has answered {code}"),
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::HostNotFound => "there is no host of that name".to_owned(),
        ureq::Error::ConnectionFailed => "it can't be reached".to_owned(),
        ureq::Error::Io(error) => format!("it can't be reached: {error}"),
        ureq::Error::Tls(what) => format!("no secure connection: {what}"),
        ureq::Error::Rustls(error) => format!("no secure connection: {error}"),
        _ => "it could not be sent".to_owned(),
    }
}
