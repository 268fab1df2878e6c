//! Spans on their way to a collector: OTLP over HTTP, in batches, from a thread of the SDK's own.
//!
//! Without an endpoint nothing here runs. A collector that is away costs spans, never time: what does
//! not fit into the SDK's queue is dropped, and the end of the process waits only so long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::telemetry::{TelemetrySettings, check_endpoint};
use crate::error::{Error, Result};

/// For one request to the collector.
const REQUEST: Duration = Duration::from_secs(10);
/// For what is left at the end of the process.
const FLUSH: Duration = Duration::from_secs(2);
/// Few: at the end of a process they are waited for.
const RETRIES: usize = 1;
/// A collector's answer is a few bytes.
const LARGEST_ANSWER: u64 = 64 * 1024;

/// The standard variables, which the exporter reads too: the traces' own address as it is, and the one
/// of all signals.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// An export that is under way; dropping it sends what is left.
pub(super) struct Export {
    provider: SdkTracerProvider,
}

impl Export {
    /// Begins to export, if a collector is named in the configuration or in the environment.
    ///
    /// # Errors
    /// Kind `Config` for an address or a header that can't be used.
    pub fn start(binary: &str, settings: &TelemetrySettings) -> Result<Option<Self>> {
        settings.check()?;
        let Some(endpoint) = endpoint(settings)? else { return Ok(None) };
        let headers = settings.headers.iter();
        // The exporter takes values as they are written in its environment variable: %20 for a space.
        let headers =
            headers.map(|(name, value)| (name.clone(), value.expose().replace('%', "%25")));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Sender::new(&endpoint)?)
            .with_endpoint(&endpoint)
            .with_headers(headers.collect())
            .with_retry_policy(RetryPolicy::recommended().with_max_retries(RETRIES))
            .build()
            .map_err(|error| {
                Error::config(format!("can't export spans to {endpoint}"))
                    .caused_by(error)
                    .with_remedy("correct the section telemetry")
            })?;
        let sampler = Sampler::TraceIdRatioBased(settings.ratio());
        let named = settings.service_name.clone().or_else(|| variable(SERVICE_NAME));
        let resource = Resource::builder()
            .with_service_name(named.unwrap_or_else(|| binary.to_owned()))
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource)
            .build();
        Ok(Some(Self { provider }))
    }

    /// What makes spans.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("goshift")
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH) {
            tracing::debug!(%error, "not all spans were exported");
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The full address for spans.
fn endpoint(settings: &TelemetrySettings) -> Result<Option<String>> {
    let of_traces = |base: &str| format!("{}/v1/traces", base.trim_end_matches('/'));
    if let Some(base) = settings.endpoint.as_deref().filter(|base| !base.is_empty()) {
        return Ok(Some(of_traces(base)));
    }
    if let Some(full) = variable(TRACES_ENDPOINT) {
        check_endpoint(TRACES_ENDPOINT, &full)?;
        return Ok(Some(full));
    }
    let Some(base) = variable(ENDPOINT) else { return Ok(None) };
    check_endpoint(ENDPOINT, &base)?;
    Ok(Some(of_traces(&base)))
}

/// Sends batches. The SDK calls it on its own thread, where waiting holds up nothing.
#[derive(Debug)]
struct Sender {
    agent: ureq::Agent,
    /// Whether the log knows that the collector can't be reached.
    told: AtomicBool,
}

impl Sender {
    fn new(endpoint: &str) -> Result<Self> {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST))
            .max_redirects(0)
            .http_status_as_error(false);
        if endpoint.starts_with("https:") {
            config = config.tls_config(TlsConfig::builder().root_certs(authorities()?).build());
        }
        Ok(Self { agent: config.build().into(), told: AtomicBool::new(false) })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let answer = self.agent.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(LARGEST_ANSWER).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }

    /// The first failure in a row is for the operator.
    fn tell(&self, trouble: Option<String>) {
        match trouble {
            None if self.told.swap(false, Ordering::Relaxed) => {
                tracing::info!("spans are exported again");
            }
            None => {}
            Some(error) if !self.told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(error, "spans can't be exported and are dropped until they can");
            }
            Some(error) => tracing::debug!(error, "spans can't be exported"),
        }
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = std::future::ready(self.send(request)).await;
        self.tell(match &sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the collector answers {}", answer.status())),
            Err(error) => Some(error.to_string()),
        });
        // What may pass is tried again by the exporter, which reads the status.
        sent
    }
}

/// The operating system's, as for databases and the broker.
fn authorities() -> Result<RootCerts> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let error = Error::config("the system has no trusted authorities for the collector")
            .with_remedy("install ca-certificates, or name a collector by http");
        return Err(match found.errors.into_iter().next() {
            Some(cause) => error.caused_by(cause),
            None => error,
        });
    }
    let certs = found.certs.iter().map(|der| Certificate::from_der(der).to_owned());
    Ok(RootCerts::Specific(Arc::new(certs.collect())))
}
