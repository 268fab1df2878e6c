//! Rows that would overwrite each other in the target: never in silence.

use crate::support::{Site, text};

#[tokio::test]
async fn a_row_that_meets_a_stranger_s_unique_key_fails_the_run() {
    let site = Site::new("sqlite").await;
    let rows = "INSERT INTO source VALUES (1, 'x'), (2, 'x'), (3, 'z')";
    site.my(&format!("CREATE TABLE source (id int PRIMARY KEY, a varchar(9)); {rows}")).await;
    for engine in crate::support::ENGINES {
        let target = "CREATE TABLE target (id int NOT NULL PRIMARY KEY, a varchar(9) UNIQUE)";
        site.execute(engine, target).await;
        let id = 5 + engine.len() as i64;
        site.task(id, ("mysql", "source"), (engine, "target"), "").await;
        let output = site.goshift(&["-id", &id.to_string()]);
        assert_eq!(output.status.code(), Some(1), "{engine}: {}", text(&output));
        let held = site.rows(engine, "SELECT id FROM target").await;
        assert!(held.is_empty(), "{engine}: the shard was not rolled back: {held:?}");
    }
    site.remove().await;
}

#[tokio::test]
async fn where_counting_proves_nothing_the_run_says_so() {
    let site = Site::new("sqlite").await;
    site.my(
        "CREATE TABLE source (id int, a varchar(9)); INSERT INTO source VALUES (1, 'x'), (1, 'y')",
    )
    .await;
    site.my("CREATE TABLE target (id int PRIMARY KEY, a varchar(9)); INSERT INTO target VALUES (7, 'old')")
        .await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let output = site.goshift(&["-id", "5"]);
    assert!(text(&output).contains("goshift verify"), "{}", text(&output));
    assert_eq!(site.goshift(&["verify", "-id", "5"]).status.code(), Some(1));
    site.my("DELETE FROM target").await;
    let output = site.goshift(&["-id", "5"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("share the key (id)"), "{}", text(&output));
    site.remove().await;
}
