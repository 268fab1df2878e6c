//! `statement_timeout`, and what a run that is given up on leaves behind.

use serde_json::json;

use super::target_with;
use crate::closed_loop::source;
use crate::support::{Site, eventually, text};

const TARGET: &str =
    "CREATE TABLE target (id int PRIMARY KEY, name varchar(40), amount decimal(12,2))";

/// Makes every row of the target take longer than any statement may.
async fn stuck_target(site: &Site, engine: &str) {
    let trigger = match engine {
        "mysql" => "CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW SET @nap = SLEEP(20)",
        _ => {
            "CREATE FUNCTION nap() RETURNS trigger AS \
             'BEGIN PERFORM pg_sleep(20); RETURN NEW; END' LANGUAGE plpgsql; \
             CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION nap()"
        }
    };
    site.execute(engine, &format!("{TARGET}; {trigger}")).await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_retried_by_the_task_s_own_policy_then_dead() {
    for (engine, code) in [("mysql", "1969"), ("postgres", "57014")] {
        let mut site = Site::new("mysql").await;
        target_with(&mut site, engine, json!({"statement_timeout": "300ms"}));
        source(&site, 10).await;
        stuck_target(&site, engine).await;
        let params = r#"{"retry": {"max_attempts": 2, "ladder": ["200ms"]}}"#;
        site.task(5, ("mysql", "source"), (engine, "target"), params).await;
        let plan = text(&site.goshift(&["plan", "-id", "5"]));
        assert!(plan.contains("timeout to: 300ms a statement"), "{plan}");
        assert!(plan.contains("retry   2 attempts, waits of up to 200ms"), "{plan}");
        let worker = site.worker("one", &[]);
        let run = site.submitted(&["5"]).remove(0);
        site.wait_for(&run, "failed").await;
        let path = site.path(&run).await;
        assert_eq!(path, ["submitted", "running", "retrying", "running", "failed"], "{engine}");

        let remedy = format!("\"statement_timeout\" of to.{engine}.app_db");
        let sql = format!("SELECT reason, remedy, attempt FROM goshift_run WHERE run_id = '{run}'");
        let kept = site.ask(&sql).await.remove(0);
        assert!(kept[0].contains(code) && kept[0].contains("after 2 attempts"), "{kept:?}");
        assert!(kept[1].contains(&remedy) && kept[2] == "2", "{kept:?}");
        for shown in [site.goshift(&["runs"]), site.goshift(&["run", &run])] {
            let shown = text(&shown);
            assert!(shown.contains(code) && shown.contains(&remedy), "{shown}");
        }
        eventually("it is dead-lettered", || async {
            let sql = format!("SELECT dead_letter FROM goshift_run WHERE run_id = '{run}'");
            site.ask_one(&sql).await == "2"
        })
        .await;
        let letters = goshift::queue::rabbitmq::list_dead(&site.rabbit(), 10).await.unwrap();
        let letter = letters.first().unwrap();
        assert!(letter.reason.contains(code), "{letter:?}");
        assert!(letter.remedy.as_ref().is_some_and(|r| r.contains(&remedy)), "{letter:?}");
        assert_eq!(letter.attempts, 2);
        drop(worker);
        site.remove().await;
    }
}

#[tokio::test]
async fn a_source_s_statement_is_bounded_too_and_names_its_own_entry() {
    for (engine, nap) in [("mysql", "SLEEP(5) = 0"), ("postgres", "pg_sleep(5) IS NOT NULL")] {
        let mut site = Site::new("sqlite").await;
        site.configure(|config| {
            config["from"][engine]["app_db"]["statement_timeout"] = "200ms".into();
        });
        site.execute(
            engine,
            &format!(
                "{}; INSERT INTO src VALUES (1), (2)",
                "CREATE TABLE src (id int PRIMARY KEY)"
            ),
        )
        .await;
        let params = json!({"where": nap}).to_string();
        site.task(5, (engine, "src"), ("sqlite", "t"), &params).await;
        let output = site.goshift(&["-id", "5"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let said = text(&output);
        assert!(said.contains(&format!("\"statement_timeout\" of from.{engine}.app_db")), "{said}");
        site.remove().await;
    }
}

#[tokio::test]
async fn limits_that_would_not_be_kept_are_refused_by_name() {
    let mut site = Site::new("sqlite").await;
    for (engine, entry) in [
        ("sqlite", json!({"statement_timeout": "1s"})),
        ("mysql", json!({"max_active_sessions": 3})),
        ("mysql", json!({"max_replay_lag": "3s"})),
        ("postgres", json!({"max_threads_running": 3})),
        ("postgres", json!({"replica": "db2:5432"})),
    ] {
        site.configure(|config| config["to"] = json!({}));
        let key = entry.as_object().unwrap().keys().next().unwrap().clone();
        target_with(&mut site, engine, entry);
        let checked = site.goshift(&["check"]);
        assert_eq!(checked.status.code(), Some(2), "{}", text(&checked));
        let said = text(&checked);
        assert!(said.contains(&format!("FAILED  to.{engine}.app_db")), "{said}");
        assert!(said.contains(&format!("\"{key}\"")), "{said}");
    }
    site.remove().await;
}
