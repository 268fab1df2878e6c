//! Modes `diff` and `mirror`, and `verify`: what differs is found, and nothing else is touched.

use serde_json::Value;

use crate::support::{ENGINES, Site, text};

/// Rows of a source.
const ROWS: u64 = 12_000;

/// A table with a key of each kind that decides how both sides are cut.
struct Case {
    /// The key, as columns with their types in MySQL, PostgreSQL and SQLite.
    key: &'static [(&'static str, [&'static str; 3])],
    /// The key of row `n`, as literals.
    literals: fn(u64) -> Vec<String>,
}

const NUMBER: Case = Case {
    key: &[("id", ["bigint", "bigint", "INTEGER"])],
    literals: |n| vec![(n as i64 * 3 - 6000).to_string()],
};
const NAME: Case = Case {
    key: &[("id", ["varchar(40)", "varchar(40)", "VARCHAR(40) NOT NULL"])],
    // Mixed case and accents: engines order them each in their own way.
    literals: |n| vec![format!("'{}{n}'", ["a", "B", "é", "_", "Z"][n as usize % 5])],
};
const PAIR: Case = Case {
    key: &[("day", ["date", "date", "DATE NOT NULL"]), ("id", ["int", "integer", "INT4 NOT NULL"])],
    literals: |n| vec![format!("'2024-01-{:02}'", n % 28 + 1), n.to_string()],
};

impl Case {
    fn names(&self) -> Vec<&str> {
        self.key.iter().map(|(name, _)| *name).collect()
    }

    async fn fill(&self, site: &Site, engine: &str, table: &str) {
        let at = ENGINES.iter().position(|&e| e == engine).unwrap();
        let columns: Vec<_> =
            self.key.iter().map(|(name, types)| format!("{name} {}", types[at])).collect();
        let ddl = format!(
            "CREATE TABLE {table} ({}, amount {}, note char(60), PRIMARY KEY ({}))",
            columns.join(", "),
            ["decimal(12,2)", "numeric(12,2)", "DECIMAL_TEXT(12,2)"][at],
            self.names().join(", ")
        );
        site.execute(engine, &ddl).await;
        for start in (0..ROWS).step_by(2000) {
            let rows = (start..start + 2000).map(|n| {
                let note = if n % 7 == 0 { "NULL".to_owned() } else { format!("'note {n}'") };
                format!("({}, '{}.50', {note})", (self.literals)(n).join(", "), n % 1000)
            });
            let rows: Vec<_> = rows.collect();
            site.execute(engine, &format!("INSERT INTO {table} VALUES {}", rows.join(", "))).await;
        }
    }

    /// `WHERE` for row `n`.
    fn at(&self, n: u64) -> String {
        let names = self.names().into_iter().zip((self.literals)(n));
        names.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(" AND ")
    }

    /// Ten rows go, thirty change, one gets a NULL, three are added.
    async fn disturb(&self, site: &Site, engine: &str, table: &str) {
        for n in 0..10 {
            let n = n * 1100 + 13;
            site.execute(engine, &format!("DELETE FROM {table} WHERE {}", self.at(n))).await;
        }
        for n in 0..30 {
            let at = self.at(n * 391 + 7);
            let change = format!("UPDATE {table} SET amount = '0.51' WHERE {at}");
            site.execute(engine, &change).await;
        }
        let change = format!("UPDATE {table} SET note = NULL WHERE {}", self.at(1));
        site.execute(engine, &change).await;
        for n in 0..3 {
            let key = (self.literals)(ROWS * 2 + n).join(", ");
            site.execute(engine, &format!("INSERT INTO {table} VALUES ({key}, '1.00', 'x')")).await;
        }
    }
}

fn event(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{}", text(output));
    let lines = String::from_utf8_lossy(&output.stdout);
    let last = lines.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {lines}"))
}

async fn finds_what_differs(case: &Case, from: &str, to: &str) {
    let site = Site::new("sqlite").await;
    case.fill(&site, from, "source").await;
    let params = r#"{"worker_num": 4, "read_batch": 1000, "write_batch": 500}"#;
    site.task(5, (from, "source"), (to, "target"), params).await;
    let copied = event(&site.goshift(&["-id", "5", "--json"]));
    assert_eq!(copied["rows"], ROWS);
    site.assert_equal(5);
    let same = event(&site.goshift(&["-id", "5", "--mode", "diff", "--json"]));
    assert_eq!((&same["rows"], &same["written"]), (&ROWS.into(), &0.into()), "{same}");
    assert_eq!(same["bytes"], 0, "of equal rows nothing moves");

    case.disturb(&site, to, "target").await;
    let verified = site.goshift(&["verify", "-id", "5", "--json"]);
    assert_eq!(verified.status.code(), Some(1), "{}", text(&verified));
    let found: Value = serde_json::from_slice(&verified.stdout).unwrap();
    let counts = [&found["missing"], &found["changed"], &found["extra"]];
    assert_eq!(counts, [10, 31, 3], "{found}");
    let columns =
        |row: &Value| row["kind"] == "changed" && row["columns"] == serde_json::json!(["amount"]);
    let first = found["first"].as_array().unwrap();
    assert!(first.iter().any(columns), "{found}");
    for row in first {
        let key = row["key"].as_str().unwrap();
        let names = case.names().into_iter().filter(|name| key.contains(&format!("{name}=")));
        assert_eq!(names.count(), case.key.len(), "{from} → {to}: a row without its key: {row}");
    }

    let diff = event(&site.goshift(&["-id", "5", "--mode", "diff", "--json"]));
    assert_eq!((&diff["written"], &diff["only_in_target"]), (&41.into(), &3.into()), "{diff}");
    let left = site.goshift(&["verify", "-id", "5"]);
    assert!(
        text(&left).contains("0 rows missing from the target, 0 different, 3 only there"),
        "{}",
        text(&left)
    );
    assert!(text(&left).contains("--mode mirror"), "{}", text(&left));

    let mirror = event(&site.goshift(&["-id", "5", "--mode", "mirror", "--json"]));
    assert_eq!((&mirror["written"], &mirror["deleted"]), (&0.into(), &3.into()), "{mirror}");
    let kept = "SELECT rows_written, rows_deleted FROM goshift_run ORDER BY run_id";
    assert_eq!(
        site.ask(kept).await,
        [
            [ROWS.to_string(), "0".into()],
            ["0", "0"].map(String::from),
            ["41", "0"].map(String::from),
            ["0", "3"].map(String::from)
        ],
        "{from} → {to}: what a run did is not forgotten with its process"
    );
    site.assert_equal(5);
    site.remove().await;
}

async fn finds_what_differs_between_all(case: &Case) {
    for from in ENGINES {
        for to in ENGINES {
            finds_what_differs(case, from, to).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_a_number_for_a_key() {
    finds_what_differs_between_all(&NUMBER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_a_name_for_a_key() {
    finds_what_differs_between_all(&NAME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_a_key_of_two_columns() {
    finds_what_differs_between_all(&PAIR).await;
}

fn refused(output: &std::process::Output, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{}", text(output));
    for part in parts {
        assert!(text(output).contains(part), "{part} is missing in {}", text(output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_does_not_empty_its_target() {
    let site = Site::new("mysql").await;
    NUMBER.fill(&site, "mysql", "source").await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
    let mirror = || site.goshift(&["-id", "5", "--mode", "mirror"]);
    let held = || async { site.rows("postgres", "SELECT count(*)::text FROM target").await };
    assert!(mirror().status.success(), "a missing target is created");
    site.my("DELETE FROM source WHERE id % 2 = 0").await;
    refused(&mirror(), &["6000 of the 12000 rows", "10 %", "none was deleted", "max_delete"]);
    assert_eq!(held().await, [["12000"]]);
    site.my("CREATE TABLE kept AS SELECT * FROM source; DELETE FROM source").await;
    refused(&mirror(), &["source has no row", "12000", "would empty it"]);
    assert_eq!(held().await, [["12000"]]);
    site.my("RENAME TABLE source TO renamed").await;
    refused(&mirror(), &["no source table source"]);
    assert_eq!(held().await, [["12000"]]);

    site.my("RENAME TABLE kept TO source").await;
    site.tasks(r#"UPDATE task_def_sync_manager SET params = '{"max_delete": {"rows": 5999}}'"#)
        .await;
    refused(&mirror(), &["more than max_delete (5999 rows)"]);
    site.tasks(r#"UPDATE task_def_sync_manager SET params = '{"max_delete": "50%"}'"#).await;
    let output = mirror();
    assert!(
        output.status.success() && text(&output).contains("6,000 deleted"),
        "{}",
        text(&output)
    );
    site.assert_equal(5);
    site.my("DELETE FROM source").await;
    site.tasks(r#"UPDATE task_def_sync_manager SET params = '{"max_delete": "all"}'"#).await;
    assert!(mirror().status.success());
    assert_eq!(held().await, [["0"]]);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_column_alone_decides() {
    let site = Site::new("postgres").await;
    NUMBER.fill(&site, "postgres", "source").await;
    site.task(5, ("postgres", "source"), ("mysql", "target"), r#"{"diff_column": "amount"}"#).await;
    let diff = || event(&site.goshift(&["-id", "5", "--mode", "diff", "--json"]));
    assert_eq!(diff()["rows"], ROWS);
    site.my("UPDATE target SET note = 'other' WHERE id BETWEEN 0 AND 30").await;
    assert_eq!(diff()["written"], 0);
    site.my("UPDATE target SET amount = 1.25 WHERE id BETWEEN 0 AND 9").await;
    assert_eq!(diff()["written"], 4, "whole rows are written");
    let others = "SELECT CAST(COUNT(*) AS CHAR) FROM target WHERE note = 'other'";
    assert_eq!(site.rows("mysql", others).await, [["7"]]);
    site.tasks(r#"UPDATE task_def_sync_manager SET params = '{"diff_column": "amuont"}'"#).await;
    let output = site.goshift(&["-id", "5", "--mode", "diff"]);
    assert!(text(&output).contains("amuont is not copied"), "{}", text(&output));
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_repairs_and_a_run_proves_itself() {
    let site = Site::new("sqlite").await;
    PAIR.fill(&site, "mysql", "source").await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), r#"{"verify": true}"#).await;
    assert!(site.goshift(&["-id", "5"]).status.success());
    PAIR.disturb(&site, "postgres", "target").await;
    let repaired = site.goshift(&["verify", "-id", "5", "--repair", "--limit", "5"]);
    // What only the target has is not deleted.
    refused(&repaired, &["and 39 more", "41 written", "3 only there", "is only in the target"]);
    // The proof that the task asks for finds them as well.
    refused(&site.goshift(&["-id", "5"]), &["is not like its source", "3 only in the target"]);
    assert!(site.goshift(&["-id", "5", "--mode", "mirror"]).status.success());
    site.assert_equal(5);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_key_are_not_told_apart() {
    let site = Site::new("sqlite").await;
    for engine in ["mysql", "postgres"] {
        site.execute(engine, "CREATE TABLE loose (a int, b varchar(9))").await;
        site.execute(engine, "INSERT INTO loose VALUES (1, 'x'), (1, 'x'), (NULL, NULL)").await;
    }
    site.task(5, ("mysql", "loose"), ("postgres", "loose"), "").await;
    site.assert_equal(5);
    refused(&site.goshift(&["-id", "5", "--mode", "diff"]), &["no key", "params.pk"]);
    site.pg("UPDATE loose SET b = 'y' WHERE ctid IN (SELECT min(ctid) FROM loose)").await;
    let output = site.goshift(&["verify", "-id", "5"]);
    refused(&output, &["DIFFERENT"]);
    site.remove().await;
}

/// Rows that would have the same hash, or the same sum of them, if cells ran into each other, if NULL were
/// an empty text or a sign for it, or if the same bits changed in two rows cancelled out.
#[tokio::test(flavor = "multi_thread")]
async fn cells_do_not_run_into_each_other() {
    let site = Site::new("sqlite").await;
    let ours = "(1, 'a', 'b', 'x'), (2, NULL, 'x', 'x'), (3, '-', NULL, 'x'), (4, 'a|b', 'c', 'x'), \
        (5, 'q', 'p', 'x'), (6, 'p', 'q', 'x'), (7, '1', '1|1', 'x'), (8, 'ÿ', 'ÿ', 'ÿ')";
    let theirs = "(1, 'ab', '', 'x'), (2, '', 'x', 'x'), (3, NULL, '-', 'x'), (4, 'a', 'b|c', 'x'), \
        (5, 'p', 'q', 'x'), (6, 'q', 'p', 'x'), (7, '1|1', '1', 'x'), (8, 'ÿ', 'ÿÿ', '')";
    let texts = "a varchar(9), b varchar(9), c varchar(9)";
    site.my(&format!("CREATE TABLE source (id int PRIMARY KEY, {texts} CHARACTER SET latin1)"))
        .await;
    site.my(&format!("CREATE TABLE other (id int PRIMARY KEY, {texts})")).await;
    site.pg(&format!("CREATE TABLE source (id int PRIMARY KEY, {texts})")).await;
    site.pg("CREATE TABLE other (LIKE source INCLUDING ALL)").await;
    for (id, (from, to)) in
        (1..).zip([("mysql", "mysql"), ("mysql", "postgres"), ("postgres", "postgres")])
    {
        for (engine, table, rows) in [(from, "source", ours), (to, "other", theirs)] {
            site.execute(engine, &format!("DELETE FROM {table}")).await;
            site.execute(engine, &format!("INSERT INTO {table} VALUES {rows}")).await;
        }
        site.task(id, (from, "source"), (to, "other"), r#"{"pk": "id"}"#).await;
        let verified = site.goshift(&["verify", "-id", &id.to_string(), "--json"]);
        let found: Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(found["changed"], 8, "{from} → {to}: {found}");
    }
    // Types to which MariaDB would convert what stands beside them.
    for (id, inet) in (4..).zip(["inet6", "inet4"]) {
        let address = if inet == "inet6" { "::1" } else { "1.2.3.4" };
        let columns = format!("(id int PRIMARY KEY, a {inet}, b {inet}, u uuid, v uuid)");
        site.my(&format!("CREATE TABLE a{id} {columns}; CREATE TABLE b{id} {columns}")).await;
        site.my(&format!("INSERT INTO a{id} VALUES (1, NULL, '{address}', NULL, UUID())")).await;
        site.my(&format!("INSERT INTO b{id} SELECT id, b, a, u, v FROM a{id}")).await;
        site.my(&format!("INSERT INTO a{id} SELECT 2, a, a, u, v FROM a{id}")).await;
        site.my(&format!("INSERT INTO b{id} SELECT 2, b, b, v, u FROM b{id} WHERE id = 1")).await;
        site.task(id, ("mysql", &format!("a{id}")), ("mysql", &format!("b{id}")), "").await;
        let verified = site.goshift(&["verify", "-id", &id.to_string(), "--json"]);
        let found: Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(found["changed"], 2, "{inet}: {found}");
    }
    site.remove().await;
}

/// MySQL makes NULL of a text that is longer than `max_allowed_packet`, which a sum passes over.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_too_long_to_be_hashed_is_read() {
    let site = Site::new("sqlite").await;
    let limit = site.rows("mysql", "SELECT CAST(@@max_allowed_packet AS CHAR)").await;
    let limit: usize = limit[0][0].parse().unwrap();
    // Its hexadecimal digits are longer.
    let long = limit / 2 + 1000;
    let ddl = "(id int PRIMARY KEY, body longblob, note varchar(9))";
    site.my(&format!("CREATE TABLE source {ddl}; CREATE TABLE target {ddl}")).await;
    site.my(&format!(
        "INSERT INTO source VALUES (1, 'a', ''), (2, REPEAT('x', {long}), 'n'), (3, '', NULL)"
    ))
    .await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    // Too long for a statement as well.
    site.my("INSERT INTO target SELECT * FROM source").await;
    site.assert_equal(5);
    site.my("UPDATE target SET body = CONCAT(LEFT(body, LENGTH(body) - 1), 'y') WHERE id = 2")
        .await;
    refused(&site.goshift(&["verify", "-id", "5"]), &["1 different", "id=2 differs in body"]);
    site.remove().await;
}

#[tokio::test]
async fn a_plan_says_how_both_sides_are_compared() {
    let site = Site::new("sqlite").await;
    for (engine, at) in [("mysql", 0), ("postgres", 1), ("sqlite", 2)] {
        let [number, name] = [&NUMBER, &NAME].map(|case| case.key[0].1[at]);
        site.execute(engine, &format!("CREATE TABLE numbers (id {number} PRIMARY KEY)")).await;
        site.execute(engine, &format!("CREATE TABLE names (id {name} PRIMARY KEY)")).await;
    }
    let plans = [
        ("numbers", "mysql", "postgres", "range by range, by hashes that both servers compute"),
        ("names", "mysql", "postgres", "as a whole, by hashes that both servers compute"),
        ("numbers", "postgres", "sqlite", "range by range, both sides read and hashed here"),
        ("names", "sqlite", "mysql", "both sides read and hashed here, several times if large"),
    ];
    for (id, (table, from, to, how)) in (1..).zip(plans) {
        site.task(id, (from, table), (to, table), r#"{"mode": "diff"}"#).await;
        let plan = site.goshift(&["plan", "-id", &id.to_string()]);
        assert!(text(&plan).contains(how), "{how}: {}", text(&plan));
    }
    site.remove().await;
}
