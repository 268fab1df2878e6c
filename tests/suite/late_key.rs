//! A PostgreSQL table that goshift creates gets its primary key when its rows are in.

use crate::support::{Site, text};

const ROWS: i64 = 30_000;
const PARAMS: &str = r#"{"worker_num": 2, "read_batch": 1000}"#;
const COMMENT: &str = "goshift adds keys and indexes when the rows are in: ";

/// Task 5 copies a table of MySQL into one that is not there yet.
async fn site() -> Site {
    let site = Site::new("mysql").await;
    site.my(&format!(
        "CREATE TABLE source (a int, b varchar(20), note text, PRIMARY KEY (b, a)); \
         INSERT INTO source SELECT seq, CONCAT('k', seq % 7), 'x' FROM seq_1_to_{ROWS}; \
         ANALYZE TABLE source"
    ))
    .await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), PARAMS).await;
    site
}

/// The target's primary key, and whether it has a comment.
async fn key(site: &Site) -> Vec<Vec<String>> {
    let sql = "SELECT COALESCE((SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' \
               AND conrelid = 'target'::regclass), 'none'), \
               (obj_description('target'::regclass, 'pg_class') IS NOT NULL)::text";
    site.rows("postgres", sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_table_gets_its_key_at_the_end() {
    let site = site().await;
    let plan = site.goshift(&["plan", "-id", "5"]);
    assert!(text(&plan).contains("the primary key when all rows are in"), "{}", text(&plan));
    for step in ["first copy", "again"] {
        let output = site.goshift(&["-id", "5"]);
        assert!(output.status.success(), "{step}: {}", text(&output));
        assert_eq!(key(&site).await, [["PRIMARY KEY (b, a)", "false"]], "{step}");
        site.assert_equal(5);
    }
    let plan = site.goshift(&["plan", "-id", "5"]);
    assert!(text(&plan).contains("upsert by (b, a)"), "{}", text(&plan));
    site.remove().await;
}

/// What another run has left behind: some rows, and no key.
async fn left_behind(site: &Site, rows: &str) {
    site.pg("CREATE TABLE target (a integer NOT NULL, b varchar(20) NOT NULL, note text)").await;
    site.pg(&format!(
        "COMMENT ON TABLE target IS '{COMMENT}{{\"run\": \"{}\", \"key\": [\"b\", \"a\"]}}'",
        uuid::Uuid::now_v7()
    ))
    .await;
    site.pg(&format!("INSERT INTO target VALUES {rows}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_run_left_out_is_added_first() {
    let site = site().await;
    left_behind(&site, "(7, 'k0', 'old'), (8, 'k1', 'old')").await;
    let output = site.goshift(&["-id", "5"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(key(&site).await, [["PRIMARY KEY (b, a)", "false"]]);
    site.assert_equal(5);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_share_the_key_are_a_failure_that_names_it() {
    let site = site().await;
    left_behind(&site, "(7, 'k0', 'old'), (7, 'k0', 'twice')").await;
    let output = site.goshift(&["-id", "5"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.contains("share the key (\"b\", \"a\")") && said.contains("→"), "{said}");
    site.remove().await;
}
