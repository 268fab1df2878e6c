//! Another program writes to the SQLite file.

use std::process::Child;

use crate::support::{Site, eventually};

/// A source in MySQL and a target that another program has just begun to write to.
async fn locked(site: &mut Site) -> rusqlite::Connection {
    site.embedded();
    site.my("CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1), (2)").await;
    let other = site.sqlite();
    other.execute_batch("CREATE TABLE target (id INT4 PRIMARY KEY); BEGIN IMMEDIATE").unwrap();
    site.task(5, ("mysql", "source"), ("sqlite", "target"), "").await;
    other
}

fn start(site: &Site) -> Child {
    site.start("goshift", &["-id", "5"])
}

async fn states(site: &Site) -> Vec<String> {
    let path = site.ask("SELECT to_state FROM goshift_transition ORDER BY id").await;
    path.into_iter().flatten().collect()
}

pub async fn waited_for(mut site: Site) {
    let other = locked(&mut site).await;
    let mut run = start(&site);
    eventually("the shard is to be written", || async {
        site.ask_one("SELECT count(*) FROM goshift_shard").await == "1"
    })
    .await;
    other.execute_batch("INSERT INTO target VALUES (9); COMMIT").unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(states(&site).await, ["submitted", "running", "succeeded"]);
    assert_eq!(
        site.rows("sqlite", "SELECT id FROM target ORDER BY id").await,
        [["1"], ["2"], ["9"]]
    );
    site.remove().await;
}

pub async fn tried_again(mut site: Site) {
    let other = locked(&mut site).await;
    let log = site.folder.join("said.log");
    let mut command = site.command("goshift", &["-id", "5"]);
    let mut run = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let said = || std::fs::read_to_string(&log).unwrap();
    eventually("the shard is tried again", || async { said().contains("trying the shard again") })
        .await;
    let said = said();
    for part in ["data.db", "table target", "database is locked"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(site.rows("sqlite", "SELECT id FROM target").await.is_empty());
    other.execute_batch("COMMIT").unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(site.rows("sqlite", "SELECT id FROM target ORDER BY id").await, [["1"], ["2"]]);
    site.remove().await;
}
