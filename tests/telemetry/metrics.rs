//! What Prometheus scrapes from a worker and from a server.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::proxy::Proxy;
use crate::support::{Site, Worker, eventually, text};
use crate::task;

/// Status, content type and body.
fn get(url: &str) -> (u16, String, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent: ureq::Agent = config.build().into();
    let mut answer = agent.get(url).call().unwrap();
    let kind = answer.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.body_mut().read_to_string().unwrap())
}

/// Where a process says that it listens.
async fn address(process: &Worker, before: &str) -> String {
    let found = || {
        let log = process.log();
        let rest = log.split_once(before)?.1.to_owned();
        Some(rest.split([' ', '"', '/', '\n']).next()?.to_owned())
    };
    eventually(before, || async { found().is_some() }).await;
    format!("http://{}", found().unwrap())
}

fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_counts_its_runs_shards_rows_and_leases() {
    let mut site = Site::new("postgres").await;
    site.configure(|config| config["worker"]["metrics_listen"] = "127.0.0.1:0".into());
    task(&site, 250, r#"{"read_batch": 100}"#).await;
    site.my("CREATE TABLE other (id int PRIMARY KEY)").await;
    site.task(6, ("mysql", "nowhere"), ("postgres", "t6"), "").await;
    let worker = site.worker("one", &[]);
    let base = address(&worker, "metrics at http://").await;
    let ready = || async { get(&format!("{base}/readyz")).0 == 200 };
    eventually("the worker is ready", ready).await;
    assert_eq!(get(&format!("{base}/healthz")).0, 200);
    for (id, state) in [("5", "succeeded"), ("6", "failed")] {
        let run = site.submitted(&[id]).remove(0);
        site.wait_for(&run, state).await;
    }
    // The ledger knows of a run's end a moment before the worker has counted it.
    let scraped = || get(&format!("{base}/metrics")).2;
    let failed = "goshift_worker_runs_total{outcome=\"failed\"}";
    eventually("both are counted", || async { figure(&scraped(), failed) == 1.0 }).await;
    let (_, kind, text) = get(&format!("{base}/metrics"));
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let way = "{from=\"mysql\",to=\"postgres\"}";
    for (name, value) in [
        ("goshift_worker_runs_total{outcome=\"succeeded\"}".to_owned(), 1.0),
        ("goshift_worker_running".to_owned(), 0.0),
        ("goshift_worker_retries_total".to_owned(), 0.0),
        ("goshift_worker_rescues_total".to_owned(), 0.0),
        ("goshift_worker_lease_renewal_failures_total".to_owned(), 0.0),
        (format!("goshift_worker_rows_total{way}"), 250.0),
        (format!("goshift_worker_shard_seconds_count{way}"), 3.0),
    ] {
        assert_eq!(figure(&text, &name), value, "{name}: {text}");
    }
    assert!(figure(&text, &format!("goshift_worker_bytes_total{way}")) > 0.0, "{text}");
    assert!(!text.contains("source") && text.ends_with("# EOF\n"), "{text}");
    drop(worker);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_rescues_and_renewals_are_counted_while_they_happen() {
    let mut site = Site::new("mysql").await;
    site.configure(|config| config["worker"]["metrics_listen"] = "127.0.0.1:0".into());
    task(&site, 400, r#"{"read_batch": 10, "worker_num": 1, "participants": 1}"#).await;
    site.pg("CREATE TABLE target (id int PRIMARY KEY, name varchar(40)); \
         CREATE FUNCTION nap() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END' \
         LANGUAGE plpgsql; \
         CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION nap()")
        .await;
    let doomed = site.worker("doomed", &[]);
    let run = site.submitted(&["5"]).remove(0);
    let done = format!("SELECT shards_done FROM goshift_run WHERE run_id = '{run}'");
    eventually("shards are in", || async { site.ask_one(&done).await != "0" }).await;
    doomed.kill();
    let heir = site.worker("heir", &[]);
    let base = address(&heir, "metrics at http://").await;
    let scraped = || get(&format!("{base}/metrics")).2;
    let is_at_it = || async { figure(&scraped(), "goshift_worker_running") == 1.0 };
    eventually("another worker is at it", is_at_it).await;
    site.wait_for(&run, "succeeded").await;
    let text = scraped();
    assert_eq!(figure(&text, "goshift_worker_rescues_total"), 1.0, "{text}");
    assert_eq!(figure(&text, "goshift_worker_retries_total"), 0.0, "{text}");
    assert!(figure(&text, "goshift_worker_lease_renewals_total") > 0.0, "{text}");
    drop(heir);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_can_t_be_had_ends_the_start_and_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut site = Site::new("sqlite").await;
    site.embedded();
    let address = taken.local_addr().unwrap().to_string();
    site.configure(|config| config["worker"]["metrics_listen"] = address.as_str().into());
    let output = site.command("goshift-worker", &["--drain"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    for part in [address.as_str(), "worker.metrics_listen"] {
        assert!(text(&output).contains(part), "{}", text(&output));
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_tells_what_waits_in_the_queues_and_does_not_wait_for_a_broker_that_is_away() {
    let mut site = Site::new("mysql").await;
    site.configure(|config| config["server"] = json!({"listen": "127.0.0.1:0"}));
    let proxy = site.proxy_broker().await;
    task(&site, 10, "").await;
    site.submitted(&["5"]);
    let server = site.server();
    let base = address(&server, "listening on http://").await;
    let scraped = || {
        let begun = Instant::now();
        let (status, kind, text) = get(&format!("{base}/metrics"));
        assert!(status == 200 && kind.starts_with("application/openmetrics-text"), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        text
    };
    let waiting = format!("goshift_queue_messages{{queue=\"{}.tasks\"}} 1", site.rabbit().prefix);
    eventually("the message is counted", || async { scraped().contains(&waiting) }).await;
    assert!(scraped().contains("goshift_runs_open{state=\"submitted\"} 1\n"), "{}", scraped());
    for trouble in [Proxy::freeze, Proxy::cut] {
        trouble(&proxy);
        let is_absent = || async { !scraped().contains("goshift_queue_messages") };
        eventually("what the broker can't say is absent", is_absent).await;
    }
    proxy.restore();
    eventually("the broker is asked again", || async { scraped().contains(&waiting) }).await;
    drop(server);
    std::fs::remove_file(site.folder.join("server.log")).unwrap();
    site.embedded();
    let server = site.server();
    let base = address(&server, "listening on http://").await;
    let (_, _, text) = get(&format!("{base}/metrics"));
    assert!(!text.contains("goshift_queue_messages"), "{text}");
    drop(server);
    site.remove().await;
}
