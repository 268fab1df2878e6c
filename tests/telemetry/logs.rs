//! Logs: JSON where a program reads them, words where a person does, and the run's id in every line
//! about a run.

use serde_json::Value;

use crate::support::{Site, text};
use crate::task;

fn parsed(log: &str) -> Vec<Value> {
    let read = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{log}"))
    };
    log.lines().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn off_a_terminal_a_worker_s_lines_are_json_and_say_which_run_they_are_about() {
    let mut site = Site::new("mysql").await;
    let folder = site.folder.join("log");
    site.configure(|config| config["log"]["log_path"] = folder.to_str().unwrap().into());
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
    let both = workers.iter().flat_map(|worker| parsed(&worker.log())).collect::<Vec<_>>();
    for line in &both {
        let head = ["timestamp", "level", "message"].map(|name| line[name].is_string());
        assert_eq!(head, [true; 3], "{line}");
    }
    for message in ["running", "large: up to", "succeeded: 1500 rows", "taking part", "took part:"]
    {
        let starts = |line: &&Value| line["message"].as_str().unwrap().starts_with(message);
        let line = both.iter().find(starts).unwrap_or_else(|| panic!("{message}: {both:#?}"));
        assert_eq!((&line["task"], &line["run"]), (&5.into(), &run.as_str().into()), "{line}");
    }
    let mut filed = Vec::new();
    for file in std::fs::read_dir(&folder).unwrap() {
        filed.extend(parsed(&std::fs::read_to_string(file.unwrap().path()).unwrap()));
    }
    let succeeded = filed.iter().find(|line| line["run"] == run.as_str()).unwrap();
    assert_eq!(succeeded["task"], 5);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_chooses_the_form_and_a_command_speaks_in_words() {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    task(&site, 10, "").await;
    site.configure(|config| config["log"] = serde_json::json!({"level": "info"}));
    let words = text(&site.goshift(&["-id", "5"]));
    assert!(!words.contains("{\"timestamp\""), "{words}");
    site.configure(|config| config["log"]["format"] = "human".into());
    let mut drained = site.command("goshift-worker", &["--drain"]);
    let words = text(&drained.output().unwrap());
    assert!(words.contains(" INFO listening to the ledger") && !words.contains('{'), "{words}");
    site.configure(|config| config["log"]["format"] = "yaml".into());
    let refused = site.goshift(&["tasks"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    site.remove().await;
}
