//! Mode `cursor`: only rows that have changed since the last run, and none of those is missed.

use std::process::Output;

use serde_json::Value;

use crate::support::{ENGINES, Site, text};

/// The moment that most rows share, and what comes after.
const SHARED: &str = "2024-03-01 12:00:00";
const LATER: &str = "2024-03-01 13:00:00";

fn params(more: &str) -> String {
    format!(r#"{{"mode": "cursor", "diff_column": "changed", "read_batch": 1000{more}}}"#)
}

async fn set_params(site: &Site, more: &str) {
    let update = format!("UPDATE task_def_sync_manager SET params = '{}'", params(more));
    site.tasks(&update).await;
}

async fn create(site: &Site, engine: &str, table: &str) {
    let at = ENGINES.iter().position(|&e| e == engine).unwrap();
    let changed = ["datetime(6)", "timestamp", "DATETIME"][at];
    let ddl = format!(
        "CREATE TABLE {table} (id {} NOT NULL PRIMARY KEY, changed {changed}, note varchar(40)); \
         CREATE INDEX {table}_changed ON {table} (changed)",
        ["bigint", "bigint", "INTEGER"][at]
    );
    site.execute(engine, &ddl).await;
}

async fn insert(site: &Site, engine: &str, ids: std::ops::Range<u64>, changed: &str) {
    let changed = if changed == "NULL" { changed.to_owned() } else { format!("'{changed}'") };
    let ids: Vec<_> = ids.collect();
    for chunk in ids.chunks(5000) {
        let rows: Vec<_> =
            chunk.iter().map(|id| format!("({id}, {changed}, 'note {id}')")).collect();
        site.execute(engine, &format!("INSERT INTO source VALUES {}", rows.join(", "))).await;
    }
}

fn run(site: &Site) -> u64 {
    let output = site.goshift(&["-id", "5", "--json"]);
    assert!(output.status.success(), "{}", text(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    last["rows"].as_u64().unwrap()
}

fn refused(output: &Output, part: &str) {
    assert!(!output.status.success() && text(output).contains(part), "{part}: {}", text(output));
}

async fn count(site: &Site, engine: &str) -> u64 {
    let count = match engine {
        "mysql" => "SELECT CAST(COUNT(*) AS CHAR) FROM target",
        "postgres" => "SELECT count(*)::text FROM target",
        _ => "",
    };
    match engine {
        "sqlite" => site
            .sqlite()
            .query_row("SELECT COUNT(*) FROM target", [], |row| row.get::<_, i64>(0))
            .unwrap() as u64,
        _ => site.rows(engine, count).await[0][0].parse().unwrap(),
    }
}

/// `many` rows share one moment; then some come that share it too, some late, some without any.
async fn nothing_is_missed(from: &str, to: &str, many: u64) {
    let site = Site::new("sqlite").await;
    create(&site, from, "source").await;
    create(&site, to, "target").await;
    insert(&site, from, 1..many + 1, SHARED).await;
    insert(&site, from, 200_000..200_020, "2024-02-01 00:00:00").await;
    insert(&site, from, 300_000..300_005, "NULL").await;
    site.task(5, (from, "source"), (to, "target"), &params("")).await;
    let route = format!("{from} → {to}");
    assert_eq!(run(&site), many + 25, "{route}");
    site.assert_equal(5);
    // What shares the watermark's moment is read again, and so is what has none.
    assert_eq!(run(&site), many + 5, "{route}");
    assert_eq!(count(&site, to).await, many + 25, "{route}: nothing is doubled");

    insert(&site, from, 400_000..400_010, SHARED).await;
    insert(&site, from, 410_000..410_010, LATER).await;
    // Committed late, but inside the overlap of ten minutes.
    insert(&site, from, 420_000..420_010, "2024-03-01 11:50:00").await;
    insert(&site, from, 430_000..430_003, "NULL").await;
    let change = format!("UPDATE source SET note = 'changed', changed = '{LATER}' WHERE id <= 7");
    site.execute(from, &change).await;
    assert_eq!(run(&site), many + 8 + 30, "{route}");
    site.assert_equal(5);
    // From here on the many are past.
    insert(&site, from, 440_000..440_001, "2024-03-01 12:50:00").await;
    assert_eq!(run(&site), 10 + 7 + 1 + 8, "{route}");
    site.assert_equal(5);
    // Later than the overlap allows for: that is what `verify` and mode diff are for.
    insert(&site, from, 450_000..450_001, "2024-03-01 12:49:59").await;
    assert_eq!(run(&site), 26, "{route}");
    refused(&site.goshift(&["verify", "-id", "5"]), "1 rows missing");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_share_one_moment() {
    nothing_is_missed("mysql", "postgres", 100_000).await;
    nothing_is_missed("postgres", "mysql", 100_000).await;
    nothing_is_missed("sqlite", "postgres", 100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_goes_between_all_pairs() {
    for from in ENGINES {
        for to in ENGINES {
            nothing_is_missed(from, to, 2_500).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_in_the_future_does_not_take_the_watermark_there() {
    for engine in ENGINES {
        let site = Site::new("sqlite").await;
        create(&site, engine, "source").await;
        site.task(5, (engine, "source"), ("mysql", "target"), &params("")).await;
        assert_eq!(run(&site), 0, "{engine}: an empty table has no watermark");
        insert(&site, engine, 1..3, "2099-01-01 00:00:00").await;
        assert_eq!(run(&site), 2, "{engine}");
        let now = ["UTC_TIMESTAMP(6)", "localtimestamp", "datetime('now')"];
        let now = now[ENGINES.iter().position(|&e| e == engine).unwrap()];
        let late = match engine {
            "postgres" => "(now() AT TIME ZONE 'UTC')",
            _ => now,
        };
        site.execute(engine, &format!("INSERT INTO source VALUES (9, {late}, 'now')")).await;
        assert_eq!(run(&site), 3, "{engine}");
        site.assert_equal(5);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_run_that_succeeds_moves_the_watermark() {
    let site = Site::new("postgres").await;
    create(&site, "mysql", "source").await;
    insert(&site, "mysql", 1..11, SHARED).await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), &params("")).await;
    assert_eq!(run(&site), 10);
    insert(&site, "mysql", 20..30, LATER).await;
    insert(&site, "mysql", 30..40, "2024-03-02 00:00:00").await;
    // The target refuses the newest row.
    site.pg("ALTER TABLE target ADD CHECK (id <> 39)").await;
    assert!(!site.goshift(&["-id", "5"]).status.success());
    site.my("DELETE FROM source WHERE id = 39").await;
    insert(&site, "mysql", 41..42, "2024-03-02 01:00:00").await;
    assert_eq!(run(&site), 10 + 20, "all since the last success");
    site.assert_equal(5);

    // What was emptied, or is new, is filled from the beginning; so it is for another target.
    site.pg("TRUNCATE target").await;
    assert_eq!(run(&site), 30);
    site.pg("DROP TABLE target").await;
    assert_eq!(run(&site), 30);
    site.assert_equal(5);
    assert_eq!(run(&site), 1);
    site.pg(
        "CREATE TABLE other (LIKE target INCLUDING ALL); INSERT INTO other VALUES (1, NULL, '')",
    )
    .await;
    site.tasks("UPDATE task_def_sync_manager SET to_table = 'other'").await;
    assert_eq!(run(&site), 30);
    // One window is kept beside that of the last run.
    let kept: i64 = site.ask_one("SELECT COUNT(*) FROM goshift_cursor").await.parse().unwrap();
    assert!(kept <= 2, "{kept}");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_s_wishes_are_kept_or_refused_by_name() {
    let site = Site::new("mysql").await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, changed bigint unsigned, note text)").await;
    site.my("INSERT INTO source VALUES (1, 5000, ''), (2, 5999, ''), (3, 7000, ''), (4, NULL, '')")
        .await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), &params("")).await;
    assert_eq!(run(&site), 4);
    assert_eq!(run(&site), 2, "a thousand steps, and the row without any");
    set_params(&site, r#", "cursor": {"overlap": 1001, "nulls": "skip"}"#).await;
    assert_eq!(run(&site), 2);
    site.pg("DELETE FROM target WHERE id = 1").await;
    set_params(&site, r#", "cursor": {"overlap": 0}, "where": "id > 1", "verify": true"#).await;
    assert_eq!(run(&site), 3, "another condition begins again");
    assert_eq!(run(&site), 2);
    set_params(&site, r#", "cursor": {"nulls": "error"}"#).await;
    refused(&site.goshift(&["-id", "5"]), "source.changed is NULL in some rows");

    let update = r#"UPDATE task_def_sync_manager SET params = '{"mode": "cursor", "diff_column": "chnaged"}'"#;
    site.tasks(update).await;
    refused(&site.goshift(&["-id", "5"]), "no column \"chnaged\" to be its diff_column");
    site.my("ALTER TABLE source MODIFY changed double").await;
    site.pg("DROP TABLE target").await;
    set_params(&site, "").await;
    refused(&site.goshift(&["-id", "5"]), "can't go by");
    site.my("ALTER TABLE source MODIFY changed varchar(20)").await;
    site.my("UPDATE source SET changed = 'x' WHERE id = 3").await;
    site.pg("DROP TABLE target").await;
    assert_eq!(run(&site), 4);
    refused(&site.goshift(&["-id", "5"]), "overlap");
    set_params(&site, r#", "cursor": {"overlap": 0}"#).await;
    assert_eq!(run(&site), 2);

    site.my("CREATE TABLE loose (id int, changed datetime); INSERT INTO loose VALUES (1, NOW())")
        .await;
    site.tasks("UPDATE task_def_sync_manager SET from_table = 'loose', to_table = 'loose'").await;
    site.pg("CREATE TABLE loose (id int, changed timestamp)").await;
    refused(&site.goshift(&["-id", "5"]), "has no key to tell them by");
    site.remove().await;
}
