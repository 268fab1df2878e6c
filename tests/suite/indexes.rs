//! A target that goshift creates gets its source's unique keys and indexes when its rows are in.

use crate::support::{ENGINES, Site, text};

/// Enough rows for a key to come late too, and too few.
const MANY: i64 = 25_000;
const FEW: i64 = 50;
const PARAMS: &str = r#"{"worker_num": 2, "read_batch": 1000}"#;

/// A source with a unique key, an index, and one that other engines can't have.
fn source(engine: &str, rows: i64) -> String {
    match engine {
        "mysql" => format!(
            "CREATE TABLE source (id int PRIMARY KEY, code varchar(20) NOT NULL, n int, note text, \
             UNIQUE KEY by_code (code), KEY by_n (n, code), KEY by_note (note(8))) COMMENT 'its own'; \
             INSERT INTO source SELECT seq, CONCAT('c', seq), seq % 9, 'x' FROM seq_1_to_{rows}; \
             ANALYZE TABLE source"
        ),
        "postgres" => format!(
            "CREATE TABLE source (id int PRIMARY KEY, code varchar(20) NOT NULL, n int, note text); \
             CREATE UNIQUE INDEX by_code ON source (code); CREATE INDEX by_n ON source (n, code); \
             CREATE INDEX by_note ON source (note) WHERE n > 3; COMMENT ON TABLE source IS 'its own'; \
             INSERT INTO source SELECT i, 'c' || i, i % 9, 'x' FROM generate_series(1, {rows}) i; \
             ANALYZE source"
        ),
        _ => format!(
            "CREATE TABLE source (id INTEGER PRIMARY KEY, code VARCHAR(20) NOT NULL UNIQUE, n INT4, \
             note TEXT); CREATE INDEX by_n ON source (n, code); \
             CREATE INDEX by_note ON source (lower(note)); \
             INSERT INTO source WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s \
             WHERE i < {rows}) SELECT i, 'c' || i, i % 9, 'x' FROM s"
        ),
    }
}

/// The target's indexes: their columns, with a star at what is unique.
async fn indexes(site: &Site, engine: &str) -> Vec<String> {
    let query = match engine {
        "mysql" => {
            "SELECT CONCAT(GROUP_CONCAT(COLUMN_NAME, IF(SUB_PART IS NULL, '', CONCAT('/', SUB_PART)) \
             ORDER BY SEQ_IN_INDEX SEPARATOR ' '), IF(MIN(NON_UNIQUE) = 0, '*', '')) \
             FROM information_schema.statistics WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_NAME = 'target' GROUP BY INDEX_NAME"
        }
        "postgres" => {
            "SELECT (SELECT string_agg(a.attname, ' ' ORDER BY k.place) \
             FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(n, place) \
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n) \
             || CASE WHEN i.indisunique THEN '*' ELSE '' END \
             FROM pg_index i WHERE i.indrelid = 'target'::regclass"
        }
        _ => {
            "SELECT (SELECT group_concat(name, ' ') FROM pragma_index_info(l.name)) \
             || CASE WHEN l.\"unique\" THEN '*' ELSE '' END FROM pragma_index_list('target') l"
        }
    };
    let mut found: Vec<_> = site.rows(engine, query).await.into_iter().flatten().collect();
    found.sort();
    found
}

async fn comment(site: &Site, engine: &str) -> Vec<Vec<String>> {
    let query = match engine {
        "mysql" => {
            "SELECT TABLE_COMMENT FROM information_schema.tables \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'target'"
        }
        _ => "SELECT COALESCE(obj_description('target'::regclass, 'pg_class'), '')",
    };
    site.rows(engine, query).await
}

async fn site(from: &str, to: &str, rows: i64, params: &str) -> Site {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    site.execute(from, &source(from, rows)).await;
    site.task(5, (from, "source"), (to, "target"), params).await;
    site
}

async fn takes_over(from: &str, to: &str, rows: i64) {
    let route = format!("{from} → {to}, {rows} rows");
    let site = site(from, to, rows, PARAMS).await;
    let plan = text(&site.goshift(&["plan", "-id", "5"]));
    // MySQL takes the first letters of its own texts.
    let has_prefix = from == "mysql" && to == "mysql";
    assert!(plan.contains("the source's: (code), (n, code)"), "{route}: {plan}");
    assert!(plan.contains("become plain indexes in the target: "), "{route}: {plan}");
    assert_eq!(plan.contains("created without: by_note"), !has_prefix, "{route}: {plan}");
    let wanted = match to {
        // The rowid is no index.
        "sqlite" => vec!["code", "n code"],
        "mysql" if has_prefix => vec!["code", "id*", "n code", "note/8"],
        _ => vec!["code", "id*", "n code"],
    };
    for step in ["first copy", "again"] {
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{route}, {step}: {}", text(&run));
        assert!(!text(&run).contains("created without its"), "{route}, {step}: {}", text(&run));
        assert_eq!(indexes(&site, to).await, wanted, "{route}, {step}");
        site.assert_equal(5);
    }
    if to != "sqlite" {
        let own = if from == "sqlite" { "" } else { "its own" };
        assert_eq!(comment(&site, to).await, [[own]], "{route}");
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_of_few_rows_gets_them() {
    for from in ENGINES {
        for to in ENGINES {
            takes_over(from, to, FEW).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_of_many_rows_gets_them_after_its_key() {
    for (from, to) in [("mysql", "mysql"), ("mysql", "postgres"), ("postgres", "mysql")] {
        takes_over(from, to, MANY).await;
    }
    takes_over("postgres", "postgres", MANY).await;
    takes_over("sqlite", "postgres", MANY).await;
}

/// The same rows by other codes: one is gone, and another has its code.
const MOVED: &str = "DELETE FROM source WHERE id = 1; UPDATE source SET code = 'c1' WHERE id = 7";

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_value_may_move_to_another_row() {
    for to in ENGINES {
        let site = site("mysql", to, FEW, PARAMS).await;
        assert!(site.goshift(&["-id", "5"]).status.success(), "{to}");
        site.my(MOVED).await;
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{to}: {}", text(&run));
        let code = site.rows(to, "SELECT code FROM target WHERE id IN (1, 7)").await;
        assert_eq!(code, [["c1"], ["c1"]], "{to}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_may_ask_for_unique_ones() {
    for to in ENGINES {
        let site = site("mysql", to, FEW, r#"{"indexes": "unique"}"#).await;
        let plan = text(&site.goshift(&["plan", "-id", "5"]));
        assert!(plan.contains("the source's: unique (code), (n, code)"), "{to}: {plan}");
        assert!(!plan.contains("become plain"), "{to}: {plan}");
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{to}: {}", text(&run));
        assert!(indexes(&site, to).await.contains(&"code*".to_owned()), "{to}");
        site.assert_equal(5);
        site.my(MOVED).await;
        let run = site.goshift(&["-id", "5"]);
        assert_eq!(run.status.code(), Some(1), "{to}: {}", text(&run));
        site.remove().await;
    }
    let odd = site("mysql", "postgres", FEW, r#"{"indexes": "some"}"#).await;
    let run = odd.goshift(&["-id", "5"]);
    assert_eq!(run.status.code(), Some(2), "{}", text(&run));
    assert!(text(&run).contains("write indexes as true, false or"), "{}", text(&run));
    odd.remove().await;
}

/// In one file, names of indexes are taken from tables too.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_taken_in_a_file_are_no_obstacle() {
    let site = Site::new("sqlite").await;
    site.my(
        "CREATE TABLE target (id int PRIMARY KEY, target varchar(9), KEY target (target), \
         KEY By_It (target, id), KEY `odd ``name` (id, target)); INSERT INTO target VALUES (1, 'x')",
    )
    .await;
    site.sqlite()
        .execute_batch("CREATE TABLE by_it (a int); CREATE INDEX target_BY_IT ON by_it (a)")
        .unwrap();
    site.task(5, ("mysql", "target"), ("sqlite", "target"), "").await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    assert!(!text(&run).contains("created without"), "{}", text(&run));
    assert_eq!(indexes(&site, "sqlite").await, ["id target", "target", "target id"]);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_children_has_no_unique_key() {
    let site = Site::new("sqlite").await;
    site.pg("CREATE TABLE source (id int, code int, UNIQUE (code))").await;
    site.pg("CREATE TABLE child () INHERITS (source)").await;
    site.pg("INSERT INTO source VALUES (1, 7)").await;
    site.pg("INSERT INTO child VALUES (2, 7)").await;
    site.task(5, ("postgres", "source"), ("mysql", "target"), r#"{"indexes": "unique"}"#).await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(indexes(&site, "mysql").await, ["code"]);
    assert_eq!(site.rows("mysql", "SELECT CAST(COUNT(*) AS CHAR) FROM target").await, [["2"]]);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_takes_another_s_place_has_them_too() {
    for engine in ["mysql", "postgres"] {
        let site = site("mysql", engine, FEW, r#"{"write_mode": "swap"}"#).await;
        for step in ["first copy", "again"] {
            let run = site.goshift(&["-id", "5"]);
            assert!(run.status.success(), "{engine}, {step}: {}", text(&run));
            assert!(
                indexes(&site, engine).await.contains(&"n code".to_owned()),
                "{engine}, {step}"
            );
            assert_eq!(comment(&site, engine).await, [["its own"]], "{engine}, {step}");
        }
        site.execute(engine, "DROP TABLE target").await;
        left_behind(&site, engine).await;
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{engine}, left behind: {}", text(&run));
        assert_eq!(comment(&site, engine).await, [["its own"]], "{engine}, left behind");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_may_do_without_them() {
    let site = site("mysql", "postgres", FEW, r#"{"indexes": false}"#).await;
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(indexes(&site, "postgres").await, ["id*"]);
    site.remove().await;
}

/// What a run that was given up has left in the target: rows that share what is unique in the source.
async fn left_behind(site: &Site, engine: &str) {
    let note = format!(
        "goshift adds keys and indexes when the rows are in: {{\"run\": \"{}\", \"indexes\": \
         [{{\"name\": \"u\", \"unique\": true, \"on\": [[\"code\", null]]}}, \
         {{\"name\": \"i\", \"on\": [[\"n\", null]]}}], \"comment\": \"its own\"}}",
        uuid::Uuid::now_v7()
    );
    let table =
        "CREATE TABLE target (id int PRIMARY KEY, code varchar(20) NOT NULL, n int, note text)";
    let rows = "INSERT INTO target VALUES (-1, 'c1', 1, 'x'), (-2, 'c2', 1, 'x')";
    let comment = match engine {
        "mysql" => format!("ALTER TABLE target COMMENT '{note}'"),
        _ => format!("COMMENT ON TABLE target IS '{note}'"),
    };
    site.execute(engine, &format!("{table}; {comment}; {rows}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_share_a_unique_key_are_in_and_the_key_is_named() {
    for engine in ["mysql", "postgres"] {
        let site = site("mysql", engine, FEW, PARAMS).await;
        left_behind(&site, engine).await;
        let run = site.goshift(&["-id", "5"]);
        let said = text(&run);
        assert!(run.status.success(), "{engine}: {said}");
        assert!(said.contains("created without its unique index (code)"), "{engine}: {said}");
        assert!(said.contains("rows of the target share its values"), "{engine}: {said}");
        assert!(!said.contains("'c1'"), "{engine}: {said}");
        assert_eq!(indexes(&site, engine).await, ["id*", "n"], "{engine}");
        assert_eq!(comment(&site, engine).await, [["its own"]], "{engine}");
        let again = site.goshift(&["-id", "5"]);
        assert!(!text(&again).contains("created without its"), "{engine}: {}", text(&again));
        site.remove().await;
    }
}
