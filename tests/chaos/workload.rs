//! Submissions by the real `goshift-submit`, all through the disturbance.

use std::collections::{BTreeSet, VecDeque};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::support::text;
use crate::tables::Task;
use crate::world::World;

/// Submitters at work at once, so that one that waits for a silent broker does not hold up all.
const SUBMITTERS: usize = 2;
/// A submission that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often one of the large tasks is submitted.
const LARGE_EVERY: Duration = Duration::from_secs(2);

/// One call of `goshift-submit`.
#[derive(Debug, Clone)]
pub struct Submission {
    at: Duration,
    ids: Vec<i64>,
    delay: Option<u64>,
    priority: &'static str,
}

/// What is to be submitted, and what was.
#[derive(Default)]
pub struct Workload {
    queue: Mutex<VecDeque<Submission>>,
    /// Run ids that were printed.
    pub accepted: Mutex<Vec<String>>,
    /// Calls that ended with 0.
    pub calls: Mutex<u32>,
}

/// Each task once, and twice as many again at random, spread over the time.
pub fn plan(seed: u64, time: Duration, tasks: &[Task]) -> Workload {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5ab317);
    let mut ids: Vec<i64> = tasks.iter().map(|task| task.id).collect();
    ids.shuffle(&mut rng);
    let again = (0..ids.len() * 2).map(|_| tasks[rng.random_range(0..tasks.len())].id);
    ids.extend(again.collect::<Vec<_>>());
    let mut groups = Vec::new();
    while !ids.is_empty() {
        let size = rng.random_range(1..=8).min(ids.len());
        groups.push(ids.drain(..size).collect::<Vec<_>>());
    }
    let count = groups.len() as u32;
    let mut all: Vec<_> = (0..)
        .zip(groups)
        .map(|(number, ids)| Submission {
            at: time.mul_f64(0.95) * number / count,
            ids,
            delay: rng.random_bool(0.15).then(|| rng.random_range(1..=8)),
            priority: ["normal", "normal", "high", "low"][rng.random_range(0..4)],
        })
        .collect();
    let large: Vec<_> = tasks.iter().filter(|task| task.large).map(|task| task.id).collect();
    let mut at = Duration::ZERO;
    while at < time {
        let ids = vec![large[rng.random_range(0..large.len())]];
        all.push(Submission { at, ids, delay: None, priority: "normal" });
        at += LARGE_EVERY;
    }
    all.sort_by_key(|submission| submission.at);
    Workload { queue: Mutex::new(all.into()), ..Workload::default() }
}

impl Workload {
    /// Submits everything, each call at its time.
    pub async fn submit(self: &Arc<Self>, world: &Arc<World>) {
        let submitters = (0..SUBMITTERS).map(|_| async {
            while let Some(submission) = self.next() {
                tokio::time::sleep_until((world.started + submission.at).into()).await;
                self.call(world, submission).await;
            }
        });
        futures::future::join_all(submitters).await;
    }

    fn next(&self) -> Option<Submission> {
        self.queue.lock().unwrap().pop_front()
    }

    async fn call(&self, world: &World, submission: Submission) {
        let started = Instant::now();
        let mut arguments: Vec<String> = submission.ids.iter().map(i64::to_string).collect();
        arguments.extend(["--priority".to_owned(), submission.priority.to_owned()]);
        if let Some(delay) = submission.delay {
            arguments.extend(["--delay".to_owned(), format!("{delay}s")]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command =
            tokio::process::Command::from(world.site.command("goshift-submit", &arguments));
        command.kill_on_drop(true);
        match tokio::time::timeout(PATIENCE, command.output()).await {
            Ok(output) => self.settle(world, submission, started, &output.unwrap()),
            Err(_) => world.broken(format!(
                "goshift-submit {} has not ended within {PATIENCE:?}",
                arguments.join(" ")
            )),
        }
    }

    /// An id that is printed is in the ledger, whatever the exit code. A call that fails while the
    /// task database is away is made again later.
    fn settle(&self, world: &World, submission: Submission, started: Instant, output: &Output) {
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        self.accepted.lock().unwrap().extend(printed.lines().map(str::to_owned));
        // A number that is named twice is one submission.
        let ids: BTreeSet<_> = submission.ids.iter().collect();
        let all = printed.lines().count() == ids.len();
        if output.status.success() && all {
            *self.calls.lock().unwrap() += 1;
            return;
        }
        if output.status.success() || !world.task_database_troubled_since(started) {
            world.broken(format!(
                "goshift-submit {:?} failed although the task database is up: {}",
                submission.ids,
                text(output)
            ));
            return;
        }
        let at = world.started.elapsed() + Duration::from_secs(1);
        self.queue.lock().unwrap().push_back(Submission { at, delay: None, ..submission });
    }
}
