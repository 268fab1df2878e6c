//! Source and target on one MySQL server: the rows stay in it.

use sqlx::Executor;

use crate::pairs::{data, render};
use crate::support::{Site, eventually, text};

const PARAMS: &str = r#"{"worker_num": 4, "read_batch": 2000}"#;

/// A place where nothing keeps the server from copying by itself.
async fn site() -> Site {
    let mut site = Site::new("mysql").await;
    site.configure(|config| {
        config["from"]["mysql"]["app_db"]["server_side"] = true.into();
    });
    site
}

/// How `goshift plan` says that the rows get in.
fn path(site: &Site) -> String {
    let plan = site.goshift(&["plan", "-id", "5"]);
    let plan = text(&plan);
    plan.lines().find(|line| line.starts_with("path")).unwrap_or_default().to_owned()
}

fn run(site: &Site) {
    let output = site.goshift(&["-id", "5"]);
    assert!(output.status.success(), "{}", text(&output));
}

async fn same(site: &Site, step: &str) {
    let source = render::rows(site, "mysql", "source", &data::columns()).await;
    let target = render::rows(site, "mysql", "target", &data::columns()).await;
    render::assert_same(step, &source, &target);
    site.assert_equal(5);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_copied_and_then_merged() {
    let site = site().await;
    data::fill(&site, "mysql", "source").await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), PARAMS).await;
    assert!(path(&site).contains("inside the server (else"), "{}", path(&site));
    run(&site);
    same(&site, "first copy").await;
    data::change(&site, "mysql", "source").await;
    assert!(path(&site).ends_with("inside the server, merged"), "{}", path(&site));
    run(&site);
    same(&site, "after changes").await;
    let noted = "SELECT CAST(rows_done AS CHAR) FROM goshift_run ORDER BY submitted_at";
    let expected = [data::ROWS, data::ROWS + data::ADDED].map(|rows| rows.to_string());
    assert_eq!(site.ask(noted).await.concat(), expected);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_every_row_is_there_once() {
    let site = site().await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, name varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_20000; \
         CREATE TABLE target (id int, name varchar(20))")
        .await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), PARAMS).await;
    run(&site);
    site.assert_equal(5);
    let again = site.goshift(&["-id", "5"]);
    assert_eq!(again.status.code(), Some(1), "a second copy would double the rows");
    assert!(text(&again).contains("would double"), "{}", text(&again));
    site.remove().await;
}

/// What the server would change, or what could mean something else there, goes through goshift.
#[tokio::test(flavor = "multi_thread")]
async fn what_differs_goes_through_goshift() {
    let site = site().await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, name varchar(20), at timestamp NULL)").await;
    site.my("INSERT INTO source VALUES (1, 'a', '2024-05-01 00:00:00')").await;
    let targets = [
        ("id int PRIMARY KEY, name varchar(20), at timestamp NULL", PARAMS, true),
        ("id int PRIMARY KEY, name varchar(30), at timestamp NULL", PARAMS, false),
        (
            "id int PRIMARY KEY, name varchar(20) COLLATE utf8mb4_bin, at timestamp NULL",
            PARAMS,
            false,
        ),
        (
            "id int PRIMARY KEY, name varchar(20), at timestamp NOT NULL DEFAULT '2000-01-01'",
            PARAMS,
            false,
        ),
        (
            "id int PRIMARY KEY, name varchar(20), at timestamp NULL",
            r#"{"where": "id > 0"}"#,
            false,
        ),
        (
            "id int PRIMARY KEY, name varchar(20), at timestamp NULL",
            r#"{"max_rows_per_second": 900}"#,
            false,
        ),
        (
            "id int PRIMARY KEY, name varchar(20), at timestamp NULL",
            r#"{"consistency": "snapshot"}"#,
            false,
        ),
    ];
    site.task(5, ("mysql", "source"), ("mysql", "target"), PARAMS).await;
    for (columns, params, is_inside) in targets {
        site.my(&format!("DROP TABLE IF EXISTS target; CREATE TABLE target ({columns})")).await;
        site.tasks(&format!("UPDATE task_def_sync_manager SET params = '{params}' WHERE id = 5"))
            .await;
        assert_eq!(
            path(&site).contains("inside"),
            is_inside,
            "{columns} {params}: {}",
            path(&site)
        );
        run(&site);
        site.assert_equal(5);
    }
    site.my("UPDATE source SET at = NULL").await;
    site.my("DROP TABLE target; CREATE TABLE target (id int PRIMARY KEY, name varchar(20), \
             at timestamp NOT NULL DEFAULT '2000-01-01')")
        .await;
    let refused = site.goshift(&["-id", "5"]);
    assert_eq!(refused.status.code(), Some(1));
    for said in ["row id=1", "column at", "is NULL"] {
        assert!(text(&refused).contains(said), "{said}: {}", text(&refused));
    }
    assert_eq!(site.rows("mysql", "SELECT id FROM target").await.len(), 0);
    site.remove().await;
}

/// A key that turns up in the target in the middle of a first copy: from then on rows are merged.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_turn_up_are_merged() {
    let site = site().await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, name varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_20000; \
         CREATE TABLE target LIKE source")
        .await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), r#"{"read_batch": 500}"#).await;
    // Not to be seen yet when the run looks into the target; the shard that meets it waits.
    let mut stranger = site.mysql.begin().await.unwrap();
    stranger.execute("INSERT INTO target VALUES (20000, 'a stranger')").await.unwrap();
    let mut running = site.start("goshift", &["-id", "5"]);
    eventually("rows are in", || async {
        !site.rows("mysql", "SELECT id FROM target LIMIT 1").await.is_empty()
    })
    .await;
    stranger.commit().await.unwrap();
    assert!(running.wait().unwrap().success());
    site.assert_equal(5);
    site.remove().await;
}
