//! A run that adds its target's key at the end dies at every point on the way there.

use crate::scene::died;
use crate::support::Site;

const ROWS: i64 = 25_000;

/// The worker dies at this point; another goes on and ends the run.
async fn survives(point: &str) {
    let site = Site::new("mysql").await;
    site.my(&format!(
        "CREATE TABLE source (id int PRIMARY KEY, name varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_{ROWS}; \
         ANALYZE TABLE source"
    ))
    .await;
    let params = r#"{"worker_num": 2, "read_batch": 1000}"#;
    site.task(5, ("mysql", "source"), ("postgres", "target"), params).await;
    let doomed = site.faulty_worker("doomed", &[], point);
    let run = site.submitted(&["5"]).remove(0);
    died(doomed).await;
    let sound = site.worker("sound", &[]);
    site.wait_for(&run, "succeeded").await;
    site.assert_equal(5);
    let key = "SELECT (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' \
               AND conrelid = 'target'::regclass), count(*)::text FROM target";
    assert_eq!(
        site.rows("postgres", key).await,
        [["PRIMARY KEY (id)".to_owned(), ROWS.to_string()]],
        "{point}"
    );
    drop(sound);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_among_its_shards_gets_its_key() {
    survives("shard.before_commit=kill@6").await;
    survives("shard.committed=kill@6").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_around_its_key_gets_it() {
    survives("key.before=kill").await;
    survives("key.added=kill").await;
}
