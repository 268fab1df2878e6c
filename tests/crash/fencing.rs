//! A worker that was paused past its lease must not overwrite newer data. It is stopped at the
//! worst moment: after the last look at its lease, before it sends the shard's last rows and COMMIT.

use crate::scene::{ROWS, Scene, stopped};
use crate::support::eventually;

/// A worker is stopped at its third shard's COMMIT, another finishes the run, a source row changes
/// and the task runs again; then the first wakes up.
async fn stale_rows_do_not_land(scene: Scene) {
    let site = &scene.site;
    let paused = site.faulty_worker("paused", &[], "shard.fenced=stop@3");
    let run = site.submitted(&["5"]).remove(0);
    stopped(&paused).await;
    let sound = site.worker("sound", &[]);
    site.wait_for(&run, "succeeded").await;
    scene.proven(&run).await;
    site.my("UPDATE source SET name = CONCAT('newer ', id)").await;
    let again = site.submitted(&["5"]).remove(0);
    site.wait_for(&again, "succeeded").await;
    paused.signal("CONT");
    eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
    let old = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target WHERE name NOT LIKE 'newer %'";
    let old = site.rows(scene.target, old).await.remove(0).remove(0);
    assert_eq!(old.trim(), "0", "stale rows landed");
    scene.proven(&again).await;
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
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "succeeded").await;
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
        let scene = Scene::keyed(engine).await;
        let site = &scene.site;
        let paused = site.faulty_worker("paused", &[], "shard.fenced=stop@1");
        let run = site.submitted(&["5"]).remove(0);
        stopped(&paused).await;
        assert!(site.goshift(&["cancel", &run]).status.success());
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "cancelled").await;
        site.my("UPDATE source SET name = CONCAT('newer ', id)").await;
        let again = site.submitted(&["5"]).remove(0);
        site.wait_for(&again, "succeeded").await;
        paused.signal("CONT");
        eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
        let newer = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target WHERE name LIKE 'newer %'";
        let newer = site.rows(scene.target, newer).await.remove(0).remove(0);
        assert_eq!(newer.trim(), ROWS.to_string());
        scene.proven(&again).await;
        drop((paused, sound));
        scene.site.remove().await;
    }
}
