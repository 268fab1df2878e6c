//! `purge-runs`.

use goshift::queue::rabbitmq::list_dead;

use super::{objects, said, site};
use crate::closed_loop::source;
use crate::support::Site;

const TABLES: [&str; 3] = ["goshift_run", "goshift_shard", "goshift_transition"];

/// Rows of a ledger's table that belong to a run.
async fn rows(site: &Site, table: &str, run: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE run_id = '{run}'");
    site.ask_one(&sql).await.parse().unwrap()
}

#[tokio::test]
async fn old_runs_are_deleted_whole_and_the_dead_wait_for_a_person() {
    for (engine, older) in [
        ("mysql", "TIMESTAMPADD(DAY, -40, finished_at)"),
        ("postgres", "finished_at - interval '40 days'"),
        ("sqlite", "strftime('%Y-%m-%d %H:%M:%f', finished_at, '-40 days')"),
    ] {
        let site = site(engine).await;
        source(&site, 100).await;
        site.task(1, ("mysql", "source"), ("mysql", "t1"), "").await;
        site.task(2, ("mysql", "no_such_table"), ("mysql", "t2"), "").await;
        let runs = site.submitted(&["1", "2"]);
        site.drain();
        site.tasks(&format!("UPDATE goshift_run SET finished_at = {older}")).await;
        // More shards than one transaction deletes.
        let shard = |number| format!("('{}', {number}, '{{}}', 'done')", runs[0]);
        let shards: Vec<_> = (10..12_000).map(shard).collect();
        site.tasks(&format!(
            "INSERT INTO goshift_shard (run_id, shard_no, key_range, state) VALUES {}",
            shards.join(", ")
        ))
        .await;
        let young = site.submitted(&["1"]).remove(0);
        site.drain();

        let purged = said(&site, &["purge-runs", "--older-than", "30d"]);
        assert!(purged.contains("1 run(s) deleted"), "{engine}: {purged}");
        assert!(purged.contains("1 dead run(s) stay"), "{engine}: {purged}");
        for table in TABLES {
            assert_eq!(rows(&site, table, &runs[0]).await, 0, "{engine} {table}");
            assert!(rows(&site, table, &young).await > 0, "{engine} {table}");
        }
        assert_eq!(objects(&site, &["dead"]).len(), 1, "{engine}");
        let all = ["purge-runs", "--older-than", "30d", "--with-dead"];
        assert_eq!(objects(&site, &all)[0]["runs"], 1, "{engine}");
        assert!(objects(&site, &["dead"]).is_empty(), "{engine}: no letter without its run");
        assert!(list_dead(&site.rabbit(), 10).await.unwrap().is_empty(), "{engine}");
        assert_eq!(objects(&site, &["runs"]).len(), 1, "{engine}");
        site.remove().await;
    }
}
