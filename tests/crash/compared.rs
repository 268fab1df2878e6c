//! Modes `diff` and `mirror`: whoever takes a run over ends it as if nothing had happened.

use crate::scene::{ROWS, Scene, died, on_each};
use crate::support::eventually;

/// A target that lacks rows, has others, and has some of its own; `mode` for task 5.
async fn scene(engine: &'static str, mode: &str) -> Scene {
    let scene = Scene::keyed(engine).await;
    let params = format!(
        r#"{{"read_batch": 100, "worker_num": 2, "mode": "{mode}", "max_delete": {{"rows": 30}}}}"#
    );
    scene.site.tasks(&format!("UPDATE task_def_sync_manager SET params = '{params}'")).await;
    let target = scene.target;
    let run = scene.site.submitted(&["5", "--mode", "init"]).remove(0);
    scene.site.drain();
    assert_eq!(scene.site.state(&run).await, "succeeded", "{engine}");
    for sql in [
        "DELETE FROM target WHERE id BETWEEN 101 AND 150",
        "UPDATE target SET name = 'other' WHERE id BETWEEN 501 AND 560",
        "INSERT INTO target SELECT id + 2000, name FROM target WHERE id <= 20",
    ] {
        scene.site.execute(target, sql).await;
    }
    scene
}

async fn ends_alike(scene: &Scene, run: &str) {
    let worker = scene.site.worker("sound", &[]);
    scene.site.wait_for(run, "succeeded").await;
    drop(worker);
    let others = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target WHERE id <= 2000 \
                  AND name = CONCAT('row ', id)";
    let equal = scene.site.rows(scene.target, others).await.remove(0).remove(0);
    assert_eq!(equal.trim(), ROWS.to_string(), "{}", scene.site.task_engine);
}

async fn extra(scene: &Scene) -> String {
    let extra = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target WHERE id > 2000";
    scene.site.rows(scene.target, extra).await.remove(0).remove(0).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_whose_worker_dies_is_ended_by_another() {
    on_each(|engine| async move {
        let scene = scene(engine, "diff").await;
        let run = scene.worker_dies_at("shard.before_commit").await;
        ends_alike(&scene, &run).await;
        assert_eq!(extra(&scene).await, "20", "{engine}: nothing is deleted unasked");
        let written = format!("SELECT rows_written FROM goshift_run WHERE run_id = '{run}'");
        assert_eq!(scene.site.ask_one(&written).await, "110", "{engine}: over both attempts");
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_whose_worker_dies_is_ended_by_another() {
    on_each(|engine| async move {
        let scene = scene(engine, "mirror").await;
        let run = scene.worker_dies_at("shard.committed").await;
        ends_alike(&scene, &run).await;
        assert_eq!(extra(&scene).await, "0", "{engine}");
        scene.site.assert_equal(5);
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_whose_worker_dies_after_its_deletions_is_ended_by_another() {
    on_each(|engine| async move {
        let scene = scene(engine, "mirror").await;
        let doomed = scene.site.faulty_worker("doomed", &[], "finish.before_commit=kill");
        let run = scene.site.submitted(&["5"]).remove(0);
        died(doomed).await;
        eventually("its rows are deleted", || async { extra(&scene).await == "0" }).await;
        ends_alike(&scene, &run).await;
        scene.site.assert_equal(5);
        scene.site.remove().await;
    })
    .await;
}
