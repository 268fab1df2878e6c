//! A run that adds its target's key and indexes at the end dies at every point on the way there.

use crate::scene::died;
use crate::support::Site;

const ROWS: i64 = 25_000;

/// The worker dies at this point; another goes on and ends the run.
async fn survives(point: &str) {
    survives_in("postgres", point).await;
    survives_in("mysql", point).await;
}

const PG_INDEXES: &str = "SELECT count(*)::text, count(*) FILTER (WHERE i.indisunique)::text, \
     (SELECT count(*)::text FROM target), \
     COALESCE(obj_description('target'::regclass, 'pg_class'), '') \
     FROM pg_index i WHERE i.indrelid = 'target'::regclass";
const MY_INDEXES: &str = "SELECT CAST(COUNT(*) AS CHAR), CAST(SUM(NON_UNIQUE = 0) AS CHAR), \
     (SELECT CAST(COUNT(*) AS CHAR) FROM target), \
     (SELECT TABLE_COMMENT FROM information_schema.tables \
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'target') \
     FROM information_schema.statistics WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'target'";

async fn survives_in(engine: &str, point: &str) {
    let site = Site::new("mysql").await;
    site.my(&format!(
        "CREATE TABLE source (id int PRIMARY KEY, name varchar(20), UNIQUE KEY u (name), \
         KEY i (name, id)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_{ROWS}; \
         ANALYZE TABLE source"
    ))
    .await;
    let params = r#"{"worker_num": 2, "read_batch": 1000, "indexes": "unique"}"#;
    site.task(5, ("mysql", "source"), (engine, "target"), params).await;
    let doomed = site.faulty_worker("doomed", &[], point);
    let run = site.submitted(&["5"]).remove(0);
    died(doomed).await;
    let sound = site.worker("sound", &[]);
    site.wait_for(&run, "succeeded").await;
    site.assert_equal(5);
    let indexes = if engine == "mysql" { MY_INDEXES } else { PG_INDEXES };
    // MySQL lists columns, not indexes.
    let listed = if engine == "mysql" { "4" } else { "3" };
    let wanted = [listed.to_owned(), "2".to_owned(), ROWS.to_string(), String::new()];
    assert_eq!(site.rows(engine, indexes).await, [wanted], "{engine}, {point}");
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
    survives_in("postgres", "key.before=kill").await;
    survives_in("postgres", "key.added=kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_around_its_indexes_gets_them() {
    survives("index.before=kill").await;
    survives("index.added=kill").await;
    survives_in("postgres", "index.before=kill@2").await;
}
