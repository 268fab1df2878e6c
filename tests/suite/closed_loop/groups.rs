//! Submitting in groups: the same as one by one, also where two submit at once.

use super::source;
use crate::support::{ENGINES, Site, text};

/// A site for many submissions at once: its patience with the ledger, which goes by the lease, is
/// that of production, so that they may wait for each other on a busy machine.
async fn patient(engine: &'static str) -> Site {
    let mut site = Site::new(engine).await;
    site.configure(|config| config["worker"]["lease"] = "60s".into());
    site
}

/// Tasks of these numbers, all of the same source.
async fn tasks(site: &Site, count: i64) {
    let rows: Vec<_> = (1..=count)
        .map(|id| {
            format!(
                "({id}, 'app', 'mysql', 'db', 'source', 'app', 'mysql', 'db', 't{id}', '', 1, \
                 '2024-01-01 00:00:00', '2024-01-01 00:00:00')"
            )
        })
        .collect();
    site.tasks(&format!(
        "INSERT INTO task_def_sync_manager (id, from_app, from_db_type, from_db, from_table, \
         to_app, to_db_type, to_db, to_table, params, online_status, create_time, update_time) \
         VALUES {}",
        rows.join(", ")
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_submit_the_same_tasks_at_once_enter_each_once() {
    const TASKS: i64 = 450;
    for engine in ENGINES {
        let site = patient(engine).await;
        tasks(&site, TASKS).await;
        let submitters: Vec<_> = (0..4)
            .map(|number| {
                // Two of them by key as well, which takes a second unique key.
                let mut arguments = vec!["--all-online"];
                if number % 2 == 1 {
                    arguments.extend(["--dedup-key", "tonight"]);
                }
                let mut command = site.command("goshift-submit", &arguments);
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        let mut answers = Vec::new();
        for submitter in submitters {
            let output = submitter.wait_with_output().unwrap();
            assert!(output.status.success(), "{engine}: {}", text(&output));
            let lines = String::from_utf8(output.stdout).unwrap();
            answers.push(lines.lines().map(str::to_owned).collect::<Vec<_>>());
        }
        for answer in &answers {
            assert_eq!(answer, &answers[0], "{engine}: all were told of the same runs, in order");
        }
        assert_eq!(answers[0].len() as i64, TASKS);
        for (what, sql) in [
            ("one pending run each", "SELECT COUNT(DISTINCT pending_task) FROM goshift_run"),
            ("and no other", "SELECT COUNT(*) FROM goshift_run"),
            (
                "one transition each",
                "SELECT COUNT(*) FROM goshift_transition WHERE to_state = 'submitted'",
            ),
            (
                "all are known by their key",
                "SELECT COUNT(*) FROM goshift_run WHERE dedup_key LIKE '%tonight%'",
            ),
            (
                "all are shown as submitted",
                "SELECT COUNT(*) FROM task_def_sync_manager WHERE task_status = 'submitted'",
            ),
            (
                "all were published",
                "SELECT COUNT(*) FROM goshift_run WHERE published_at IS NOT NULL",
            ),
        ] {
            assert_eq!(site.ask_one(sql).await, TASKS.to_string(), "{engine}: {what}");
        }
        site.remove().await;
    }
}

#[tokio::test]
async fn those_before_a_refused_submission_are_accepted_those_behind_it_are_not() {
    for engine in ENGINES {
        let mut site = patient(engine).await;
        site.embedded();
        tasks(&site, 300).await;
        // Only the ledger refuses this one: the command line has nothing against it.
        let waiting = site.submitted(&["250", "--set", "worker_num=2"]).remove(0);
        let output = site.submit(&["--all-online"]);
        assert_eq!(output.status.code(), Some(2), "{engine}: {}", text(&output));
        let said = text(&output);
        assert!(said.contains("task 250") && said.contains(&waiting), "{engine}: {said}");
        let printed = String::from_utf8_lossy(&output.stdout).lines().count();
        assert_eq!(printed, 249, "{engine}: {said}");
        assert_eq!(site.ask_one("SELECT COUNT(*) FROM goshift_run").await, "250", "{engine}");
        let last = "SELECT MAX(task_id) FROM goshift_run";
        assert_eq!(site.ask_one(last).await, "250", "{engine}");
        site.remove().await;
    }
}

#[tokio::test]
async fn joining_in_groups_makes_runs_due_earlier_and_more_urgent() {
    for engine in ENGINES {
        let site = patient(engine).await;
        source(&site, 3).await;
        tasks(&site, 3).await;
        let first = site.submitted(&["1", "2", "3", "--delay", "1h", "--priority", "low"]);
        let urgent = site.submitted(&["1", "2", "--priority", "high"]);
        assert_eq!(urgent, first[..2], "{engine}");
        assert_eq!(site.submitted(&["3", "--delay", "2h", "--priority", "low"]), first[2..]);
        let ranks = "SELECT priority FROM goshift_run ORDER BY task_id";
        let ranks: Vec<_> = site.ask(ranks).await.into_iter().flatten().collect();
        assert_eq!(ranks, ["2", "2", "0"], "{engine}");
        let worker = site.worker("one", &[]);
        for run in &urgent {
            site.wait_for(run, "succeeded").await;
        }
        assert_eq!(site.state(&first[2]).await, "submitted", "{engine}: it is not due");
        drop(worker);
        site.remove().await;
    }
}
