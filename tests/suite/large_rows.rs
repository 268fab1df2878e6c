//! Rows of many megabytes, in many lanes: the memory of the process stays bounded.

use std::process::Stdio;

use crate::support::{Site, pause, text};

const MIB: u64 = 1024 * 1024;
const PARAMS: &str = r#"{"worker_num": 20, "read_batch": 1}"#;

/// Runs a task and returns the most memory it had, in bytes.
async fn peak(site: &Site, task: i64) -> u64 {
    let mut command = site.command("goshift", &["-id", &task.to_string()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        pause().await;
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_with_large_rows_take_turns() {
    let mut site = Site::new("mysql").await;
    site.configure(|config| config["worker"]["row_memory"] = (24 * MIB).into());
    site.my("CREATE TABLE source (id int PRIMARY KEY, body longtext NOT NULL); \
         INSERT INTO source SELECT seq, REPEAT(MD5(seq), 131072) FROM seq_1_to_40")
        .await;
    for (task, to, create) in [
        (5, "mysql", "CREATE TABLE target (id int PRIMARY KEY, body longtext NOT NULL)"),
        (6, "postgres", "CREATE TABLE target (id int PRIMARY KEY, body text NOT NULL)"),
    ] {
        site.execute(to, create).await;
        site.task(task, ("mysql", "source"), (to, "target"), PARAMS).await;
        let peak = peak(&site, task).await;
        assert!(peak > 8 * MIB, "not seen at work");
        // 4 MiB a row: one lane at a time, and what the process needs besides.
        assert!(peak < 100 * MIB, "{to}: {} MiB", peak / MIB);
        let sums = match to {
            "mysql" => "SELECT CONCAT(id, MD5(body)) FROM target ORDER BY id",
            _ => "SELECT id || md5(body) FROM target ORDER BY id",
        };
        let source = "SELECT CONCAT(id, MD5(body)) FROM source ORDER BY id";
        assert_eq!(site.rows(to, sums).await, site.rows("mysql", source).await);
    }
    site.remove().await;
}
