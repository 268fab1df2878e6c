//! `pause` and `resume`.

use std::sync::Arc;
use std::time::Duration;

use goshift::config::Settings;
use goshift::ledger::{ClaimOutcome, Ledger, Scope};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{objects, said, site};
use crate::closed_loop::source;
use crate::support::{Site, eventually, text};

async fn count(site: &Site, state: &str) -> String {
    site.ask_one(&format!("SELECT COUNT(*) FROM goshift_run WHERE state = '{state}'")).await
}

async fn tasks(site: &Site, count: i64) {
    source(site, 10).await;
    for id in 1..=count {
        site.task(id, ("mysql", "source"), ("mysql", &format!("t{id}")), "").await;
    }
}

#[tokio::test]
async fn a_paused_fleet_takes_nothing_and_goes_on_at_once_when_resumed() {
    for engine in ["mysql", "postgres"] {
        let mut site = site(engine).await;
        // Only a message can wake a worker in time.
        site.configure(|config| config["worker"]["stale_after"] = "1h".into());
        tasks(&site, 12).await;
        let paused = said(&site, &["pause", "--reason", "upgrade of db2"]);
        assert!(paused.contains("the fleet is paused"), "{engine}: {paused}");
        let submitted = site.submit(&["--all-online"]);
        assert!(submitted.status.success(), "submissions are accepted: {}", text(&submitted));
        assert!(text(&submitted).contains("upgrade of db2"), "{}", text(&submitted));

        let drained = site.command("goshift-worker", &["--drain"]).output().unwrap();
        assert!(drained.status.success(), "{engine}: {}", text(&drained));
        assert!(text(&drained).contains("the fleet is paused: 12 run(s)"), "{}", text(&drained));
        assert_eq!(count(&site, "submitted").await, "12", "{engine}");
        let listed = said(&site, &["runs"]);
        assert!(listed.contains("the fleet is paused"), "{listed}");

        let worker = site.worker("one", &["--concurrency", "4"]);
        eventually("the worker listens", || async { worker.log().contains("consume") }).await;
        let resumed = objects(&site, &["resume"]).remove(0);
        assert_eq!(resumed["woken"], 12, "{engine}: {resumed}");
        eventually("all run", || async { count(&site, "succeeded").await == "12" }).await;
        drop(worker);
        site.remove().await;
    }
}

#[tokio::test]
async fn a_paused_queue_waits_and_the_others_go_on() {
    let mut site = site("sqlite").await;
    site.embedded();
    tasks(&site, 2).await;
    said(&site, &["-cmd", "pause", "--queue", "low"]);
    let low = site.submitted(&["1", "--priority", "low"]).remove(0);
    let normal = site.submitted(&["2"]).remove(0);
    let drained = site.command("goshift-worker", &["--drain"]).output().unwrap();
    assert!(text(&drained).contains("the queue low is paused: 1 run(s)"), "{}", text(&drained));
    assert_eq!(site.state(&normal).await, "succeeded");
    assert_eq!(site.state(&low).await, "submitted");
    let next = objects(&site, &["run", &low]).remove(0)["next"].to_string();
    assert!(next.contains("goshift resume --queue low"), "{next}");
    let again = said(&site, &["pause", "--queue", "low", "--reason", "why"]);
    assert!(again.contains("already") && again.contains("why"), "{again}");
    let other = said(&site, &["resume"]);
    assert!(other.contains("was not paused") && other.contains("the queue low"), "{other}");
    said(&site, &["resume", "--queue", "low"]);
    site.drain();
    assert_eq!(site.state(&low).await, "succeeded");
    site.remove().await;
}

#[tokio::test]
async fn a_run_in_the_foreground_is_a_person_s_own_wish() {
    let site = site("mysql").await;
    tasks(&site, 1).await;
    said(&site, &["pause"]);
    let ran = said(&site, &["-id", "1"]);
    assert!(ran.contains("the fleet is paused") && ran.contains("10 rows"), "{ran}");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_pause_is_said_no_claim_slips_through() {
    for engine in crate::support::ENGINES {
        let site = site(engine).await;
        tasks(&site, 60).await;
        let runs = site.submitted(&["--all-online"]);
        let settings = Settings::load(&site.folder.join("etc"), "test", true).unwrap();
        let ledger = Ledger::open(&settings).await.unwrap();
        let begun = Arc::new(Notify::new());
        let claims = runs.chunks(15).map(|runs| {
            let (ledger, runs, begun) = (ledger.clone(), runs.to_vec(), Arc::clone(&begun));
            tokio::spawn(async move {
                let mut claimed = 0;
                for run in runs {
                    let run: Uuid = run.parse().unwrap();
                    let outcome = ledger
                        .claim(run, "test", Duration::from_secs(60), &Default::default())
                        .await;
                    match outcome.unwrap() {
                        ClaimOutcome::Claimed(_) => {
                            claimed += 1;
                            begun.notify_one();
                        }
                        other => assert_eq!(other, ClaimOutcome::Paused),
                    }
                }
                claimed
            })
        });
        let claims: Vec<_> = claims.collect();
        begun.notified().await;
        assert!(ledger.pause(Scope::Fleet, "test", None).await.unwrap());
        let running = count(&site, "running").await;
        let mut claimed = 0;
        for claim in claims {
            claimed += claim.await.unwrap();
        }
        assert_eq!(count(&site, "running").await, running, "{engine}");
        assert_eq!(claimed.to_string(), running, "{engine}");
        assert!(claimed < runs.len(), "{engine}: the pause came in their middle");
        assert!(
            ledger.due(Duration::ZERO, 100, &Default::default()).await.unwrap().is_empty(),
            "{engine}"
        );
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_waits_for_a_claim_that_has_not_seen_it() {
    for engine in ["mysql", "postgres"] {
        let site = site(engine).await;
        tasks(&site, 1).await;
        let run = site.submitted(&["1"]).remove(0);
        let settings = Settings::load(&site.folder.join("etc"), "test", true).unwrap();
        let ledger = Ledger::open(&settings).await.unwrap();
        let claiming = site
            .lock(&format!("UPDATE goshift_run SET state = 'running' WHERE run_id = '{run}'"))
            .await;
        let pausing = tokio::spawn(async move { ledger.pause(Scope::Fleet, "test", None).await });
        let seen = "SELECT COUNT(*) FROM goshift_pause";
        eventually("the pause is in", || async { site.ask_one(seen).await == "1" }).await;
        let waits = match engine {
            "mysql" => {
                "SELECT COUNT(*) FROM information_schema.innodb_trx \
                 WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%goshift_run%FOR UPDATE%'"
            }
            _ => {
                "SELECT COUNT(*)::text FROM pg_stat_activity \
                 WHERE wait_event_type = 'Lock' AND query LIKE '%goshift_run%FOR UPDATE%'"
            }
        };
        eventually("it waits", || async { site.ask_one(waits).await != "0" }).await;
        assert!(!pausing.is_finished(), "{engine}");
        claiming.release().await;
        assert!(pausing.await.unwrap().unwrap(), "{engine}");
        site.remove().await;
    }
}
