//! Connections that outlive a run.

use crate::support::proxy::Proxy;
use crate::support::{Site, eventually};

/// A site whose data in this engine is reached through a proxy, with task 5 in it.
async fn behind_proxy(engine: &str) -> (Site, Proxy) {
    let mut site = Site::new("sqlite").await;
    let mut connection = site.connection(engine);
    let part = |key: &str| connection[key].as_str().unwrap().to_owned();
    let proxy = Proxy::start(format!("{}:{}", part("host"), part("port"))).await;
    connection["port"] = proxy.port.into();
    site.configure(|config| {
        config["from"][engine]["app_db"] = connection;
        // A busy machine must not make a run look abandoned: that is not what is tested here.
        config["worker"]["lease"] = "60s".into();
    });
    site.execute(
        engine,
        "CREATE TABLE source (id int PRIMARY KEY, name varchar(40)); \
         INSERT INTO source VALUES (1, 'one'), (2, 'two'), (3, NULL)",
    )
    .await;
    site.task(5, (engine, "source"), (engine, "target"), "").await;
    (site, proxy)
}

/// Runs task 5 once and says whether it took new connections.
async fn run_once(site: &Site, proxy: &Proxy) -> bool {
    let before = proxy.accepted();
    let run = site.submitted(&["5"]).remove(0);
    site.wait_for(&run, "succeeded").await;
    let attempts = format!("SELECT attempt FROM goshift_run WHERE run_id = '{run}'");
    assert_eq!(site.ask_one(&attempts).await, "1", "{:?}", site.path(&run).await);
    proxy.accepted() > before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_over_the_connections_of_the_one_before_unless_they_are_dead() {
    for engine in ["mysql", "postgres"] {
        let (site, proxy) = behind_proxy(engine).await;
        let worker = site.worker("one", &[]);
        assert!(run_once(&site, &proxy).await, "{engine}: the first run has to connect");
        // A run's connections are handed on in the background.
        eventually("a run needs no new connection", || async { !run_once(&site, &proxy).await })
            .await;
        // As when the server is restarted: every connection dies between two runs.
        proxy.cut();
        proxy.restore();
        assert!(run_once(&site, &proxy).await, "{engine}: it connects again, at the first attempt");
        site.assert_equal(5);
        drop(worker);
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_run_leaves_behind_harms_no_other() {
    for engine in ["mysql", "postgres"] {
        let (site, proxy) = behind_proxy(engine).await;
        site.execute(engine, "CREATE TABLE narrow (id int PRIMARY KEY, name varchar(2))").await;
        site.task(6, (engine, "source"), (engine, "narrow"), "").await;
        let worker = site.worker("one", &["--concurrency", "1"]);
        for _ in 0..3 {
            run_once(&site, &proxy).await;
            let failing = site.submitted(&["6"]).remove(0);
            site.wait_for(&failing, "failed").await;
        }
        let rows = site.rows(engine, "SELECT name FROM narrow").await;
        assert!(rows.is_empty(), "{engine}: {rows:?}");
        site.assert_equal(5);
        drop(worker);
        site.remove().await;
    }
}
