//! `dead`: list, show, rerun, purge.

use goshift::queue::rabbitmq::list_dead;
use serde_json::json;

use super::{end, lines, objects, said, site};
use crate::closed_loop::source;
use crate::support::{Site, eventually, text};

/// Dead runs of the tasks 1 to `count`, whose source is not there.
async fn dead_runs(site: &Site, count: i64) -> Vec<String> {
    for id in 1..=count {
        site.task(id, ("mysql", "source"), ("mysql", &format!("t{id}")), "").await;
    }
    let runs = site.submitted(&["--all-online"]);
    site.drain();
    for run in &runs {
        assert_eq!(site.state(run).await, "failed");
    }
    runs
}

async fn letters(site: &Site) -> usize {
    list_dead(&site.rabbit(), usize::MAX).await.unwrap().len()
}

#[tokio::test]
async fn dead_runs_are_rerun_one_some_or_all() {
    let site = site("mysql").await;
    let runs = dead_runs(&site, 6).await;
    let listed = said(&site, &["dead"]);
    for run in &runs {
        assert!(listed.contains(run), "{listed}");
    }
    assert!(listed.contains("source") && listed.contains("    → "), "{listed}");
    let shown = said(&site, &["dead", "show", end(&runs[0])]);
    assert!(shown.contains("failed, dead"), "{shown}");
    source(&site, 10).await;

    let one = objects(&site, &["dead", "rerun", end(&runs[0])]);
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["rerun_of"], runs[0].as_str());
    // The first is dead no more, another name is nothing: the rest goes on, and that is said.
    let some = [&runs[0], "nothing-of-that-name", end(&runs[1]), end(&runs[2]), "--json"];
    let some = site.goshift(&[&["dead", "rerun"][..], &some].concat());
    assert_eq!(some.status.code(), Some(1), "{}", text(&some));
    assert_eq!(lines(&some).len(), 2, "{}", text(&some));
    assert!(text(&some).contains("was rerun as"), "{}", text(&some));
    assert!(text(&some).contains("2 submitted again, 2 refused"), "{}", text(&some));
    assert_eq!(objects(&site, &["dead", "rerun", "--task", "4"]).len(), 1);
    assert_eq!(objects(&site, &["dead", "rerun", "--all", "--limit", "1"]).len(), 1);
    assert_eq!(objects(&site, &["dead", "rerun", "--all"]).len(), 1);
    assert!(objects(&site, &["dead", "list"]).is_empty());
    site.drain();
    let done = "SELECT COUNT(*) FROM goshift_run WHERE state = 'succeeded'";
    assert_eq!(site.ask_one(done).await, "6");
    assert_eq!(letters(&site).await, 0, "their messages are gone too");
    let which = site.goshift(&["dead", "rerun"]);
    assert_eq!(which.status.code(), Some(2), "nothing is rerun unasked: {}", text(&which));
    site.remove().await;
}

#[tokio::test]
async fn a_bulk_rerun_goes_on_past_what_is_refused() {
    let site = site("postgres").await;
    let runs = dead_runs(&site, 3).await;
    site.tasks("UPDATE task_def_sync_manager SET online_status = 0 WHERE id = 2").await;
    let rerun = site.goshift(&["dead", "rerun", "--all", "--json"]);
    assert_eq!(rerun.status.code(), Some(1), "{}", text(&rerun));
    assert_eq!(lines(&rerun).len(), 2, "{}", text(&rerun));
    assert!(text(&rerun).contains("task 2 is offline"), "{}", text(&rerun));
    let left = objects(&site, &["dead", "list"]);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["run_id"], runs[1].as_str());
    site.remove().await;
}

#[tokio::test]
async fn what_is_purged_is_dead_no_more_and_stays_in_the_ledger() {
    let site = site("postgres").await;
    let runs = dead_runs(&site, 4).await;
    let purge = |arguments: &[&str]| {
        let arguments = [&["dead", "purge"][..], arguments, &["--json"]].concat();
        let output = site.goshift(&arguments);
        assert!(output.status.success(), "{}", text(&output));
        lines(&output).remove(0)["runs"].as_i64()
    };
    let asked = site.goshift(&["dead", "purge", "--all"]);
    assert_eq!(asked.status.code(), Some(2), "{}", text(&asked));
    assert!(text(&asked).contains("4 dead run(s)"), "{}", text(&asked));
    assert_eq!(objects(&site, &["dead"]).len(), 4, "nothing was purged unasked");

    assert_eq!(purge(&[end(&runs[0]), "--yes"]), Some(1));
    assert_eq!(purge(&["--task", "2", "--yes"]), Some(1));
    assert_eq!(letters(&site).await, 2);
    let again = site.goshift(&["dead", "rerun", &runs[0]]);
    assert!(text(&again).contains("was purged"), "{}", text(&again));
    assert_eq!(objects(&site, &["dead"]).len(), 2);
    assert_eq!(purge(&["--all", "--yes"]), Some(2));
    assert!(objects(&site, &["dead"]).is_empty());
    assert!(objects(&site, &["runs", "--dead"]).is_empty());
    assert_eq!(letters(&site).await, 0);
    for run in &runs {
        assert_eq!(site.state(run).await, "failed");
    }
    site.remove().await;
}

#[tokio::test]
async fn messages_that_never_became_a_run_are_shown_rerun_and_purged() {
    let site = site("mysql").await;
    let worker = site.worker("one", &[]);
    eventually("the worker listens", || async { worker.log().contains("consume") }).await;
    let long = format!("hello {}", "x".repeat(600));
    site.publish(&long, Some("greeting")).await;
    site.publish("[1]", None).await;
    site.publish(r#"{"task_id": 7}"#, Some("early")).await;
    eventually("all are dead", || async { objects(&site, &["dead"]).len() == 3 }).await;
    let named: Vec<_> = objects(&site, &["dead"])
        .iter()
        .map(|message| message["message_id"].as_str().unwrap().to_owned())
        .collect();
    assert!(named.contains(&"greeting".to_owned()), "{named:?}");
    let shown = said(&site, &["dead", "show", "greeting"]);
    for part in ["not JSON", "→ ", "hello xxx", "106 more bytes"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let nameless = named.iter().find(|name| name.starts_with("body-")).unwrap();
    assert!(said(&site, &["dead", "show", nameless]).contains("[1]"));

    source(&site, 10).await;
    site.task(7, ("mysql", "source"), ("mysql", "target"), "").await;
    let rerun = objects(&site, &["dead", "rerun", "early"]).remove(0);
    site.wait_for(rerun["run_id"].as_str().unwrap(), "succeeded").await;
    let refused = site.goshift(&["dead", "rerun", "greeting"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    said(&site, &["dead", "purge", "greeting", "--yes"]);
    assert_eq!(objects(&site, &["dead"]).len(), 1);
    let purged = said(&site, &["dead", "purge", "--all", "--yes"]);
    assert!(purged.contains("0 run(s), 1 message(s)"), "{purged}");
    assert_eq!(letters(&site).await, 0);
    drop(worker);
    site.remove().await;
}

/// The ledger alone knows which runs are dead: what was done there is told, and the rest is refused.
#[tokio::test]
async fn without_the_broker_dead_runs_are_rerun_and_purged_and_their_messages_stay() {
    let mut site = site("postgres").await;
    let runs = dead_runs(&site, 4).await;
    let proxy = site.proxy_broker().await;
    proxy.cut();
    let rerun = site.goshift(&["dead", "rerun", &runs[0], "--json"]);
    assert_eq!(rerun.status.code(), Some(0), "{}", text(&rerun));
    assert_eq!(lines(&rerun)[0]["rerun_of"], runs[0].as_str());
    assert!(text(&rerun).contains("stay in the broker"), "{}", text(&rerun));
    let purge = site.goshift(&["dead", "purge", &runs[1], "--yes", "--json"]);
    assert_eq!(purge.status.code(), Some(0), "{}", text(&purge));
    assert_eq!((&lines(&purge)[0]["runs"], &lines(&purge)[0]["refused"]), (&json!(1), &json!(0)));
    // In bulk messages without a run are meant, too: whether there are any nobody can say.
    let rerun = site.goshift(&["dead", "rerun", "--task", "4", "--json"]);
    assert_eq!(rerun.status.code(), Some(1), "{}", text(&rerun));
    assert_eq!(lines(&rerun)[0]["rerun_of"], runs[3].as_str());
    assert!(text(&rerun).contains("1 submitted again, 1 refused"), "{}", text(&rerun));
    site.direct_broker();
    let left = objects(&site, &["dead"]);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["run_id"], runs[2].as_str());
    assert_eq!(letters(&site).await, 4);
    said(&site, &["dead", "purge", "--all", "--yes"]);
    assert_eq!(letters(&site).await, 0, "the next one takes away what was left");
    site.remove().await;
}
