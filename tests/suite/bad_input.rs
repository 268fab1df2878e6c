//! Wrong input of every kind: one clear message with the remedy, the contract's exit code, and
//! never a backtrace or a password.

use std::process::Output;

use serde_json::json;

use crate::closed_loop::source;
use crate::support::{Site, text};

/// What a command must have answered.
fn refused(output: &Output, code: i32, parts: &[&str]) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "\"{part}\" is missing in: {said}");
    }
    assert!(said.contains("→"), "no remedy in: {said}");
    assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
    let password = crate::support::variables()["LOCAL_DW_MYSQL_Z_ETL_PASSWORD"].clone();
    assert!(!said.contains(&password), "a password is shown: {said}");
}

#[tokio::test]
async fn wrong_tasks_are_refused_by_goshift_and_by_submit_alike() {
    let site = Site::new("mysql").await;
    source(&site, 5).await;
    site.task(1, ("mysql", "source"), ("mysql", "t"), "{\"worker_num\": ").await;
    site.task(2, ("mysql", "source"), ("mysql", "t"), r#"{"worker_nun": 3}"#).await;
    site.task(3, ("oracle", "source"), ("mysql", "t"), "").await;
    site.task(4, ("mysql", "source"), ("mysql", "t"), "").await;
    for (id, parts) in [
        ("1", &["task 1", "not valid JSON"][..]),
        ("2", &["worker_nun", "did you mean \"worker_num\""]),
        ("3", &["oracle", "from_db_type", "postgres"]),
        ("99", &["no task 99", "goshift tasks"]),
        ("five", &["\"five\" is not a task number"]),
    ] {
        refused(&site.goshift(&["-id", id]), 2, parts);
        refused(&site.submit(&[id]), 2, parts);
    }
    for mode in ["upside-down", "cursor"] {
        refused(&site.goshift(&["-id", "4", "-mode", mode]), 2, &[mode]);
        refused(&site.submit(&["4", "--mode", mode]), 2, &[mode]);
    }
    site.tasks("UPDATE task_def_sync_manager SET online_status = 0 WHERE id = 4").await;
    refused(&site.goshift(&["-id", "4"]), 2, &["task 4 is offline", "online_status"]);
    refused(&site.submit(&["4"]), 2, &["task 4 is offline", "online_status"]);
    refused(&site.goshift(&["-cmd", "dance"]), 2, &["unknown command \"dance\""]);
    refused(&site.goshift(&[]), 2, &["which task?", "-id 5"]);
    refused(&site.submit(&[]), 2, &["nothing to submit"]);
    let runs = site.ask_one("SELECT COUNT(*) FROM goshift_run").await;
    assert_eq!(runs, "0", "nothing was entered");
    site.remove().await;
}

#[tokio::test]
async fn wrong_connections_say_which_and_what_to_do() {
    let mut site = Site::new("mysql").await;
    source(&site, 5).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    site.task(6, ("mysql", "missing"), ("mysql", "target"), "").await;
    refused(&site.goshift(&["-id", "6"]), 1, &["no source table missing", "from_table"]);

    let good = site.connection("mysql");
    let change = |key: &str, value: serde_json::Value| {
        let mut connection = good.clone();
        connection[key] = value;
        connection
    };
    for (connection, code, parts) in [
        (change("password", json!("wrong")), 1, &["from.mysql.app_db", "password"][..]),
        (change("port", json!(1)), 1, &["from.mysql.app_db", "port"]),
        (change("db", json!("no_such_db")), 1, &["from.mysql.app_db", "no_such_db"]),
        (
            change("host", json!("GOSHIFT_UNSET_HOST")),
            2,
            &["from.mysql.app_db.host", "GOSHIFT_UNSET_HOST"],
        ),
        (change("hots", json!("x")), 2, &["\"hots\"", "did you mean \"host\""]),
        (change("port", json!("many")), 2, &["from.mysql.app_db", "many"]),
    ] {
        site.configure(|config| {
            config["from"]["mysql"]["app_db"] = connection;
            config["to"] = json!({"mysql": {"app_db": good}});
        });
        refused(&site.goshift(&["-id", "5"]), code, parts);
    }
    site.configure(|config| {
        config["from"]["mysql"] = json!({});
        config["to"] = json!({});
    });
    refused(&site.goshift(&["-id", "5"]), 2, &["from.mysql.app_db"]);
    site.remove().await;
}

#[tokio::test]
async fn a_wrong_task_database_or_broker_is_told_apart() {
    let mut site = Site::new("mysql").await;
    let good = site.connection("mysql");
    let task_meta = |key: &str, value: &str| {
        let mut connection = good.clone();
        connection["type"] = "mysql".into();
        connection["connect_timeout"] = 2.into();
        connection[key] = value.into();
        connection
    };
    for (meta, code, parts) in [
        (task_meta("password", "wrong"), 2, &["task database", "\"password\" of task_meta"][..]),
        (task_meta("port", "1"), 1, &["task database", "\"port\" of task_meta"]),
        (task_meta("type", "oracle"), 2, &["task_meta.type", "oracle"]),
        (task_meta("user", "GOSHIFT_UNSET_USER"), 2, &["task_meta.user", "GOSHIFT_UNSET_USER"]),
    ] {
        site.configure(|config| config["task_meta"] = meta);
        for output in [
            site.goshift(&["-id", "5"]),
            site.submit(&["5"]),
            site.command("goshift-worker", &["--drain"]).output().unwrap(),
        ] {
            refused(&output, code, parts);
        }
    }
    let checked = site.goshift(&["check"]);
    assert_eq!(checked.status.code(), Some(2), "{}", text(&checked));
    assert!(text(&checked).contains("FAILED  task_meta"), "{}", text(&checked));
    let mut wrong = url::Url::parse(site.rabbit().url.expose()).unwrap();
    wrong.set_password(Some("wrong")).unwrap();
    site.configure(|config| config["queue"]["url"] = wrong.to_string().into());
    let checked = text(&site.goshift(&["check"]));
    assert!(checked.contains("FAILED  queue") && !checked.contains(":wrong@"), "{checked}");
    site.remove().await;
}

#[tokio::test]
async fn a_missing_or_broken_configuration_is_named() {
    let site = Site::new("sqlite").await;
    let run = |env: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_goshift"))
            .args(["-c", "etc", "-e", env, "-id", "5"])
            .current_dir(&site.folder)
            .output()
            .unwrap()
    };
    refused(&run("nowhere"), 2, &["no configuration file", "nowhere.json"]);
    std::fs::write(site.folder.join("etc/broken.json"), "{\"task_meta\": ").unwrap();
    let broken = run("broken");
    assert_eq!(broken.status.code(), Some(2), "{}", text(&broken));
    assert!(text(&broken).contains("broken.json"), "{}", text(&broken));
    site.remove().await;
}

#[tokio::test]
async fn the_rest_of_the_command_line_answers() {
    let site = Site::new("postgres").await;
    source(&site, 5).await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
    let ok = |arguments: &[&str], part: &str| {
        let output = site.goshift(arguments);
        assert!(output.status.success(), "{}", text(&output));
        assert!(text(&output).contains(part), "{part} is missing in {}", text(&output));
    };
    ok(&["--help"], "goshift -c ../etc/ -e local -id 5");
    ok(&["plan", "-id", "5"], "which is going to be created");
    ok(&["-cmd", "plan", "-id", "5", "-UsedEnv=false"], "upsert by (id)");
    ok(&["-id", "5", "--json"], "\"event\":\"succeeded\"");
    ok(&["-cmd", "verify", "-id", "5"], "equal");
    ok(&["tasks"], "succeeded");
    ok(&["runs", "--task", "5"], "succeeded");
    ok(&["workers"], "WORKER");
    ok(&["completions", "bash"], "goshift");
    let run = site.ask_one("SELECT run_id FROM goshift_run").await;
    ok(&["run", &run], "running");
    refused(&site.goshift(&["cancel", &run]), 2, &["already succeeded"]);
    refused(&site.goshift(&["cancel", "x"]), 2, &["not a run's id"]);
    site.pg("DELETE FROM target WHERE id = 3").await;
    let different = site.goshift(&["verify", "-id", "5"]);
    assert_eq!(different.status.code(), Some(1));
    assert!(text(&different).contains("DIFFERENT"), "{}", text(&different));
    site.remove().await;
}

#[tokio::test]
async fn a_ledger_of_another_version_is_told() {
    for engine in crate::support::ENGINES {
        // What an older version's ledger lacks.
        for (table, column) in
            [("goshift_run", "traceparent"), ("goshift_worker", "drain_requested")]
        {
            let site = Site::new(engine).await;
            site.tasks(&format!("ALTER TABLE {table} DROP COLUMN {column}")).await;
            refused(&site.goshift(&["tasks"]), 2, &["another version of goshift", "init-db"]);
            site.remove().await;
        }
    }
}
