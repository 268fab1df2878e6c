//! Schedules: exactly one submission a tick, whoever watches.

use serde_json::json;

use crate::client::{Served, on_each};
use crate::support::eventually;

/// The beginning of 2026, as the ledger stores it.
fn new_year(engine: &str) -> &'static str {
    match engine {
        "postgres" => "'2026-01-01 00:00:00+00'",
        _ => "'2026-01-01 00:00:00.000'",
    }
}

/// A server with task 5, which copies a few rows.
async fn served(engine: &'static str) -> Served {
    let served = Served::new(engine).await;
    let site = &served.site;
    site.my("CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1), (2), (3)")
        .await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_set_shown_changed_and_taken_away() {
    on_each(|engine| async move {
        let served = served(engine).await;
        let path = "/api/v1/tasks/5/schedule";
        served.get(path).refused(404, "no schedule");
        let content = json!({"cron": "30 2 * * *", "time_zone": "Asia/Shanghai", "mode": "diff"});
        let set = served.put(path, &content).expect(200);
        assert!(set["next_at"].as_str().unwrap().contains("T18:30:00"), "{engine}: {set}");
        assert_eq!((&set["missed"], &set["enabled"]), (&json!("one"), &json!(true)), "{engine}");
        assert_eq!(served.get(path).expect(200), set, "{engine}");
        let disabled = json!({"cron": "@daily", "missed": "skip", "enabled": false});
        let set = served.put(path, &disabled).expect(200);
        assert_eq!((&set["next_at"], &set["mode"]), (&json!(null), &json!(null)), "{engine}");
        let listed = served.get("/api/v1/schedules").expect(200);
        assert_eq!(listed["items"], json!([set]), "{engine}");
        for (content, part) in [
            (json!({"cron": "61 * * * *"}), "not a cron expression"),
            (json!({"cron": "0 0 31 2 *"}), "never comes"),
            (json!({"cron": "@daily", "time_zone": "Mars/Olympus"}), "not a time zone"),
            (json!({"cron": "@daily", "mode": "sideways"}), "sideways"),
        ] {
            served.put(path, &content).refused(422, part);
        }
        served.put("/api/v1/tasks/404/schedule", &content).refused(404, "no task 404");
        served.delete(path).status_is(204);
        served.delete(path).refused(404, "no schedule");
        served.remove().await;
    })
    .await;
}

/// Ten minutes of a minutely schedule, long past and each tick to be made up for: no real minute
/// can get in between.
#[tokio::test(flavor = "multi_thread")]
async fn ten_ticks_are_ten_runs_with_two_servers_two_workers_and_one_of_each_killed() {
    on_each(|engine| async move {
        let served = served(engine).await;
        let site = &served.site;
        let minutely = json!({"cron": "0-9 0 1 1 *", "missed": "all", "enabled": false});
        served.put("/api/v1/tasks/5/schedule", &minutely).expect(200);
        let second = site.another_server("server2");
        // It dies with a tick in its hands; then the others go on.
        let mut faulty = site.faulty_worker("w1", &[], "schedule.before_commit=kill@2");
        let worker = site.worker("w2", &[]);
        site.tasks(&format!(
            "UPDATE goshift_schedule SET enabled = 1, next_at = {}",
            new_year(engine)
        ))
        .await;
        let count = || site.ask_one("SELECT COUNT(*) FROM goshift_run WHERE task_id = 5");
        eventually("some ticks are in", || async { count().await.parse::<u32>().unwrap() >= 4 })
            .await;
        second.kill();
        eventually("all ticks are in", || async {
            count().await == "10"
                && site.ask_one("SELECT COUNT(*) FROM goshift_run WHERE state <> 'succeeded'").await
                    == "0"
        })
        .await;
        let next = served.get("/api/v1/tasks/5/schedule").expect(200);
        assert!(next["next_at"].as_str().unwrap().starts_with("2027-01-01T00:00:00"), "{next}");
        assert!(next["last_at"].as_str().unwrap().starts_with("2026-01-01T00:09:00"), "{next}");
        let by = "SELECT DISTINCT submitted_by FROM goshift_run";
        assert_eq!(site.ask_one(by).await, "schedule", "{engine}");
        // It may have met its second tick or not: the others were as quick.
        faulty.is_alive();
        drop((faulty, worker));
        assert_eq!(count().await, "10", "{engine}");
        served.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_ticks_and_tasks_that_are_offline_are_told_of() {
    let served = served("postgres").await;
    let site = &served.site;
    let backdate = format!("UPDATE goshift_schedule SET next_at = {}", new_year("postgres"));
    let path = "/api/v1/tasks/5/schedule";
    let last_error = || async { served.get(path).expect(200)["last_error"].clone() };
    served.put(path, &json!({"cron": "0 0 1 1 *", "missed": "skip"})).expect(200);
    site.tasks(&backdate).await;
    eventually("the tick is left out", || async { last_error().await == "missed" }).await;
    assert_eq!(site.ask_one("SELECT COUNT(*) FROM goshift_run").await, "0");

    served.put("/api/v1/tasks/5/online", &json!({"online": false})).expect(200);
    served.put(path, &json!({"cron": "0 0 1 1 *", "missed": "one"})).expect(200);
    site.tasks(&backdate).await;
    eventually("the tick is refused", || async {
        last_error().await.as_str().is_some_and(|why| why.contains("offline"))
    })
    .await;
    assert_eq!(site.ask_one("SELECT COUNT(*) FROM goshift_run").await, "0");
    site.tasks(&backdate.replace("SET", "SET cron = 'at tea time',")).await;
    eventually("it is switched off", || async { served.get(path).expect(200)["enabled"] == false })
        .await;
    let told = site.goshift(&["schedule"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("at tea time") && told.contains("disabled"), "{told}");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_sets_lists_and_removes() {
    let served = served("mysql").await;
    let said = |arguments: &[&str]| {
        let output = served.site.goshift(arguments);
        (output.status.code(), crate::support::text(&output))
    };
    let set = said(&["schedule", "set", "5", "30 2 * * *", "--time-zone", "Europe/Berlin"]);
    assert!(set.0 == Some(0) && set.1.contains(":30:00"), "{set:?}");
    let listed = said(&["schedule"]);
    assert!(listed.1.contains("Europe/Berlin") && listed.1.contains("30 2 * * *"), "{listed:?}");
    let wrong = said(&["schedule", "set", "5", "30 2 * *"]);
    assert!(wrong.0 == Some(2) && wrong.1.contains("five fields"), "{wrong:?}");
    assert_eq!(said(&["schedule", "remove", "5"]).0, Some(0));
    assert_eq!(said(&["schedule", "remove", "5"]).0, Some(2));
    served.remove().await;
}
