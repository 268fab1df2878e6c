//! Every kind of key that a table may be split by: each row is read once and copied exactly.

mod cases;
mod mysql;
mod postgres;
mod sqlite;

use cases::Case;

use crate::pairs::render::{Kind, assert_same, numbers, rows};
use crate::support::{ENGINES, Site, text};

/// Rows of a table besides its special ones.
const ROWS: u32 = 600;

/// The target file of SQLite, not the source's: one file allows one lane only.
const TARGET: &str = "target.db";

impl Case {
    fn columns(&self) -> Vec<(&'static str, Kind)> {
        let key = self.key.iter().map(|(name, kind, _)| (*name, *kind));
        key.chain([("payload", Kind::Text)]).collect()
    }

    async fn create(&self, site: &Site, engine: &str, table: &str) {
        let columns: Vec<_> =
            self.key.iter().map(|(name, _, native)| format!("{name} {native}")).collect();
        let rest = if self.rest.is_empty() { String::new() } else { format!(", {}", self.rest) };
        let specials = self.specials.iter().enumerate().map(|(number, value)| {
            let value = self.key[0].1.literal(engine, value);
            format!("INSERT INTO {table} VALUES ({value}, 'special {number}'); ")
        });
        let sql = format!(
            "{}; CREATE TABLE {table} ({}, payload varchar(40){rest}) {}; \
             INSERT INTO {table} SELECT {}, concat('row ', n) FROM numbers WHERE n < {ROWS}; {}",
            self.setup,
            columns.join(", "),
            self.options,
            self.rows,
            specials.collect::<String>()
        );
        site.execute(engine, sql.trim_start_matches([';', ' '])).await;
    }

    /// Copies the table and checks the copy and the shards that made it.
    async fn check(&self, site: &Site, task: i64, from: &str, to: &str) {
        let (source, target) = (format!("s{task}"), format!("t{task}"));
        self.create(site, from, &source).await;
        let params = format!(
            r#"{{"read_batch": 40, "worker_num": 8, "write_batch": 7{}}}"#,
            if self.split.is_empty() {
                String::new()
            } else {
                format!(r#", "split": {{"pk": ["{}"]}}"#, self.split)
            }
        );
        site.task(task, (from, &source), (to, &target), &params).await;
        let output = site.goshift(&["-id", &task.to_string()]);
        let what = format!("{}, {from} into {to}", self.name);
        assert!(output.status.success(), "{what}: {}", text(&output));
        if to == "sqlite" {
            fetch(site, &target);
        }
        let columns = self.columns();
        let read = rows(site, from, &source, &columns).await;
        assert_eq!(read.len(), ROWS as usize + self.specials.len(), "{what}");
        assert_same(&what, &read, &rows(site, to, &target, &columns).await);
        if (from, to) == ("sqlite", "sqlite") {
            assert_same_storage_classes(site, self.key[0].0, &source, &target).await;
        }
        site.assert_equal(task);
        assert_every_row_once(site, task, read.len(), &what).await;
    }
}

/// Brings a table from the target file into the one that the test reads.
fn fetch(site: &Site, table: &str) {
    let file = site.folder.join(TARGET);
    site.sqlite()
        .execute_batch(&format!(
            "ATTACH '{}' AS target; CREATE TABLE {table} AS SELECT * FROM target.{table}",
            file.display()
        ))
        .unwrap();
}

/// SQLite's own literals of the first column: 1, '1', 1.0 and x'31' are four values.
async fn assert_same_storage_classes(site: &Site, column: &str, source: &str, target: &str) {
    let literals = async |table: &str| {
        let query = format!("SELECT quote({column}) FROM {table} ORDER BY 1");
        site.rows("sqlite", &query).await
    };
    assert_eq!(literals(source).await, literals(target).await, "{source} and {target}");
}

/// The ledger's account: several shards, all in, and as many rows read as there are.
async fn assert_every_row_once(site: &Site, task: i64, rows: usize, what: &str) {
    let sql = format!(
        "SELECT count(*), sum(s.rows_done), sum(CASE WHEN s.state = 'done' THEN 0 ELSE 1 END) \
         FROM goshift_shard s JOIN goshift_run r ON r.run_id = s.run_id WHERE r.task_id = {task}"
    );
    let account = site.ask(&sql).await.remove(0);
    assert!(account[0].parse::<u32>().unwrap() > 1, "{what}: {} shards", account[0]);
    assert_eq!(account[1..], [rows.to_string(), "0".to_owned()], "{what}: rows, open shards");
}

/// Each case into the same engine and, by turns, into one of the others.
async fn keys_of(from: &'static str, task_engine: &'static str, cases: &[Case]) {
    let mut site = Site::new(task_engine).await;
    let target = site.folder.join(TARGET);
    rusqlite::Connection::open(&target).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
    site.configure(|config| {
        config["to"] = serde_json::json!({"sqlite": {"app_db": {"path": target}}});
    });
    numbers(&site, from, ROWS).await;
    let others: Vec<_> = ENGINES.into_iter().filter(|engine| *engine != from).collect();
    for (number, case) in cases.iter().enumerate() {
        let task = number as i64 * 2 + 1;
        case.check(&site, task, from, from).await;
        if !case.same_engine_only {
            let case = Case { setup: "", ..*case };
            case.check(&site, task + 1, from, others[number % 2]).await;
        }
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_mysql() {
    keys_of("mysql", "mysql", mysql::CASES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_postgres() {
    keys_of("postgres", "postgres", postgres::CASES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_sqlite() {
    keys_of("sqlite", "sqlite", sqlite::CASES).await;
}

/// Keys that are two in the source and one in the target are never merged in silence.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_fall_together_in_the_target_fail_the_run() {
    let site = Site::new("sqlite").await;
    let source = "CREATE TABLE s (k varchar(20) NOT NULL PRIMARY KEY, v integer); \
                  INSERT INTO s VALUES ('b', 1), ('a', 2), ('c', 3), ('A', 4)";
    site.pg(source).await;
    site.execute("sqlite", source).await;
    let charset = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci";
    site.my(&format!("CREATE TABLE t (k varchar(20) {charset} PRIMARY KEY, v integer)")).await;
    site.execute(
        "sqlite",
        "CREATE TABLE t (k TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, v INTEGER)",
    )
    .await;
    let ways = [("postgres", "mysql"), ("postgres", "sqlite"), ("sqlite", "mysql")];
    for (task, (from, to)) in (1..).zip(ways) {
        site.execute(to, "DELETE FROM t").await;
        site.task(task, (from, "s"), (to, "t"), r#"{"read_batch": 2, "worker_num": 4}"#).await;
        let output = site.goshift(&["-id", &task.to_string()]);
        assert_eq!(output.status.code(), Some(1), "{from} into {to}: {}", text(&output));
        assert!(text(&output).contains("share the key (k)"), "{from} into {to}: {}", text(&output));
    }
    site.remove().await;
}
