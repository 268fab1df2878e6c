//! A server of a test's own, and a caller.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use ureq::Agent;

use crate::support::{ENGINES, Site, Worker, eventually};

/// Planted: none of them may show anywhere.
pub const READ: &str = "planted-read-token-7d1e";
pub const SUBMIT: &str = "planted-submit-token-93ab";
pub const ADMIN: &str = "planted-admin-token-c05f";

/// Does the same on each kind of task database at once.
pub async fn on_each<F, Fut>(row: F)
where
    F: Fn(&'static str) -> Fut,
    Fut: Future<Output = ()>,
{
    futures::future::join_all(ENGINES.map(row)).await;
}

/// A place with a server.
pub struct Served {
    pub site: Site,
    pub server: Worker,
    address: String,
    agent: Agent,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    /// Its JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Its JSON, if it has this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// That it has this status, and no more.
    #[track_caller]
    pub fn status_is(&self, status: u16) {
        assert_eq!((self.status, self.text.as_str()), (status, ""));
    }

    /// A problem of this status, of which people are told this.
    #[track_caller]
    pub fn refused(&self, status: u16, part: &str) {
        let problem = self.expect(status);
        let kind = self.headers["content-type"].to_str().unwrap();
        assert_eq!(kind, "application/problem+json");
        assert_eq!(problem["status"], status);
        assert!(problem["type"].as_str().unwrap().starts_with("urn:goshift:problem:"), "{problem}");
        assert!(self.text.contains(part), "{part}: {problem}");
    }
}

impl Served {
    /// With a token of each role.
    pub async fn new(task_engine: &'static str) -> Self {
        Self::configured(task_engine, |_| {}).await
    }

    /// With a token of each role, and more in the configuration.
    pub async fn configured(task_engine: &'static str, more: impl FnOnce(&mut Value)) -> Self {
        let tokens = json!({"read": READ, "submit": SUBMIT, "admin": ADMIN});
        Self::start(task_engine, |config| {
            config["server"] = json!({"listen": "127.0.0.1:0", "tokens": tokens});
            more(config);
        })
        .await
    }

    /// With this section `server`.
    pub async fn with(task_engine: &'static str, section: Value) -> Self {
        Self::start(task_engine, |config| config["server"] = section).await
    }

    async fn start(task_engine: &'static str, change: impl FnOnce(&mut Value)) -> Self {
        let mut site = Site::new(task_engine).await;
        site.configure(change);
        let server = site.server();
        let address = || {
            let log = server.log();
            let rest = log.split_once("listening on ")?.1.to_owned();
            Some(rest.split([' ', '\n']).next()?.to_owned())
        };
        eventually("the server listens", || async { address().is_some() }).await;
        let address = address().unwrap();
        // A server that refuses a request unread ends its connection.
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .build()
            .into();
        Self { site, server, address, agent }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// A request, with or without a body, a token and other headers.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_owned()).unwrap())
            }
            None => self.agent.run(request.body(()).unwrap()),
        }
        .unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().unwrap(),
        }
    }

    fn by(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {ADMIN}");
        let body = body.map(Value::to_string);
        self.ask(method, path, body.as_deref(), &[("authorization", &bearer)])
    }

    pub fn get(&self, path: &str) -> Answer {
        self.by("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.by("POST", path, Some(body))
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.by("PUT", path, Some(body))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.by("DELETE", path, None)
    }

    /// Reads a run's events to their end.
    pub fn events(&self, run: &str) -> Vec<Value> {
        let url = self.url(&format!("/api/v1/runs/{run}/events"));
        let bearer = format!("Bearer {READ}");
        let response = self.agent.get(url).header("authorization", bearer).call().unwrap();
        assert_eq!(response.status(), 200);
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        let data = lines.map(Result::unwrap).filter_map(|line| {
            line.strip_prefix("data: ").map(|data| serde_json::from_str(data).unwrap())
        });
        data.collect()
    }

    pub async fn remove(self) {
        drop(self.server);
        self.site.remove().await;
    }
}
