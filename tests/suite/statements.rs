//! `pre_sql` and `post_sql`, into every engine.

use crate::support::{ENGINES, Site, text};

async fn site_with_tables(to: &str) -> Site {
    let site = Site::new("sqlite").await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, t varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_500")
        .await;
    let id = if to == "sqlite" { "INTEGER" } else { "int" };
    site.execute(
        to,
        &format!(
            "CREATE TABLE target (id {id} NOT NULL PRIMARY KEY, t varchar(20)); \
             INSERT INTO target VALUES (7, 'old'), (9000, 'old'); \
             CREATE TABLE said (at varchar(10), held int)"
        ),
    )
    .await;
    site
}

async fn said(site: &Site, to: &str) -> Vec<Vec<String>> {
    let cast = if to == "mysql" { "CHAR" } else { "text" };
    site.rows(to, &format!("SELECT at, CAST(held AS {cast}) FROM said ORDER BY at DESC")).await
}

const BOTH: &str = r#"{"read_batch": 100,
    "pre_sql": ["DELETE FROM target WHERE t = 'old'",
                "INSERT INTO said SELECT 'pre', COUNT(*) FROM target;"],
    "post_sql": "INSERT INTO said SELECT 'post', COUNT(*) FROM target"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_runs_once_a_run_before_and_after_the_rows() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        site.task(5, ("mysql", "source"), (to, "target"), BOTH).await;
        let plan = site.goshift(&["plan", "-id", "5"]);
        for line in ["before  DELETE FROM target WHERE t = 'old'", "after   INSERT INTO said"] {
            assert!(text(&plan).contains(line), "{to}: {}", text(&plan));
        }
        assert_eq!(said(&site, to).await, Vec::<Vec<String>>::new(), "{to}: only looked at");
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{to}: {}", text(&run));
        assert_eq!(said(&site, to).await, [["pre", "0"], ["post", "500"]], "{to}");
        // A repair is not the task's work.
        site.execute(to, "DELETE FROM target WHERE id = 3").await;
        let repaired = site.goshift(&["verify", "-id", "5", "--repair"]);
        assert!(repaired.status.success(), "{to}: {}", text(&repaired));
        assert_eq!(said(&site, to).await.len(), 2, "{to}");
        let again = site.goshift(&["-id", "5"]);
        assert!(again.status.success(), "{to}: {}", text(&again));
        assert_eq!(said(&site, to).await.len(), 4, "{to}: once in each run");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_sees_what_they_have_made() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        let id = if to == "sqlite" { "INTEGER" } else { "bigint" };
        let params = format!(
            r#"{{"pre_sql": ["DROP TABLE IF EXISTS fresh",
                 "CREATE TABLE fresh (id {id} NOT NULL PRIMARY KEY, t varchar(20), u int)"]}}"#
        );
        site.task(5, ("mysql", "source"), (to, "fresh"), &params).await;
        for _ in 0..2 {
            let run = site.goshift(&["-id", "5"]);
            assert!(run.status.success(), "{to}: {}", text(&run));
        }
        let rows = site.rows(to, "SELECT t FROM fresh WHERE id = 500 AND u IS NULL").await;
        assert_eq!(rows, [["row 500"]], "{to}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_named_and_leaves_nothing() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        let params = r#"{"pre_sql": ["DELETE FROM target", "DELETE FROM nowhere"]}"#;
        site.task(5, ("mysql", "source"), (to, "target"), params).await;
        let run = site.goshift(&["-id", "5"]);
        assert_eq!(run.status.code(), Some(1), "{to}: {}", text(&run));
        for part in ["task 5", "pre_sql, statement 2 of 2", "nowhere"] {
            assert!(text(&run).contains(part), "{to}: {}", text(&run));
        }
        let rows = site.rows(to, "SELECT t FROM target").await;
        assert_eq!(rows, [["old"], ["old"]], "{to}: rolled back, and nothing copied");

        let params = r#"{"post_sql": "DELETE FROM nowhere"}"#;
        site.task(6, ("mysql", "source"), (to, "target"), params).await;
        let run = site.goshift(&["-id", "6"]);
        assert_eq!(run.status.code(), Some(1), "{to}: {}", text(&run));
        assert!(text(&run).contains("post_sql, statement 1 of 1"), "{to}: {}", text(&run));
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_for_a_source_that_is_not_there() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        site.task(5, ("mysql", "sauce"), (to, "target"), BOTH).await;
        let run = site.goshift(&["-id", "5"]);
        assert!(text(&run).contains("no source table sauce"), "{to}: {}", text(&run));
        site.task(
            6,
            ("mysql", "source"),
            (to, "target"),
            r#"{"pre_sql": "DELETE FROM target", "columns": {"x": "y"}}"#,
        )
        .await;
        let run = site.goshift(&["-id", "6"]);
        assert!(text(&run).contains("\"x\""), "{to}: {}", text(&run));
        assert_eq!(site.rows(to, "SELECT t FROM target").await.len(), 2, "{to}");
        assert_eq!(said(&site, to).await, Vec::<Vec<String>>::new(), "{to}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_t_bring_statements_of_its_own() {
    let site = site_with_tables("mysql").await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let set = r#"pre_sql="DELETE FROM target""#;
    let submit = site.submit(&["5", "--set", set]);
    assert_eq!(submit.status.code(), Some(2), "{}", text(&submit));
    assert_eq!(site.rows("mysql", "SELECT t FROM target").await.len(), 2);
    site.remove().await;
}
