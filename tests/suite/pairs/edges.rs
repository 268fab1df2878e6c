//! Small tables with a twist, over all nine pairs: keyless, generated, renamed, filtered, misfits.

use super::render::numbers;
use crate::support::{ENGINES, Site, text};

/// A source and perhaps a target in SQL that all engines understand, `{s}` and `{t}` for their
/// names, and what becomes of a copy.
struct Case {
    name: &'static str,
    source: &'static str,
    /// Empty: goshift creates it.
    target: &'static str,
    params: &'static str,
    expect: Expect,
}

enum Expect {
    /// The query's rows in the target, cells joined by blanks.
    Rows(&'static str, &'static [&'static str]),
    /// The exit code and parts of the message, each perhaps with alternatives behind `|`.
    Fails(i32, &'static [&'static str]),
}
use Expect::{Fails, Rows};

const PLAIN: &str = "CREATE TABLE {s} (id bigint NOT NULL PRIMARY KEY, a varchar(20), b integer); \
     INSERT INTO {s} VALUES (1, 'x', 10), (2, NULL, 20), (3, 'z', NULL)";
const KEYLESS: &str = "CREATE TABLE {s} (id bigint, a varchar(20)); \
     INSERT INTO {s} VALUES (1, 'x'), (1, 'x'), (1, 'y'), (2, NULL), (NULL, NULL), (NULL, NULL)";
const COMPUTED: &str = "CREATE TABLE {s} (id bigint NOT NULL PRIMARY KEY, b integer, \
     c integer GENERATED ALWAYS AS (b * 2) STORED); INSERT INTO {s} (id, b) VALUES (1, 5), (2, 6)";
const ALL: &str = "SELECT id, a, b FROM {t} ORDER BY id";

const CASES: &[Case] = &[
    Case {
        name: "an empty table",
        source: "CREATE TABLE {s} (id bigint NOT NULL PRIMARY KEY, a varchar(20), b integer)",
        target: "",
        params: "",
        expect: Rows(ALL, &[]),
    },
    Case {
        name: "one row",
        source: "CREATE TABLE {s} (id bigint NOT NULL PRIMARY KEY, a varchar(20), b integer); \
                 INSERT INTO {s} VALUES (-7, '', NULL)",
        target: "",
        params: "",
        expect: Rows(ALL, &["-7  NULL"]),
    },
    Case {
        name: "where",
        source: PLAIN,
        target: "",
        params: r#"{"where": "b > 10 OR b IS NULL -- not the first"}"#,
        expect: Rows(ALL, &["2 NULL 20", "3 z NULL"]),
    },
    Case {
        name: "columns into a new table",
        source: PLAIN,
        target: "",
        params: r#"{"columns": {"b": "beta", "id": "nr"}}"#,
        expect: Rows("SELECT * FROM {t} ORDER BY nr", &["10 1", "20 2", "NULL 3"]),
    },
    Case {
        name: "columns into a table in another order with more columns",
        source: PLAIN,
        target: "CREATE TABLE {t} (more integer, beta integer, spare varchar(9) DEFAULT 'd', \
                 nr bigint NOT NULL PRIMARY KEY)",
        params: r#"{"columns": {"id": "nr", "b": "beta"}, "pk": {"src": "id", "dest": "nr"}}"#,
        expect: Rows(
            "SELECT * FROM {t} ORDER BY nr",
            &["NULL 10 d 1", "NULL 20 d 2", "NULL NULL d 3"],
        ),
    },
    Case {
        name: "a missing target column",
        source: PLAIN,
        target: "CREATE TABLE {t} (id bigint NOT NULL PRIMARY KEY, b integer)",
        params: "",
        expect: Fails(1, &["\"a\""]),
    },
    Case {
        name: "a required target column without a source",
        source: PLAIN,
        target: "CREATE TABLE {t} (id bigint NOT NULL PRIMARY KEY, a varchar(20), b integer, \
                 must integer NOT NULL)",
        params: "",
        expect: Fails(1, &[".must", "NOT NULL"]),
    },
    Case {
        name: "NULL into a column that takes none",
        source: PLAIN,
        target: "CREATE TABLE {t} (id bigint NOT NULL PRIMARY KEY, a varchar(20), b integer NOT NULL)",
        params: "",
        expect: Fails(1, &["b"]),
    },
    Case {
        name: "text that is no number into a number",
        source: PLAIN,
        target: "CREATE TABLE {t} (id bigint NOT NULL PRIMARY KEY, a integer, b integer)",
        params: "",
        expect: Fails(1, &["column a", "id=1", "whole number"]),
    },
    Case {
        name: "a generated column into a new table",
        source: COMPUTED,
        target: "",
        params: "",
        expect: Rows("SELECT id, b, c FROM {t} ORDER BY id", &["1 5 10", "2 6 12"]),
    },
    Case {
        name: "a generated column on both sides",
        source: COMPUTED,
        target: "CREATE TABLE {t} (c integer GENERATED ALWAYS AS (b * 3) STORED, b integer, \
                 id bigint NOT NULL PRIMARY KEY)",
        params: "",
        expect: Rows("SELECT id, b, c FROM {t} ORDER BY id", &["1 5 15", "2 6 18"]),
    },
    Case {
        name: "a generated column named as a target",
        source: COMPUTED,
        target: "CREATE TABLE {t} (c integer GENERATED ALWAYS AS (b * 3) STORED, b integer, \
                 id bigint NOT NULL PRIMARY KEY)",
        params: r#"{"columns": {"id": "id", "c": "c"}}"#,
        expect: Fails(2, &["c is generated"]),
    },
    Case {
        name: "rows without a key that share the target's",
        source: "CREATE TABLE {s} (id bigint NOT NULL, a varchar(20)); \
                 INSERT INTO {s} VALUES (1, 'x'), (1, 'y'), (2, 'z')",
        target: "CREATE TABLE {t} (id bigint NOT NULL PRIMARY KEY, a varchar(20))",
        params: "",
        expect: Fails(1, &["share the key (id)|have the same target key"]),
    },
    Case {
        name: "an unknown column",
        source: PLAIN,
        target: "",
        params: r#"{"columns": {"id": "id", "nope": "a"}}"#,
        expect: Fails(2, &["no column \"nope\"", "id, a, b"]),
    },
    Case {
        name: "an unknown split column",
        source: PLAIN,
        target: "",
        params: r#"{"split": {"pk": ["nope"]}}"#,
        expect: Fails(2, &["no column \"nope\"", "id, a, b"]),
    },
    Case {
        name: "no source table",
        source: "",
        target: "",
        params: "",
        expect: Fails(1, &["no source table"]),
    },
];

fn named(sql: &str, source: &str, target: &str) -> String {
    sql.replace("{s}", source).replace("{t}", target)
}

async fn lines(site: &Site, engine: &str, sql: &str) -> Vec<String> {
    site.rows(engine, sql).await.iter().map(|cells| cells.join(" ")).collect()
}

impl Case {
    async fn check(&self, site: &Site, task: i64, from: &str, to: &str) {
        let (s, t) = (format!("s{task}"), format!("t{task}"));
        if !self.source.is_empty() {
            site.execute(from, &named(self.source, &s, &t)).await;
        }
        if !self.target.is_empty() {
            site.execute(to, &named(self.target, &s, &t)).await;
        }
        site.task(task, (from, &s), (to, &t), self.params).await;
        let output = site.goshift(&["-id", &task.to_string()]);
        let what = format!("{}, {from} into {to}: {}", self.name, text(&output));
        match &self.expect {
            Rows(query, expected) => {
                assert!(output.status.success(), "{what}");
                assert_eq!(lines(site, to, &named(query, &s, &t)).await, *expected, "{what}");
                site.assert_equal(task);
            }
            Fails(code, parts) => {
                assert_eq!(output.status.code(), Some(*code), "{what}");
                let said = |part: &&&str| part.split('|').any(|words| what.contains(words));
                let absent: Vec<_> = parts.iter().filter(|part| !said(part)).collect();
                assert!(absent.is_empty(), "not said: {absent:?}\n{what}");
            }
        }
    }
}

/// Tables without a key: copied once, duplicates and all; not again unless asked for by name.
async fn keyless(site: &Site, task: i64, from: &str, to: &str) {
    let (s, t) = (format!("s{task}"), format!("t{task}"));
    site.execute(from, &named(KEYLESS, &s, &t)).await;
    site.task(task, (from, &s), (to, &t), "").await;
    site.task(task + 1, (from, &s), (to, &t), r#"{"write_mode": "insert"}"#).await;
    let what = format!("keyless, {from} into {to}");
    let query = named("SELECT id, a, count(*) FROM {t} GROUP BY id, a ORDER BY 3, 1, 2", &s, &t);
    let counts = || lines(site, to, &query);

    let first = site.goshift(&["-id", &task.to_string()]);
    assert!(first.status.success(), "{what}: {}", text(&first));
    let mut once = counts().await;
    once.sort();
    assert_eq!(once, ["1 x 2", "1 y 1", "2 NULL 1", "NULL NULL 2"], "{what}");
    site.assert_equal(task);

    let again = site.goshift(&["-id", &task.to_string()]);
    assert_eq!(again.status.code(), Some(1), "{what}: {}", text(&again));
    assert!(text(&again).contains("double") && text(&again).contains("write_mode"), "{what}");
    let mut still = counts().await;
    still.sort();
    assert_eq!(still, once, "{what}: a refused copy wrote something");

    let added = site.goshift(&["-id", &(task + 1).to_string()]);
    assert!(added.status.success(), "{what}: {}", text(&added));
    let mut twice = counts().await;
    twice.sort();
    assert_eq!(twice, ["1 x 4", "1 y 2", "2 NULL 2", "NULL NULL 4"], "{what}");
}

async fn edges(from: &'static str, task_engine: &'static str) {
    let mut site = Site::new(task_engine).await;
    site.embedded();
    for (position, to) in (1..).zip(ENGINES) {
        let first = position * 100;
        keyless(&site, first, from, to).await;
        for (number, case) in (first + 10..).zip(CASES) {
            case.check(&site, number, from, to).await;
        }
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_from_mysql() {
    edges("mysql", "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_from_postgres() {
    edges("postgres", "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_from_sqlite() {
    edges("sqlite", "mysql").await;
}

/// Tables that end at, before and behind a shard's end.
#[tokio::test(flavor = "multi_thread")]
async fn tables_around_the_size_of_a_shard() {
    let site = Site::new("sqlite").await;
    for (from, first) in ENGINES.into_iter().zip([0, 100, 200]) {
        numbers(&site, from, 100).await;
        for (rows, task) in [0, 1, 9, 10, 11, 19, 20, 21, 30].into_iter().zip(first..) {
            let to = ENGINES[(task % 3) as usize];
            let (s, t) = (format!("sized_{task}"), format!("into_{task}"));
            let fill = "CREATE TABLE {s} (id bigint NOT NULL PRIMARY KEY); \
                        INSERT INTO {s} SELECT n * 7 FROM numbers WHERE n < ";
            site.execute(from, &named(&format!("{fill}{rows}"), &s, &t)).await;
            site.task(task, (from, &s), (to, &t), r#"{"read_batch": 10, "worker_num": 3}"#).await;
            let output = site.goshift(&["-id", &task.to_string()]);
            assert!(output.status.success(), "{rows} rows, {from} to {to}: {}", text(&output));
            let query = format!("SELECT count(*), count(DISTINCT id), max(id) FROM {t}");
            let last = if rows == 0 { "NULL".to_owned() } else { ((rows - 1) * 7).to_string() };
            assert_eq!(lines(&site, to, &query).await, [format!("{rows} {rows} {last}")]);
        }
    }
    site.remove().await;
}
