//! What the person on call does.

use serde_json::json;

use crate::chromium::Browser;
use crate::client::Served;
use crate::support::{Worker, eventually};

/// A server over MariaDB and RabbitMQ with a worker: task 5 takes some seconds, task 6 half a minute, task 7
/// fails.
async fn served() -> (Served, Worker) {
    let served = Served::new("mysql").await;
    let site = &served.site;
    site.my("CREATE TABLE source (id int PRIMARY KEY, t varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_30000")
        .await;
    let params = |speed: u32| {
        json!({"worker_num": 2, "read_batch": 500, "max_rows_per_second": speed}).to_string()
    };
    site.task(5, ("mysql", "source"), ("postgres", "target"), &params(6_000)).await;
    site.task(6, ("mysql", "source"), ("postgres", "slow"), &params(1_000)).await;
    site.task(7, ("mysql", "returns"), ("postgres", "returns"), "").await;
    let worker = site.worker("w", &[]);
    (served, worker)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_submitted_watched_to_its_end_and_another_cancelled() {
    let (served, worker) = served().await;
    let page = Browser::signed_in(&served).await;
    page.click("nav-tasks").await;
    page.see("task-row-7").await;
    page.go("#/tasks/5").await;
    page.click("run-now").await;
    page.click("run-now-submit").await;
    page.is("run-state", "data-state", "running").await;
    // It moves on its own: a figure in between is seen, then the end.
    eventually("the bar moves", || async {
        let text = page.see("run-percent").await.text().await.unwrap_or_default();
        let percent = text.chars().filter(char::is_ascii_digit).collect::<String>();
        percent.parse::<u32>().is_ok_and(|percent| (30..80).contains(&percent))
    })
    .await;
    page.see("shard-strip").await;
    page.picture("run").await;
    page.is("run-state", "data-state", "succeeded").await;
    page.reads("run-percent", "100").await;
    page.reads("run-rows", "30,000").await;
    served.site.assert_equal(5);

    page.go("#/tasks/6").await;
    page.click("run-now").await;
    page.click("run-now-submit").await;
    page.is("run-state", "data-state", "running").await;
    let place = page.client.current_url().await.unwrap();
    page.click("nav-overview").await;
    page.reads("tile-running", "1").await;
    page.picture("overview").await;
    page.client.goto(place.as_str()).await.unwrap();
    page.click("cancel-run").await;
    page.click("cancel-submit").await;
    page.is("run-state", "data-state", "cancelled").await;
    let state = "SELECT task_status FROM task_def_sync_manager WHERE id = 6";
    assert_eq!(served.site.ask_one(state).await, "cancelled");
    page.close().await;
    drop(worker);
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_shows_its_remedy_and_is_run_again_from_the_dead() {
    let (served, worker) = served().await;
    let site = &served.site;
    let page = Browser::signed_in(&served).await;
    page.go("#/tasks/7").await;
    page.click("run-now").await;
    page.click("run-now-submit").await;
    page.is("run-state", "data-state", "failed").await;
    page.reads("run-error", "no source table returns").await;
    page.reads("run-remedy", "correct from_table").await;
    page.picture("failed").await;

    site.my("CREATE TABLE returns (id int PRIMARY KEY); INSERT INTO returns VALUES (1), (2)").await;
    page.click("nav-dead").await;
    page.click("dead-select").await;
    page.picture("dead").await;
    page.click("dead-rerun").await;
    let again = "SELECT COUNT(*) FROM goshift_run WHERE task_id = 7 AND state = 'succeeded'";
    eventually("it is run again", || async { site.ask_one(again).await == "1" }).await;
    site.assert_equal(7);
    eventually("nothing is dead any more", || async {
        page.number("document.querySelectorAll('[data-testid=dead-select]').length").await == 0
    })
    .await;
    page.close().await;
    drop(worker);
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_put_on_a_schedule_and_the_fleet_is_paused() {
    let (served, worker) = served().await;
    let page = Browser::signed_in(&served).await;
    page.go("#/tasks/5").await;
    page.click("plan-task").await;
    page.reads("plan", "going to be created").await;
    page.click("dialog-cancel").await;
    page.click("schedule-edit").await;
    let cron = page.see("schedule-cron").await;
    cron.clear().await.unwrap();
    cron.send_keys("30 2 * * *").await.unwrap();
    page.click("schedule-save").await;
    page.reads("schedule", "30 2 * * *").await;
    let stored = "SELECT cron FROM goshift_schedule WHERE task_id = 5";
    eventually("it is stored", || async { served.site.ask_one(stored).await == "30 2 * * *" })
        .await;

    page.click("nav-workers").await;
    page.click("pause-fleet").await;
    page.click("pause-submit").await;
    let paused = || async { served.site.ask_one("SELECT COUNT(*) FROM goshift_pause").await };
    eventually("the fleet is paused", || async { paused().await == "1" }).await;
    page.click("resume-fleet").await;
    eventually("it goes on", || async { paused().await == "0" }).await;
    page.close().await;
    drop(worker);
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_never_became_a_run_are_run_again_or_purged() {
    let (served, worker) = served().await;
    let site = &served.site;
    eventually("the worker listens", || async { worker.log().contains("consume") }).await;
    site.publish("hello", Some("greeting")).await;
    let dead = || served.get("/api/v1/dead/messages").expect(200);
    let are_dead =
        |count| move || async move { dead()["items"].as_array().unwrap().len() == count };
    eventually("nobody can read it", are_dead(1)).await;
    site.publish(r#"{"task_id": 9}"#, Some("early")).await;
    eventually("there is no task 9", are_dead(2)).await;
    let page = Browser::signed_in(&served).await;
    page.click("nav-dead").await;
    page.reads("dead-messages", "not JSON").await;
    page.reads("dead-messages", "task 9").await;
    page.picture("dead_messages").await;
    page.click("dead-select-greeting").await;
    page.click("dead-rerun").await;
    page.reads("dead-refused", "not JSON").await;
    page.click("dead-select-greeting").await;
    page.click("dead-purge").await;
    page.click("purge-submit").await;
    eventually("it is gone", are_dead(1)).await;

    site.task(9, ("mysql", "source"), ("postgres", "late"), "").await;
    page.click("dead-rerun").await;
    page.click("rerun-all-submit").await;
    let again = "SELECT COUNT(*) FROM goshift_run WHERE task_id = 9 AND state = 'succeeded'";
    eventually("the other is run", || async { site.ask_one(again).await == "1" }).await;
    site.assert_equal(9);
    page.reads("dead-messages", "None waits").await;
    page.close().await;
    drop(worker);
    served.remove().await;
}
