//! A snapshot ends with the process that took it: what a run says of itself when another goes on.

use crate::scene::{Scene, died, on_each};

async fn scene(engine: &'static str, mode: &str) -> Scene {
    let scene = Scene::keyed(engine).await;
    let params = format!(
        r#"{{"read_batch": 100, "worker_num": 2, "max_rows_per_second": 100000, "mode": "{mode}", "consistency": "snapshot"}}"#
    );
    scene.site.tasks(&format!("UPDATE task_def_sync_manager SET params = '{params}'")).await;
    scene
}

async fn recorded(scene: &Scene, run: &str) -> String {
    let asked = format!("SELECT consistency FROM goshift_run WHERE run_id = '{run}'");
    scene.site.ask_one(&asked).await
}

async fn ends(scene: &Scene, run: &str) {
    let worker = scene.site.worker("sound", &[]);
    scene.site.wait_for(run, "succeeded").await;
    drop(worker);
}

/// Rows of the target, and those of them that the source no longer has.
async fn rows(scene: &Scene) -> (String, String) {
    let count =
        |condition: &str| format!("SELECT CAST(COUNT(*) AS CHAR(9)) FROM target WHERE {condition}");
    let all = scene.site.rows(scene.target, &count("1 = 1")).await.remove(0).remove(0);
    let gone = scene.site.rows(scene.target, &count("id <= 100")).await.remove(0).remove(0);
    (all.trim().to_owned(), gone.trim().to_owned())
}

/// Rows of the first attempt that are gone from the source stay: so it is no snapshot any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_starts_over_among_earlier_rows_is_no_snapshot() {
    on_each(|engine| async move {
        let scene = scene(engine, "init").await;
        let doomed = scene.site.faulty_worker("doomed", &[], "shard.committed=kill@4");
        let run = scene.site.submitted(&["5"]).remove(0);
        died(doomed).await;
        assert_eq!(recorded(&scene, &run).await, "snapshot", "{engine}: rows of one moment");
        scene.site.my("DELETE FROM source WHERE id <= 100").await;
        // Killed again, before it has copied anything: what is known must not be forgotten.
        let doomed = scene.site.faulty_worker("doomed", &[], "shards.recorded=kill");
        died(doomed).await;
        ends(&scene, &run).await;
        assert_eq!(recorded(&scene, &run).await, "shard", "{engine}");
        assert_eq!(rows(&scene).await, ("1000".into(), "100".into()), "{engine}");
        let shown = crate::support::text(&scene.site.goshift(&["run", &run]));
        assert!(shown.contains("shard: rows of an attempt"), "{shown}");
        scene.site.remove().await;
    })
    .await;
}

/// Whoever dies before a row is in has left nothing of his moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_worker_died_before_its_first_shard_is_a_snapshot() {
    on_each(|engine| async move {
        let scene = scene(engine, "init").await;
        let run = scene.worker_dies_at("claim.committed").await;
        ends(&scene, &run).await;
        assert_eq!(recorded(&scene, &run).await, "snapshot", "{engine}");
        assert_eq!(rows(&scene).await.0, "1000", "{engine}");
        scene.site.remove().await;
    })
    .await;
}

/// A mirror compares and deletes: nothing of the earlier moment is left, and only then it says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_starts_over_is_a_snapshot_once_it_is_through() {
    on_each(|engine| async move {
        let scene = scene(engine, "mirror").await;
        let doomed = scene.site.faulty_worker("doomed", &[], "shard.committed=kill");
        let run = scene.site.submitted(&["5"]).remove(0);
        died(doomed).await;
        scene.site.my("DELETE FROM source WHERE id BETWEEN 1 AND 10").await;
        let doomed = scene.site.faulty_worker("doomed", &[], "shards.recorded=kill");
        died(doomed).await;
        assert_eq!(recorded(&scene, &run).await, "shard", "{engine}: not through yet");
        ends(&scene, &run).await;
        assert_eq!(recorded(&scene, &run).await, "snapshot", "{engine}");
        assert_eq!(rows(&scene).await, ("990".into(), "90".into()), "{engine}");
        scene.site.assert_equal(5);
        scene.site.remove().await;
    })
    .await;
}
