//! A collector that is away costs spans, never a run's time.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::support::{Site, text};
use crate::task;

/// What the end of a process may wait for a collector, with room for a busy machine.
const FLUSH: Duration = Duration::from_secs(8);

/// Takes connections and never answers.
async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    endpoint
}

/// A port at which nobody listens.
async fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_collector_delays_neither_a_run_nor_the_end_of_a_process() {
    for endpoint in [silent().await, refusing().await] {
        let mut site = Site::new("postgres").await;
        site.configure(|config| config["telemetry"]["endpoint"] = endpoint.as_str().into());
        task(&site, 300, r#"{"read_batch": 100}"#).await;
        let mut worker = site.worker("one", &[]);
        let begun = Instant::now();
        let run = site.submitted(&["5"]).remove(0);
        assert!(begun.elapsed() < FLUSH, "{endpoint}: submitting took {:?}", begun.elapsed());
        site.wait_for(&run, "succeeded").await;
        let took = "SELECT CAST(EXTRACT(EPOCH FROM finished_at - started_at) AS text) \
             FROM goshift_run";
        let seconds: f64 = site.ask_one(took).await.parse().unwrap();
        // The request to the collector has a limit of 10 s.
        assert!(seconds < 5.0, "{endpoint}: the run took {seconds} s");
        let ending = Instant::now();
        worker.signal("TERM");
        assert_eq!(worker.ended().await, Some(0), "{}", worker.log());
        assert!(ending.elapsed() < FLUSH, "{endpoint}: ending took {:?}", ending.elapsed());
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_hears_once_that_spans_are_lost() {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    let endpoint = refusing().await;
    site.configure(|config| config["telemetry"]["endpoint"] = endpoint.as_str().into());
    task(&site, 10, "").await;
    let mut command = site.command("goshift", &["-id", "5"]);
    let output = command.env("OTEL_BSP_SCHEDULE_DELAY", "20").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let told = text(&output).matches("spans can't be exported").count();
    assert_eq!(told, 1, "{}", text(&output));
    site.remove().await;
}
