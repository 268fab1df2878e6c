//! Rows that the target refuses, with `max_errors`: the others get in, these are remembered and can be
//! tried again.

use serde_json::Value;

use crate::support::{ENGINES, Site, text};

const ROWS: usize = 3000;

fn key(engine: &str) -> &str {
    if engine == "sqlite" { "INTEGER" } else { "int" }
}

async fn tables(site: &Site, from: &str, to: &str, check: &str) {
    let source = "n int NULL, t varchar(90) NULL";
    site.execute(
        from,
        &format!("CREATE TABLE source (id {} NOT NULL PRIMARY KEY, {source})", key(from)),
    )
    .await;
    let target = format!(
        "CREATE TABLE target (id {} NOT NULL PRIMARY KEY, n int NOT NULL, t varchar(90) NULL{check})",
        key(to)
    );
    site.execute(to, &target).await;
    let rows: Vec<_> = (1..=ROWS).map(|n| format!("({n}, {n}, 'row {n}')")).collect();
    site.execute(from, &format!("INSERT INTO source VALUES {}", rows.join(","))).await;
}

fn keys(output: &str) -> Vec<(String, String)> {
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines.map(|line| (text(&line["key"]), text(&line["message"]))).collect()
}

async fn count(site: &Site, engine: &str) -> String {
    let cast = if engine == "mysql" { "CHAR" } else { "text" };
    site.rows(engine, &format!("SELECT CAST(COUNT(*) AS {cast}) FROM target")).await[0][0].clone()
}

async fn bad_rows_are_left_out_and_tried_again(from: &'static str, to: &'static str) {
    let site = Site::new("sqlite").await;
    let route = format!("{from} → {to}");
    tables(&site, from, to, ", CHECK (n < 5000)").await;
    // The first, the last, two neighbours, and one alone; for different reasons.
    site.execute(from, "UPDATE source SET n = NULL WHERE id IN (1, 3000, 1500, 1501)").await;
    site.execute(from, "UPDATE source SET n = 9999 WHERE id = 777").await;
    // What empties the target is not for a replay.
    let params = r#"{"max_errors": 5, "read_batch": 500, "worker_num": 3,
                     "pre_sql": "DELETE FROM target"}"#;
    site.task(5, (from, "source"), (to, "target"), params).await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{route}: {}", text(&run));
    assert!(text(&run).contains("5 rows were refused"), "{route}: {}", text(&run));
    assert_eq!(count(&site, to).await, "2995", "{route}");
    let id = site.ask_one("SELECT run_id FROM goshift_run").await;
    let listed = site.goshift(&["rejected", "list", &id, "--json"]);
    let mut found = keys(&String::from_utf8_lossy(&listed.stdout));
    found.sort_by_key(|(key, _)| key.parse::<u64>().unwrap());
    let names: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(names, ["1", "777", "1500", "1501", "3000"], "{route}");
    for (key, message) in &found {
        assert!(message.contains('n'), "{route}, {key}: {message}");
        assert!(!message.contains("row 777"), "{route}: a value: {message}");
    }

    // Nothing is mended yet: the same rows again, for the new run.
    let again = site.goshift(&["rejected", "replay", &id]);
    assert!(again.status.success(), "{route}: {}", text(&again));
    assert!(text(&again).contains("5 rows were refused"), "{route}: {}", text(&again));
    let second = site.ask_one("SELECT run_id FROM goshift_run ORDER BY run_id DESC LIMIT 1").await;
    let nothing = site.goshift(&["rejected", "replay", &id]);
    assert_eq!(nothing.status.code(), Some(2), "{route}: {}", text(&nothing));

    site.execute(from, "UPDATE source SET n = id WHERE id <> 777").await;
    let mended = site.goshift(&["rejected", "replay", &second, "--json"]);
    assert!(mended.status.success(), "{route}: {}", text(&mended));
    let said = String::from_utf8_lossy(&mended.stdout);
    let end = said.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let end = end.unwrap_or_default();
    assert_eq!((&end["rows"], &end["rejected"]), (&4.into(), &1.into()), "{route}: {said}");
    assert_eq!(count(&site, to).await, "2999", "{route}");
    site.execute(from, "UPDATE source SET n = id").await;
    let last = site.ask_one("SELECT run_id FROM goshift_run ORDER BY run_id DESC LIMIT 1").await;
    let mended = site.goshift(&["rejected", "replay", &last]);
    assert!(mended.status.success(), "{route}: {}", text(&mended));
    site.assert_equal(5);
    let open = site.goshift(&["rejected", "--json"]);
    assert_eq!(keys(&String::from_utf8_lossy(&open.stdout)), [], "{route}");
    let all = site.goshift(&["rejected", "list", "--task", "5", "--all", "--json"]);
    assert_eq!(keys(&String::from_utf8_lossy(&all.stdout)).len(), 11, "{route}");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_left_out_and_tried_again_between_all_pairs() {
    for from in ENGINES {
        for to in ENGINES {
            bad_rows_are_left_out_and_tried_again(from, to).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_than_allowed_fails_the_run() {
    let site = Site::new("sqlite").await;
    tables(&site, "mysql", "postgres", "").await;
    site.my("UPDATE source SET n = NULL WHERE id % 100 = 7").await;
    for (max, ends) in [
        ("29", "more rows are refused than max_errors allows (29 rows)"),
        ("30", ""),
        (r#""0.5%""#, "0.5 %"),
        (r#""1%""#, ""),
        ("0", "null value in column"),
    ] {
        site.pg("TRUNCATE target").await;
        site.tasks("DELETE FROM task_def_sync_manager").await;
        let params = format!("{{\"max_errors\": {max}, \"read_batch\": 1000}}");
        site.task(5, ("mysql", "source"), ("postgres", "target"), &params).await;
        let run = site.goshift(&["-id", "5"]);
        assert_eq!(run.status.success(), ends.is_empty(), "{max}: {}", text(&run));
        assert!(text(&run).contains(ends), "{max}: {}", text(&run));
        if ends.is_empty() {
            assert_eq!(count(&site, "postgres").await, "2970", "{max}");
        }
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn diff_leaves_bad_rows_out_too() {
    let site = Site::new("sqlite").await;
    tables(&site, "postgres", "mysql", "").await;
    let params = r#"{"max_errors": 3, "mode": "diff"}"#;
    site.task(5, ("postgres", "source"), ("mysql", "target"), params).await;
    assert!(site.goshift(&["-id", "5"]).status.success());
    site.pg("UPDATE source SET t = 'changed' WHERE id IN (5, 50, 500); \
             UPDATE source SET n = NULL WHERE id IN (50, 60)")
        .await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    assert!(text(&run).contains("2 written") && text(&run).contains("2 rows were refused"));
    let changed = "SELECT CAST(id AS CHAR) FROM target WHERE t = 'changed' ORDER BY id";
    assert_eq!(site.rows("mysql", changed).await, [["5"], ["500"]]);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_row_s_fault_fails_the_run_and_a_table_without_a_key_is_refused() {
    let site = Site::new("sqlite").await;
    tables(&site, "mysql", "postgres", "").await;
    site.pg("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE EXCEPTION ''closed''; END'; \
             CREATE TRIGGER no BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION no()")
        .await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), r#"{"max_errors": 5000}"#).await;
    let run = site.goshift(&["-id", "5"]);
    assert!(!run.status.success() && text(&run).contains("closed"), "{}", text(&run));
    assert_eq!(count(&site, "postgres").await, "0");
    site.pg("DROP TABLE target; CREATE TABLE target (id int, n int, t text)").await;
    let refused = site.goshift(&["plan", "-id", "5"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("max_errors"), "{}", text(&refused));
    site.remove().await;
}
