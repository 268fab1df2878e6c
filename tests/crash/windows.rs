//! One test a row of the table in GUARANTEES.md: a process is killed in the window between two
//! steps, and the run ends as if it had not been.

use std::process::{Command, Stdio};

use goshift::event::{Event, Priority};
use goshift::queue::Publisher;
use goshift::queue::rabbitmq::{RabbitPublisher, delete, list_dead};

use crate::scene::{Scene, died, is_stopped, on_each, submit_dies_at};
use crate::support::{eventually, text};

const ONCE: [&str; 3] = ["submitted", "running", "succeeded"];
/// Of the tests' workers, in seconds.
const LEASE: f64 = 3.0;
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
        let run = scene.run().await;
        scene.ends_well(&run, &ONCE).await;
        // Had the sweep been first, the message would have come only now.
        let publisher = RabbitPublisher::connect(scene.site.rabbit(), "test").await.unwrap();
        let late = Event::wake(5, run.parse().unwrap(), Priority::Normal);
        publisher.publish(&late).await.unwrap();
        scene.site.drain();
        assert_eq!(scene.site.path(&run).await, ONCE, "{engine}: what is over stays over");
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
        let mut scene = Scene::keyed(engine).await;
        // The sweep would find the run too: here only the broker has it.
        scene.site.configure(|config| config["worker"]["stale_after"] = "10m".into());
        let run = scene.worker_dies_at("delivery.received").await;
        scene.ends_well(&run, &ONCE).await;
        let attempt = format!("SELECT attempt FROM goshift_run WHERE run_id = '{run}'");
        assert_eq!(scene.site.ask_one(&attempt).await, "1", "{engine}");
        scene.site.remove().await;
    })
    .await;
}

/// Of a time of day, as in `2026-11-23 08:09:10.5+00`.
fn seconds(at: &str) -> f64 {
    let clock = at.rsplit([' ', 'T']).next().unwrap();
    let parts = clock.split(['+', 'Z']).next().unwrap().split(':');
    parts.fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

/// Killed in the middle: another worker takes over when the lease has ended, without charging an
/// attempt.
async fn taken_over(engine: &'static str, point: &str, keyless: bool) {
    let scene = match keyless {
        true => Scene::keyless(engine).await,
        false => Scene::keyed(engine).await,
    };
    let run = scene.worker_dies_at(point).await;
    let shards_in =
        "SELECT shard_no FROM goshift_shard WHERE epoch = 1 AND state = 'done' ORDER BY 1";
    let before = scene.site.ask(shards_in).await;
    assert_eq!(before.is_empty(), point != "ledger.shards_done" && point != "finish.before_commit");
    scene.ends_well(&run, &TAKEN_OVER).await;
    assert_eq!(scene.site.ask(shards_in).await, before, "{engine}: what was in is not done again");
    let at = "SELECT at FROM goshift_transition WHERE to_state = 'running' ORDER BY id";
    let at: Vec<f64> = scene.site.ask(at).await.iter().map(|row| seconds(&row[0])).collect();
    let waited = (at[1] - at[0]).rem_euclid(24.0 * 3600.0);
    assert!(waited > LEASE - 0.5, "{engine}: taken over after {waited} s, within the lease");
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
        // Nobody wakes it at the first one's end, and its own message is gone.
        delete(&scene.site.rabbit()).await.unwrap();
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

/// The dead letter is there, so many times, and the ledger knows that the broker has it.
async fn dead_letter_is_kept(scene: &Scene, run: &str, copies: usize) {
    let worker = scene.site.worker("sound", &[]);
    let published =
        format!("SELECT COUNT(*) FROM goshift_run WHERE run_id = '{run}' AND dead_letter = 2");
    eventually("the dead letter is published", || async {
        scene.site.ask_one(&published).await == "1"
    })
    .await;
    let messages = list_dead(&scene.site.rabbit(), 10).await.unwrap();
    assert_eq!(messages.len(), copies);
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
        dead_letter_is_kept(&scene, &run, 1).await;
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_was_published_twice_is_rerun_once() {
    on_each(|engine| async move {
        let scene = without_a_source(engine).await;
        let run = scene.worker_dies_at("dead.published").await;
        dead_letter_is_kept(&scene, &run, 2).await;
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
        assert_eq!(scene.site.ask_one(&again).await, "1", "{engine}: noted as rerun");
        let left = list_dead(&scene.site.rabbit(), 10).await.unwrap();
        assert!(left.is_empty(), "{engine}: the dead letter is settled");
        scene.site.remove().await;
    })
    .await;
}

/// Two people rerun the same two dead runs. One of them is held up after the first; meanwhile the
/// other has entered both, and they have ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_run_that_two_people_rerun_is_rerun_once() {
    on_each(|engine| async move {
        let scene = without_a_source(engine).await;
        let site = &scene.site;
        site.task(6, ("mysql", "source"), (scene.target, "other"), "").await;
        let dead = site.submitted(&["5", "6"]);
        site.drain();
        site.my("CREATE TABLE source (id int PRIMARY KEY, name varchar(40))").await;
        let mut first = site.command("goshift-submit", &["--rerun-dead"]);
        let log = site.folder.join("first.log");
        first.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let mut first = first.env("GOSHIFT_FAULT", "rerun.entered=stop").spawn().unwrap();
        eventually("it stops behind the first", || async { is_stopped(first.id()) }).await;
        site.submitted(&["--rerun-dead"]);
        site.drain();
        let reruns = "SELECT COUNT(*) FROM goshift_run WHERE rerun_of IS NOT NULL";
        let ended = format!("{reruns} AND state = 'succeeded'");
        assert_eq!(site.ask_one(&ended).await, "2", "{engine}");
        let resumed = Command::new("kill").args(["-CONT", &first.id().to_string()]).status();
        assert!(resumed.unwrap().success());
        assert!(first.wait().unwrap().success(), "{}", std::fs::read_to_string(&log).unwrap());
        assert_eq!(site.ask_one(reruns).await, "2", "{engine}: of {dead:?}, each once");
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
