//! `consistency`: what a run reads as of one moment, and what it says of itself.

use std::process::Child;

use serde_json::Value;
use sqlx::Executor;

use crate::support::{Lock, Site, eventually, text};

/// Ten shards for two lanes; shards of a run with a limit do not grow.
const SNAPSHOT: &str = r#"{"read_batch": 100, "worker_num": 2, "max_rows_per_second": 100000,
    "consistency": "snapshot"}"#;
const SHARD: &str = r#"{"read_batch": 100, "worker_num": 2, "max_rows_per_second": 100000}"#;

/// Every transaction of the source keeps the number of rows and the sum of their amounts.
const INVARIANT: &str = "SELECT CONCAT(COUNT(*), ' rows, ', SUM(amount)) FROM ";
const KEPT: &str = "1000 rows, 500500";

fn other(engine: &str) -> &'static str {
    if engine == "mysql" { "postgres" } else { "mysql" }
}

/// Task 5 copies 1000 rows from a server of this engine to one of the other.
async fn site(from: &str, params: &str) -> Site {
    let to = other(from);
    let site = Site::new(to).await;
    let columns = "(id int PRIMARY KEY, amount int NOT NULL)";
    for (engine, table) in [(from, "source"), (to, "target")] {
        site.execute(engine, &format!("CREATE TABLE {table} {columns}")).await;
    }
    let rows: Vec<_> = (1..=1000).map(|n| format!("({n}, {n})")).collect();
    site.execute(from, &format!("INSERT INTO source VALUES {}", rows.join(", "))).await;
    site.task(5, (from, "source"), (to, "target"), params).await;
    site
}

async fn params(site: &Site, params: &str) {
    site.tasks(&format!("UPDATE task_def_sync_manager SET params = '{params}' WHERE id = 5")).await;
}

/// A run whose two lanes wait at its fifth and sixth shard, when the first four are in.
async fn held_in_the_middle(site: &Site, to: &str) -> (Child, Lock) {
    // Rows that are not to be seen yet: the shards that meet them wait.
    let stranger = site.lock("INSERT INTO target VALUES (450, 0), (550, 0)").await;
    let running = site.start("goshift", &["-id", "5"]);
    eventually("four shards are in", || async {
        let count = "SELECT CONCAT('', COUNT(*)) FROM target";
        site.rows(to, count).await[0][0] == "400"
    })
    .await;
    (running, stranger)
}

/// One row moves from the shards that are still to come to those that are in, one back, and amounts
/// move both ways; each in a transaction that keeps the invariant.
async fn move_rows(site: &Site, from: &str) {
    for transaction in [
        "UPDATE source SET id = -950 WHERE id = 950",
        "BEGIN; UPDATE source SET amount = amount - 7 WHERE id = 10; \
         UPDATE source SET amount = amount + 7 WHERE id = 990; COMMIT",
        "UPDATE source SET id = 1020 WHERE id = 20",
        "BEGIN; DELETE FROM source WHERE id IN (30, 930); INSERT INTO source VALUES (2000, 960), \
         (2001, 0); COMMIT",
    ] {
        site.execute(from, transaction).await;
    }
    assert_eq!(site.rows(from, &format!("{INVARIANT}source")).await[0][0], KEPT);
}

async fn recorded(site: &Site) -> String {
    site.ask_one(
        "SELECT consistency FROM goshift_run ORDER BY submitted_at DESC, run_id DESC LIMIT 1",
    )
    .await
}

async fn reads_as_of_one_moment(from: &str) {
    let (to, site) = (other(from), site(from, SNAPSHOT).await);
    let before = site.rows(from, "SELECT CONCAT(id, ' ', amount) FROM source ORDER BY id").await;
    let (mut running, stranger) = held_in_the_middle(&site, to).await;
    move_rows(&site, from).await;
    stranger.release().await;
    assert!(running.wait().unwrap().success());
    let copied = site.rows(to, "SELECT CONCAT(id, ' ', amount) FROM target ORDER BY id").await;
    assert_eq!(copied, before);
    assert_eq!(recorded(&site).await, "snapshot");

    let run = site.ask_one("SELECT run_id FROM goshift_run").await;
    let shown = text(&site.goshift(&["run", &run]));
    assert!(shown.contains("consistency snapshot"), "{shown}");
    let shown = site.goshift(&["run", &run, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["run"]["consistency"], "snapshot", "{shown}");
    let plan = text(&site.goshift(&["plan", "-id", "5"]));
    assert!(plan.contains("reads   consistency snapshot: "), "{plan}");
    nothing_is_held(&site, from).await;
    site.remove().await;
}

/// Waits until no session reads the source by a snapshot any more.
async fn nothing_is_held(site: &Site, from: &str) {
    let open = match from {
        "postgres" => format!(
            "SELECT pid::text FROM pg_stat_activity JOIN pg_locks USING (pid) \
             WHERE relation = '{}.source'::regclass AND pid <> pg_backend_pid()",
            site.id
        ),
        _ => format!(
            "SELECT CAST(t.trx_id AS CHAR) FROM information_schema.innodb_trx t \
             JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
             WHERE p.db = '{}'",
            site.id
        ),
    };
    eventually("its connections are closed", || async { site.rows(from, &open).await.is_empty() })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_from_postgres_reads_as_of_one_moment() {
    reads_as_of_one_moment("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_from_mysql_reads_as_of_one_moment() {
    reads_as_of_one_moment("mysql").await;
}

/// The same without a snapshot: what was moved is lost or doubled, and the run says no more than it had.
#[tokio::test(flavor = "multi_thread")]
async fn by_shards_a_run_may_be_torn_and_says_so() {
    for from in ["mysql", "postgres"] {
        let (to, site) = (other(from), site(from, SHARD).await);
        let (mut running, stranger) = held_in_the_middle(&site, to).await;
        move_rows(&site, from).await;
        stranger.release().await;
        assert!(running.wait().unwrap().success());
        let copied = site.rows(to, &format!("{INVARIANT}target")).await;
        assert_ne!(copied[0][0], KEPT, "{from}: the test would see a torn state");
        assert_eq!(recorded(&site).await, "shard");
        let plan = text(&site.goshift(&["plan", "-id", "5"]));
        assert!(plan.contains("reads   consistency shard: "), "{plan}");
        site.remove().await;
    }
}

/// One lane needs no lock, and shares its connection with the cutting.
#[tokio::test(flavor = "multi_thread")]
async fn one_lane_reads_in_one_transaction() {
    let params = r#"{"read_batch": 100, "worker_num": 1, "verify": true,
        "max_rows_per_second": 100000, "consistency": "snapshot"}"#;
    let site = site("mysql", params).await;
    let before = site.rows("mysql", "SELECT CONCAT(id, ' ', amount) FROM source ORDER BY id").await;
    let stranger = site.lock("INSERT INTO target VALUES (450, 0)").await;
    let mut running = site.start("goshift", &["-id", "5"]);
    eventually("four shards are in", || async {
        site.rows("postgres", "SELECT CONCAT('', COUNT(*)) FROM target").await[0][0] == "400"
    })
    .await;
    move_rows(&site, "mysql").await;
    stranger.release().await;
    // The proof after the run is of the snapshot too: the source is another by now.
    assert!(running.wait().unwrap().success());
    let copied =
        site.rows("postgres", "SELECT CONCAT(id, ' ', amount) FROM target ORDER BY id").await;
    assert_eq!(copied, before);
    assert_eq!(recorded(&site).await, "snapshot");
    site.remove().await;
}

/// The modes that compare do so with the snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_like_the_snapshot() {
    for from in ["mysql", "postgres"] {
        let (to, site) = (other(from), site(from, SNAPSHOT).await);
        assert!(site.goshift(&["-id", "5"]).status.success());
        site.execute(from, "DELETE FROM source WHERE id IN (1, 500)").await;
        site.execute(from, "UPDATE source SET amount = 0 WHERE id = 7").await;
        let mirror = site.goshift(&["-id", "5", "--mode", "mirror", "--json"]);
        assert!(mirror.status.success(), "{}", text(&mirror));
        let lines = String::from_utf8_lossy(&mirror.stdout).into_owned();
        let event: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!((&event["written"], &event["deleted"]), (&1.into(), &2.into()), "{event}");
        assert_eq!(event["consistency"], "snapshot", "{event}");
        site.assert_equal(5);
        assert_eq!(site.rows(to, "SELECT CONCAT('', COUNT(*)) FROM target").await[0][0], "998");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_is_lost_fails_the_attempt() {
    let site = site("postgres", SNAPSHOT).await;
    let (mut running, stranger) = held_in_the_middle(&site, "mysql").await;
    let ended = site
        .rows(
            "postgres",
            &format!(
                "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                 JOIN pg_locks USING (pid) WHERE relation = '{}.source'::regclass \
                 AND application_name = 'goshift snapshot'",
                site.id
            ),
        )
        .await;
    assert_eq!(ended.len(), 1, "one connection exports");
    stranger.release().await;
    assert_eq!(running.wait().unwrap().code(), Some(1));
    let run = site.ask("SELECT state, reason FROM goshift_run").await.remove(0);
    assert_eq!(run[0], "failed");
    assert!(run[1].contains("held the run's snapshot was lost"), "{}", run[1]);
    site.remove().await;
}

/// A login that may not lock, and what its operator is told.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_privilege_it_is_refused_with_the_grant() {
    let mut site = site("mysql", SNAPSHOT).await;
    let user = site.id.clone();
    for host in ["%", "localhost", "127.0.0.1"] {
        let create = format!(
            "CREATE USER '{user}'@'{host}' IDENTIFIED BY 'reads-only'; \
             GRANT SELECT ON {user}.* TO '{user}'@'{host}'"
        );
        site.my(&create).await;
    }
    site.configure(|config| {
        let source = &mut config["from"]["mysql"]["app_db"];
        source["user"] = user.as_str().into();
        source["password"] = "reads-only".into();
    });
    let refused = site.goshift(&["-id", "5"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    let said = text(&refused);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["lacks the privilege LOCK TABLES", "GRANT SELECT, LOCK TABLES ON", &user] {
        assert!(flat.contains(part), "{part}: {said}");
    }
    assert_eq!(recorded(&site).await, "NULL");
    assert!(site.rows("postgres", "SELECT id::text FROM target").await.is_empty());

    params(&site, &SNAPSHOT.replace(r#""worker_num": 2"#, r#""worker_num": 1"#)).await;
    let alone = site.goshift(&["-id", "5"]);
    assert!(alone.status.success(), "{}", text(&alone));
    assert_eq!(recorded(&site).await, "snapshot");

    params(&site, SNAPSHOT).await;
    for host in ["%", "localhost", "127.0.0.1"] {
        site.my(&format!("GRANT LOCK TABLES ON {user}.* TO '{user}'@'{host}'")).await;
    }
    let granted = site.goshift(&["-id", "5"]);
    assert!(granted.status.success(), "{}", text(&granted));
    assert_eq!(recorded(&site).await, "snapshot");
    for host in ["%", "localhost", "127.0.0.1"] {
        site.my(&format!("DROP USER '{user}'@'{host}'")).await;
    }
    site.remove().await;
}

/// What has no snapshots is refused by `plan` already, before a row moves.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_read_as_of_one_moment_is_refused() {
    let site = site("mysql", SNAPSHOT).await;
    let refused = async |wanted: &str| {
        for arguments in [["plan", "-id", "5"].as_slice(), &["-id", "5"]] {
            let output = site.goshift(arguments);
            assert!(!output.status.success(), "{wanted}: {}", text(&output));
            let said = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        assert!(site.rows("postgres", "SELECT id::text FROM target").await.is_empty());
    };
    site.my("ALTER TABLE source ENGINE = MyISAM").await;
    refused("its storage engine, MyISAM, has no snapshots").await;
    site.my("ALTER TABLE source ENGINE = InnoDB").await;
    site.my("RENAME TABLE source TO behind; CREATE VIEW source AS SELECT * FROM behind").await;
    refused("it is a view").await;
    site.my("DROP VIEW source; RENAME TABLE behind TO source").await;
    params(&site, r#"{"consistency": "snapshot", "write_mode": "insert"}"#).await;
    refused("which would double rows in target").await;
    params(&site, r#"{"consistency": "snapshots"}"#).await;
    refused("snapshots").await;
    site.remove().await;
}

/// A transaction that has written to the source and stays open: the lock is not waited for for long,
/// and what is committed meanwhile is in.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_in_the_middle_is_waited_for() {
    let site = site("mysql", SNAPSHOT).await;
    let mut writer = site.mysql.begin().await.unwrap();
    writer.execute("UPDATE source SET amount = amount - 1 WHERE id = 1").await.unwrap();
    let mut running = site.start("goshift", &["-id", "5"]);
    eventually("it waits for the lock", || async {
        let waits = format!(
            "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
             WHERE db = '{}' AND info LIKE '%LOCK TABLES%' AND info NOT LIKE '%processlist%'",
            site.id
        );
        !site.rows("mysql", &waits).await.is_empty()
    })
    .await;
    writer.execute("UPDATE source SET amount = amount + 1 WHERE id = 1000").await.unwrap();
    writer.commit().await.unwrap();
    assert!(running.wait().unwrap().success());
    assert_eq!(site.rows("postgres", &format!("{INVARIANT}target")).await[0][0], KEPT);

    let mut writer = site.mysql.begin().await.unwrap();
    writer.execute("UPDATE source SET amount = amount - 1 WHERE id = 1").await.unwrap();
    let refused = site.goshift(&["-id", "5"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    let said = text(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("could not be locked within 10 s"), "{said}");
    writer.rollback().await.unwrap();
    site.remove().await;
}

/// Of a SQLite file, one lane reads in one transaction; only in WAL mode, where others can write.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_in_one_transaction() {
    let site = Site::new("postgres").await;
    let columns = "(id int PRIMARY KEY, amount int NOT NULL)";
    site.sqlite().execute_batch(&format!("CREATE TABLE source {columns}")).unwrap();
    let rows: Vec<_> = (1..=1000).map(|n| format!("({n}, {n})")).collect();
    let fill = format!("INSERT INTO source VALUES {}", rows.join(", "));
    site.sqlite().execute_batch(&fill).unwrap();
    site.pg(&format!("CREATE TABLE target {columns}")).await;
    site.task(5, ("sqlite", "source"), ("postgres", "target"), SNAPSHOT).await;
    let refused = site.goshift(&["-id", "5"]);
    assert!(!refused.status.success());
    assert!(text(&refused).contains("PRAGMA journal_mode = WAL"), "{}", text(&refused));

    site.sqlite().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    let stranger = site.lock("INSERT INTO target VALUES (450, 0)").await;
    let mut running = site.start("goshift", &["-id", "5"]);
    eventually("four shards are in", || async {
        site.rows("postgres", "SELECT CONCAT('', COUNT(*)) FROM target").await[0][0] == "400"
    })
    .await;
    move_rows_in(&site);
    stranger.release().await;
    assert!(running.wait().unwrap().success());
    assert_eq!(site.rows("postgres", &format!("{INVARIANT}target")).await[0][0], KEPT);
    let moved = "SELECT id::text FROM target WHERE id IN (950, 20, 30, 930) ORDER BY id";
    assert_eq!(site.rows("postgres", moved).await.concat(), ["20", "30", "930", "950"]);
    assert_eq!(recorded(&site).await, "snapshot");
    site.remove().await;
}

fn move_rows_in(site: &Site) {
    let moves = "BEGIN; UPDATE source SET id = -950 WHERE id = 950; \
                 UPDATE source SET id = 1020 WHERE id = 20; \
                 DELETE FROM source WHERE id IN (30, 930); \
                 INSERT INTO source VALUES (2000, 960), (2001, 0); COMMIT";
    site.sqlite().execute_batch(moves).unwrap();
}
