//! `runs`, `run` and `workers`.

use std::process::{Child, Stdio};
use std::time::Instant;

use super::{end, objects, said, site};
use crate::closed_loop::source;
use crate::support::{PATIENCE, Site, eventually, pause, text};

/// Waits for a command's end and returns its exit code.
async fn ended(child: &mut Child) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(started.elapsed() < PATIENCE, "it does not end");
        pause().await;
    }
}

/// A run that has succeeded and one that is dead.
async fn two_runs(site: &Site) -> [String; 2] {
    source(site, 1000).await;
    let params = r#"{"read_batch": 300}"#;
    site.task(5, ("mysql", "source"), ("postgres", "target"), params).await;
    site.task(6, ("mysql", "no_such_table"), ("postgres", "other"), "").await;
    let runs = site.submitted(&["5", "6"]);
    site.drain();
    runs.try_into().unwrap()
}

#[tokio::test]
async fn runs_are_listed_by_what_was_asked_for() {
    let site = site("mysql").await;
    let [good, bad] = two_runs(&site).await;
    let listed = said(&site, &["runs"]);
    for part in [&good, &bad, "succeeded", "1,000", "no_such_table", "    → "] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    let ids = |arguments: &[&str]| {
        let runs = objects(&site, arguments);
        let ids = runs.iter().map(|run| run["run_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(&["runs"]).len(), 2);
    assert_eq!(ids(&["-cmd", "runs", "--task", "5"]), [good.as_str()]);
    assert_eq!(ids(&["runs", "-id", "5"]), [good.as_str()]);
    assert_eq!(ids(&["runs", "--state", "failed,retrying"]), [bad.as_str()]);
    assert_eq!(ids(&["runs", "--state", "failed", "--state", "succeeded"]).len(), 2);
    assert_eq!(ids(&["runs", "--dead"]), [bad.as_str()]);
    assert_eq!(ids(&["runs", "--limit", "1"]).len(), 1);
    site.tasks(&format!(
        "UPDATE goshift_run SET submitted_at = TIMESTAMPADD(HOUR, -3, submitted_at) \
         WHERE run_id = '{good}'"
    ))
    .await;
    assert_eq!(ids(&["runs", "--since", "2h"]), [bad.as_str()]);
    let run = objects(&site, &["runs", "--task", "5"]).remove(0);
    assert_eq!((run["rows_done"].as_i64(), run["shards_done"].as_i64()), (Some(1000), Some(4)));
    let instant = run["finished_at"].as_str().unwrap();
    assert!(humantime::parse_rfc3339(instant).is_ok(), "{instant}");
    let refused = site.goshift(&["runs", "--state", "asleep"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("retrying"), "the remedy names the states");
    site.remove().await;
}

#[tokio::test]
async fn no_table_is_wider_than_the_terminal() {
    let site = site("sqlite").await;
    let [_, bad] = two_runs(&site).await;
    for arguments in
        [&["runs"][..], &["run", &bad], &["workers"], &["dead"], &["run", &bad, "--shards"]]
    {
        for columns in ["40", "80"] {
            let output = site.command("goshift", arguments).env("COLUMNS", columns).output();
            let output = output.unwrap();
            let widest = String::from_utf8_lossy(&output.stdout);
            let widest = widest.lines().map(|line| line.chars().count()).max();
            assert!(widest <= columns.parse().ok(), "{arguments:?} {columns}: {}", text(&output));
        }
    }
    site.remove().await;
}

#[tokio::test]
async fn one_run_is_shown_whole_and_found_by_either_end_of_its_id() {
    for engine in crate::support::ENGINES {
        let site = site(engine).await;
        let [good, bad] = two_runs(&site).await;
        let shown = said(&site, &["run", end(&good)]);
        for part in [
            &good,
            "mysql app_db.source → postgres app_db.target",
            "1,000 rows",
            "4 done, 0 held, 0 open",
            "submitted by",
            "goshift verify -id 5",
        ] {
            assert!(shown.contains(part), "{engine}, {part}: {shown}");
        }
        let shown = said(&site, &["run", end(&bad)]);
        for part in ["failed, dead", "no_such_table", "→ ", "goshift dead rerun"] {
            assert!(shown.contains(part), "{engine}, {part}: {shown}");
        }
        let whole = objects(&site, &["run", &good, "--shards"]).remove(0);
        assert_eq!(whole["run"]["state"], "succeeded", "{engine}");
        assert_eq!(whole["transitions"].as_array().unwrap().len(), 3);
        let shards = whole["every_shard"].as_array().unwrap();
        assert_eq!(
            shards.iter().map(|shard| shard["rows_done"].as_i64().unwrap()).sum::<i64>(),
            1000
        );
        assert!(shards[0].get("key_range").is_none(), "bounds are row values");
        let whole = objects(&site, &["run", end(&bad)]).remove(0);
        assert_eq!(whole["errors"].as_array().unwrap().len(), 1, "{whole}");
        assert!(whole["next"].as_str().unwrap().contains("rerun"), "{whole}");

        let same = good.chars().zip(bad.chars()).take_while(|(a, b)| a == b).count();
        let ambiguous = site.goshift(&["run", &good[..same]]);
        assert_eq!(ambiguous.status.code(), Some(2), "{}", text(&ambiguous));
        for id in [&good, &bad] {
            assert!(text(&ambiguous).contains(id), "{}", text(&ambiguous));
        }
        let unknown = site.goshift(&["run", "ffffffff"]);
        assert!(text(&unknown).contains("no run ffffffff"), "{}", text(&unknown));
        site.remove().await;
    }
}

#[tokio::test]
async fn a_watched_run_ends_the_watch_with_its_own_outcome() {
    let site = site("postgres").await;
    source(&site, 1000).await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
    site.task(6, ("mysql", "no_such_table"), ("postgres", "other"), "").await;
    for (task, code) in [("5", 0), ("6", 1)] {
        let run = site.submitted(&[task]).remove(0);
        let seen = site.folder.join(format!("watched-{task}"));
        let file = std::fs::File::create(&seen).unwrap();
        let mut watching = site.command("goshift", &["run", end(&run), "--watch"]);
        let mut watching = watching.stdout(file).spawn().unwrap();
        let so_far = || std::fs::read_to_string(&seen).unwrap();
        eventually("the watch looks twice", || async {
            so_far().matches("submitted").count() >= 2 && so_far().contains("\n\nrun ")
        })
        .await;
        site.drain();
        assert_eq!(ended(&mut watching).await, Some(code), "{}", so_far());
    }
    site.remove().await;
}

#[tokio::test]
async fn the_list_is_watched_until_a_person_stops_it() {
    let site = site("sqlite").await;
    let [good, _] = two_runs(&site).await;
    for arguments in [&["runs", "--watch"][..], &["runs", "--watch", "--json"]] {
        let seen = site.folder.join("watched");
        let file = std::fs::File::create(&seen).unwrap();
        let mut watching =
            site.command("goshift", arguments).stdout(file).stderr(Stdio::null()).spawn().unwrap();
        eventually("it looks twice", || async {
            std::fs::read_to_string(&seen).unwrap().matches(&good).count() >= 2
        })
        .await;
        let pid = watching.id().to_string();
        std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
        assert_eq!(ended(&mut watching).await, Some(0));
        let text = std::fs::read_to_string(&seen).unwrap();
        assert_eq!(text.contains("\n\n"), !arguments.contains(&"--json"), "{text}");
    }
    site.remove().await;
}

#[tokio::test]
async fn workers_say_what_they_are_at() {
    let site = Site::new("postgres").await;
    let none = said(&site, &["workers"]);
    assert!(none.contains("no worker is running"), "{none}");
    let worker = site.worker("one", &["--concurrency", "3"]);
    eventually("it is listed", || async { objects(&site, &["workers"]).len() == 1 }).await;
    let row = objects(&site, &["workers"]).remove(0);
    assert_eq!((row["state"].as_str(), row["concurrency"].as_i64()), (Some("working"), Some(3)));
    let shown = said(&site, &["workers"]);
    assert!(shown.contains("0/3") && shown.contains(env!("CARGO_PKG_VERSION")), "{shown}");
    said(&site, &["pause", "--reason", "moving house"]);
    let shown = said(&site, &["workers"]);
    assert!(shown.contains("paused") && shown.contains("moving house"), "{shown}");
    assert_eq!(objects(&site, &["workers"])[0]["state"], "paused");
    worker.kill();
    eventually("it is missed", || async { objects(&site, &["workers"])[0]["state"] == "lost" })
        .await;
    site.remove().await;
}
