//! Rows of many megabytes, in many lanes: those that carry them take turns, so that memory is bounded.

use crate::support::{Site, text};

const PARAMS: &str = r#"{"worker_num": 20, "read_batch": 1}"#;

#[tokio::test(flavor = "multi_thread")]
async fn lanes_with_large_rows_take_turns() {
    let mut site = Site::new("mysql").await;
    // Less than one row needs: it has all of it.
    site.configure(|config| config["worker"]["row_memory"] = (4 << 20).into());
    site.my("CREATE TABLE source (id int PRIMARY KEY, body longtext NOT NULL); \
         INSERT INTO source SELECT seq, REPEAT(MD5(seq), 131072) FROM seq_1_to_12; \
         CREATE TABLE target LIKE source")
        .await;
    site.pg("CREATE TABLE target (id int PRIMARY KEY, body text NOT NULL)").await;
    // Each row takes its time, and refuses to be written beside another.
    site.my(&format!(
        "CREATE TRIGGER alone BEFORE INSERT ON target FOR EACH ROW BEGIN \
         IF GET_LOCK('{0} row', 0) = 0 THEN SIGNAL SQLSTATE '45000' \
         SET MESSAGE_TEXT = 'beside another'; END IF; \
         SET @slept = SLEEP(0.1) + RELEASE_LOCK('{0} row'); END",
        site.id
    ))
    .await;
    site.pg(&format!(
        "CREATE FUNCTION alone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
         IF NOT pg_try_advisory_xact_lock(hashtext(''{}'')) THEN \
         RAISE EXCEPTION ''beside another''; END IF; PERFORM pg_sleep(0.1); RETURN NEW; END'",
        site.id
    ))
    .await;
    site.pg("CREATE TRIGGER alone BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION alone()")
        .await;
    for (task, to) in [(5, "mysql"), (6, "postgres")] {
        site.task(task, ("mysql", "source"), (to, "target"), PARAMS).await;
        let output = site.goshift(&["-id", &task.to_string()]);
        assert!(output.status.success(), "{}", text(&output));
        assert!(!text(&output).contains("by statements"), "two at once: {}", text(&output));
        let sums = match to {
            "mysql" => "SELECT CONCAT(id, MD5(body)) FROM target ORDER BY id",
            _ => "SELECT id || md5(body) FROM target ORDER BY id",
        };
        let source = "SELECT CONCAT(id, MD5(body)) FROM source ORDER BY id";
        assert_eq!(site.rows(to, sums).await, site.rows("mysql", source).await);
    }
    site.remove().await;
}

/// A lane that meets a large row behind common ones has a transaction open, for which others wait: it
/// must not wait for their room.
#[tokio::test(flavor = "multi_thread")]
async fn large_rows_among_common_ones_hold_nobody_up() {
    let mut site = Site::new("mysql").await;
    site.configure(|config| config["worker"]["row_memory"] = (4 << 20).into());
    site.my("CREATE TABLE source (id int PRIMARY KEY, body longtext NOT NULL); \
         INSERT INTO source SELECT seq, REPEAT(MD5(seq), IF(seq % 100 < 2, 262144, 64)) \
         FROM seq_1_to_600; CREATE TABLE target LIKE source")
        .await;
    site.pg("CREATE TABLE target (id int PRIMARY KEY, body text NOT NULL)").await;
    let params = r#"{"worker_num": 20, "read_batch": 100}"#;
    for (task, to) in [(5, "mysql"), (6, "postgres"), (7, "sqlite")] {
        site.task(task, ("mysql", "source"), (to, "target"), params).await;
        let output = site.goshift(&["-id", &task.to_string()]);
        assert!(output.status.success(), "{}", text(&output));
        site.assert_equal(task);
    }
    site.remove().await;
}
