//! The crash table: a process is killed in each window between two steps, and the run ends as if
//! it had not been. Windows are held open by locks in the task database and by a proxy before the
//! broker, so that no test depends on timing.

use crate::closed_loop::source;
use crate::support::{Site, eventually, text};

const TASK_DATABASES: [&str; 2] = ["mysql", "postgres"];

async fn site_with_task(engine: &'static str, rows: u32) -> Site {
    let site = Site::new(engine).await;
    source(&site, rows).await;
    let params = r#"{"read_batch": 100, "worker_num": 2}"#;
    site.task(5, ("mysql", "source"), ("mysql", "target"), params).await;
    site
}

async fn count(site: &Site, sql: &str) -> i64 {
    site.ask_one(sql).await.parse().unwrap()
}

/// Sessions that wait for somebody's lock in the task database.
async fn is_blocked(site: &Site) -> bool {
    let sql = match site.task_engine {
        // Not innodb_trx: it is a cache that is not refreshed while somebody keeps reading it.
        "mysql" => format!(
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE db = '{}' AND info LIKE 'UPDATE %' AND time_ms > 200",
            site.id
        ),
        // The schema's name stands in the tables' lock entries.
        _ => format!(
            "SELECT count(*)::text FROM pg_stat_activity a WHERE wait_event_type = 'Lock' AND \
             EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE l.pid = a.pid AND n.nspname = '{}')",
            site.id
        ),
    };
    count(site, &sql).await > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_killed_before_its_commit_has_accepted_nothing() {
    for engine in TASK_DATABASES {
        let site = site_with_task(engine, 10).await;
        // Submitting writes the task's status last, and waits for this lock there.
        let lock = site.lock("SELECT id FROM task_def_sync_manager WHERE id = 5 FOR UPDATE").await;
        let mut submit = site.start("goshift-submit", &["5"]);
        eventually("submit waits", || is_blocked(&site)).await;
        submit.kill().unwrap();
        assert!(!submit.wait().unwrap().success());
        lock.release().await;
        eventually("its session ends", || async { !is_blocked(&site).await }).await;
        assert_eq!(count(&site, "SELECT COUNT(*) FROM goshift_run").await, 0, "{engine}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_killed_after_its_commit_is_found_in_the_ledger() {
    for engine in TASK_DATABASES {
        let mut site = site_with_task(engine, 10).await;
        let proxy = site.proxy_broker().await;
        proxy.freeze();
        let mut submit = site.start("goshift-submit", &["5"]);
        let committed = "SELECT COUNT(*) FROM goshift_run WHERE published_at IS NULL";
        eventually("the run is entered", || async { count(&site, committed).await == 1 }).await;
        submit.kill().unwrap();
        submit.wait().unwrap();
        site.direct_broker();
        site.drain();
        let run = site.ask_one("SELECT run_id FROM goshift_run").await;
        assert_eq!(site.path(&run).await, ["submitted", "running", "succeeded"], "{engine}");
        site.assert_equal(5);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_broker_loses_is_made_good_by_the_ledger() {
    for engine in TASK_DATABASES {
        let site = site_with_task(engine, 10).await;
        let run = site.submitted(&["5"]).remove(0);
        goshift::queue::rabbitmq::delete(&site.rabbit()).await.unwrap();
        let worker = site.worker("one", &[]);
        site.wait_for(&run, "succeeded").await;
        assert_eq!(site.path(&run).await, ["submitted", "running", "succeeded"], "{engine}");
        drop(worker);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_its_claim_leaves_the_message_to_another() {
    for engine in TASK_DATABASES {
        let site = site_with_task(engine, 10).await;
        let first = site.worker("first", &[]);
        eventually("it listens", || async { first.log().contains("consume") }).await;
        let run = {
            // The submission's own transaction must be through before the claim is held up.
            let run = site.submitted(&["--delay", "1s", "5"]).remove(0);
            let lock = format!("SELECT run_id FROM goshift_run WHERE run_id = '{run}' FOR UPDATE");
            let lock = site.lock(&lock).await;
            eventually("the claim waits", || is_blocked(&site)).await;
            first.kill();
            lock.release().await;
            run
        };
        let second = site.worker("second", &[]);
        site.wait_for(&run, "succeeded").await;
        assert_eq!(site.path(&run).await, ["submitted", "running", "succeeded"], "{engine}");
        let attempt = format!("SELECT attempt FROM goshift_run WHERE run_id = '{run}'");
        assert_eq!(count(&site, &attempt).await, 1);
        drop(second);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_claim_and_ack_is_replaced_once_its_lease_ends() {
    for engine in TASK_DATABASES {
        let mut site = site_with_task(engine, 10).await;
        let proxy = site.proxy_broker().await;
        let first = site.worker("first", &[]);
        eventually("it listens", || async { first.log().contains("consume") }).await;
        let run = site.submitted(&["--delay", "1s", "5"]).remove(0);
        let lock = format!("SELECT run_id FROM goshift_run WHERE run_id = '{run}' FOR UPDATE");
        let lock = site.lock(&lock).await;
        eventually("the claim waits", || is_blocked(&site)).await;
        // From here on the ack can't get through. The target is held up too, so that the run
        // can't be over before the kill.
        proxy.freeze();
        site.my("CREATE TABLE target (id int PRIMARY KEY, name varchar(40), amount decimal(12,2))")
            .await;
        let mut target = site.mysql.acquire().await.unwrap();
        let hold = "LOCK TABLES target READ, source READ";
        sqlx::Executor::execute(&mut *target, sqlx::raw_sql(hold)).await.unwrap();
        lock.release().await;
        site.wait_for(&run, "running").await;
        first.kill();
        sqlx::Executor::execute(&mut *target, sqlx::raw_sql("UNLOCK TABLES")).await.unwrap();
        drop(target);
        site.direct_broker();
        let second = site.worker("second", &[]);
        site.wait_for(&run, "succeeded").await;
        let path = site.path(&run).await;
        assert_eq!(path, ["submitted", "running", "running", "succeeded"], "{engine}");
        site.assert_equal(5);
        drop(second);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_committed_without_the_ledger_knowing_has_its_effect_once() {
    for engine in TASK_DATABASES {
        // Without a key in the target a repeated shard would double its rows.
        let site = Site::new(engine).await;
        source(&site, 3000).await;
        site.my("CREATE TABLE target (id int, name varchar(40), amount decimal(12,2)); \
             CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW SET @nap = SLEEP(0.001)")
            .await;
        let params = r#"{"read_batch": 100, "worker_num": 2}"#;
        site.task(5, ("mysql", "source"), ("mysql", "target"), params).await;
        let first = site.worker("first", &[]);
        let run = site.submitted(&["5"]).remove(0);
        let done = format!("SELECT rows_done FROM goshift_run WHERE run_id = '{run}'");
        eventually("it has begun", || async { count(&site, &done).await > 0 }).await;
        let lock = format!("SELECT run_id FROM goshift_run WHERE run_id = '{run}' FOR UPDATE");
        let lock = site.lock(&lock).await;
        let in_target = "SELECT COUNT(*) FROM target";
        eventually("shards commit that the ledger does not know", || async {
            let rows = site.rows("mysql", in_target).await[0][0].parse::<i64>().unwrap();
            rows > count(&site, &done).await
        })
        .await;
        first.kill();
        lock.release().await;
        let second = site.worker("second", &[]);
        site.wait_for(&run, "succeeded").await;
        assert_eq!(site.rows("mysql", in_target).await, [["3000"]], "{engine}");
        site.assert_equal(5);
        drop(second);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_whose_dead_letter_was_not_published_is_published_by_the_sweep() {
    for engine in TASK_DATABASES {
        let mut site = Site::new(engine).await;
        site.task(5, ("mysql", "no_such_table"), ("mysql", "target"), "").await;
        let proxy = site.proxy_broker().await;
        proxy.freeze();
        let first = site.worker("first", &[]);
        let mut submit = site.start("goshift-submit", &["5"]);
        let dead = "SELECT COUNT(*) FROM goshift_run WHERE state = 'failed' AND dead_letter = 1";
        eventually("the run fails", || async { count(&site, dead).await == 1 }).await;
        first.kill();
        submit.kill().unwrap();
        submit.wait().unwrap();
        site.direct_broker();
        let second = site.worker("second", &[]);
        eventually("the dead letter is published", || async { count(&site, dead).await == 0 })
            .await;
        let messages = goshift::queue::rabbitmq::list_dead(&site.rabbit(), 10).await.unwrap();
        assert_eq!(messages.len(), 1, "{engine}");
        assert!(messages[0].reason.contains("no_such_table"), "{}", messages[0].reason);
        drop(second);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_whose_message_was_not_published_is_found_in_the_ledger() {
    for engine in TASK_DATABASES {
        let mut site = site_with_task(engine, 10).await;
        // A source where nothing listens: the run is retried.
        let mut nowhere = site.connection("mysql");
        nowhere["port"] = 1.into();
        nowhere["connect_timeout"] = 1.into();
        let here = site.connection("mysql");
        site.configure(|config| {
            config["from"]["mysql"]["app_db"] = nowhere;
            config["to"] = serde_json::json!({"mysql": {"app_db": here}});
        });
        let proxy = site.proxy_broker().await;
        proxy.freeze();
        let first = site.worker("first", &[]);
        let mut submit = site.start("goshift-submit", &["5"]);
        let retrying = "SELECT COUNT(*) FROM goshift_run WHERE state = 'retrying'";
        eventually("it is retrying", || async { count(&site, retrying).await == 1 }).await;
        first.kill();
        submit.kill().unwrap();
        submit.wait().unwrap();
        let here = site.connection("mysql");
        site.configure(|config| config["from"]["mysql"]["app_db"] = here);
        site.direct_broker();
        let second = site.worker("second", &[]);
        let run = site.ask_one("SELECT run_id FROM goshift_run").await;
        site.wait_for(&run, "succeeded").await;
        site.assert_equal(5);
        drop(second);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rerun_killed_before_its_dead_letter_is_acknowledged_is_not_repeated() {
    for engine in TASK_DATABASES {
        let mut site = Site::new(engine).await;
        site.task(5, ("mysql", "no_such_table"), ("mysql", "target"), "").await;
        let run = site.submitted(&["5"]).remove(0);
        site.drain();
        assert_eq!(site.state(&run).await, "failed");
        let proxy = site.proxy_broker().await;
        proxy.freeze();
        let mut rerun = site.start("goshift-submit", &["--rerun-dead"]);
        let again = format!("SELECT COUNT(*) FROM goshift_run WHERE rerun_of = '{run}'");
        eventually("the new run is entered", || async { count(&site, &again).await == 1 }).await;
        rerun.kill().unwrap();
        rerun.wait().unwrap();
        site.direct_broker();
        let second = site.submit(&["--rerun-dead"]);
        assert!(second.status.success(), "{}", text(&second));
        assert_eq!(count(&site, &again).await, 1, "{engine}: absorbed by the unique key");
        let messages = goshift::queue::rabbitmq::list_dead(&site.rabbit(), 10).await.unwrap();
        assert!(messages.is_empty(), "{engine}: the dead letter is settled");
        site.remove().await;
    }
}
