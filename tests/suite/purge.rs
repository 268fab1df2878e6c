//! While a run's shards are loaded, MariaDB does not clean up behind them; afterwards it does.

use crate::support::{Site, eventually};

/// Sessions that hold a snapshot and have written nothing. The server shows the same again to whoever
/// asks within a tenth of a second of the last question.
async fn snapshots(site: &Site) -> String {
    site.rows("mysql", "SELECT CAST(SLEEP(0.15) AS CHAR)").await;
    let query = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.innodb_trx t \
         JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
         WHERE p.db = DATABASE() AND p.command = 'Sleep' AND t.trx_rows_modified = 0 \
         AND t.trx_isolation_level = 'REPEATABLE READ'";
    site.rows("mysql", query).await.concat().concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_held_while_shards_are_loaded_and_no_longer() {
    let site = Site::new("mysql").await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, name varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_5000; \
         CREATE TABLE target LIKE source")
        .await;
    let params = r#"{"worker_num": 2, "read_batch": 1000}"#;
    site.task(5, ("mysql", "source"), ("mysql", "target"), params).await;
    let mut worker = site.worker("w1", &[]);
    // The run can't end before the last shard is let in.
    let lock = site.lock("INSERT INTO target VALUES (5000, 'in the way')").await;
    let run = site.submitted(&["5"]).concat();
    eventually("a snapshot", || async { snapshots(&site).await == "1" }).await;
    lock.release().await;
    site.wait_for(&run, "succeeded").await;
    eventually("no snapshot", || async { snapshots(&site).await == "0" }).await;
    assert!(worker.is_alive(), "{}", worker.log());
    assert!(!worker.log().contains("by statements"), "{}", worker.log());
    site.assert_equal(5);
    site.remove().await;
}
