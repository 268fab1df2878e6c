//! The whole at a glance, what a run would do, and workers that are asked to end.

use serde_json::json;

use crate::client::{Served, on_each};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_counts_runs_workers_and_rows() {
    on_each(|engine| async move {
        let served = Served::new(engine).await;
        let site = &served.site;
        site.my("CREATE TABLE source (id int PRIMARY KEY); \
             INSERT INTO source SELECT seq FROM seq_1_to_6000")
            .await;
        site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
        site.task(6, ("mysql", "nowhere"), ("postgres", "target"), "").await;
        site.task(7, ("mysql", "source"), ("postgres", "target"), "").await;
        site.submitted(&["5", "6"]);
        site.drain();
        site.submitted(&["7"]);
        let worker = site.worker("w", &["--concurrency", "3"]);
        eventually("the worker counts", || async {
            let seen = served.get("/api/v1/overview").expect(200);
            seen["last_day"]["succeeded"] == 2 && seen["slots"] == 3
        })
        .await;
        let seen = served.get("/api/v1/overview").expect(200);
        assert_eq!((&seen["dead"], &seen["last_day"]["failed"]), (&json!(1), &json!(1)), "{seen}");
        assert_eq!(seen["workers"], json!({"working": 1}), "{engine}");
        // 12,000 rows, if the last minute has all of them.
        let rate = seen["rows_per_second"].as_f64().unwrap();
        assert!(rate > 0.0 && rate <= 200.0, "{engine}: {seen}");
        assert!(seen["bytes_per_second"].as_f64().unwrap() > rate, "{engine}: {seen}");
        drop(worker);
        served.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_a_run_would_do_and_writes_nothing() {
    let served = Served::new("mysql").await;
    let site = &served.site;
    site.my("CREATE TABLE source (id int PRIMARY KEY, name varchar(20))").await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
    site.task(6, ("mysql", "nowhere"), ("postgres", "target"), "").await;
    let plan = served.post("/api/v1/tasks/5/plan", &json!({})).expect(200);
    let line = |heading: &str| {
        let lines = plan["lines"].as_array().unwrap();
        lines.iter().find(|line| line["heading"] == heading).unwrap()["text"].to_string()
    };
    assert!(line("to").contains("going to be created"), "{plan}");
    assert!(line("write").contains("(id)"), "{plan}");
    assert_eq!(plan["columns"][1]["source_type"], "varchar(20)", "{plan}");
    let printed = site.goshift(&["plan", "-id", "5", "--json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&printed.stdout).unwrap(), plan);
    let limited = json!({"params": {"columns": {"id": "number"}}});
    let plan = served.post("/api/v1/tasks/5/plan", &limited).expect(200);
    assert_eq!(plan["columns"].as_array().unwrap().len(), 1, "{plan}");
    served.post("/api/v1/tasks/6/plan", &json!({})).refused(422, "nowhere");
    served.post("/api/v1/tasks/9/plan", &json!({})).refused(404, "no task 9");
    served.post("/api/v1/tasks/5/plan", &json!({"mode": "up"})).refused(422, "up");
    let there = "SELECT CAST(COUNT(*) AS varchar) FROM pg_class WHERE oid = to_regclass('target')";
    assert_eq!(site.rows("postgres", there).await, [["0"]]);
    assert_eq!(site.ask_one("SELECT CAST(COUNT(*) AS char) FROM goshift_run").await, "0");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_drain_finishes_and_ends() {
    on_each(|engine| async move {
        let mut served = Served::new(engine).await;
        served.site.configure(|config| config["worker"]["lease"] = "3s".into());
        let site = &served.site;
        let mut worker = site.worker("w", &[]);
        let other = site.worker("v", &[]);
        let workers = || served.get("/api/v1/workers").expect(200)["items"].clone();
        eventually("both are there", || async { workers().as_array().unwrap().len() == 2 }).await;
        let name = workers()[1]["worker"].as_str().unwrap().to_owned();
        assert!(name.starts_with("w@"), "{name}");
        let path = format!("/api/v1/workers/{name}/drain");
        served.put(&path, &json!({})).status_is(204);
        served.put(&path, &json!({})).status_is(204);
        assert_eq!(worker.ended().await, Some(0), "{engine}");
        assert!(worker.log().contains("draining"), "{engine}: {}", worker.log());
        assert_eq!(workers().as_array().unwrap().len(), 1, "{engine}");
        served.put(&path, &json!({})).refused(404, "no worker");
        assert_eq!(site.goshift(&["drain", &name]).status.code(), Some(2), "{engine}");
        drop(other);
        served.remove().await;
    })
    .await;
}
