//! `write_mode` update and replace, into every engine; the others in modules of their own.

mod emptied;
mod swap;
mod truncate_insert;

use crate::support::{ENGINES, Site, text};

/// A source of (id, t), and a target with two columns more.
async fn site_with_tables(to: &str) -> Site {
    let site = Site::new("sqlite").await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, t varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_2000")
        .await;
    let id = if to == "sqlite" { "INTEGER" } else { "int" };
    site.execute(
        to,
        &format!(
            "CREATE TABLE target (id {id} NOT NULL PRIMARY KEY, t varchar(20), \
             note varchar(20) DEFAULT 'default', u varchar(20) UNIQUE); \
             INSERT INTO target VALUES (7, 'old', 'own', 'x'), (1999, NULL, 'own', 'y'), \
             (5000, 'old', 'own', 'z')"
        ),
    )
    .await;
    site
}

async fn found(site: &Site, to: &str) -> Vec<Vec<String>> {
    let cast = if to == "mysql" { "CHAR" } else { "text" };
    let query = format!(
        "SELECT CAST(id AS {cast}), t, note, u FROM target WHERE id IN (7, 8, 1999, 5000) \
         UNION ALL SELECT 'rows', CAST(COUNT(*) AS {cast}), '', '' FROM target"
    );
    let mut rows = site.rows(to, &query).await;
    rows.sort();
    rows
}

fn run(site: &Site, arguments: &[&str]) -> String {
    let run = site.goshift(arguments);
    assert!(run.status.success(), "{}", text(&run));
    text(&run)
}

#[tokio::test(flavor = "multi_thread")]
async fn update_changes_rows_that_are_there_and_inserts_none() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        let params = r#"{"write_mode": "update", "read_batch": 300, "worker_num": 3}"#;
        site.task(5, ("mysql", "source"), (to, "target"), params).await;
        let plan = run(&site, &["plan", "-id", "5"]);
        assert!(plan.contains("update by (id); nothing is inserted"), "{to}: {plan}");
        // Only PostgreSQL's way there is a bulk load.
        assert_eq!(plan.contains("path    bulk load"), to == "postgres", "{plan}");
        let stage = "statements of several rows into a temporary table";
        assert_eq!(plan.contains(stage), to == "mysql", "{plan}");
        for _ in 0..2 {
            run(&site, &["-id", "5"]);
            assert_eq!(
                found(&site, to).await,
                [
                    ["1999", "row 1999", "own", "y"],
                    ["5000", "old", "own", "z"],
                    ["7", "row 7", "own", "x"],
                    ["rows", "3", "", ""],
                ],
                "{to}"
            );
        }
        site.execute(to, "DELETE FROM target").await;
        run(&site, &["-id", "5"]);
        assert_eq!(found(&site, to).await, [["rows", "0", "", ""]], "{to}: an empty target");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn update_needs_no_value_for_what_only_the_target_has() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        let id = if to == "sqlite" { "INTEGER" } else { "int" };
        let create = format!(
            "CREATE TABLE strict (id {id} NOT NULL PRIMARY KEY, t varchar(20), must int NOT NULL); \
             INSERT INTO strict VALUES (3, 'old', 1)"
        );
        site.execute(to, &create).await;
        site.task(5, ("mysql", "source"), (to, "strict"), r#"{"write_mode": "update"}"#).await;
        run(&site, &["-id", "5"]);
        assert_eq!(site.rows(to, "SELECT t FROM strict").await, [["row 3"]], "{to}");
        site.task(6, ("mysql", "source"), (to, "strict"), "").await;
        let refused = site.goshift(&["-id", "6"]);
        assert!(text(&refused).contains("strict.must"), "{to}: {}", text(&refused));
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_gives_defaults_to_what_is_not_copied() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        let params = r#"{"write_mode": "replace", "read_batch": 300, "worker_num": 3}"#;
        site.task(5, ("mysql", "source"), (to, "target"), params).await;
        let plan = run(&site, &["plan", "-id", "5"]);
        assert!(plan.contains("replace whole rows by (id)"), "{to}: {plan}");
        for _ in 0..2 {
            run(&site, &["-id", "5"]);
            assert_eq!(
                found(&site, to).await,
                [
                    ["1999", "row 1999", "default", "NULL"],
                    ["5000", "old", "own", "z"],
                    ["7", "row 7", "default", "NULL"],
                    ["8", "row 8", "default", "NULL"],
                    ["rows", "2001", "", ""],
                ],
                "{to}"
            );
        }
        // A row that is the same where it is copied is replaced all the same; an empty target is filled.
        site.execute(to, "UPDATE target SET note = 'own' WHERE id = 8").await;
        run(&site, &["-id", "5"]);
        assert_eq!(found(&site, to).await[3], ["8", "row 8", "default", "NULL"], "{to}");
        site.execute(to, "DELETE FROM target").await;
        run(&site, &["-id", "5"]);
        assert_eq!(found(&site, to).await[3], ["rows", "2000", "", ""], "{to}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_takes_no_row_of_another_key_out() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        let params = r#"{"write_mode": "replace", "columns": {"id": "id", "t": "u"}}"#;
        site.task(5, ("mysql", "source"), (to, "target"), params).await;
        site.execute(to, "UPDATE target SET u = 'row 9' WHERE id = 5000").await;
        let refused = site.goshift(&["-id", "5"]);
        assert_eq!(refused.status.code(), Some(1), "{to}: {}", text(&refused));
        let kept = "SELECT note FROM target WHERE u = 'row 9'";
        assert_eq!(site.rows(to, kept).await, [["own"]], "{to}: {}", text(&refused));
        let run = site.goshift(&["-id", "5"]);
        assert_eq!(run.status.code(), Some(1), "{to}: {}", text(&run));
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_key_is_refused_and_says_why() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        site.execute(to, "CREATE TABLE keyless (id int, t varchar(20))").await;
        for (task, mode) in [(5, "update"), (6, "replace")] {
            let params = format!(r#"{{"write_mode": "{mode}"}}"#);
            site.task(task, ("mysql", "source"), (to, "keyless"), &params).await;
            let id = task.to_string();
            let refused = site.goshift(&["-id", &id]);
            let said = text(&refused);
            assert!(!refused.status.success(), "{to}: {said}");
            for part in [mode, "keyless", "key", "give the target a primary or unique key"] {
                assert!(said.contains(part), "{to}, {part}: {said}");
            }
            for mode_of_run in ["diff", "mirror"] {
                let refused = site.goshift(&["-id", &id, "--mode", mode_of_run]);
                assert_eq!(refused.status.code(), Some(2), "{to}: {}", text(&refused));
                assert!(text(&refused).contains(mode), "{to}: {}", text(&refused));
            }
        }
        let update = r#"{"write_mode": "update"}"#;
        site.task(7, ("mysql", "source"), (to, "missing"), update).await;
        let refused = text(&site.goshift(&["-id", "7"]));
        assert!(refused.contains("no target table missing"), "{to}: {refused}");
        let params = r#"{"write_mode": "update", "columns": {"id": "id"}}"#;
        site.task(8, ("mysql", "source"), (to, "target"), params).await;
        let refused = text(&site.goshift(&["-id", "8"]));
        assert!(refused.contains("nothing to change"), "{to}: {refused}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_does_not_delete_what_hangs_on_a_row() {
    for to in ENGINES {
        let site = site_with_tables(to).await;
        let id = if to == "sqlite" { "INTEGER" } else { "int" };
        let follow = format!(
            "CREATE TABLE child (id {id} PRIMARY KEY, parent {id}, \
             FOREIGN KEY (parent) REFERENCES target (id) ON DELETE CASCADE); \
             INSERT INTO child VALUES (1, 7)"
        );
        site.execute(to, &follow).await;
        site.task(5, ("mysql", "source"), (to, "target"), r#"{"write_mode": "replace"}"#).await;
        let refused = site.goshift(&["-id", "5"]);
        assert_eq!(refused.status.code(), Some(1), "{to}: {}", text(&refused));
        let said = text(&refused);
        assert!(said.contains("child") && said.contains("upsert"), "{to}: {said}");
        site.remove().await;
    }
}
