//! What can be submitted, by whom, and what it joins.

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Connection, ConnectionProperties};

use super::source;
use crate::support::{Site, eventually, text};

/// Publishes a body as any AMQP client would: no headers, no properties.
async fn publish(site: &Site, exchange: &str, routing_key: &str, body: &str) {
    let url = site.rabbit().url;
    let connection =
        Connection::connect(url.expose(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .basic_publish(
            exchange.into(),
            routing_key.into(),
            BasicPublishOptions::default(),
            body.as_bytes(),
            BasicProperties::default(),
        )
        .await
        .unwrap()
        .await
        .unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

async fn run_count(site: &Site) -> String {
    site.ask_one("SELECT COUNT(*) FROM goshift_run WHERE state = 'succeeded'").await
}

#[tokio::test]
async fn any_client_may_publish_a_bare_event_to_the_exchange_or_the_queue() {
    let site = Site::new("mysql").await;
    source(&site, 10).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let worker = site.worker("one", &[]);
    eventually("the worker listens", || async { worker.log().contains("consume") }).await;
    for (exchange, key, wanted) in [
        (site.id.clone(), "task".to_owned(), "1"),
        (String::new(), format!("{}.tasks", site.id), "2"),
    ] {
        publish(&site, &exchange, &key, r#"{"task_id": 5}"#).await;
        eventually("the event's run succeeds", || async { run_count(&site).await == wanted }).await;
    }
    let runs = site.ask("SELECT run_id FROM goshift_run").await;
    for run in runs.iter().flatten() {
        assert_eq!(site.path(run).await, ["submitted", "running", "succeeded"]);
    }
    drop(worker);
    site.remove().await;
}

#[tokio::test]
async fn an_event_that_cannot_become_a_run_is_buried_with_its_reason() {
    let site = Site::new("mysql").await;
    source(&site, 10).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    site.task(6, ("mysql", "source"), ("mysql", "target"), "").await;
    site.tasks("UPDATE task_def_sync_manager SET online_status = 0 WHERE id = 6").await;
    let mut worker = site.worker("one", &[]);
    eventually("the worker listens", || async { worker.log().contains("consume") }).await;
    let bad = [
        ("hello", "not JSON"),
        ("{\"task_id\": 999}", "no task 999"),
        ("{\"task_id\": 6}", "offline"),
        ("{\"task_id\": 5, \"mode\": \"upside-down\"}", "upside-down"),
    ];
    for (body, _) in bad {
        publish(&site, &site.id, "task", body).await;
    }
    eventually("all four are dead", || async {
        let listed = text(&site.submit(&["--list-dead"]));
        bad.iter().all(|(_, reason)| listed.contains(reason))
    })
    .await;
    // The worker keeps running.
    publish(&site, &site.id, "task", r#"{"task_id": 5}"#).await;
    eventually("a good event still runs", || async { run_count(&site).await == "1" }).await;
    assert!(worker.is_alive());
    drop(worker);
    site.remove().await;
}

#[tokio::test]
async fn further_submissions_join_the_pending_run() {
    let site = Site::new("postgres").await;
    source(&site, 10).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let first = site.submitted(&["5"]);
    assert_eq!(site.submitted(&["5"]), first, "one pending run a task");
    let refused = site.submit(&["5", "--set", "worker_num=2"]);
    assert_eq!(refused.status.code(), Some(2), "other params do not join: {}", text(&refused));
    site.drain();
    let second = site.submitted(&["5"]);
    assert_ne!(second, first, "a finished run is not joined");
    let keyed = site.submitted(&["5", "--dedup-key", "today"]);
    site.drain();
    assert_eq!(site.submitted(&["5", "--dedup-key", "today"]), keyed, "one run a key");
    site.remove().await;
}

#[tokio::test]
async fn the_flags_of_submit_do_what_they_say() {
    let site = Site::new("mysql").await;
    source(&site, 300).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    site.task(6, ("mysql", "source"), ("sqlite", "target"), "").await;
    let worker = site.worker("one", &["--concurrency", "2"]);
    let waited = site.submit(&["--all-online", "--wait", "--json", "--priority", "high"]);
    assert!(waited.status.success(), "{}", text(&waited));
    let first: serde_json::Value =
        serde_json::from_slice(waited.stdout.split(|&b| b == b'\n').next().unwrap()).unwrap();
    assert_eq!((first["task_id"].as_i64(), first["new"].as_bool()), (Some(5), Some(true)));

    let run = site.submitted(&["5", "--wait", "--set", "read_batch=50", "--set", "worker_num=3"]);
    let shards = format!("SELECT shards_total FROM goshift_run WHERE run_id = '{}'", run[0]);
    assert_eq!(site.ask_one(&shards).await, "7", "300 rows in shards of 50, and the open last one");

    let delayed = site.submitted(&["5", "--delay", "2s", "--wait"]);
    let waited_ms = format!(
        "SELECT CAST(TIMESTAMPDIFF(MICROSECOND, submitted_at, started_at) / 1000 AS SIGNED) \
         FROM goshift_run WHERE run_id = '{}'",
        delayed[0]
    );
    let waited_ms: i64 = site.ask_one(&waited_ms).await.parse().unwrap();
    assert!(waited_ms >= 2000, "started {waited_ms} ms after its submission");

    let rerun = site.submitted(&["--rerun", &delayed[0], "--wait"]);
    let origin = format!("SELECT rerun_of FROM goshift_run WHERE run_id = '{}'", rerun[0]);
    assert_eq!(site.ask_one(&origin).await, delayed[0]);
    drop(worker);
    site.remove().await;
}

#[tokio::test]
async fn ids_come_from_standard_input_too() {
    let site = Site::new("sqlite").await;
    source(&site, 3).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    site.task(6, ("mysql", "source"), ("mysql", "target2"), "").await;
    let list = site.folder.join("ids");
    std::fs::write(&list, "5\n6\n").unwrap();
    let output = site
        .command("goshift-submit", &["-"])
        .stdin(std::fs::File::open(list).unwrap())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "{}", text(&output));
    site.drain();
    assert_eq!(run_count(&site).await, "2");
    site.remove().await;
}

#[tokio::test]
async fn a_dead_letter_carries_its_reason() {
    let site = Site::new("mysql").await;
    site.task(5, ("mysql", "no_such_table"), ("mysql", "target"), "").await;
    let run = site.submitted(&["5"]).remove(0);
    site.drain();
    assert_eq!(site.state(&run).await, "failed");
    let letters = goshift::queue::rabbitmq::list_dead(&site.rabbit(), 10).await.unwrap();
    let letter = letters.first().unwrap();
    assert!(letter.reason.contains("no_such_table"), "{}", letter.reason);
    assert!(letter.remedy.is_some());
    assert_eq!(letter.run_id.map(|id| id.to_string()).as_deref(), Some(run.as_str()));
    site.remove().await;
}

#[tokio::test]
async fn a_key_belongs_to_its_task_and_a_message_id_may_come_again() {
    let site = Site::new("mysql").await;
    source(&site, 10).await;
    site.task(5, ("mysql", "source"), ("mysql", "t5"), "").await;
    site.task(6, ("mysql", "source"), ("mysql", "t6"), "").await;
    let worker = site.worker("one", &[]);
    eventually("the worker listens", || async { worker.log().contains("consume") }).await;
    for task in [5, 6] {
        let body = format!(r#"{{"task_id": {task}, "dedup_key": "nightly"}}"#);
        publish(&site, &site.id, "task", &body).await;
    }
    eventually("both tasks ran", || async { run_count(&site).await == "2" }).await;
    publish(&site, &site.id, "task", r#"{"task_id": 5, "dedup_key": "nightly"}"#).await;
    publish(&site, &site.id, "task", r#"{"task_id": 5}"#).await;
    eventually("the last event ran, the one before was a repeat", || async {
        run_count(&site).await == "3"
    })
    .await;
    drop(worker);
    site.remove().await;
}
