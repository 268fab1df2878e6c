//! Runs over HTTP.

use goshift::queue::rabbitmq::list_dead;
use serde_json::{Value, json};

use crate::client::{SUBMIT, Served, on_each};
use crate::support::eventually;

/// A server with task 5, which copies 3,000 rows, and task 6, which fails at once.
async fn served(engine: &'static str) -> Served {
    let served = Served::new(engine).await;
    let site = &served.site;
    site.my("CREATE TABLE source (id int PRIMARY KEY, t varchar(20)); \
         INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_3000")
        .await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), r#"{"read_batch": 500}"#).await;
    site.task(6, ("mysql", "nowhere"), ("postgres", "target"), "").await;
    served
}

fn id(run: &Value) -> String {
    run["run_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_submitted_followed_and_shown() {
    on_each(|engine| async move {
        let served = served(engine).await;
        let bearer = format!("Bearer {SUBMIT}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "night 1")];
        let body = json!({"task_id": 5, "params": {"worker_num": 2}, "submitted_by": "airflow"});
        let submit = || served.ask("POST", "/api/v1/runs", Some(&body.to_string()), &headers);
        let first = submit().expect(202);
        let again = submit().expect(202);
        assert_eq!((id(&first), &again["new"]), (id(&again), &json!(false)), "{engine}");
        let run = id(&first);
        let waiting = served.get(&format!("/api/v1/runs/{run}")).expect(200);
        assert_eq!(
            (&waiting["state"], &waiting["submitted_by"]),
            (&"submitted".into(), &"airflow".into())
        );

        let worker = served.site.worker("w", &[]);
        let events = served.events(&run);
        let last = events.last().unwrap();
        assert_eq!(
            (&last["state"], &last["rows_done"]),
            (&"succeeded".into(), &3000.into()),
            "{engine}"
        );
        assert_eq!(served.events(&run).len(), 1, "{engine}: whoever comes late hears the end");
        let shown = served.get(&format!("/api/v1/runs/{run}")).expect(200);
        let path: Vec<_> =
            shown["transitions"].as_array().unwrap().iter().map(|t| &t["to_state"]).collect();
        assert_eq!(path, ["submitted", "running", "succeeded"], "{engine}");
        assert_eq!(shown["shards"][0]["shards"], shown["shards_total"], "{engine}");
        assert_eq!(shown["rows_written"], 3000, "{engine}");
        let shards = served.get(&format!("/api/v1/runs/{run}/shards?limit=2")).expect(200);
        assert_eq!(shards["items"].as_array().unwrap().len(), 2, "{engine}");
        let rest = format!("/api/v1/runs/{run}/shards?after={}", shards["next"].as_str().unwrap());
        assert_eq!(served.get(&rest).expect(200)["items"][0]["shard_no"], 2, "{engine}");
        let workers = served.get("/api/v1/workers").expect(200);
        assert_eq!(workers["items"][0]["state"], "working", "{engine}: {workers}");
        let metrics = served.get("/metrics").text;
        for line in
            ["goshift_workers{state=\"working\"} 1", "goshift_runs_open{state=\"running\"} 0"]
        {
            assert!(metrics.contains(line), "{engine}: {metrics}");
        }

        served.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).refused(409, "succeeded");
        let again = served.post(&format!("/api/v1/runs/{run}/rerun"), &json!({})).expect(202);
        served.site.wait_for(&id(&again), "succeeded").await;
        drop(worker);
        served.site.assert_equal(5);
        served.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_is_cancelled_and_a_pause_holds_others_back() {
    let served = served("mysql").await;
    served.put("/api/v1/pauses/fleet", &json!({"reason": "the target moves"})).status_is(204);
    let pauses = served.get("/api/v1/pauses").expect(200);
    assert_eq!(pauses["items"][0]["reason"], "the target moves");
    let run = id(&served.post("/api/v1/runs", &json!({"task_id": 5})).expect(202));
    served.site.drain();
    assert_eq!(served.site.state(&run).await, "submitted");
    let cancelled = served.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    served.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).refused(409, "cancelled");
    served.delete("/api/v1/pauses/fleet").status_is(204);
    served.delete("/api/v1/pauses/fleet").refused(404, "not paused");
    served.put("/api/v1/pauses/urgent", &json!({})).refused(404, "urgent");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_runs_are_listed_repeated_and_purged() {
    on_each(|engine| async move {
        let served = served(engine).await;
        let run = id(&served.post("/api/v1/runs", &json!({"task_id": 6})).expect(202));
        served.site.drain();
        let dead = served.get("/api/v1/runs?dead=true").expect(200);
        assert_eq!(
            (id(&dead["items"][0]), dead["items"].as_array().unwrap().len()),
            (run.clone(), 1)
        );
        assert!(dead["items"][0]["remedy"].as_str().unwrap().contains("from_table"), "{dead}");
        served.post("/api/v1/dead/rerun", &json!({"runs": [run], "task": 6})).refused(400, "task");
        let rerun = served.post("/api/v1/dead/rerun", &json!({"runs": [run]})).expect(200);
        assert_eq!((&rerun["runs"][0]["rerun_of"], &rerun["refused"]), (&json!(run), &json!([])));
        served.post("/api/v1/dead/rerun", &json!({"runs": [run]})).refused(409, "not dead");
        served.post("/api/v1/dead/purge", &json!({"runs": [], "task_id": 6})).refused(422, "named");
        served.site.drain();
        let purged = served.post("/api/v1/dead/purge", &json!({"task_id": 6})).expect(200);
        assert_eq!((&purged["runs"], &purged["messages"]), (&json!(1), &json!(0)), "{engine}");
        let left = list_dead(&served.site.rabbit(), usize::MAX).await.unwrap();
        assert!(left.is_empty(), "{engine}: their messages are gone too: {left:?}");
        let dead = served.get("/api/v1/runs?dead=true").expect(200);
        assert_eq!(dead["items"], json!([]), "{engine}");
        served.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_in_pages_and_by_state() {
    on_each(|engine| async move {
        let served = served(engine).await;
        let mut runs = Vec::new();
        for task in 11..16 {
            served.site.task(task, ("mysql", "nowhere"), ("postgres", "target"), "").await;
            runs.push(id(&served.post("/api/v1/runs", &json!({"task_id": task})).expect(202)));
        }
        served.site.drain();
        let other = id(&served.post("/api/v1/runs", &json!({"task_id": 5})).expect(202));
        runs.reverse();
        let mut met = Vec::new();
        let first = "/api/v1/runs?limit=2&state=failed,running";
        let mut path = first.to_owned();
        loop {
            let page = served.get(&path).expect(200);
            met.extend(page["items"].as_array().unwrap().iter().map(id));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("{first}&after={next}");
        }
        assert_eq!(met, runs, "{engine}: the latest first");
        let found = |query: &str| {
            let page = served.get(&format!("/api/v1/runs?{query}")).expect(200);
            page["items"].as_array().unwrap().iter().map(id).collect::<Vec<_>>()
        };
        assert_eq!(found("state=running"), Vec::<String>::new(), "{engine}");
        assert_eq!(found("task_id=5"), [other], "{engine}");
        assert_eq!(found("since=1h&limit=500").len(), 6, "{engine}");
        served.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_submitted_is_refused_with_the_reason() {
    let served = served("sqlite").await;
    let refused =
        |body: Value, status, part| served.post("/api/v1/runs", &body).refused(status, part);
    refused(json!({"task_id": 999}), 404, "999");
    refused(json!({"task_id": 5, "mode": "dif"}), 422, "dif");
    refused(json!({"task_id": 5, "params": {"worker_num": 0}}), 422, "worker_num");
    refused(json!({"task_id": 5, "params": {"pre_sql": "DROP TABLE t"}}), 422, "pre_sql");
    refused(json!({"task_id": 5, "delay": "soon"}), 422, "delay");
    refused(json!({"task_id": 5, "priority": "urgent"}), 400, "urgent");
    refused(json!({"task": 5}), 400, "task");
    served.get("/api/v1/runs/0199").refused(400, "0199");
    let unknown = "/api/v1/runs/01990000-0000-7000-8000-000000000000";
    served.get(unknown).refused(404, "no run");
    served.get(&format!("{unknown}/events")).refused(404, "no run");
    served.get(&format!("{unknown}/shards")).refused(404, "no run");
    served.post(&format!("{unknown}/cancel"), &json!({})).refused(404, "no run");
    served.post(&format!("{unknown}/rerun"), &json!({})).refused(404, "no run");
    assert_eq!(served.site.ask_one("SELECT COUNT(*) FROM goshift_run").await, "0");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_may_be_submitted_in_a_second_is_told_so() {
    let section = json!({"listen": "127.0.0.1:0", "max_submits_per_second": 2});
    let served = Served::with("sqlite", section).await;
    let submit = || served.ask("POST", "/api/v1/runs", Some(r#"{"task_id": 1}"#), &[]);
    let answers: Vec<_> = (0..20).map(|_| submit()).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("one is too many");
    refused.refused(429, "at most 2 runs a second");
    assert_eq!(refused.headers["retry-after"], "1");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_never_became_a_run_are_listed_repeated_and_purged() {
    let served = served("postgres").await;
    let worker = served.site.worker("w", &[]);
    eventually("the worker listens", || async { worker.log().contains("consume") }).await;
    let long = format!("hello {}", "x".repeat(600));
    served.site.publish(&long, Some("greeting/1")).await;
    served.site.publish(r#"{"task_id": 8}"#, Some("early")).await;
    served.site.publish("[1]", None).await;
    let listed = |query: &str| served.get(&format!("/api/v1/dead/messages{query}")).expect(200);
    let items = |query: &str| listed(query)["items"].as_array().unwrap().clone();
    eventually("all are dead", || async { items("").len() == 3 }).await;
    let first = &listed("?limit=1");
    assert_eq!(first["more"], 2, "{first}");
    let greeting = items("").into_iter().find(|one| one["message_id"] == "greeting/1").unwrap();
    assert_eq!((&greeting["task_id"], &greeting["body_more"]), (&Value::Null, &json!(106)));
    assert!(greeting["body"].as_str().unwrap().starts_with("hello xxx"), "{greeting}");
    assert!(greeting["reason"].as_str().unwrap().contains("not JSON"), "{greeting}");
    assert_eq!(items("?task_id=8").len(), 1);
    assert_eq!(items("?task_id=9").len(), 0);

    // A task that was forgotten is made, and its message is run.
    served.site.task(8, ("mysql", "source"), ("postgres", "later"), "").await;
    let which = json!({"messages": ["early", "greeting/1", "nothing"]});
    let rerun = served.post("/api/v1/dead/rerun", &which).expect(200);
    let (runs, refused) = (&rerun["runs"], rerun["refused"].as_array().unwrap());
    assert_eq!((&runs[0]["message_id"], &runs[0]["task_id"]), (&json!("early"), &json!(8)));
    assert_eq!(runs[0]["rerun_of"], Value::Null);
    let why = |name: &str| {
        let one = refused.iter().find(|one| one["message_id"] == name).unwrap();
        one["detail"].as_str().unwrap().to_owned()
    };
    assert!(why("greeting/1").contains("not JSON"), "{rerun}");
    assert!(why("nothing").contains("no such message"), "{rerun}");
    served.site.wait_for(&id(&runs[0]), "succeeded").await;
    assert_eq!(items("").len(), 2);

    // A client that counts from 1 each day: whether it is the same message nobody can know.
    served.site.tasks("DELETE FROM task_def_sync_manager WHERE id = 8").await;
    served.site.publish(r#"{"task_id": 8}"#, Some("early")).await;
    eventually("it is dead", || async { items("?task_id=8").len() == 1 }).await;
    served.site.task(8, ("mysql", "source"), ("postgres", "later"), "").await;
    let again = served.post("/api/v1/dead/rerun", &json!({"messages": ["early"]})).expect(200);
    let why = again["refused"][0]["detail"].as_str().unwrap();
    assert!(why.contains("has a run already"), "{again}");
    served.post("/api/v1/dead/purge", &json!({"messages": ["early"]})).expect(200);

    // Nothing named is nothing. In bulk, what nobody can read is left alone.
    for which in [json!({"messages": []}), json!({})] {
        let rerun = served.post("/api/v1/dead/rerun", &which).expect(200);
        assert_eq!(rerun, json!({"runs": [], "refused": []}), "{which}");
    }
    assert_eq!(items("").len(), 2);
    let which = json!({"messages": ["greeting/1"]});
    let purged = served.post("/api/v1/dead/purge", &which).expect(200);
    assert_eq!(purged, json!({"runs": 0, "messages": 1, "refused": []}));
    assert_eq!(served.post("/api/v1/dead/purge", &json!({})).expect(200)["messages"], 1);
    assert!(list_dead(&served.site.rabbit(), usize::MAX).await.unwrap().is_empty());
    drop(worker);
    served.remove().await;
}
