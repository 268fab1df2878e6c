//! Rows that are left out: once in the ledger each, wherever a worker dies.

use crate::scene::{ROWS, Scene, on_each};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_left_out_once_wherever_the_worker_dies() {
    for point in ["shard.before_commit", "shard.committed", "ledger.shards_done"] {
        on_each(|engine| async move {
            let scene = Scene::keyed(engine).await;
            let params = r#"{"read_batch": 100, "worker_num": 2, "max_errors": 4}"#;
            let tasks = format!("UPDATE task_def_sync_manager SET params = '{params}'");
            scene.site.tasks(&tasks).await;
            let strict = "ALTER TABLE target ADD CHECK (id NOT IN (3, 250, 251, 777))";
            scene.site.execute(scene.target, strict).await;
            let run = scene.worker_dies_at(point).await;
            let worker = scene.site.worker("sound", &[]);
            scene.site.wait_for(&run, "succeeded").await;
            drop(worker);
            let count = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target";
            let rows = scene.site.rows(scene.target, count).await.remove(0).remove(0);
            assert_eq!(rows.trim(), (ROWS - 4).to_string(), "{engine}, {point}");
            let kept = "SELECT COUNT(*) FROM goshift_rejected";
            assert_eq!(scene.site.ask_one(kept).await, "4", "{engine}, {point}");
            let distinct = "SELECT COUNT(DISTINCT row_key) FROM goshift_rejected";
            assert_eq!(scene.site.ask_one(distinct).await, "4", "{engine}, {point}");
            scene.site.remove().await;
        })
        .await;
    }
}
