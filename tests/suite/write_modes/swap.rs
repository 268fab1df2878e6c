//! `write_mode` swap: rows are loaded beside the target, which is replaced in one step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::emptied::{found, refused, tables};
use crate::support::{ENGINES, Site, eventually, text};

const PARAMS: &str =
    r#"{"write_mode": "swap", "read_batch": 300, "worker_num": 3, "verify": true}"#;
const SERVERS: [&str; 2] = ["mysql", "postgres"];

async fn left_beside(site: &Site, to: &str) -> Vec<Vec<String>> {
    let left = format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' \
         AND table_name LIKE '%\\_goshift\\_%'",
        site.id
    );
    site.rows(to, &left).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_is_replaced_and_nothing_is_left() {
    for from in ENGINES {
        for to in SERVERS {
            let site = tables(from, to, " PRIMARY KEY").await;
            site.task(5, (from, "source"), (to, "target"), PARAMS).await;
            let plan = text(&site.goshift(&["plan", "-id", "5"]));
            assert!(plan.contains("into a table beside it, then swap"), "{plan}");
            for _ in 0..2 {
                let run = site.goshift(&["-id", "5"]);
                assert!(run.status.success(), "{from} → {to}: {}", text(&run));
                assert_eq!(found(&site, to).await, ["2000", "2000", "0"], "{from} → {to}");
                site.assert_equal(5);
                assert!(left_beside(&site, to).await.is_empty(), "{from} → {to}");
                site.execute(to, "INSERT INTO target VALUES (9000, 'since', 'own')").await;
            }
            site.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_target_had_besides_rows_stays() {
    let site = tables("mysql", "postgres", "").await;
    site.pg("ALTER TABLE target ADD CONSTRAINT own_name PRIMARY KEY (id); \
         ALTER TABLE target ADD COLUMN n serial, ADD CHECK (n > 0); \
         COMMENT ON TABLE target IS 'it''s 100 % ours'; COMMENT ON COLUMN target.t IS 'text'; \
         GRANT SELECT ON target TO PUBLIC; ALTER TABLE target SET (fillfactor = 70); \
         CREATE UNIQUE INDEX partly ON target (t) WHERE note IS NOT NULL AND id > 8000")
        .await;
    let about = "SELECT c.relacl::text, c.reloptions::text, obj_description(c.oid), \
         col_description(c.oid, 2), pg_get_serial_sequence('target', 'n'), \
         (SELECT string_agg(indexdef, ';' ORDER BY indexname) FROM pg_indexes \
          WHERE tablename = 'target' AND schemaname = current_schema()), \
         (SELECT string_agg(conname || pg_get_constraintdef(oid), ';' ORDER BY conname) \
          FROM pg_constraint WHERE conrelid = c.oid) \
         FROM pg_class c WHERE oid = 'target'::regclass";
    let before = site.rows("postgres", about).await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), PARAMS).await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(found(&site, "postgres").await, ["2000", "2000", "0"]);
    assert_eq!(site.rows("postgres", about).await, before);
    site.pg("INSERT INTO target (id) VALUES (2001)").await;
    site.remove().await;
    let site = tables("mysql", "mysql", " PRIMARY KEY AUTO_INCREMENT COMMENT \"the 'key'\"").await;
    site.my("CREATE VIEW seen AS SELECT COUNT(*) AS n FROM target").await;
    let before = site.rows("mysql", "SHOW INDEX FROM target").await.len();
    site.task(5, ("mysql", "source"), ("mysql", "target"), PARAMS).await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(site.rows("mysql", "SHOW INDEX FROM target").await.len(), before);
    assert_eq!(site.rows("mysql", "SELECT CAST(n AS CHAR) FROM seen").await, [["2000"]]);
    site.my("INSERT INTO target (t) VALUES ('next')").await;
    let next = "SELECT CAST(id AS CHAR) FROM target WHERE t = 'next'";
    assert_eq!(site.rows("mysql", next).await, [["5002"]], "no number is given out twice");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_target_and_one_without_a_key_are_swapped_too() {
    for to in SERVERS {
        let site = tables("mysql", to, "").await;
        site.task(5, ("mysql", "source"), (to, "target"), PARAMS).await;
        site.task(6, ("mysql", "source"), (to, "fresh"), PARAMS).await;
        for task in ["5", "6", "5", "6"] {
            let run = site.goshift(&["-id", task]);
            assert!(run.status.success(), "{to}: {}", text(&run));
            site.assert_equal(task.parse().unwrap());
        }
        assert_eq!(found(&site, to).await, ["2000", "2000", "0"], "{to}");
        assert!(left_beside(&site, to).await.is_empty(), "{to}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_the_target_is_named() {
    let child = "CREATE TABLE child (id int PRIMARY KEY, parent int, CONSTRAINT of_target \
         FOREIGN KEY (parent) REFERENCES target (id))";
    for (to, obstacle, name) in [
        ("postgres", child, "foreign key of_target of child"),
        ("mysql", child, "foreign key of_target of child"),
        ("postgres", "CREATE VIEW seen AS SELECT * FROM target", "view seen"),
        ("postgres", "ALTER TABLE target ENABLE ROW LEVEL SECURITY", "row security"),
        ("postgres", "CREATE TABLE heir () INHERITS (target)", "inheritance"),
        ("postgres", "ALTER TABLE target ADD n int GENERATED ALWAYS AS IDENTITY", "column n"),
        ("postgres", "CREATE RULE kept AS ON DELETE TO target DO ALSO SELECT 1", "rule kept"),
        ("mysql", "ALTER TABLE target ENGINE = MyISAM", "engine MyISAM"),
        ("mysql", "ALTER TABLE target ADD must int NOT NULL", "target.must"),
        (
            "mysql",
            "CREATE TRIGGER seen BEFORE DELETE ON target FOR EACH ROW SET @x = 1",
            "trigger seen",
        ),
    ] {
        let site = tables("mysql", to, " PRIMARY KEY").await;
        site.execute(to, obstacle).await;
        site.task(5, ("mysql", "source"), (to, "target"), PARAMS).await;
        refused(&site, to, 1, &[name]).await;
        assert!(left_beside(&site, to).await.is_empty(), "{to}");
        site.remove().await;
    }
    let site = tables("mysql", "sqlite", " PRIMARY KEY").await;
    site.task(5, ("mysql", "source"), ("sqlite", "target"), PARAMS).await;
    refused(&site, "sqlite", 1, &["swap", "SQLite", "truncate_insert"]).await;
    site.task(6, ("mysql", "source"), ("sqlite", "missing"), PARAMS).await;
    let run = site.goshift(&["-id", "6"]);
    assert!(text(&run).contains("SQLite"), "{}", text(&run));
    let made = "SELECT name FROM sqlite_schema WHERE name LIKE 'missing%'";
    assert!(site.rows("sqlite", made).await.is_empty());
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_leaves_the_target_and_names_its_own_table() {
    for to in SERVERS {
        let site = tables("mysql", to, " PRIMARY KEY, CHECK (id <> 1234)").await;
        site.task(5, ("mysql", "source"), (to, "target"), PARAMS).await;
        refused(&site, to, 1, &["1234", "target_goshift_", "DROP TABLE"]).await;
        let left = left_beside(&site, to).await;
        assert_eq!(left.len(), 1, "{to}: {left:?}");
        site.my("DELETE FROM source").await;
        refused(&site, to, 1, &["source has no row", "swap", "max_delete"]).await;
        site.remove().await;
    }
}

/// What was changed in the target meanwhile would be lost with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_altered_in_the_middle_is_kept() {
    for to in SERVERS {
        let site = tables("mysql", to, " PRIMARY KEY").await;
        site.task(5, ("mysql", "source"), (to, "target"), PARAMS).await;
        let mut doomed = site.faulty_worker("doomed", &[], "target.emptied=kill");
        let run = site.submitted(&["5"]).remove(0);
        eventually("it has died", || std::future::ready(!doomed.is_alive())).await;
        assert_eq!(left_beside(&site, to).await.len(), 1, "{to}: its own table is there");
        site.execute(to, "ALTER TABLE target ADD COLUMN more int").await;
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "failed").await;
        let reason = format!("SELECT reason FROM goshift_run WHERE run_id = '{run}'");
        let reason = site.ask_one(&reason).await;
        assert!(reason.contains("columns of"), "{to}: {reason}");
        assert!(reason.contains("target_goshift_"), "{to}: {reason}");
        assert_eq!(found(&site, to).await, ["3", "3", "3"], "{to}");
        drop(sound);
        site.remove().await;
    }
}

/// Somebody reads all the while: the old rows or the new ones, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_old_rows_or_the_new_ones() {
    for to in SERVERS {
        let site = Arc::new(tables("mysql", to, " PRIMARY KEY").await);
        let params = PARAMS.replace("300", "50");
        site.task(5, ("mysql", "source"), (to, "target"), &params).await;
        let over = Arc::new(AtomicBool::new(false));
        let (reading, ended) = (Arc::clone(&site), Arc::clone(&over));
        let reader = tokio::spawn(async move {
            let mut seen = Vec::new();
            while !ended.load(Ordering::SeqCst) {
                let found = found(&reading, to).await;
                if seen.last() != Some(&found) {
                    seen.push(found);
                }
            }
            seen
        });
        let running = Arc::clone(&site);
        let run =
            tokio::task::spawn_blocking(move || running.goshift(&["-id", "5"])).await.unwrap();
        assert!(run.status.success(), "{to}: {}", text(&run));
        over.store(true, Ordering::SeqCst);
        let seen = reader.await.unwrap();
        assert_eq!(seen.first().unwrap(), &["3", "3", "3"], "{to}");
        assert_eq!(found(&site, to).await, ["2000", "2000", "0"], "{to}");
        let states: [[&str; 3]; 2] = [["3", "3", "3"], ["2000", "2000", "0"]];
        assert!(seen.iter().all(|seen| states.iter().any(|state| seen == state)), "{to}: {seen:?}");
        Arc::into_inner(site).unwrap().remove().await;
    }
}
