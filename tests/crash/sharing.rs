//! Runs that several workers share: the death of one costs only the shards that it held.

use crate::scene::{Scene, died};
use crate::support::{Site, eventually};

/// Slow enough, and large enough, that others join.
async fn large(engine: &'static str) -> Scene {
    let scene = Scene::keyed(engine).await;
    match scene.target {
        "mysql" => {
            scene
                .site
                .my("CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW SET @nap = SLEEP(0.01)")
                .await;
        }
        _ => {
            scene
                .site
                .pg("CREATE FUNCTION nap() RETURNS trigger AS \
                     'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END' LANGUAGE plpgsql; \
                     CREATE TRIGGER slow BEFORE INSERT ON target \
                     FOR EACH ROW EXECUTE FUNCTION nap()")
                .await;
        }
    }
    let params = r#"{"read_batch": 25, "worker_num": 3}"#;
    scene
        .site
        .tasks(&format!("UPDATE task_def_sync_manager SET params = '{params}' WHERE id = 5"))
        .await;
    scene
}

async fn participants(site: &Site, state: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM goshift_participant WHERE state = '{state}'");
    site.ask_one(&sql).await.parse().unwrap()
}

/// How many workers' shards are in.
async fn hands(site: &Site) -> i64 {
    let sql = "SELECT COUNT(DISTINCT epoch) FROM goshift_shard WHERE state = 'done'";
    site.ask_one(sql).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_a_free_slot_share_a_large_run() {
    for engine in ["mysql", "postgres"] {
        let scene = large(engine).await;
        let workers: Vec<_> =
            ["a", "b", "c"].iter().map(|name| scene.site.worker(name, &[])).collect();
        let run = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&run, "succeeded").await;
        assert_eq!(scene.site.path(&run).await, ["submitted", "running", "succeeded"]);
        assert_eq!(hands(&scene.site).await, 3, "{engine}: all three had shards");
        scene.proven(&run).await;
        drop(workers);
        scene.site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_s_death_costs_only_the_shards_it_held() {
    for engine in ["mysql", "postgres"] {
        let scene = large(engine).await;
        let owner = scene.site.worker("owner", &[]);
        let run = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&run, "running").await;
        let doomed = scene.site.faulty_worker("doomed", &[], "shard.before_commit=kill@2");
        died(doomed).await;
        scene.site.wait_for(&run, "succeeded").await;
        assert_eq!(scene.site.path(&run).await, ["submitted", "running", "succeeded"], "{engine}");
        assert_eq!(participants(&scene.site, "lost").await, 1, "{engine}");
        scene.proven(&run).await;
        drop(owner);
        scene.site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_that_dies_as_it_joins_is_put_out() {
    for engine in ["mysql", "postgres"] {
        let scene = large(engine).await;
        let owner = scene.site.worker("owner", &[]);
        let run = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&run, "running").await;
        died(scene.site.faulty_worker("doomed", &[], "join.committed=kill")).await;
        scene.site.wait_for(&run, "succeeded").await;
        scene.proven(&run).await;
        drop(owner);
        scene.site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_s_death_leaves_the_participants_shards_alone() {
    for engine in ["mysql", "postgres"] {
        let scene = large(engine).await;
        let owner = scene.site.faulty_worker("owner", &[], "shard.before_commit=kill@12");
        let run = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&run, "running").await;
        let other = scene.site.worker("other", &[]);
        died(owner).await;
        scene.site.wait_for(&run, "succeeded").await;
        let path = ["submitted", "running", "running", "succeeded"];
        assert_eq!(scene.site.path(&run).await, path, "{engine}");
        scene.proven(&run).await;
        drop(other);
        scene.site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_participant_s_shard_is_done_by_another_and_does_not_land_twice() {
    for engine in ["mysql", "postgres"] {
        let mut scene = large(engine).await;
        let owner = scene.site.worker("owner", &[]);
        eventually("the owner listens", || async { owner.log().contains("consume") }).await;
        let run = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&run, "running").await;
        let (paused, ledger) = scene.sleeper("shard.fenced=stop@3").await;
        scene.oversleeps(&paused, &ledger).await;
        scene.site.wait_for(&run, "succeeded").await;
        assert_eq!(participants(&scene.site, "lost").await, 1, "{engine}");
        scene.site.my("UPDATE source SET name = CONCAT('newer ', id)").await;
        let again = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&again, "succeeded").await;
        scene.wakes(&paused, &ledger).await;
        let gave_up = || async { ["let go", "left: "].iter().any(|w| paused.log().contains(w)) };
        eventually("it gives up", gave_up).await;
        assert_eq!(scene.stale_rows().await, 0, "{engine}: stale rows landed");
        drop((paused, owner));
        scene.site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_run_is_cancelled_on_every_worker() {
    for engine in ["mysql", "postgres"] {
        let scene = large(engine).await;
        let workers: Vec<_> = ["a", "b"].iter().map(|name| scene.site.worker(name, &[])).collect();
        let run = scene.site.submitted(&["5"]).remove(0);
        eventually("both copy", || async { hands(&scene.site).await == 2 }).await;
        assert!(scene.site.goshift(&["cancel", &run]).status.success());
        scene.site.wait_for(&run, "cancelled").await;
        assert_eq!(participants(&scene.site, "active").await, 0, "{engine}");
        let status = "SELECT task_status FROM task_def_sync_manager WHERE id = 5";
        assert_eq!(scene.site.ask_one(status).await, "cancelled");
        // What nobody copies any more can be run again at once.
        let again = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&again, "succeeded").await;
        scene.proven(&again).await;
        drop(workers);
        scene.site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_owner_hands_a_shared_run_over_without_charging_an_attempt() {
    for engine in ["mysql", "postgres"] {
        let scene = large(engine).await;
        let mut owner = scene.site.worker("owner", &[]);
        let run = scene.site.submitted(&["5"]).remove(0);
        scene.site.wait_for(&run, "running").await;
        let other = scene.site.worker("other", &[]);
        eventually("both copy", || async { hands(&scene.site).await == 2 }).await;
        owner.signal("TERM");
        assert_eq!(owner.ended().await, Some(0), "{}", owner.log());
        scene.site.wait_for(&run, "succeeded").await;
        let attempt = format!("SELECT attempt, rescues FROM goshift_run WHERE run_id = '{run}'");
        assert_eq!(scene.site.ask(&attempt).await, [["1", "0"]], "{engine}");
        scene.proven(&run).await;
        drop(other);
        scene.site.remove().await;
    }
}
