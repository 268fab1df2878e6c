//! One test a row of the table in GUARANTEES.md: a process is killed in the window between two
//! steps, and the run ends as if it had not been.

use goshift::queue::rabbitmq::{delete, list_dead};

use crate::scene::{Scene, died, on_each, submit_dies_at};
use crate::support::{eventually, text};

const ONCE: [&str; 3] = ["submitted", "running", "succeeded"];
const TAKEN_OVER: [&str; 4] = ["submitted", "running", "running", "succeeded"];

#[tokio::test(flavor = "multi_thread")]
async fn submit_killed_before_its_commit_has_accepted_nothing() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        submit_dies_at(&scene.site, "submit.before_commit", &["5"]);
        let runs = scene.site.ask_one("SELECT COUNT(*) FROM goshift_run").await;
        assert_eq!(runs, "0", "{engine}");
        let status = "SELECT COUNT(*) FROM task_def_sync_manager WHERE task_status = 'submitted'";
        assert_eq!(scene.site.ask_one(status).await, "0", "{engine}");
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_killed_after_its_commit_is_found_in_the_ledger() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        submit_dies_at(&scene.site, "submit.committed", &["5"]);
        scene.ends_well(&scene.run().await, &ONCE).await;
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_killed_after_the_confirm_runs_once() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        submit_dies_at(&scene.site, "submit.published", &["5"]);
        scene.ends_well(&scene.run().await, &ONCE).await;
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_broker_loses_is_made_good_by_the_ledger() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        let run = scene.site.submitted(&["5"]).remove(0);
        delete(&scene.site.rabbit()).await.unwrap();
        scene.ends_well(&run, &ONCE).await;
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_its_claim_leaves_the_message_to_another() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        let run = scene.worker_dies_at("delivery.received").await;
        scene.ends_well(&run, &ONCE).await;
        let attempt = format!("SELECT attempt FROM goshift_run WHERE run_id = '{run}'");
        assert_eq!(scene.site.ask_one(&attempt).await, "1", "{engine}");
        scene.site.remove().await;
    })
    .await;
}

/// Killed in the middle: another worker takes over when the lease has ended, without charging an
/// attempt.
async fn taken_over(engine: &'static str, point: &str, keyless: bool) {
    let scene = match keyless {
        true => Scene::keyless(engine).await,
        false => Scene::keyed(engine).await,
    };
    let run = scene.worker_dies_at(point).await;
    scene.ends_well(&run, &TAKEN_OVER).await;
    let attempt = format!("SELECT attempt FROM goshift_run WHERE run_id = '{run}'");
    assert_eq!(scene.site.ask_one(&attempt).await, "1", "{engine}: a crash is no attempt");
    scene.site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_claim_and_ack_is_replaced_once_its_lease_ends() {
    on_each(|engine| taken_over(engine, "claim.committed", false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_its_ack_is_replaced_once_its_lease_ends() {
    on_each(|engine| taken_over(engine, "delivery.acknowledged", false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_recording_shards_is_replaced() {
    on_each(|engine| taken_over(engine, "shards.recorded", false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_killed_before_its_commit_is_rolled_back_and_done_again() {
    on_each(|engine| taken_over(engine, "shard.before_commit", true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_committed_without_the_ledger_knowing_is_repeated_harmlessly() {
    on_each(|engine| taken_over(engine, "shard.committed", false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_committed_without_the_ledger_knowing_has_its_effect_once_without_a_key() {
    on_each(|engine| taken_over(engine, "shard.committed", true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_noting_shards_is_replaced_and_they_are_not_done_again() {
    on_each(|engine| taken_over(engine, "ledger.shards_done", true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_it_ends_its_run_is_replaced_and_one_ends_it() {
    on_each(|engine| taken_over(engine, "finish.before_commit", false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_ending_its_run_leaves_the_task_s_next_one_to_the_sweep() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        let first = scene.site.submitted(&["5"]).remove(0);
        let doomed = scene.site.faulty_worker("doomed", &[], "finish.committed=kill");
        died(doomed).await;
        assert_eq!(scene.site.path(&first).await, ONCE, "{engine}");
        let next = scene.site.submitted(&["5"]).remove(0);
        assert_ne!(first, next);
        scene.ends_well(&next, &ONCE).await;
        assert_eq!(scene.site.path(&first).await, ONCE, "{engine}: ended once");
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_whose_message_was_not_published_is_found_in_the_ledger() {
    on_each(|engine| async move {
        let mut scene = Scene::keyed(engine).await;
        let here = scene.site.connection("mysql");
        let mut nowhere = here.clone();
        nowhere["port"] = 1.into();
        nowhere["connect_timeout"] = 1.into();
        let target = scene.site.connection(scene.target);
        let engine_name = scene.target;
        scene.site.configure(|config| {
            config["from"]["mysql"]["app_db"] = nowhere;
            config["to"] = serde_json::json!({engine_name: {"app_db": target}});
        });
        let run = scene.worker_dies_at("retry.before_publish").await;
        assert_eq!(scene.site.state(&run).await, "retrying", "{engine}");
        scene.site.configure(|config| config["from"]["mysql"]["app_db"] = here);
        let path = ["submitted", "running", "retrying", "running", "succeeded"];
        scene.ends_well(&run, &path).await;
        scene.site.remove().await;
    })
    .await;
}

/// A task that fails for good.
async fn without_a_source(engine: &'static str) -> Scene {
    let scene = Scene::keyed(engine).await;
    scene.site.my("DROP TABLE source").await;
    scene
}

/// The dead letter is there, once at least, and the ledger knows that the broker has it.
async fn dead_letter_is_kept(scene: &Scene, run: &str) {
    let worker = scene.site.worker("sound", &[]);
    let published =
        format!("SELECT COUNT(*) FROM goshift_run WHERE run_id = '{run}' AND dead_letter = 2");
    eventually("the dead letter is published", || async {
        scene.site.ask_one(&published).await == "1"
    })
    .await;
    let messages = list_dead(&scene.site.rabbit(), 10).await.unwrap();
    assert!(!messages.is_empty());
    for message in &messages {
        assert_eq!(message.run_id.map(|id| id.to_string()).as_deref(), Some(run));
        assert!(message.reason.contains("source"), "{}", message.reason);
        assert!(message.remedy.is_some());
    }
    assert_eq!(scene.site.path(run).await, ["submitted", "running", "failed"]);
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_whose_dead_letter_was_not_published_is_published_by_the_sweep() {
    on_each(|engine| async move {
        let scene = without_a_source(engine).await;
        let run = scene.worker_dies_at("dead.before_publish").await;
        dead_letter_is_kept(&scene, &run).await;
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_was_published_twice_is_rerun_once() {
    on_each(|engine| async move {
        let scene = without_a_source(engine).await;
        let run = scene.worker_dies_at("dead.published").await;
        dead_letter_is_kept(&scene, &run).await;
        scene.site.submitted(&["--rerun-dead"]);
        let again = format!("SELECT COUNT(*) FROM goshift_run WHERE rerun_of = '{run}'");
        assert_eq!(scene.site.ask_one(&again).await, "1", "{engine}");
        let left = list_dead(&scene.site.rabbit(), 10).await.unwrap();
        assert!(left.is_empty(), "{engine}: every copy is settled");
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rerun_killed_before_its_dead_letter_is_acknowledged_is_not_repeated() {
    on_each(|engine| async move {
        let scene = without_a_source(engine).await;
        let run = scene.site.submitted(&["5"]).remove(0);
        scene.site.drain();
        assert_eq!(scene.site.state(&run).await, "failed");
        submit_dies_at(&scene.site, "rerun.entered", &["--rerun-dead"]);
        let again = format!("SELECT COUNT(*) FROM goshift_run WHERE rerun_of = '{run}'");
        assert_eq!(scene.site.ask_one(&again).await, "1", "{engine}: the new run is entered");
        let second = scene.site.submit(&["--rerun-dead"]);
        assert!(second.status.success(), "{}", text(&second));
        assert_eq!(scene.site.ask_one(&again).await, "1", "{engine}: absorbed by the unique key");
        let left = list_dead(&scene.site.rabbit(), 10).await.unwrap();
        assert!(left.is_empty(), "{engine}: the dead letter is settled");
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_every_worker_is_failed_so_that_the_fleet_survives() {
    on_each(|engine| async move {
        let mut scene = Scene::keyed(engine).await;
        scene.site.configure(|config| config["worker"]["max_rescues"] = 1.into());
        let run = scene.worker_dies_at("shards.recorded").await;
        let path = || scene.site.path(&run);
        died(scene.site.faulty_worker("second", &[], "claim.committed=kill")).await;
        let sound = scene.site.worker("sound", &[]);
        scene.site.wait_for(&run, "failed").await;
        assert_eq!(path().await, ["submitted", "running", "running", "running", "failed"]);
        let reason = format!("SELECT reason FROM goshift_run WHERE run_id = '{run}'");
        assert!(scene.site.ask_one(&reason).await.contains("its worker died 2 times"));
        drop(sound);
        scene.site.remove().await;
    })
    .await;
}
