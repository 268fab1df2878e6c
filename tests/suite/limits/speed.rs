//! Rows and bytes a second.

use crate::closed_loop::source;
use crate::support::{Site, text};

/// How long a task's last run took by the ledger's clock, in milliseconds.
async fn took(site: &Site, task: i64) -> i64 {
    let sql = format!(
        "SELECT CAST(TIMESTAMPDIFF(MICROSECOND, started_at, finished_at) / 1000 AS SIGNED) \
         FROM goshift_run WHERE task_id = {task} ORDER BY submitted_at DESC LIMIT 1"
    );
    site.ask_one(&sql).await.parse().unwrap()
}

#[tokio::test]
async fn two_lanes_share_a_limit_of_rows_and_copy_everything() {
    let site = Site::new("mysql").await;
    source(&site, 3000).await;
    let params = r#"{"worker_num": 2, "read_batch": 500, "max_rows_per_second": 1500}"#;
    site.task(5, ("mysql", "source"), ("postgres", "target"), params).await;
    site.task(6, ("postgres", "target"), ("postgres", "again"), params).await;
    for task in [5, 6] {
        let output = site.goshift(&["-id", &task.to_string()]);
        assert!(output.status.success(), "{}", text(&output));
        site.assert_equal(task);
        // Not before 3000 rows are paid for but the last payload; each lane for itself would need
        // half as long. A slow machine only takes longer.
        let took = took(&site, task).await;
        assert!(took >= 1600, "task {task}: {took} ms");
    }
    // Rows that are passed on unread can't be counted.
    let plan = text(&site.goshift(&["plan", "-id", "6"]));
    assert!(plan.contains("format  text"), "{plan}");
    assert!(plan.contains("speed   at most 1500 rows/s over the whole run"), "{plan}");
    let unlimited = site.goshift(&["plan", "-id", "6"]);
    assert!(unlimited.status.success());
    site.remove().await;
}

#[tokio::test]
async fn a_limit_of_bytes_holds_for_rows_that_are_passed_on_unread_too() {
    let site = Site::new("mysql").await;
    site.pg("CREATE TABLE s (id int PRIMARY KEY, body text); \
         INSERT INTO s SELECT n, repeat('x', 1000) FROM generate_series(1, 200) n")
        .await;
    let params = r#"{"worker_num": 2, "read_batch": 50, "max_bytes_per_second": "100KB"}"#;
    site.task(5, ("postgres", "s"), ("postgres", "t"), params).await;
    site.task(6, ("postgres", "s"), ("sqlite", "t"), params).await;
    let plan = text(&site.goshift(&["plan", "-id", "5"]));
    assert!(
        plan.contains("format  PostgreSQL's binary COPY") && plan.contains("100000 bytes/s"),
        "{plan}"
    );
    for task in [5, 6] {
        let output = site.goshift(&["-id", &task.to_string()]);
        assert!(output.status.success(), "{}", text(&output));
        site.assert_equal(task);
        let took = took(&site, task).await;
        assert!(took >= 1500, "task {task}: 200 KB went through in {took} ms");
    }
    site.remove().await;
}

#[tokio::test]
async fn a_low_limit_makes_small_shards_and_says_so() {
    let site = Site::new("mysql").await;
    source(&site, 60).await;
    let params = r#"{"worker_num": 2, "read_batch": 5000, "max_rows_per_second": 40}"#;
    site.task(5, ("mysql", "source"), ("mysql", "target"), params).await;
    let plan = text(&site.goshift(&["plan", "-id", "5"]));
    assert!(plan.contains("shards of 40 rows") && plan.contains("capped"), "{plan}");
    let output = site.goshift(&["-id", "5"]);
    assert!(output.status.success(), "{}", text(&output));
    site.assert_equal(5);
    site.remove().await;
}
