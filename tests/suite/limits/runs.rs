//! Runs at once on a connection, over the whole fleet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::closed_loop::source;
use crate::support::{Site, eventually, pause, text};

const LIMIT: i64 = 3;

/// The most runs that were at work at one moment, by the transitions' times.
async fn peak(site: &Site) -> i64 {
    let steps = site
        .ask(
            "SELECT COALESCE(from_state, ''), to_state FROM goshift_transition \
             ORDER BY at, CASE WHEN to_state = 'running' THEN 1 ELSE 0 END",
        )
        .await;
    let (mut running, mut peak) = (0, 0);
    for step in steps {
        running -= i64::from(step[0] == "running");
        running += i64::from(step[1] == "running");
        peak = peak.max(running);
    }
    assert_eq!(running, 0, "every run has ended");
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_never_exceeds_a_connection_s_limit_of_runs_and_uses_all_of_it() {
    const TASKS: i64 = 60;
    for engine in ["mysql", "postgres"] {
        let mut site = Site::new(engine).await;
        site.configure(|config| config["from"]["mysql"]["app_db"]["max_runs"] = LIMIT.into());
        source(&site, 20).await;
        // A run takes long enough to meet others.
        let params = r#"{"where": "SLEEP(0.005) = 0"}"#;
        for id in 1..=TASKS {
            site.task(id, ("mysql", "source"), ("sqlite", &format!("t{id}")), params).await;
        }
        let workers: Vec<_> =
            ["a", "b", "c", "d"].map(|name| site.worker(name, &["--concurrency", "4"])).into();
        for worker in &workers {
            eventually("a worker listens", || async { worker.log().contains("consume") }).await;
        }
        let site = Arc::new(site);
        let done = Arc::new(AtomicBool::new(false));
        let monitor = tokio::spawn({
            let (site, done) = (Arc::clone(&site), Arc::clone(&done));
            async move {
                let mut most = 0;
                while !done.load(Ordering::Relaxed) {
                    let sql = "SELECT COUNT(*) FROM goshift_run WHERE state = 'running'";
                    most = most.max(site.ask_one(sql).await.parse::<i64>().unwrap());
                    pause().await;
                }
                most
            }
        });
        let waited = tokio::task::spawn_blocking({
            let site = Arc::clone(&site);
            move || site.submit(&["--all-online", "--wait"])
        });
        let waited = waited.await.unwrap();
        done.store(true, Ordering::Relaxed);
        let seen = monitor.await.unwrap();
        assert!(waited.status.success(), "{}", text(&waited));
        assert!(seen <= LIMIT, "{engine}: {seen} at once were seen");
        assert_eq!(peak(&site).await, LIMIT, "{engine}");
        let runs = site.ask("SELECT state, attempt, epoch, waits_for FROM goshift_run").await;
        assert_eq!(runs.len() as i64, TASKS);
        assert!(runs.iter().all(|run| *run == ["succeeded", "1", "1", "NULL"]), "{runs:?}");
        assert!(text(&waited).contains("waits for from.mysql.app_db"), "some had to wait");
        drop(workers);
        Arc::into_inner(site).unwrap().remove().await;
    }
}

#[tokio::test]
async fn without_a_broker_waiting_runs_are_found_and_other_connections_are_not_held_up() {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    site.configure(|config| config["from"]["mysql"]["app_db"]["max_runs"] = 1.into());
    source(&site, 20).await;
    site.pg("CREATE TABLE other (id int PRIMARY KEY)").await;
    let params = r#"{"where": "SLEEP(0.01) = 0"}"#;
    for id in 1..=6 {
        site.task(id, ("mysql", "source"), ("sqlite", &format!("t{id}")), params).await;
    }
    site.task(7, ("postgres", "other"), ("sqlite", "t7"), "").await;
    let runs = site.submitted(&["--all-online"]);
    let output =
        site.command("goshift-worker", &["--drain", "--concurrency", "4"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for run in &runs {
        assert_eq!(site.path(run).await, ["submitted", "running", "succeeded"]);
    }
    assert!(peak(&site).await <= 2, "one on MySQL, and the one on PostgreSQL");
    site.remove().await;
}

#[tokio::test]
async fn in_the_foreground_a_full_connection_is_a_sentence() {
    let mut site = Site::new("mysql").await;
    site.configure(|config| config["from"]["mysql"]["app_db"]["max_runs"] = 1.into());
    source(&site, 500).await;
    site.task(5, ("mysql", "source"), ("sqlite", "t5"), r#"{"where": "SLEEP(0.02) = 0"}"#).await;
    site.task(6, ("mysql", "source"), ("sqlite", "t6"), "").await;
    site.task(7, ("mysql", "source"), ("sqlite", "t7"), "").await;
    let plan = text(&site.goshift(&["plan", "-id", "6"]));
    assert!(plan.contains("runs    at most 1 at once use from.mysql.app_db"), "{plan}");
    let worker = site.worker("one", &["--concurrency", "2"]);
    let first = site.submitted(&["5"]).remove(0);
    site.wait_for(&first, "running").await;

    let refused = site.goshift(&["-id", "6"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    let said = text(&refused);
    assert!(said.contains("from.mysql.app_db has its max_runs at work"), "{said}");
    assert!(said.contains("goshift-submit 6"), "{said}");
    let waiting = site.submitted(&["7"]).remove(0);
    eventually("it waits", || async {
        text(&site.goshift(&["runs"])).contains("waits for from.mysql.app_db")
    })
    .await;
    assert_eq!(site.state(&waiting).await, "submitted");
    assert!(site.goshift(&["cancel", &first]).status.success());
    site.wait_for(&waiting, "succeeded").await;
    drop(worker);
    site.remove().await;
}
