//! `write_mode` insert_ignore: what is there stays as it is.

use crate::support::{ENGINES, Site, text};

async fn rows_that_are_there_stay(from: &'static str, to: &'static str) {
    let site = Site::new("sqlite").await;
    let route = format!("{from} → {to}");
    let key = |engine: &str| if engine == "sqlite" { "INTEGER" } else { "int" };
    let create = |engine: &str, table: &str| {
        format!("CREATE TABLE {table} (id {} NOT NULL PRIMARY KEY, t varchar(20))", key(engine))
    };
    site.execute(from, &create(from, "source")).await;
    site.execute(to, &create(to, "target")).await;
    let rows: Vec<_> = (1..=3000).map(|n| format!("({n}, 'row {n}')")).collect();
    site.execute(from, &format!("INSERT INTO source VALUES {}", rows.join(","))).await;
    site.execute(to, "INSERT INTO target VALUES (7, 'kept'), (2999, NULL)").await;
    let params = r#"{"write_mode": "insert_ignore", "read_batch": 500, "worker_num": 3}"#;
    site.task(5, (from, "source"), (to, "target"), params).await;
    let plan = text(&site.goshift(&["plan", "-id", "5"]));
    assert!(plan.contains("rows whose key is there are kept"), "{route}: {plan}");
    for _ in 0..2 {
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{route}: {}", text(&run));
        let cast = if to == "mysql" { "CHAR" } else { "text" };
        let counts = format!(
            "SELECT CAST(COUNT(*) AS {cast}), CAST(SUM(CASE WHEN t LIKE 'row %' THEN 1 ELSE 0 END) AS {cast}), \
             MAX(CASE WHEN id = 7 THEN t END) FROM target"
        );
        assert_eq!(site.rows(to, &counts).await, [["3000", "2998", "kept"]], "{route}");
    }
    let refused = site.goshift(&["-id", "5", "--mode", "diff"]);
    assert!(text(&refused).contains("insert_ignore"), "{route}: {}", text(&refused));
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_there_stay_between_all_pairs() {
    for from in ENGINES {
        for to in ENGINES {
            rows_that_are_there_stay(from, to).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_looks_equal_keeps_its_case_and_strangers_are_no_rows_of_ours() {
    let site = Site::new("sqlite").await;
    site.my("CREATE TABLE source (k varchar(9) PRIMARY KEY, u int UNIQUE); \
         INSERT INTO source VALUES ('a', 1), ('b', 2); \
         CREATE TABLE target (k varchar(9) PRIMARY KEY, u int UNIQUE); \
         INSERT INTO target VALUES ('A', 5)")
        .await;
    let params = r#"{"write_mode": "insert_ignore"}"#;
    site.task(5, ("mysql", "source"), ("mysql", "target"), params).await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    let rows = "SELECT k, CAST(u AS CHAR) FROM target ORDER BY k";
    assert_eq!(site.rows("mysql", rows).await, [["A", "5"], ["b", "2"]]);
    // A row with another key holds what is unique there too.
    site.my("INSERT INTO source VALUES ('c', 5)").await;
    let refused = site.goshift(&["-id", "5"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("row k=c"), "{}", text(&refused));
    site.remove().await;
}
