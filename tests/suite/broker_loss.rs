//! A broker that loses everything it had, queues and exchanges included, in the middle of the work.

use std::process::Command;

use crate::closed_loop::source;
use crate::support::{Site, Worker, eventually, text};

const TASKS: i64 = 100;
const FREE: i64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_queued_tasks_survive_the_loss_of_every_queue_and_exchange() {
    for engine in ["mysql", "postgres"] {
        let site = Site::new(engine).await;
        source(&site, 20).await;
        // The second half can't be read for now, so that the loss comes in the middle.
        site.my("CREATE TABLE held LIKE source; INSERT INTO held SELECT * FROM source").await;
        for id in 1..=TASKS {
            let from = if id <= FREE { "source" } else { "held" };
            let target = format!("target_{id}");
            site.task(id, ("mysql", from), ("postgres", &target), "").await;
        }
        let mut hold = site.mysql.acquire().await.unwrap();
        sqlx::Executor::execute(&mut *hold, sqlx::raw_sql("LOCK TABLES held WRITE")).await.unwrap();
        let runs = site.submitted(&["--all-online"]);
        assert_eq!(runs.len() as i64, TASKS);
        let workers: Vec<Worker> = ["a", "b"].map(|name| site.worker(name, &[])).into();
        let succeeded = "SELECT COUNT(*) FROM goshift_run WHERE state = 'succeeded'";
        let count = |expected: i64| {
            let site = &site;
            move || async move { site.ask_one(succeeded).await == expected.to_string() }
        };
        eventually("the first half is done", count(FREE)).await;

        goshift::queue::rabbitmq::delete(&site.rabbit()).await.unwrap();
        sqlx::Executor::execute(&mut *hold, sqlx::raw_sql("UNLOCK TABLES")).await.unwrap();
        drop(hold);

        eventually("all are done", count(TASKS)).await;
        for run in &runs {
            assert_eq!(site.path(run).await, ["submitted", "running", "succeeded"], "{engine}");
        }
        assert_eq!(site.ask_one("SELECT COUNT(*) FROM goshift_run").await, "100", "{engine}");
        for id in 1..=TASKS {
            let count = format!("SELECT count(*)::text FROM target_{id}");
            let rows = site.rows("postgres", &count).await;
            assert_eq!(rows, [["20"]], "{engine}: task {id}");
        }
        drop(workers);
        site.remove().await;
    }
}

/// As after a crash of that process, which 3.10 does not start again.
fn stop_the_process_behind(queue: &str) {
    let stop = format!(
        "ok = ra:stop_server(quorum_queues, {{binary_to_atom(<<\"%2F_{queue}\">>), node()}})."
    );
    let services = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services");
    let output = Command::new(services).args(["ctl", "eval", &stop]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test]
async fn a_queue_that_the_broker_cannot_serve_does_not_hold_up_the_others() {
    let site = Site::new("mysql").await;
    source(&site, 20).await;
    site.task(1, ("mysql", "source"), ("postgres", "target"), "").await;
    let runs = site.submitted(&["1"]);
    stop_the_process_behind(&format!("{}.tasks.high", site.id));
    site.drain();
    assert_eq!(site.path(&runs[0]).await, ["submitted", "running", "succeeded"]);
    let worker = site.worker("one", &[]);
    eventually("messages are fetched", || async { worker.log().contains("fetched instead") }).await;
    let runs = site.submitted(&["1"]);
    site.wait_for(&runs[0], "succeeded").await;
    drop(worker);
    site.remove().await;
}
