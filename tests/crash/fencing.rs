//! A worker that was paused past its lease must not overwrite newer data. It is stopped at the
//! worst moment: after the last look at its lease, before it sends the shard's last rows and COMMIT.

use std::time::{Duration, Instant};

use crate::scene::{Scene, stopped};
use crate::support::{Worker, eventually};

/// Less than the 20 s after which the servers end a silent session by themselves.
const SOON: Duration = Duration::from_secs(15);

/// A worker is stopped at its third shard's COMMIT, another finishes the run, a source row changes
/// and the task runs again; then the first wakes up.
async fn stale_rows_do_not_land(scene: Scene) {
    let paused = scene.site.faulty_worker("paused", &[], "shard.fenced=stop@3");
    let run = scene.site.submitted(&["5"]).remove(0);
    stopped(&paused).await;
    let sound = newer_rows(&scene, &run).await;
    paused.signal("CONT");
    newer_rows_stay(scene, (paused, sound)).await;
}

/// As above, but when it wakes it believes in its lease: what keeps its rows out is the target.
async fn a_sleeper_s_rows_do_not_land(scene: Scene) {
    let mut scene = scene.single_file().await;
    let (paused, ledger) = scene.sleeper("shard.fenced=stop@8").await;
    let run = scene.site.submitted(&["5"]).remove(0);
    scene.oversleeps(&paused, &ledger).await;
    let sound = newer_rows(&scene, &run).await;
    scene.wakes(&paused, &ledger).await;
    newer_rows_stay(scene, (paused, sound)).await;
}

/// Another worker ends the run, and a second one with newer rows.
async fn newer_rows(scene: &Scene, run: &str) -> Worker {
    let site = &scene.site;
    let sound = site.worker("sound", &[]);
    site.wait_for(run, "succeeded").await;
    scene.proven(run).await;
    site.my("UPDATE source SET name = CONCAT('newer ', id)").await;
    let again = site.submitted(&["5"]).remove(0);
    site.wait_for(&again, "succeeded").await;
    scene.proven(&again).await;
    sound
}

async fn newer_rows_stay(scene: Scene, (paused, sound): (Worker, Worker)) {
    eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
    assert_eq!(scene.stale_rows().await, 0, "stale rows landed");
    scene.site.assert_equal(5);
    drop((paused, sound));
    scene.site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_worker_s_rows_do_not_land_in_postgres() {
    stale_rows_do_not_land(Scene::keyed("mysql").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_worker_s_rows_do_not_land_in_mysql() {
    stale_rows_do_not_land(Scene::keyed("postgres").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_worker_s_rows_do_not_land_in_postgres() {
    a_sleeper_s_rows_do_not_land(Scene::keyed("mysql").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_worker_s_rows_do_not_land_in_mysql() {
    a_sleeper_s_rows_do_not_land(Scene::keyed("postgres").await).await;
}

/// Without a key the same shard must not be there twice, and its marker must not be held for as
/// long as the paused worker sleeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_worker_does_not_hold_up_or_double_a_table_without_a_key() {
    for engine in ["mysql", "postgres"] {
        let scene = Scene::keyless(engine).await;
        let site = &scene.site;
        let paused = site.faulty_worker("paused", &[], "shard.before_commit=stop@3");
        let run = site.submitted(&["5"]).remove(0);
        stopped(&paused).await;
        let since = Instant::now();
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "succeeded").await;
        let waited = since.elapsed();
        assert!(waited < SOON, "{engine}: the marker was held for {waited:?}");
        paused.signal("CONT");
        eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
        scene.proven(&run).await;
        drop((paused, sound));
        scene.site.remove().await;
    }
}

/// The run is cancelled while its worker is paused, so that nobody writes that worker's shard
/// again; the task's next run must still not be overwritten.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_cancelled_run_left_behind_is_ended_before_the_task_runs_again() {
    for engine in ["mysql", "postgres"] {
        let mut scene = Scene::keyed(engine).await.single_file().await;
        let (paused, ledger) = scene.sleeper("shard.fenced=stop@8").await;
        let site = &scene.site;
        let run = site.submitted(&["5"]).remove(0);
        scene.oversleeps(&paused, &ledger).await;
        assert!(site.goshift(&["cancel", &run]).status.success());
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "cancelled").await;
        site.my("UPDATE source SET name = CONCAT('newer ', id)").await;
        let again = site.submitted(&["5"]).remove(0);
        site.wait_for(&again, "succeeded").await;
        scene.wakes(&paused, &ledger).await;
        eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
        assert_eq!(scene.stale_rows().await, 0, "{engine}: stale rows landed");
        scene.proven(&again).await;
        drop((paused, sound));
        scene.site.remove().await;
    }
}
