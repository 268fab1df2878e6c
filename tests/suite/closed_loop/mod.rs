//! submit → RabbitMQ → worker → sharded copy → task_status, with the real binaries and the real
//! broker, and each kind of task database.

mod fleet;
mod groups;
mod retry;
mod reuse;
mod submit;

use crate::support::{Site, text};

/// A table `source` of so many rows in the site's MySQL.
pub async fn source(site: &Site, rows: u32) {
    site.my(&format!(
        "CREATE TABLE source (id int PRIMARY KEY, name varchar(40), amount decimal(12,2)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq), seq / 4 FROM seq_1_to_{rows}"
    ))
    .await;
}

/// The checksum of a MySQL table, by the server.
pub async fn checksum(site: &Site, table: &str) -> String {
    site.rows("mysql", &format!("CHECKSUM TABLE {table}")).await[0][1].clone()
}

#[tokio::test]
async fn a_submitted_task_runs_and_its_states_are_written_back_in_every_task_database() {
    for engine in crate::support::ENGINES {
        let site = Site::new(engine).await;
        source(&site, 1000).await;
        site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
        let mut worker = site.worker("one", &[]);
        let run = site.submitted(&["5"]).remove(0);
        site.wait_for(&run, "succeeded").await;
        assert_eq!(site.path(&run).await, ["submitted", "running", "succeeded"], "{engine}");
        let status = "SELECT task_status FROM task_def_sync_manager WHERE id = 5";
        assert_eq!(site.ask_one(status).await, "succeeded", "{engine}");
        site.assert_equal(5);
        worker.signal("TERM");
        assert_eq!(worker.ended().await, Some(0), "{engine}: {}", worker.log());
        site.remove().await;
    }
}

#[tokio::test]
async fn without_a_broker_the_ledger_is_the_queue() {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    site.sqlite().execute_batch("CREATE TABLE s (id INTEGER PRIMARY KEY, t TEXT)").unwrap();
    site.sqlite().execute_batch("INSERT INTO s VALUES (1, 'a'), (2, NULL)").unwrap();
    for id in 1..=3 {
        site.task(id, ("sqlite", "s"), ("sqlite", &format!("t{id}")), "").await;
    }
    let runs = site.submitted(&["--all-online"]);
    assert_eq!(runs.len(), 3);
    site.drain();
    for (id, run) in (1..).zip(&runs) {
        assert_eq!(site.path(run).await, ["submitted", "running", "succeeded"]);
        site.assert_equal(id);
    }
    site.remove().await;
}

#[tokio::test]
async fn the_seed_runs_verbatim() {
    let site = Site::new("sqlite").await;
    // As a person would: the seed's own statements in a MySQL database, then its command line,
    // from a folder beside etc.
    let mut site = site;
    let mut task_meta = site.connection("mysql");
    task_meta["type"] = "mysql".into();
    let blog = site.connection("mysql");
    site.configure(|config| {
        config["task_meta"] = task_meta;
        config["from"]["mysql"]["local_dw_blog"] = blog;
    });
    site.my(include_str!("../../../sql/mysql/task_def_sync_manager.sql")).await;
    site.my(include_str!("seed_task_5.sql")).await;
    site.my("CREATE TABLE qcc_change_history (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, \
         company varchar(100), body text, update_time datetime(6)) CHARSET utf8mb4; \
         INSERT INTO qcc_change_history (company, body, update_time) \
         SELECT CONCAT('公司 ', seq, ' 😀'), REPEAT('it''s \\\\ ', seq % 9), \
         '2021-03-30 16:13:34' + INTERVAL seq * 7919 MICROSECOND FROM seq_1_to_20000")
        .await;
    let folder = site.folder.join("cmd");
    std::fs::create_dir(&folder).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_goshift"))
        .args(["-c", "../etc/", "-e", "test", "-id", "5"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let (source, target) =
        (checksum(&site, "qcc_change_history").await, checksum(&site, "qcc_change_history2").await);
    assert_eq!(source, target);
    let status = site.rows("mysql", "SELECT task_status FROM task_def_sync_manager").await;
    assert_eq!(status, [["succeeded"]]);
    site.remove().await;
}

#[tokio::test]
async fn off_a_terminal_progress_is_told_line_by_line() {
    let site = Site::new("mysql").await;
    source(&site, 3000).await;
    fleet::slow_target(&site, "mysql").await;
    let params = r#"{"read_batch": 100, "worker_num": 2}"#;
    site.task(5, ("mysql", "source"), ("mysql", "target"), params).await;
    let output = site.goshift(&["-id", "5"]);
    assert!(output.status.success(), "{}", text(&output));
    let notices = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notices.contains("task 5:") && notices.contains("rows/s"), "{notices}");
    let result = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(result.starts_with("task 5: 3,000 rows in"), "{result}");
    let output = site.goshift(&["-id", "5", "--json"]);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert!(lines.contains("\"event\":\"succeeded\""), "{lines}");
    site.remove().await;
}
