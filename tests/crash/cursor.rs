//! Mode `cursor`: whoever takes a run over reads what it was begun for, and what has changed
//! meanwhile is left to the next.

use crate::scene::{Scene, on_each};

const PARAMS: &str = r#"{"read_batch": 100, "worker_num": 2, "mode": "cursor", "diff_column": "changed", "cursor": {"overlap": 0}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_s_run_keeps_its_window_through_a_death() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        let site = &scene.site;
        let add = "ADD COLUMN changed bigint";
        site.my(&format!("ALTER TABLE source {add}; UPDATE source SET changed = id")).await;
        site.execute(scene.target, &format!("ALTER TABLE target {add}")).await;
        site.tasks(&format!("UPDATE task_def_sync_manager SET params = '{PARAMS}'")).await;
        let first = site.submitted(&["5"]).remove(0);
        site.drain();
        assert_eq!(site.state(&first).await, "succeeded", "{engine}");
        site.my("UPDATE source SET changed = changed + 1000, name = CONCAT('newer ', id)").await;
        let run = scene.worker_dies_at("shard.committed").await;
        site.my("UPDATE source SET changed = changed + 5000 WHERE id <= 10").await;

        let worker = site.worker("sound", &[]);
        site.wait_for(&run, "succeeded").await;
        let mark = format!("SELECT mark FROM goshift_cursor WHERE run_id = '{run}'");
        assert!(site.ask_one(&mark).await.contains("2000"), "{engine}: the window of its start");
        let others =
            "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target WHERE id > 10 AND changed <= 1000";
        assert_eq!(site.rows(scene.target, others).await[0][0].trim(), "0", "{engine}");
        let next = site.submitted(&["5"]).remove(0);
        site.wait_for(&next, "succeeded").await;
        let rows = format!("SELECT rows_done FROM goshift_run WHERE run_id = '{next}'");
        assert_eq!(site.ask_one(&rows).await, "11", "{engine}: the ten, and the watermark's own");
        site.assert_equal(5);
        drop(worker);
        scene.site.remove().await;
    })
    .await;
}
