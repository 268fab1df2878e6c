//! A target under pressure.

use std::process::Stdio;

use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::task::JoinSet;

use super::target_with;
use crate::closed_loop::source;
use crate::support::{Site, eventually};

const SLEEPERS: usize = 16;
const BOUND: usize = 12;

/// Sessions that are busy until a lock is released.
struct Load {
    sessions: JoinSet<()>,
    lock: Lock,
}

enum Lock {
    Mysql(sqlx::MySqlConnection),
    Postgres(sqlx::PgConnection),
}

impl Load {
    async fn mysql(site: &Site) -> Self {
        let take = format!("DO GET_LOCK('{}', 120)", site.id);
        let options = site.mysql.connect_options();
        let mut lock = options.connect().await.unwrap();
        lock.execute(AssertSqlSafe(take.clone())).await.unwrap();
        let mut sessions = JoinSet::new();
        for _ in 0..SLEEPERS {
            let (options, take) = (options.clone(), take.clone());
            sessions.spawn(async move {
                let mut session = options.connect().await.unwrap();
                session.execute(AssertSqlSafe(take)).await.unwrap();
                session.close().await.unwrap();
            });
        }
        Self { sessions, lock: Lock::Mysql(lock) }
    }

    async fn postgres(site: &Site) -> Self {
        let take = format!("SELECT pg_advisory_xact_lock(hashtext('{}'))", site.id);
        let options = site.postgres.connect_options();
        let mut lock = options.connect().await.unwrap();
        lock.execute("BEGIN").await.unwrap();
        lock.execute(AssertSqlSafe(take.clone())).await.unwrap();
        let mut sessions = JoinSet::new();
        for _ in 0..SLEEPERS {
            let (options, take) = (options.clone(), take.clone());
            sessions.spawn(async move {
                let mut session = options.connect().await.unwrap();
                session.execute(AssertSqlSafe(take)).await.unwrap();
                session.close().await.unwrap();
            });
        }
        Self { sessions, lock: Lock::Postgres(lock) }
    }

    async fn lift(mut self) {
        match self.lock {
            Lock::Mysql(lock) => lock.close().await.unwrap(),
            Lock::Postgres(lock) => lock.close().await.unwrap(),
        }
        while let Some(session) = self.sessions.join_next().await {
            session.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_held_back_while_the_target_is_busy_and_then_goes_on() {
    for (engine, bound, said) in [
        ("mysql", "max_threads_running", "Threads_running is"),
        ("postgres", "max_active_sessions", "sessions are active"),
    ] {
        let mut site = Site::new("mysql").await;
        target_with(&mut site, engine, json!({bound: BOUND}));
        source(&site, 100).await;
        site.task(5, ("mysql", "source"), (engine, "target"), "").await;
        let load = match engine {
            "mysql" => Load::mysql(&site).await,
            _ => Load::postgres(&site).await,
        };
        let busy = match engine {
            "mysql" => format!(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND info LIKE 'DO GET_LOCK%'",
                site.id
            ),
            _ => format!(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%hashtext(''{}'')%' AND pid <> pg_backend_pid()",
                site.id
            ),
        };
        eventually("the target is busy", || async {
            site.rows(engine, &busy).await[0][0].parse::<usize>().unwrap() >= SLEEPERS
        })
        .await;

        let log = site.folder.join("progress");
        let mut run = site.command("goshift", &["-id", "5"]);
        run.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let mut run = run.spawn().unwrap();
        let shown = || std::fs::read_to_string(&log).unwrap();
        eventually("the progress line says why", || async {
            shown().contains("held back: ") && shown().contains(said)
        })
        .await;
        let rows = site.rows(engine, "SELECT COUNT(*) FROM target").await;
        assert_eq!(rows, [["0"]], "no shard was begun");

        load.lift().await;
        eventually("the run goes on", || {
            let ended = run.try_wait().unwrap().is_some();
            async move { ended }
        })
        .await;
        assert!(run.wait().unwrap().success(), "{}", shown());
        site.assert_equal(5);
        site.remove().await;
    }
}

#[tokio::test]
async fn a_run_that_is_held_back_can_be_cancelled_and_a_worker_drains() {
    let mut site = Site::new("mysql").await;
    // The question itself is a running thread.
    target_with(&mut site, "mysql", json!({"max_threads_running": 0}));
    source(&site, 100).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let mut worker = site.worker("one", &[]);
    let run = site.submitted(&["5"]).remove(0);
    eventually("the log says why", || async {
        worker.log().contains("held back: Threads_running is")
    })
    .await;
    assert!(site.goshift(&["cancel", &run]).status.success());
    site.wait_for(&run, "cancelled").await;
    let run = site.submitted(&["5"]).remove(0);
    eventually("it is held back again", || async {
        worker.log().matches("held back: Threads_running is").count() >= 2
    })
    .await;
    worker.signal("TERM");
    assert_eq!(worker.ended().await, Some(0), "{}", worker.log());
    assert_eq!(site.state(&run).await, "retrying");
    site.remove().await;
}

#[tokio::test]
async fn a_target_that_cannot_say_how_it_is_is_no_reason_to_fail() {
    let mut site = Site::new("mysql").await;
    let port = site.connection("mysql")["port"].as_str().unwrap().to_owned();
    // This server is no replica.
    let entries = json!({"max_replay_lag": "5s", "replica": format!("127.0.0.1:{port}")});
    target_with(&mut site, "mysql", entries);
    source(&site, 100).await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let worker = site.worker("one", &[]);
    let run = site.submitted(&["5"]).remove(0);
    site.wait_for(&run, "succeeded").await;
    assert!(worker.log().contains("is not a replica"), "{}", worker.log());
    drop(worker);
    site.remove().await;
}
