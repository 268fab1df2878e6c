//! A browser for one test: its own chromedriver, its own empty profile.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::client::{ADMIN, Served};
use crate::support::{PATIENCE, eventually};

/// A browser that shows a server's page.
pub struct Browser {
    pub client: Client,
    driver: Child,
    session_url: String,
    page: String,
}

fn start_driver() -> (Child, String) {
    let started = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut driver = started.unwrap_or_else(|error| {
        panic!("chromedriver can't be started ({error}): install it with `scripts/browser up`")
    });
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.ok()?;
        let (_, rest) = line.split_once("started successfully on port ")?;
        Some(rest.trim_end_matches('.').to_owned())
    });
    let port = port.expect("chromedriver says which port it has");
    // What it says later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, format!("http://127.0.0.1:{port}"))
}

impl Browser {
    /// Opens the server's page: on a small phone in the dark, or in a light window.
    async fn open(served: &Served, is_phone: bool) -> Self {
        let (driver, driver_url) = start_driver();
        let mut arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--window-size=1280,900".to_owned(),
            "--lang=en-US".to_owned(),
        ];
        if is_phone {
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let mut options = json!({"args": arguments});
        if is_phone {
            // A window can't be as narrow.
            let screen = json!({"width": 360, "height": 740, "pixelRatio": 2.0});
            options["mobileEmulation"] = json!({"deviceMetrics": screen});
        }
        let capabilities = json!({"goog:chromeOptions": options,
                                  "goog:loggingPrefs": {"browser": "ALL"}});
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let client = builder.connect(&driver_url).await.unwrap();
        let session = client.session_id().await.unwrap().unwrap();
        let session_url = format!("{driver_url}/session/{session}");
        let browser = Self { client, driver, session_url, page: served.url("/") };
        browser.go("").await;
        browser
    }

    /// Opens the page in a usual window and signs in for everything.
    pub async fn signed_in(served: &Served) -> Self {
        let browser = Self::open(served, false).await;
        browser.sign_in().await;
        browser
    }

    /// The same on a phone.
    pub async fn signed_in_on_a_phone(served: &Served) -> Self {
        let browser = Self::open(served, true).await;
        browser.sign_in().await;
        browser
    }

    async fn sign_in(&self) {
        self.see("sign-in-token").await.send_keys(ADMIN).await.unwrap();
        self.click("sign-in").await;
        self.see("nav-tasks").await;
    }

    /// Goes to a place of the page.
    pub async fn go(&self, place: &str) {
        self.client.goto(&format!("{}{place}", self.page)).await.unwrap();
    }

    /// The first part of the page with this test id, once it is there.
    pub async fn see(&self, id: &str) -> Element {
        let selector = format!("[data-testid=\"{id}\"]");
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(&selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("{id} is not on the page ({error}): {}", self.text().await),
        }
    }

    /// All that can be read.
    pub async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await.unwrap();
        body.text().await.unwrap()
    }

    /// Clicks on it.
    pub async fn click(&self, id: &str) {
        // The page may have drawn it anew between finding and clicking.
        eventually(&format!("{id} is clicked"), || async {
            self.see(id).await.click().await.is_ok()
        })
        .await;
    }

    /// Waits until its text has this in it.
    pub async fn reads(&self, id: &str, part: &str) {
        eventually(&format!("{id} reads {part}"), || async {
            let text = self.see(id).await.text().await;
            text.is_ok_and(|text| text.contains(part))
        })
        .await;
    }

    /// Waits until an attribute is this.
    pub async fn is(&self, id: &str, attribute: &str, value: &str) {
        eventually(&format!("{id}'s {attribute} is {value}"), || async {
            let found = self.see(id).await.attr(attribute).await;
            found.is_ok_and(|found| found.as_deref() == Some(value))
        })
        .await;
    }

    /// A number that a script of ours computes on the page.
    pub async fn number(&self, script: &str) -> i64 {
        let value = self.client.execute(&format!("return {script}"), Vec::new()).await.unwrap();
        value.as_i64().unwrap_or_else(|| panic!("{script}: {value}"))
    }

    /// Takes a picture for the documentation, if they are wanted.
    pub async fn picture(&self, name: &str) {
        let picture = self.client.screenshot().await.unwrap();
        assert!(picture.len() > 5_000, "{name}: an empty picture");
        if let Some(folder) = std::env::var_os("GOSHIFT_SCREENSHOTS") {
            std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), picture).unwrap();
        }
    }

    /// What the browser has complained of.
    pub fn complaints(&self) -> Vec<String> {
        let url = format!("{}/se/log", self.session_url);
        let mut answer = ureq::post(url).send_json(json!({"type": "browser"})).unwrap();
        let log: Value = answer.body_mut().read_json().unwrap();
        let entries = log["value"].as_array().unwrap().clone();
        let is_bad = |entry: &&Value| entry["level"] == "SEVERE";
        let said = entries.iter().filter(is_bad).map(|entry| entry["message"].to_string());
        // Chromium says so of each refusal that the page asks for: nobody is signed in yet, or a task
        // has no schedule.
        let is_asked_for = |text: &String| {
            (text.contains("/session") && text.contains("401"))
                || (text.contains("/schedule") && text.contains("404"))
        };
        said.filter(|text| !is_asked_for(text)).collect()
    }

    /// Ends it; it may have complained of nothing.
    pub async fn close(self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Of a test that failed: the driver would leave its browser behind.
        let ended = ureq::delete(&self.session_url).call();
        drop(ended);
        let stopped = self.driver.kill().and_then(|()| self.driver.wait());
        drop(stopped);
    }
}
