//! One trace a run, from its submission to its end, whoever takes part.

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};

use crate::collector::{Collector, Seen};
use crate::support::{ENGINES, Site, eventually, text};
use crate::task;

/// A program's own span, whose trace its message carries.
const FOREIGN: (&str, &str) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

fn named<'a>(spans: &'a [Seen], name: &str) -> Vec<&'a Seen> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[track_caller]
fn only<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let found = named(spans, name);
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_submission_through_the_broker_to_every_shard() {
    for engine in ENGINES {
        let collector = Collector::start().await;
        let mut site = Site::new(engine).await;
        collector.serve(&mut site);
        task(&site, 250, r#"{"read_batch": 100, "worker_num": 2}"#).await;
        let mut worker = site.worker("one", &[]);
        let run = site.submitted(&["5"]).remove(0);
        site.wait_for(&run, "succeeded").await;
        worker.signal("TERM");
        assert_eq!(worker.ended().await, Some(0), "{engine}: {}", worker.log());
        let spans = collector.trace_of(&run, "run", 1).await;

        let submit = only(&spans, "submit");
        assert_eq!((submit.parent.as_str(), submit.service.as_str()), ("", "goshift-submit"));
        let publish = only(&spans, "publish");
        assert_eq!((&publish.parent, publish.service.as_str()), (&submit.id, "goshift-submit"));
        let (claim, whole) = (only(&spans, "claim"), only(&spans, "run"));
        assert_eq!((&claim.parent, &whole.parent), (&publish.id, &publish.id), "{engine}");
        assert!(claim.start < claim.end && claim.end <= whole.end, "{claim:?} {whole:?}");
        let (plan, settle) = (only(&spans, "plan"), only(&spans, "settle"));
        let finish = only(&spans, "finish");
        let shards = named(&spans, "shard");
        assert_eq!(shards.len(), 3, "{engine}: {spans:#?}");
        for part in [plan, settle, finish].into_iter().chain(shards.iter().copied()) {
            assert_eq!((&part.parent, part.service.as_str()), (&whole.id, "goshift-worker"));
            assert!(whole.start <= part.start && part.end <= whole.end, "{part:?} {whole:?}");
        }
        assert!(plan.end <= shards.iter().map(|shard| shard.start).min().unwrap());
        assert!(shards.iter().all(|shard| shard.end <= finish.end));
        assert_eq!(spans.len(), 10, "{engine}: nothing else is in it: {spans:#?}");

        for span in [submit, publish, claim, whole] {
            assert_eq!((&*span.attributes["task"], &span.attributes["run"]), ("5", &run));
        }
        assert_eq!((&*claim.attributes["attempt"], &*whole.attributes["attempt"]), ("1", "1"));
        let mut numbers: Vec<_> = shards
            .iter()
            .map(|shard| (&*shard.attributes["shard"], &*shard.attributes["rows"]))
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [("0", "100"), ("1", "100"), ("2", "50")]);
        assert!(spans.iter().all(|span| !span.failed && span.events == 0), "{spans:#?}");
        let kept = format!("SELECT traceparent FROM goshift_run WHERE run_id = '{run}'");
        assert_eq!(site.ask_one(&kept).await, format!("00-{}-{}-01", submit.trace, submit.id));
        assert_secret_free(&spans);
        site.remove().await;
    }
}

fn assert_secret_free(spans: &[Seen]) {
    let all = format!("{spans:?}");
    assert!(!all.contains("planted-value"), "a row's value is in a span: {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_s_message_brings_its_own_trace() {
    let collector = Collector::start().await;
    let mut site = Site::new("postgres").await;
    collector.serve(&mut site);
    task(&site, 10, "").await;
    let worker = site.worker("one", &[]);
    let rabbit = site.rabbit();
    eventually("the worker has declared its queues", || async {
        worker.log().contains("connected to RabbitMQ")
    })
    .await;
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(rabbit.url.expose(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut headers = FieldTable::default();
    let traceparent = format!("00-{}-{}-01", FOREIGN.0, FOREIGN.1);
    headers.insert("traceparent".into(), AMQPValue::LongString(traceparent.as_str().into()));
    let properties = BasicProperties::default().with_headers(headers);
    let (body, options) = (br#"{"task_id": 5}"#, BasicPublishOptions::default());
    let (exchange, key) = (rabbit.prefix.as_str(), "task");
    let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties);
    sent.await.unwrap().await.unwrap();
    let known = "SELECT run_id FROM goshift_run";
    eventually("the message is a run", || async { !site.ask_one(known).await.is_empty() }).await;
    let run = site.ask_one(known).await;
    site.wait_for(&run, "succeeded").await;
    let spans = collector.trace_of(&run, "run", 1).await;
    let submit = only(&spans, "submit");
    assert_eq!((submit.trace.as_str(), submit.parent.as_str()), FOREIGN, "{submit:?}");
    assert_eq!(submit.service, "goshift-worker");
    assert_eq!(only(&spans, "shard").trace, FOREIGN.0);
    drop(worker);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_of_a_run_is_in_its_trace_also_without_a_broker() {
    let collector = Collector::start().await;
    let mut site = Site::new("mysql").await;
    site.embedded();
    collector.serve(&mut site);
    task(&site, 10, "").await;
    // Neither the source nor the target is there: later the source is, in time for another attempt.
    let mut target = site.connection("postgres");
    target["port"] = 1.into();
    site.configure(|config| {
        config["to"] = serde_json::json!({"postgres": {"app_db": target}});
    });
    let run = site.submitted(&["5"]).remove(0);
    let mut first = site.worker("first", &[]);
    site.wait_for(&run, "retrying").await;
    first.signal("TERM");
    assert_eq!(first.ended().await, Some(0), "{}", first.log());
    site.configure(|config| {
        config.as_object_mut().unwrap().remove("to");
    });
    let second = site.worker("second", &[]);
    site.wait_for(&run, "succeeded").await;
    let spans = collector.trace_of(&run, "settle", 1).await;
    let submit = only(&spans, "submit").id.clone();
    drop(second);
    let mut whole = named(&spans, "run");
    whole.sort_by_key(|span| span.start);
    assert!(whole.iter().all(|span| span.parent == submit), "{spans:#?}");
    let failed = whole.first().unwrap();
    assert!(failed.failed && failed.attributes["error.type"] == "transient", "{failed:?}");
    let plan = named(&spans, "plan").into_iter().find(|plan| plan.parent == failed.id).unwrap();
    assert!(plan.failed && plan.attributes["error.type"] == "transient", "{plan:?}");
    assert!(spans.iter().any(|span| span.name == "claim" && span.attributes["attempt"] != "1"));
    assert_secret_free(&spans);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shards_of_all_who_share_a_run_are_in_its_trace() {
    let collector = Collector::start().await;
    let mut site = Site::new("mysql").await;
    collector.serve(&mut site);
    task(&site, 1500, r#"{"read_batch": 25, "worker_num": 3}"#).await;
    site.pg("CREATE TABLE target (id int PRIMARY KEY, name varchar(40)); \
         CREATE FUNCTION nap() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END' \
         LANGUAGE plpgsql; \
         CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION nap()")
        .await;
    let mut workers: Vec<_> = ["a", "b"].iter().map(|name| site.worker(name, &[])).collect();
    let run = site.submitted(&["5"]).remove(0);
    site.wait_for(&run, "succeeded").await;
    for worker in &mut workers {
        worker.signal("TERM");
        assert_eq!(worker.ended().await, Some(0), "{}", worker.log());
    }
    let total = format!("SELECT shards_total FROM goshift_run WHERE run_id = '{run}'");
    let total: usize = site.ask_one(&total).await.parse().unwrap();
    let spans = collector.trace_of(&run, "shard", total).await;
    let (whole, part) = (only(&spans, "run"), named(&spans, "part"));
    assert!(!part.is_empty(), "nobody has taken part: {spans:#?}");
    let below = |parent: &str| {
        spans.iter().filter(|span| span.name == "shard" && span.parent == parent).count()
    };
    let of_parts: usize = part.iter().map(|part| below(&part.id)).sum();
    assert!(below(&whole.id) > 0 && of_parts > 0, "{spans:#?}");
    assert_eq!(below(&whole.id) + of_parts, total, "{spans:#?}");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_a_collector_and_the_configuration_a_login_and_a_share() {
    let collector = Collector::start().await;
    let mut site = Site::new("sqlite").await;
    site.embedded();
    site.configure(|config| {
        config["telemetry"] = serde_json::json!({
            "headers": {"authorization": "Bearer 100%25 planted-collector-token"},
            "service_name": "nightly-copies",
        });
    });
    task(&site, 10, "").await;
    let run = |site: &Site| {
        let mut command = site.command("goshift", &["-id", "5"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert!(!text(&output).contains("planted-collector-token"), "{}", text(&output));
    };
    run(&site);
    let spans = collector.spans();
    assert_eq!(only(&spans, "run").service, "nightly-copies");
    assert_eq!(only(&spans, "submit").trace, only(&spans, "shard").trace);
    let login = &collector.headers()[0]["authorization"];
    assert_eq!(login, "Bearer 100%25 planted-collector-token");

    site.configure(|config| config["telemetry"]["sample_ratio"] = 0.into());
    run(&site);
    assert_eq!(collector.spans().len(), spans.len(), "no share is recorded");
    site.configure(|config| config["telemetry"]["endpoint"] = "collector:4318".into());
    let refused = site.goshift(&["-id", "5"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("telemetry.endpoint"), "{}", text(&refused));
    site.remove().await;
}
