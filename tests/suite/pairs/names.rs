//! Names that need quotes: reserved words, quotes, blanks, dots, other scripts, mixed case.

use super::render::{Columns, Kind, assert_same, quote, rows};
use crate::support::{ENGINES, Site, text};

const COLUMNS: Columns<'_> = &[
    ("order", Kind::Int),
    ("Group By", Kind::Text),
    ("MixedCase", Kind::Text),
    ("双 引\"号", Kind::Text),
    ("back`tick", Kind::Text),
    ("it's", Kind::Text),
    ("semi;colon -- ", Kind::Text),
    ("per%s {} $1 ?", Kind::Text),
    ("back\\slash", Kind::Text),
    ("1st.dotted", Kind::Text),
    ("VALUES(", Kind::Text),
];

/// Names of tables. One with a dot is not created by goshift: its first part would be a schema.
const TABLES: &[&str] =
    &["select", "MixedCase", "订单 表", "a\"b", "a`b", "a-b;c", "per%s $1 {}", "Group By", "Été"];

async fn create(site: &Site, engine: &str, table: &str) {
    let name = |column: &str| quote(engine, column);
    let columns = COLUMNS.iter().map(|(column, kind)| {
        let native = if *kind == Kind::Int { "bigint" } else { "varchar(30)" };
        // MySQL takes no name that ends with a blank.
        format!("{} {native} NOT NULL", name(column.trim_end()))
    });
    let columns: Vec<_> = columns.collect();
    let table = name(table);
    let values = |key: i32| {
        let texts = vec![format!(", 'v{key}'"); COLUMNS.len() - 1];
        format!("({key}{})", texts.concat())
    };
    site.execute(
        engine,
        &format!(
            "CREATE TABLE {table} ({}, PRIMARY KEY ({}, {})); INSERT INTO {table} VALUES {}, {}, {}",
            columns.join(", "),
            name("Group By"),
            name("order"),
            values(1),
            values(2),
            values(3),
        ),
    )
    .await;
}

fn columns() -> Vec<(&'static str, Kind)> {
    COLUMNS.iter().map(|(name, kind)| (name.trim_end(), *kind)).collect()
}

async fn copied(site: &Site, task: i64, from: (&str, &str), to: (&str, &str)) {
    // Twice: the second time by upsert into a table with rows.
    for _ in 0..2 {
        let output = site.goshift(&["-id", &task.to_string()]);
        assert!(output.status.success(), "{from:?} into {to:?}: {}", text(&output));
    }
    let source = rows(site, from.0, from.1, &columns()).await;
    assert_eq!(source.len(), 3);
    let target = rows(site, to.0, to.1, &columns()).await;
    assert_same(&format!("{from:?} into {to:?}"), &source, &target);
    site.assert_equal(task);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_quoted_in_every_engine() {
    let mut site = Site::new("mysql").await;
    site.embedded();
    let mut task = 0;
    for from in ENGINES {
        for table in TABLES {
            create(&site, from, table).await;
        }
        for to in ENGINES {
            for half in 0..3 {
                let source = TABLES[(task as usize) % TABLES.len()];
                let target =
                    format!("{} {task}", TABLES[(task as usize + 1 + half) % TABLES.len()]);
                task += 1;
                site.task(task, (from, source), (to, &target), r#"{"read_batch": 1}"#).await;
                copied(&site, task, (from, source), (to, &target)).await;
            }
        }
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dot_separates_a_schema_or_belongs_to_the_name() {
    let site = Site::new("postgres").await;
    for (number, from) in (1..).zip(ENGINES) {
        create(&site, from, "dotted.name").await;
        create(&site, from, "plain").await;
        let schema = if from == "sqlite" { "main" } else { &site.id };
        let (source, target) = (format!("{schema}.plain"), format!("{schema}.target"));
        site.task(number, (from, "dotted.name"), (from, "undotted"), "").await;
        copied(&site, number, (from, "dotted.name"), (from, "undotted")).await;
        site.task(number + 10, (from, &source), (from, &target), "").await;
        copied(&site, number + 10, (from, "plain"), (from, "target")).await;
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_differ_by_case_stay_apart() {
    let site = Site::new("sqlite").await;
    site.pg("CREATE TABLE s (id int PRIMARY KEY, \"Ab\" text, \"aB\" text, ab text); \
             INSERT INTO s VALUES (1, 'x', 'y', 'z')")
        .await;
    site.task(1, ("postgres", "s"), ("postgres", "t"), "").await;
    let output = site.goshift(&["-id", "1"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(
        site.rows("postgres", "SELECT \"Ab\", \"aB\", ab FROM t").await,
        [["x", "y", "z"].map(str::to_owned)]
    );
    for (task, to) in [(2, "mysql"), (3, "sqlite")] {
        site.task(task, ("postgres", "s"), (to, "t"), "").await;
        let output = site.goshift(&["-id", &task.to_string()]);
        assert_eq!(output.status.code(), Some(1), "{to}: {}", text(&output));
        assert!(text(&output).to_lowercase().contains("ab"), "{to}: {}", text(&output));
    }
    site.remove().await;
}
