//! Several workers, killed workers, signals.

use std::collections::BTreeSet;

use super::{checksum, source};
use crate::support::{Site, Worker, eventually, text};

#[tokio::test]
async fn three_workers_share_the_tasks_and_each_runs_once() {
    const TASKS: i64 = 60;
    let site = Site::new("mysql").await;
    source(&site, 50).await;
    for id in 1..=TASKS {
        site.task(id, ("mysql", "source"), ("mysql", &format!("t{id}")), "").await;
    }
    let workers: Vec<_> = ["a", "b", "c"].map(|name| site.worker(name, &[])).into();
    for worker in &workers {
        eventually("a worker listens", || async { worker.log().contains("consume") }).await;
    }
    let waited = site.submit(&["--all-online", "--wait"]);
    assert!(waited.status.success(), "{}", text(&waited));
    let runs = site.ask("SELECT task_id, state, attempt, epoch FROM goshift_run").await;
    assert_eq!(runs.len() as i64, TASKS);
    for run in &runs {
        assert_eq!(run[1..], ["succeeded", "1", "1"], "task {}", run[0]);
    }
    let took = site
        .ask("SELECT DISTINCT worker FROM goshift_transition WHERE to_state = 'succeeded'")
        .await;
    assert_eq!(took.len(), 3, "every worker took some: {took:?}");
    let listed = text(&site.goshift(&["workers"]));
    assert_eq!(listed.matches("working").count(), 3, "{listed}");
    drop(workers);
    site.remove().await;
}

/// Slows every row down at the target, so that a run can be met in its middle.
pub(super) async fn slow_target(site: &Site, engine: &str) {
    match engine {
        "mysql" => {
            site.my(
                "CREATE TABLE target (id int PRIMARY KEY, name varchar(40), amount decimal(12,2)); \
                 CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW SET @nap = SLEEP(0.002)",
            )
            .await;
        }
        _ => {
            site.pg(
                "CREATE TABLE target (id int PRIMARY KEY, name varchar(40), amount decimal(12,2)); \
                 CREATE FUNCTION nap() RETURNS trigger AS \
                 'BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END' LANGUAGE plpgsql; \
                 CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION nap()",
            )
            .await;
        }
    }
}

/// Task 5, copied by a first worker until so many of its small shards are in.
async fn begun(site: &Site, engine: &str, shards: i64) -> (Worker, String) {
    let params = r#"{"read_batch": 100, "worker_num": 2}"#;
    site.task(5, ("mysql", "source"), (engine, "target"), params).await;
    let worker = site.worker("first", &[]);
    let run = site.submitted(&["5"]).remove(0);
    eventually("some shards are in", || async { shards_done(site, &run).await >= shards }).await;
    (worker, run)
}

async fn shards_done(site: &Site, run: &str) -> i64 {
    let sql = format!("SELECT shards_done FROM goshift_run WHERE run_id = '{run}'");
    site.ask_one(&sql).await.parse().unwrap()
}

#[tokio::test]
async fn a_killed_worker_s_run_is_finished_by_another_from_the_shards_that_are_left() {
    for engine in ["mysql", "postgres"] {
        let site = Site::new(engine).await;
        source(&site, 4000).await;
        slow_target(&site, engine).await;
        let (first, run) = begun(&site, engine, 4).await;
        first.kill();
        let done = shards_done(&site, &run).await;
        assert!(done < 40, "killed in the middle");
        let second = site.worker("second", &[]);
        site.wait_for(&run, "succeeded").await;
        assert_eq!(site.path(&run).await, ["submitted", "running", "running", "succeeded"]);
        let first_s =
            format!("SELECT COUNT(*) FROM goshift_shard WHERE run_id = '{run}' AND epoch = 1");
        let kept: i64 = site.ask_one(&first_s).await.parse().unwrap();
        assert_eq!(kept, done, "what the first had finished was not done again");
        let rows = format!(
            "SELECT CAST(SUM(rows_done) AS DECIMAL(9,0)) FROM goshift_shard WHERE run_id = '{run}'"
        );
        assert_eq!(site.ask_one(&rows).await, "4000");
        site.assert_equal(5);
        drop(second);
        site.remove().await;
    }
}

#[tokio::test]
async fn a_paused_worker_writes_nothing_after_another_has_taken_over() {
    let site = Site::new("postgres").await;
    source(&site, 3000).await;
    slow_target(&site, "mysql").await;
    let (mut first, run) = begun(&site, "mysql", 2).await;
    first.signal("STOP");
    let second = site.worker("second", &[]);
    site.wait_for(&run, "succeeded").await;
    first.signal("CONT");
    eventually("the first lets go", || async { first.log().contains("let go") }).await;
    let finals = "SELECT COUNT(*) FROM goshift_transition WHERE to_state = 'succeeded'";
    assert_eq!(site.ask_one(finals).await, "1", "one finaliser");
    site.assert_equal(5);
    assert!(first.is_alive(), "a lost lease is no reason to end");
    drop((first, second));
    site.remove().await;
}

#[tokio::test]
async fn a_draining_worker_gives_its_run_back_without_charging_an_attempt() {
    let site = Site::new("mysql").await;
    source(&site, 4000).await;
    slow_target(&site, "mysql").await;
    let (mut first, run) = begun(&site, "mysql", 2).await;
    first.signal("TERM");
    assert_eq!(first.ended().await, Some(0), "{}", first.log());
    assert_eq!(site.state(&run).await, "retrying");
    let attempt = format!("SELECT attempt FROM goshift_run WHERE run_id = '{run}'");
    assert_eq!(site.ask_one(&attempt).await, "0");
    let second = site.worker("second", &[]);
    site.wait_for(&run, "succeeded").await;
    assert_eq!(site.ask_one(&attempt).await, "1");
    assert_eq!(checksum(&site, "source").await, checksum(&site, "target").await);
    drop(second);
    site.remove().await;
}

#[tokio::test]
async fn a_running_run_is_cancelled_and_a_waiting_one_too() {
    let site = Site::new("mysql").await;
    source(&site, 4000).await;
    slow_target(&site, "mysql").await;
    let (worker, run) = begun(&site, "mysql", 2).await;
    let waiting = site.submitted(&["5"]).remove(0);
    assert_ne!(waiting, run, "a second run waits behind the active one");
    for id in [&waiting, &run] {
        let cancelled = site.goshift(&["cancel", id]);
        assert!(cancelled.status.success(), "{}", text(&cancelled));
        site.wait_for(id, "cancelled").await;
    }
    let status = "SELECT task_status FROM task_def_sync_manager WHERE id = 5";
    assert_eq!(site.ask_one(status).await, "cancelled");
    let states: BTreeSet<_> = site.path(&run).await.into_iter().collect();
    assert!(!states.contains("succeeded"));
    drop(worker);
    site.remove().await;
}

#[tokio::test]
async fn a_task_edited_between_two_attempts_is_copied_from_the_start() {
    let site = Site::new("postgres").await;
    source(&site, 3000).await;
    slow_target(&site, "mysql").await;
    let (first, run) = begun(&site, "mysql", 4).await;
    first.kill();
    site.tasks("UPDATE task_def_sync_manager SET to_table = 'elsewhere' WHERE id = 5").await;
    let second = site.worker("second", &[]);
    site.wait_for(&run, "succeeded").await;
    assert_eq!(checksum(&site, "source").await, checksum(&site, "elsewhere").await);
    drop(second);
    site.remove().await;
}
