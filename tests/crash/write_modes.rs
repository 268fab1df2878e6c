//! Write modes that change or delete what the target had: wherever a worker dies, the end is the same.

use crate::scene::{ROWS, Scene, died, on_each, stopped};
use crate::support::eventually;

/// A target that has all rows with an old name; with `strays` it lacks some, and has some of its own.
async fn scene(engine: &'static str, mode: &str, keyless: bool, strays: bool) -> Scene {
    let scene = match keyless {
        true => Scene::keyless(engine).await,
        false => Scene::keyed(engine).await,
    };
    set_params(&scene, mode, "").await;
    let rows: Vec<_> = (1..=ROWS).map(|id| format!("({id}, 'old')")).collect();
    let insert = format!("INSERT INTO target VALUES {}", rows.join(","));
    scene.site.execute(scene.target, &insert).await;
    if strays {
        let insert = "INSERT INTO target VALUES (5001, 'stray'), (5002, 'stray'), (5003, 'stray')";
        scene.site.execute(scene.target, insert).await;
        scene.site.execute(scene.target, "DELETE FROM target WHERE id < 500").await;
    }
    scene
}

async fn set_params(scene: &Scene, mode: &str, more: &str) {
    let params = format!(r#"{{"read_batch": 100, "worker_num": 2, "write_mode": "{mode}"{more}}}"#);
    let set = format!("UPDATE task_def_sync_manager SET params = '{params}' WHERE id = 5");
    scene.site.tasks(&set).await;
}

/// It dies at this point, and another ends the run.
async fn survives(mode: &str, point: &str, keyless: bool) {
    on_each(|engine| async move {
        let scene = scene(engine, mode, keyless, matches!(mode, "truncate_insert" | "swap")).await;
        let run = scene.worker_dies_at(point).await;
        scene.ends_well(&run, &["submitted", "running", "running", "succeeded"]).await;
        assert_eq!(left_beside(&scene).await, "0", "{engine}, {point}");
        scene.site.remove().await;
    })
    .await;
}

/// Tables beside the target.
async fn left_beside(scene: &Scene) -> String {
    let id = &scene.site.id;
    let left = format!(
        "SELECT CAST(COUNT(*) AS CHAR(9)) FROM information_schema.tables \
         WHERE table_schema = '{id}' AND table_name LIKE 'target_goshift%'"
    );
    scene.site.rows(scene.target, &left).await.remove(0).remove(0).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_s_death_does_not_show() {
    for point in ["shard.before_commit", "shard.committed", "ledger.shards_done"] {
        survives("update", point, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacing_run_s_death_does_not_show() {
    for point in ["shard.before_commit", "shard.committed", "ledger.shards_done"] {
        survives("replace", point, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_around_emptying_its_target_ends_like_its_source() {
    for point in ["target.emptying", "target.emptied", "shards.recorded"] {
        survives("truncate_insert", point, false).await;
        survives("truncate_insert", point, true).await;
    }
}

/// Emptied again, the target would lack what the ledger knows to be in.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_among_its_shards_does_not_empty_its_target_again() {
    for point in
        ["shard.before_commit", "shard.committed", "ledger.shards_done", "finish.before_commit"]
    {
        survives("truncate_insert", point, false).await;
        survives("truncate_insert", point, true).await;
    }
}

/// Shards that begin again find an empty target again: the rows of the first were another choice.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_edited_in_the_middle_of_its_run_empties_again() {
    for keyless in [false, true] {
        on_each(|engine| async move {
            let scene = scene(engine, "truncate_insert", keyless, true).await;
            let run = scene.worker_dies_at("ledger.shards_done").await;
            set_params(&scene, "truncate_insert", r#", "where": "id > 700""#).await;
            let worker = scene.site.worker("sound", &[]);
            scene.site.wait_for(&run, "succeeded").await;
            drop(worker);
            let count = "SELECT CAST(COUNT(*) AS CHAR(9)), CAST(MIN(id) AS CHAR(9)) FROM target";
            let found = scene.site.rows(scene.target, count).await.remove(0);
            let found: Vec<_> = found.iter().map(|cell| cell.trim()).collect();
            assert_eq!(found, ["300", "701"], "{engine}, keyless: {keyless}");
            scene.site.remove().await;
        })
        .await;
    }
}

/// It is stopped with the target emptied and not committed. Another takes the run over, which ends
/// that transaction, and the task runs again; then the first wakes.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_owner_does_not_empty_what_others_have_filled() {
    for engine in ["mysql", "postgres"] {
        let scene = scene(engine, "truncate_insert", false, true).await;
        let site = &scene.site;
        let paused = site.faulty_worker("paused", &[], "target.emptying=stop");
        let run = site.submitted(&["5"]).remove(0);
        stopped(&paused).await;
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "succeeded").await;
        scene.proven(&run).await;
        paused.signal("CONT");
        eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
        scene.proven(&run).await;
        drop((paused, sound));
        scene.site.remove().await;
    }
}

/// The run is cancelled while its owner is paused, so that nobody takes it over: the next run's own
/// emptying ends that transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_owner_does_not_empty_what_the_next_run_has_filled() {
    for engine in ["mysql", "postgres"] {
        let scene = scene(engine, "truncate_insert", false, true).await;
        let site = &scene.site;
        let paused = site.faulty_worker("paused", &[], "target.emptying=stop");
        let run = site.submitted(&["5"]).remove(0);
        stopped(&paused).await;
        assert!(site.goshift(&["cancel", &run]).status.success());
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "cancelled").await;
        let again = site.submitted(&["5"]).remove(0);
        site.wait_for(&again, "succeeded").await;
        paused.signal("CONT");
        eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
        scene.proven(&again).await;
        drop((paused, sound));
        scene.site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapping_run_s_death_does_not_show() {
    for point in ["target.emptied", "shards.recorded", "shard.committed", "ledger.shards_done"] {
        survives("swap", point, false).await;
    }
    survives("swap", "shard.committed", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_around_its_swap_swaps_once() {
    for point in ["swap.fenced", "swap.renamed", "finish.before_commit"] {
        survives("swap", point, false).await;
        survives("swap", point, true).await;
    }
}

/// It is stopped before its swap is in. Another ends the run, the source changes and the task runs again;
/// then the first wakes.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_owner_does_not_swap_over_newer_rows() {
    for engine in ["mysql", "postgres"] {
        let scene = scene(engine, "swap", false, true).await;
        let site = &scene.site;
        let paused = site.faulty_worker("paused", &[], "swap.fenced=stop");
        let run = site.submitted(&["5"]).remove(0);
        stopped(&paused).await;
        let sound = site.worker("sound", &[]);
        site.wait_for(&run, "succeeded").await;
        site.my("UPDATE source SET name = CONCAT('newer ', id)").await;
        let again = site.submitted(&["5"]).remove(0);
        site.wait_for(&again, "succeeded").await;
        paused.signal("CONT");
        eventually("the paused worker lets go", || async { paused.log().contains("let go") }).await;
        assert_eq!(scene.stale_rows().await, 0, "{engine}: stale rows landed");
        scene.proven(&again).await;
        drop((paused, sound));
        scene.site.remove().await;
    }
}

/// Several workers copy shards of the run; only its owner empties, or swaps, and dies over it.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_run_empties_or_swaps_once() {
    for (mode, point) in
        [("truncate_insert", "shard.before_commit=kill@12"), ("swap", "swap.renamed=kill")]
    {
        for engine in ["mysql", "postgres"] {
            let scene = scene(engine, mode, false, true).await;
            let params = format!(
                r#"{{"read_batch": 25, "worker_num": 3, "max_rows_per_second": 100, "write_mode": "{mode}"}}"#
            );
            let set = format!("UPDATE task_def_sync_manager SET params = '{params}' WHERE id = 5");
            scene.site.tasks(&set).await;
            let owner = scene.site.faulty_worker("owner", &[], point);
            let run = scene.site.submitted(&["5"]).remove(0);
            scene.site.wait_for(&run, "running").await;
            let others = ["a", "b"].map(|name| scene.site.worker(name, &[]));
            died(owner).await;
            scene.site.wait_for(&run, "succeeded").await;
            let hands = "SELECT COUNT(DISTINCT epoch) FROM goshift_shard WHERE state = 'done'";
            let hands: i64 = scene.site.ask_one(hands).await.parse().unwrap();
            assert!(hands > 1, "{engine}, {mode}: {hands} workers had shards");
            scene.proven(&run).await;
            assert_eq!(left_beside(&scene).await, "0", "{engine}, {mode}");
            drop(others);
            scene.site.remove().await;
        }
    }
}
