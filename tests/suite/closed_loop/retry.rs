//! What fails: at once and for good, or for now.

use super::source;
use crate::support::proxy::Proxy;
use crate::support::{Site, eventually, text};

async fn proxied(site: &Site, engine: &str) -> Proxy {
    let connection = site.connection(engine);
    let part = |key: &str| connection[key].as_str().unwrap().to_owned();
    Proxy::start(format!("{}:{}", part("host"), part("port"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_target_rejects_it_is_failed_at_once_and_dead_lettered() {
    let site = Site::new("mysql").await;
    source(&site, 10).await;
    site.my("CREATE TABLE target (id int PRIMARY KEY, name varchar(40))").await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let run = site.submitted(&["5"]).remove(0);
    let waited = site.worker("one", &[]);
    site.wait_for(&run, "failed").await;
    assert_eq!(site.path(&run).await, ["submitted", "running", "failed"]);
    eventually("it is dead-lettered", || async {
        let pending = format!("SELECT dead_letter FROM goshift_run WHERE run_id = '{run}'");
        site.ask_one(&pending).await == "2"
    })
    .await;
    let listed = text(&site.submit(&["--list-dead"]));
    assert!(listed.contains(&run) && listed.contains("\"amount\""), "{listed}");

    // Put right, and run again from the dead letter: linked, and absorbed when repeated.
    site.my("ALTER TABLE target ADD COLUMN amount decimal(12,2)").await;
    let rerun = site.submitted(&["--rerun-dead", "--task", "5", "--wait"]);
    assert_eq!(rerun.len(), 1);
    let origin = format!("SELECT rerun_of FROM goshift_run WHERE run_id = '{}'", rerun[0]);
    assert_eq!(site.ask_one(&origin).await, run);
    assert!(site.submitted(&["--rerun-dead"]).is_empty(), "nothing is dead any more");
    let listed = text(&site.submit(&["--list-dead"]));
    assert!(!listed.contains(&run), "{listed}");
    site.assert_equal(5);
    drop(waited);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_database_is_down_is_retried_and_succeeds_once_it_is_back() {
    for engine in ["mysql", "postgres"] {
        let mut site = Site::new("mysql").await;
        let proxy = proxied(&site, engine).await;
        let mut target = site.connection(engine);
        target["port"] = proxy.port.into();
        target["connect_timeout"] = 2.into();
        site.configure(|config| {
            config["to"] = serde_json::json!({engine: {"app_db": target}});
        });
        source(&site, 10).await;
        site.task(5, ("mysql", "source"), (engine, "target"), "").await;
        proxy.cut();
        let worker = site.worker("one", &[]);
        let run = site.submitted(&["5"]).remove(0);
        site.wait_for(&run, "retrying").await;
        proxy.restore();
        site.wait_for(&run, "succeeded").await;
        let path = site.path(&run).await;
        assert!(path.contains(&"retrying".to_owned()), "{engine}: {path:?}");
        site.assert_equal(5);
        drop(worker);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_in_the_middle_costs_nothing_that_has_committed() {
    let mut site = Site::new("postgres").await;
    let proxy = proxied(&site, "mysql").await;
    let mut both = site.connection("mysql");
    both["port"] = proxy.port.into();
    both["connect_timeout"] = 2.into();
    site.configure(|config| config["from"]["mysql"]["app_db"] = both);
    source(&site, 60_000).await;
    let params = r#"{"read_batch": 500, "worker_num": 4}"#;
    site.task(5, ("mysql", "source"), ("mysql", "target"), params).await;
    let worker = site.worker("one", &[]);
    let run = site.submitted(&["5"]).remove(0);
    let done = format!("SELECT shards_done FROM goshift_run WHERE run_id = '{run}'");
    eventually("some shards are in", || async {
        site.ask_one(&done).await.parse::<i64>().unwrap() >= 10
    })
    .await;
    proxy.cut();
    site.wait_for(&run, "retrying").await;
    proxy.restore();
    site.wait_for(&run, "succeeded").await;
    let sum = format!(
        "SELECT CAST(SUM(rows_done) AS DECIMAL(9,0)) FROM goshift_shard WHERE run_id = '{run}'"
    );
    assert_eq!(site.ask_one(&sum).await, "60000");
    site.assert_equal(5);
    drop(worker);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_broker_cut_off_submissions_are_kept_and_runs_go_on() {
    let mut site = Site::new("mysql").await;
    let proxy = site.proxy_broker().await;
    source(&site, 10).await;
    for id in 1..=6 {
        site.task(id, ("mysql", "source"), ("mysql", &format!("t{id}")), "").await;
    }
    let mut worker = site.worker("one", &[]);
    let before = site.submitted(&["1", "2", "--wait"]);
    proxy.cut();
    // Accepted, with a warning: the ledger has it, and the worker finds it there.
    let output = site.submit(&["3", "4", "--wait"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("kept in the ledger"), "{}", text(&output));
    proxy.restore();
    let after = site.submitted(&["5", "6", "--wait"]);
    eventually("the worker listens again", || async {
        worker.log().matches("connected to RabbitMQ").count() >= 4
    })
    .await;
    assert!(worker.is_alive(), "no worker needs a restart");
    let once = "SELECT COUNT(*) FROM goshift_run WHERE state = 'succeeded' AND attempt = 1";
    assert_eq!(site.ask_one(once).await, "6", "{before:?} {after:?}");
    drop(worker);
    site.remove().await;
}
