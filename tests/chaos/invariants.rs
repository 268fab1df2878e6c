//! What must hold at the end, by SQL in the task database and on both sides: none of it goes
//! through goshift's own code.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::tables::{Content, Task};
use crate::world::World;

const TERMINAL: [&str; 3] = ["succeeded", "failed", "cancelled"];
/// Sentences of one kind that are told in full.
const EXAMPLES: usize = 3;

/// A change of a run's state.
pub struct Transition {
    /// The run.
    pub run: String,
    /// Its task.
    pub task: i64,
    /// The new state.
    pub to: String,
    /// Of the claim.
    pub epoch: i64,
    /// Who.
    pub worker: String,
    /// Seconds since 1970.
    pub at: f64,
    /// Why.
    pub reason: String,
}

/// All transitions, in their order.
pub async fn transitions(world: &World) -> Vec<Transition> {
    let at = match world.site.task_engine {
        // The column is UTC: the session's time zone must not be applied to it.
        "mysql" => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at) / 1000000",
        _ => "extract(epoch FROM at)",
    };
    let sql = format!(
        "SELECT run_id, task_id, to_state, epoch, COALESCE(worker, ''), {at}, \
         COALESCE(reason, '') \
         FROM goshift_transition ORDER BY id"
    );
    let rows = world.site.ask(&sql).await;
    rows.into_iter()
        .map(|row| Transition {
            run: row[0].clone(),
            task: row[1].parse().unwrap(),
            to: row[2].clone(),
            epoch: row[3].parse().unwrap(),
            worker: row[4].clone(),
            at: row[5].parse().unwrap(),
            reason: row[6].clone(),
        })
        .collect()
}

/// Collects sentences, a few of each kind.
struct Verdict<'a> {
    world: &'a World,
    told: BTreeMap<&'static str, usize>,
}

impl Verdict<'_> {
    fn broken(&mut self, invariant: &'static str, sentence: &str) {
        let told = self.told.entry(invariant).or_default();
        *told += 1;
        if *told <= EXAMPLES {
            self.world.broken(format!("{invariant}: {sentence}"));
        } else if *told == EXAMPLES + 1 {
            self.world.broken(format!("{invariant}: and more of that kind"));
        }
    }

    async fn none(&mut self, invariant: &'static str, sql: &str) {
        for row in self.world.site.ask(sql).await {
            self.broken(invariant, &row.join(", "));
        }
    }
}

/// Checks all of them.
pub async fn check(world: &World, accepted: &[String], transitions: &[Transition]) {
    let mut verdict = Verdict { world, told: BTreeMap::new() };
    let runs = world.site.ask("SELECT run_id, task_id, state FROM goshift_run").await;
    every_run_succeeded(&mut verdict, accepted, &runs);
    histories(&mut verdict, transitions, &runs);
    ledger(&mut verdict).await;
    shards(&mut verdict, &runs).await;
    statuses(&mut verdict, transitions).await;
    contents(&mut verdict, &runs).await;
    logs(&mut verdict);
}

fn every_run_succeeded(verdict: &mut Verdict<'_>, accepted: &[String], runs: &[Vec<String>]) {
    let states: HashMap<&str, &str> =
        runs.iter().map(|row| (row[0].as_str(), row[2].as_str())).collect();
    for run in accepted {
        if !states.contains_key(run.as_str()) {
            verdict.broken("every accepted run is in the ledger", &format!("run {run} is not"));
        }
    }
    // The limits are so large that nothing may fail.
    for row in runs.iter().filter(|row| row[2] != "succeeded") {
        let sentence = format!("run {} of task {} is {}", row[0], row[1], row[2]);
        verdict.broken("every run succeeds", &sentence);
    }
    let tasks: BTreeSet<&str> = runs.iter().map(|row| row[1].as_str()).collect();
    for task in &verdict.world.tasks {
        if !tasks.contains(task.id.to_string().as_str()) {
            verdict.broken("each task has run", &format!("task {} has not", task.id));
        }
    }
}

/// By the order of the transitions: one run of a task at a time, one end a run and nothing after
/// it, epochs that only grow.
fn histories(verdict: &mut Verdict<'_>, transitions: &[Transition], runs: &[Vec<String>]) {
    let mut active: HashMap<i64, &str> = HashMap::new();
    let mut last: HashMap<&str, (&str, i64)> = HashMap::new();
    for step in transitions {
        let run = step.run.as_str();
        if let Some(&(before, epoch)) = last.get(run) {
            if TERMINAL.contains(&before) {
                let sentence = format!("run {run} became {} after {before}", step.to);
                verdict.broken("a run ends once", &sentence);
            }
            let must_grow = step.to == "running";
            if step.epoch < epoch || (must_grow && step.epoch == epoch) {
                let sentence = format!("run {run}: {} after {epoch}", step.epoch);
                verdict.broken("epochs only grow", &sentence);
            }
        } else if step.to != "submitted" {
            verdict.broken("a run begins as submitted", &format!("run {run} as {}", step.to));
        }
        last.insert(run, (&step.to, step.epoch));
        if step.to == "running" {
            let other = active.insert(step.task, run).filter(|&other| other != run);
            if let Some(other) = other {
                let sentence = format!("task {}: {other} and {run}", step.task);
                verdict.broken("a task has one active run at a time", &sentence);
            }
        } else if TERMINAL.contains(&step.to.as_str()) && active.get(&step.task) == Some(&run) {
            active.remove(&step.task);
        }
    }
    for row in runs {
        let ended = last.get(row[0].as_str()).map(|(state, _)| *state);
        if ended != Some(row[2].as_str()) {
            let sentence = format!("run {} is {}, its last transition {ended:?}", row[0], row[2]);
            verdict.broken("a run's state is its last transition's", &sentence);
        }
    }
}

async fn ledger(verdict: &mut Verdict<'_>) {
    let forgotten = crate::monitor::forgotten(verdict.world.site.task_engine);
    verdict.none("no run is forgotten", &forgotten).await;
    // Participants take their epochs from the run: none is above the last that it gave out.
    verdict
        .none(
            "a shard's epoch was given out by its run",
            "SELECT s.run_id, s.shard_no, s.epoch FROM goshift_shard s \
             JOIN goshift_run r ON r.run_id = s.run_id \
             WHERE s.state = 'done' AND (s.epoch IS NULL OR s.epoch < 1 \
              OR s.epoch > GREATEST(r.epoch, r.last_epoch))",
        )
        .await;
    verdict
        .none(
            "a participant's epoch was given out by its run, to it alone",
            "SELECT p.run_id, p.epoch FROM goshift_participant p \
             LEFT JOIN goshift_run r ON r.run_id = p.run_id \
             WHERE r.run_id IS NULL OR p.epoch < 1 OR p.epoch > GREATEST(r.epoch, r.last_epoch) \
             OR EXISTS (SELECT 1 FROM goshift_transition t WHERE t.run_id = p.run_id \
              AND t.epoch = p.epoch AND t.to_state = 'running')",
        )
        .await;
}

/// A run that succeeded has every shard, and with them every row of the source.
async fn shards(verdict: &mut Verdict<'_>, runs: &[Vec<String>]) {
    let number = if verdict.world.site.task_engine == "mysql" { "SIGNED" } else { "bigint" };
    let sums = verdict
        .world
        .site
        .ask(&format!(
            "SELECT run_id, CAST(SUM(CASE WHEN state = 'done' THEN 0 ELSE 1 END) AS {number}), \
             CAST(SUM(CASE WHEN state = 'done' THEN rows_done ELSE 0 END) AS {number}) \
             FROM goshift_shard GROUP BY run_id"
        ))
        .await;
    let sums: HashMap<&str, (&str, &str)> =
        sums.iter().map(|row| (row[0].as_str(), (row[1].as_str(), row[2].as_str()))).collect();
    let rows: HashMap<String, String> =
        verdict.world.tasks.iter().map(|t| (t.id.to_string(), t.rows.to_string())).collect();
    for run in runs.iter().filter(|run| run[2] == "succeeded") {
        let (open, done) = sums.get(run[0].as_str()).copied().unwrap_or(("0", "none"));
        let expected = rows.get(&run[1]).map_or("?", String::as_str);
        if open != "0" || done != expected {
            let sentence = format!(
                "run {} of task {}: {open} shards not done, {done} rows of {expected}",
                run[0], run[1]
            );
            verdict.broken("a succeeded run has every shard and every row", &sentence);
        }
    }
}

async fn statuses(verdict: &mut Verdict<'_>, transitions: &[Transition]) {
    let mut ended: HashMap<String, &str> = HashMap::new();
    for step in transitions.iter().filter(|step| TERMINAL.contains(&step.to.as_str())) {
        ended.insert(step.task.to_string(), &step.to);
    }
    let sql = "SELECT id, COALESCE(task_status, '') FROM task_def_sync_manager";
    for row in verdict.world.site.ask(sql).await {
        let expected = ended.get(&row[0]).copied().unwrap_or_default();
        if row[1] != expected {
            let sentence = format!("task {}: \"{}\" instead of \"{expected}\"", row[0], row[1]);
            verdict.broken("task_status is the last ended run's state", &sentence);
        }
    }
}

/// Both sides, row by row as the servers themselves hash them.
async fn contents(verdict: &mut Verdict<'_>, runs: &[Vec<String>]) {
    let world = verdict.world;
    let mut sources: HashMap<&str, Content> = HashMap::new();
    for task in &world.tasks {
        let source = match sources.get(task.from.1.as_str()) {
            Some(known) => *known,
            None => match Content::of(&world.site, (task.from.0, &task.from.1)).await {
                Ok(content) => *sources.entry(&task.from.1).or_insert(content),
                Err(error) => {
                    verdict.broken("both sides are equal", &format!("{}: {error}", task.from.1));
                    continue;
                }
            },
        };
        let times = if task.keyed { 1 } else { succeeded(task, runs) };
        match Content::of(&world.site, (task.to.0, &task.to.1)).await {
            Ok(target) if target == source.times(times) => {}
            Ok(target) => {
                let sentence = format!(
                    "task {} ({} {} to {} {}): {} rows instead of {} times {}{}",
                    task.id,
                    task.from.0,
                    task.from.1,
                    task.to.0,
                    task.to.1,
                    target.rows(),
                    times,
                    source.rows(),
                    if target.rows() == source.times(times).rows() {
                        ", some of them different"
                    } else {
                        ""
                    }
                );
                verdict.broken("both sides are equal", &sentence);
            }
            Err(error) => {
                verdict.broken("both sides are equal", &format!("task {}: {error}", task.id));
            }
        }
    }
}

fn succeeded(task: &Task, runs: &[Vec<String>]) -> u64 {
    let id = task.id.to_string();
    runs.iter().filter(|run| run[1] == id && run[2] == "succeeded").count() as u64
}

/// A worker that panics in one of its tasks may live on: its log tells.
fn logs(verdict: &mut Verdict<'_>) {
    let Ok(folder) = std::fs::read_dir(&verdict.world.site.folder) else { return };
    for file in folder.flatten().filter(|file| file.path().extension().is_some_and(|e| e == "log"))
    {
        let log = std::fs::read_to_string(file.path()).unwrap_or_default();
        let bad = ["panicked at", "completed twice", "with open shards"];
        if let Some(line) = log.lines().find(|line| bad.iter().any(|word| line.contains(word))) {
            let name = file.file_name().to_string_lossy().into_owned();
            verdict.broken("no worker contradicts itself", &format!("{name}: {line}"));
        }
    }
}
