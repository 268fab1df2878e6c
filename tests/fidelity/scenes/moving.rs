//! Rows that change while they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::{Site, text};

const ROWS: &str = "20000";
/// Both columns change together, and each row grows: PostgreSQL moves it to another place.
const CHANGE: &str = "UPDATE source SET a = a + 1, b = b + 1, t = concat(t, 'x') WHERE id % 7 = ";

/// The rows of the target, how many differ in their key, and how many are torn.
const ACCOUNT: &str = "SELECT count(*)::text, count(DISTINCT id)::text, \
     sum((a <> b OR length(t) <> a)::int)::text FROM target";

pub async fn rows_that_change(mut site: Site, from: &'static str) {
    site.embedded();
    let numbers = match from {
        "mysql" => format!("SELECT seq, 0, 0, '' FROM seq_1_to_{ROWS}"),
        _ => format!("SELECT n, 0, 0, '' FROM generate_series(1, {ROWS}) n"),
    };
    let create = "CREATE TABLE source (id int PRIMARY KEY, a int, b int, t text)";
    site.execute(from, &format!("{create}; INSERT INTO source {numbers}")).await;
    let params = r#"{"read_batch": 500, "worker_num": 2}"#;
    site.task(5, (from, "source"), ("postgres", "target"), params).await;

    let site = Arc::new(site);
    let (stop, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let changing = {
        let (site, stop, changes) = (Arc::clone(&site), Arc::clone(&stop), Arc::clone(&changes));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let turn = changes.load(Ordering::Relaxed) % 7;
                site.execute(from, &format!("{CHANGE}{turn}")).await;
                changes.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let copying = Arc::clone(&site);
    let before = changes.load(Ordering::Relaxed);
    let run = tokio::task::spawn_blocking(move || copying.goshift(&["-id", "5"])).await.unwrap();
    assert!(changes.load(Ordering::Relaxed) > before, "nothing has changed meanwhile");
    stop.store(true, Ordering::Relaxed);
    changing.await.unwrap();
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(site.rows("postgres", ACCOUNT).await, [[ROWS, ROWS, "0"]]);

    let again = site.goshift(&["-id", "5"]);
    assert!(again.status.success(), "{}", text(&again));
    site.assert_equal(5);
    let Some(site) = Arc::into_inner(site) else { panic!("somebody still has the site") };
    site.remove().await;
}
