//! Nine pairs of engines: 100,000 rows of every common type, equal on both sides by the servers'
//! own account.

mod collisions;
pub mod data;
mod edges;
mod names;
mod passed;
pub mod render;

use render::{assert_same, rows};

use crate::support::{ENGINES, Site, text};

const PARAMS: &str = r#"{"worker_num": 4, "read_batch": 10000, "write_batch": 500}"#;

/// One task of the test.
struct Target {
    task: i64,
    engine: &'static str,
    table: String,
}

impl Target {
    /// Runs the task and compares.
    async fn copy(&self, site: &Site, expected: &[String], step: &str) {
        self.run(site, "init", expected, step).await;
    }

    async fn run(&self, site: &Site, mode: &str, expected: &[String], step: &str) {
        let output = site.goshift(&["-id", &self.task.to_string(), "--mode", mode]);
        let what = format!("{} in {}, {step}", self.table, self.engine);
        assert!(output.status.success(), "{what}: {}", text(&output));
        let target = rows(site, self.engine, &self.table, &data::columns()).await;
        assert_same(&what, expected, &target);
    }
}

/// All rows, into targets that goshift creates; and again after the source has changed.
async fn copies_all_rows(site: &Site, source: &'static str) {
    let mut targets = Vec::new();
    for (task, engine) in (1..).zip(ENGINES) {
        let table = format!("created_from_{source}");
        site.task(task, (source, "source"), (engine, &table), PARAMS).await;
        targets.push(Target { task, engine, table });
    }
    let expected = rows(site, source, "source", &data::columns()).await;
    assert_eq!(expected.len(), data::ROWS as usize);
    for target in &targets {
        target.copy(site, &expected, "first copy").await;
        site.assert_equal(target.task);
    }
    data::change(site, source, "source").await;
    let expected = rows(site, source, "source", &data::columns()).await;
    assert_eq!(expected.len(), data::ROWS as usize + data::ADDED as usize);
    for target in &targets {
        target.run(site, "diff", &expected, "after changes").await;
    }
}

/// A sample, into targets that were made by hand with their columns in another order.
async fn copies_into_made_tables(site: &Site, source: &'static str, engines: &[&'static str]) {
    data::sample(site, source, "source", "sample").await;
    let mut targets = Vec::new();
    for (task, &engine) in (11..).zip(engines) {
        let table = format!("made_from_{source}");
        site.execute(engine, &data::ddl(engine, &table, true)).await;
        site.task(task, (source, "sample"), (engine, &table), PARAMS).await;
        targets.push(Target { task, engine, table });
    }
    let expected = rows(site, source, "sample", &data::columns()).await;
    assert_eq!(expected.len(), data::SAMPLE as usize);
    for target in &targets {
        target.copy(site, &expected, "first copy").await;
        target.copy(site, &expected, "repeated").await;
        site.assert_equal(target.task);
    }
    data::change(site, source, "sample").await;
    let expected = rows(site, source, "sample", &data::columns()).await;
    for target in &targets {
        let verified = site.goshift(&["verify", "-id", &target.task.to_string()]);
        assert_eq!(verified.status.code(), Some(1), "{}", text(&verified));
        target.copy(site, &expected, "after changes").await;
    }
}

async fn copies_into_every_engine(
    source: &'static str,
    task_engine: &'static str,
    by_hand: &[&'static str],
) {
    let site = Site::new(task_engine).await;
    data::fill(&site, source, "source").await;
    copies_into_made_tables(&site, source, by_hand).await;
    copies_all_rows(&site, source).await;
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_into_every_engine() {
    copies_into_every_engine("mysql", "sqlite", &["mysql", "postgres"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_into_every_engine() {
    copies_into_every_engine("postgres", "mysql", &["postgres", "mysql"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_into_every_engine() {
    copies_into_every_engine("sqlite", "postgres", &["sqlite"]).await;
}
