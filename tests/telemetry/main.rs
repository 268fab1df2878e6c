//! What real processes tell of themselves: traces to a real OTLP receiver, metrics, logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../suite/support/mod.rs"]
mod support;

mod away;
mod collector;
mod logs;
mod metrics;
mod traces;

use support::Site;

/// A table `source` of so many rows in the site's MySQL, and task 5 that copies it to PostgreSQL.
async fn task(site: &Site, rows: u32, params: &str) {
    site.my(&format!(
        "CREATE TABLE source (id int PRIMARY KEY, name varchar(40)); \
         INSERT INTO source SELECT seq, CONCAT('planted-value ', seq) FROM seq_1_to_{rows}"
    ))
    .await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), params).await;
}
