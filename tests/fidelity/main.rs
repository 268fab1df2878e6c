//! The fidelity matrix: every kind of value, between every pair of engines it is about, against real
//! servers. `docs/FIDELITY.md` is written from the same data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "the suite's support has more than this needs")]

#[path = "../suite/support/mod.rs"]
mod support;

mod case;
mod cases;
mod document;
mod execute;
mod random;
mod scenes;
mod tables;

use execute::every_case_of;
use random::a_table_of_any_shape;
use tables::every_table_of;

#[tokio::test(flavor = "multi_thread")]
async fn policies_of_the_configuration_hold_where_a_task_says_nothing() {
    let mut site = support::Site::new("sqlite").await;
    site.embedded();
    site.configure(|config| {
        config["values"] = serde_json::json!({"nul": "strip", "zero_dates": "null"})
    });
    site.my(
        "SET SESSION sql_mode = ''; CREATE TABLE source (id int PRIMARY KEY, t varchar(9), d date); \
         INSERT INTO source VALUES (1, CONCAT('a', CHAR(0)), '0000-00-00'); SET SESSION sql_mode = DEFAULT",
    )
    .await;
    let params = r#"{"values": {"zero_dates": "1970-01-01"}}"#;
    site.task(5, ("mysql", "source"), ("postgres", "target"), params).await;
    let plan = support::text(&site.goshift(&["plan", "-id", "5"]));
    assert!(plan.contains("NUL characters are taken out"), "{plan}");
    assert!(plan.contains("zero dates become 1970-01-01"), "{plan}");
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", support::text(&run));
    assert_eq!(site.rows("postgres", "SELECT t, d::text FROM target").await, [["a", "1970-01-01"]]);
    let diff = support::text(&site.goshift(&["-id", "5", "--mode", "diff"]));
    assert!(diff.contains("0 written"), "what a policy has made is no difference: {diff}");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_to_mysql() {
    every_case_of("mysql", "mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_to_postgres() {
    every_case_of("mysql", "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_to_sqlite() {
    every_case_of("mysql", "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_to_mysql() {
    every_case_of("postgres", "mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_to_postgres() {
    every_case_of("postgres", "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_to_sqlite() {
    every_case_of("postgres", "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_to_mysql() {
    every_case_of("sqlite", "mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_to_postgres() {
    every_case_of("sqlite", "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_to_sqlite() {
    every_case_of("sqlite", "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_mysql() {
    every_table_of("mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_postgres() {
    every_table_of("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_sqlite() {
    every_table_of("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scenes_around_a_copy() {
    for scene in scenes::ALL {
        eprintln!("{}", scene.name);
        (scene.play)(support::Site::new("sqlite").await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_mysql_to_mysql() {
    a_table_of_any_shape("mysql", "mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_mysql_to_postgres() {
    a_table_of_any_shape("mysql", "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_mysql_to_sqlite() {
    a_table_of_any_shape("mysql", "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_postgres_to_mysql() {
    a_table_of_any_shape("postgres", "mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_postgres_to_postgres() {
    a_table_of_any_shape("postgres", "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_postgres_to_sqlite() {
    a_table_of_any_shape("postgres", "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sqlite_to_mysql() {
    a_table_of_any_shape("sqlite", "mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sqlite_to_postgres() {
    a_table_of_any_shape("sqlite", "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sqlite_to_sqlite() {
    a_table_of_any_shape("sqlite", "sqlite").await;
}

/// Users read what was run, not what was meant.
#[test]
fn the_document_is_that_of_these_cases() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/FIDELITY.md");
    let text = document::text();
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found != text {
        std::fs::write(path, &text).unwrap();
        panic!("docs/FIDELITY.md was not that of the cases: it has been written anew, commit it");
    }
}
