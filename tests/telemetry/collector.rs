//! An OTLP receiver over HTTP that keeps every span it gets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message;

use crate::support::{Site, eventually};

/// A span as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for one that begins its trace.
    pub parent: String,
    pub attributes: BTreeMap<String, String>,
    pub failed: bool,
    pub events: usize,
    pub start: u64,
    pub end: u64,
}

#[derive(Default)]
struct Kept {
    spans: Vec<Seen>,
    headers: Vec<HeaderMap>,
}

/// Receives until it is dropped with its runtime.
#[derive(Clone)]
pub struct Collector {
    kept: Arc<Mutex<Kept>>,
    pub endpoint: String,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::<Mutex<Kept>>::default();
        let router = Router::new().route("/v1/traces", post(receive)).with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { kept, endpoint }
    }

    /// Lets a site's processes export here.
    pub fn serve(&self, site: &mut Site) {
        let endpoint = self.endpoint.clone();
        site.configure(|config| config["telemetry"]["endpoint"] = endpoint.into());
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.kept.lock().unwrap().spans.clone()
    }

    /// What came with the requests.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.kept.lock().unwrap().headers.clone()
    }

    /// All spans of a run's trace, once as many as are expected of this name are there.
    pub async fn trace_of(&self, run: &str, name: &str, count: usize) -> Vec<Seen> {
        let is_there = || {
            let all = self.spans();
            let of_run = |span: &&Seen| span.attributes.get("run").is_some_and(|id| id == run);
            let trace = all.iter().find(of_run)?.trace.clone();
            let spans: Vec<_> = all.into_iter().filter(|span| span.trace == trace).collect();
            (spans.iter().filter(|span| span.name == name).count() >= count).then_some(spans)
        };
        let what = format!("{count} spans {name} of run {run}");
        eventually(&what, || async { is_there().is_some() }).await;
        is_there().unwrap()
    }
}

async fn receive(
    State(kept): State<Arc<Mutex<Kept>>>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut kept = kept.lock().unwrap();
    kept.headers.push(headers);
    for of_process in request.resource_spans {
        let resource = texts(&of_process.resource.unwrap().attributes);
        let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        kept.spans.extend(spans.map(|span| Seen {
            service: resource["service.name"].clone(),
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            attributes: texts(&span.attributes),
            failed: span.status.is_some_and(|status| status.code == 2),
            events: span.events.len(),
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
        }));
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    ([(header::CONTENT_TYPE, "application/x-protobuf")], answer)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref()).unwrap();
        match value {
            any_value::Value::StringValue(text) => text.clone(),
            any_value::Value::IntValue(number) => number.to_string(),
            any_value::Value::BoolValue(truth) => truth.to_string(),
            other => format!("{other:?}"),
        }
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}
