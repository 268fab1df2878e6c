//! PostgreSQL's COPY text, passed on to MySQL's LOAD DATA as it is, and taken apart for statements.

use crate::support::{Site, text};

const TABLE: &str = "CREATE TABLE source (id int PRIMARY KEY, a varchar(40), b char(8), c text, \
     d timestamptz(3), e boolean NOT NULL, f numeric(12,2), g double precision, h jsonb, i uuid, k date)";
/// What the text escapes, what MySQL escapes otherwise, what looks like NULL, blanks, NULL.
const ROWS: &str = r#"INSERT INTO source VALUES
    (1, E'tab\tline\nreturn\rback\\slash', 'b', E'\b\f\v', '2024-02-29 12:00:00.125+02', true, 1.50, 0.1, '{}', gen_random_uuid(), '2024-02-29'),
    (2, E'\\N', '\N', E'\\f\\v\\', NULL, false, -0.01, 1e300, '{"a": "\\f\n"}', NULL, '0001-01-01'),
    (3, '', '', '', '1970-01-01', true, 0, '-0', '[]', NULL, NULL),
    (4, ' a  ', '  b', E'\f', NULL, false, NULL, NULL, NULL, NULL, NULL),
    (5, 'é漢🙂', 'ü', E'\\\f\\\\\v\\\\\\', NULL, false, 9999999999.99, 2.2250738585072014e-308, 'null', NULL, '9999-12-31')"#;

const TARGET: &str = "CREATE TABLE target (id int PRIMARY KEY, a varchar(40), b char(8), c longtext, \
     d datetime(3), e tinyint(1) NOT NULL, f decimal(12,2), g double, h json, i char(36), k date)";

async fn texts(site: &Site, engine: &str, table: &str) -> Vec<Vec<String>> {
    let hex = |column: &str| match engine {
        "mysql" => format!("COALESCE(HEX({column}), 'NULL')"),
        _ => format!("COALESCE(upper(encode(convert_to({column}::text, 'UTF8'), 'hex')), 'NULL')"),
    };
    let cells = ["a", "b", "c"].map(hex).join(", ");
    site.rows(engine, &format!("SELECT {cells} FROM {table} ORDER BY id")).await
}

#[tokio::test]
async fn every_text_arrives_as_it_was() {
    let site = Site::new("sqlite").await;
    site.pg(TABLE).await;
    site.pg(ROWS).await;
    site.my(TARGET).await;
    site.task(5, ("postgres", "source"), ("mysql", "target"), r#"{"read_batch": 2}"#).await;
    let plan = text(&site.goshift(&["plan", "-id", "5"]));
    assert!(plan.contains("format  PostgreSQL's COPY, passed on as it is"), "{plan}");
    for step in ["into an empty table", "onto a full one"] {
        let output = site.goshift(&["-id", "5"]);
        assert!(output.status.success(), "{step}: {}", text(&output));
        site.assert_equal(5);
        let target = texts(&site, "mysql", "target").await;
        assert_eq!(target, texts(&site, "postgres", "source").await, "{step}");
        site.my("UPDATE target SET a = 'other', c = NULL WHERE id IN (1, 2, 5)").await;
    }
    site.remove().await;
}

#[tokio::test]
async fn what_mysql_can_not_hold_fails_by_name() {
    let site = Site::new("sqlite").await;
    site.pg(TABLE).await;
    site.my(TARGET).await;
    site.task(5, ("postgres", "source"), ("mysql", "target"), "").await;
    for (column, value) in [("k", "'infinity'"), ("g", "'NaN'"), ("d", "'-infinity'")] {
        site.pg("TRUNCATE source").await;
        site.pg("INSERT INTO source (id, e, f) SELECT n, true, 1 FROM generate_series(1, 20) n")
            .await;
        site.pg(&format!("UPDATE source SET {column} = {value} WHERE id = 7")).await;
        let output = site.goshift(&["-id", "5"]);
        let message = text(&output);
        assert_eq!(output.status.code(), Some(1), "{column}: {message}");
        for part in ["id=7", &format!("column {column}|`{column}`")] {
            let found = part.split('|').any(|part| message.contains(part));
            assert!(found, "{part} is missing in {message}");
        }
        let held = site.rows("mysql", "SELECT id FROM target").await;
        assert!(held.is_empty(), "{column}: the shard was not rolled back: {held:?}");
    }
    site.remove().await;
}

#[tokio::test]
async fn what_does_not_mean_the_same_is_read() {
    let site = Site::new("sqlite").await;
    for (id, (from, to)) in (1..).zip([
        ("bytea", "longblob"),
        ("char(4)", "varchar(4)"),
        ("varchar(4)", "char(4)"),
        ("varchar(4)", "varchar(3)"),
        ("numeric(9,3)", "decimal(9,2)"),
        ("real", "float"),
        ("text", "date"),
    ]) {
        let (source, target) = (format!("s{id}"), format!("t{id}"));
        site.pg(&format!("CREATE TABLE {source} (id int PRIMARY KEY, a {from})")).await;
        site.my(&format!("CREATE TABLE {target} (id int PRIMARY KEY, a {to})")).await;
        site.task(id, ("postgres", &source), ("mysql", &target), "").await;
        let plan = text(&site.goshift(&["plan", "-id", &id.to_string()]));
        assert!(plan.contains("format  text"), "{from} → {to}: {plan}");
    }
    site.remove().await;
}

/// What a parent promises its children need not keep; MySQL would make the present time of NULL there.
#[tokio::test]
async fn a_null_where_none_should_be_is_not_made_up() {
    let site = Site::new("sqlite").await;
    site.pg("CREATE TABLE source (id int NOT NULL, at timestamptz(0) NOT NULL); \
         CREATE TABLE child () INHERITS (source); ALTER TABLE child ALTER at DROP NOT NULL; \
         INSERT INTO source VALUES (1, '2024-01-01'); INSERT INTO child VALUES (2, NULL)")
        .await;
    site.my("CREATE TABLE target (id int NOT NULL, at timestamp NOT NULL)").await;
    site.task(5, ("postgres", "source"), ("mysql", "target"), "").await;
    let output = site.goshift(&["-id", "5"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("column at"), "{}", text(&output));
    let held = site.rows("mysql", "SELECT id FROM target").await;
    assert!(held.is_empty(), "{held:?}");
    site.remove().await;
}
