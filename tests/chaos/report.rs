//! The table of results.

use std::collections::HashMap;
use std::time::UNIX_EPOCH;

use crate::invariants::Transition;
use crate::world::World;

/// The table's head.
pub const HEAD: &str = "| seed | tasks in | seconds | submissions | runs | actions | rescues | \
                        retries | max. attempts | longest recovery | all ended after | result |\n\
                        |---|---|---|---|---|---|---|---|---|---|---|---|";

/// One seed's row.
pub struct Row {
    /// As Markdown.
    pub line: String,
    /// Broken invariants.
    pub broken: usize,
}

/// All rows.
pub fn table(rows: &[Row]) -> String {
    let lines: Vec<&str> = rows.iter().map(|row| row.line.as_str()).collect();
    format!("{HEAD}\n{}\n", lines.join("\n"))
}

/// What the row is made of besides the world.
pub struct Figures {
    /// The seed.
    pub seed: u64,
    /// Length of the disturbance.
    pub seconds: u64,
    /// Calls of goshift-submit.
    pub calls: u32,
    /// Run ids printed.
    pub accepted: usize,
    /// Seconds from the last healing to the last run's end.
    pub quiet: f64,
}

/// Makes a seed's row.
pub async fn row(world: &World, figures: &Figures, transitions: &[Transition]) -> Row {
    let attempts = world.site.ask("SELECT COUNT(*), MAX(attempt) FROM goshift_run").await;
    let (runs, attempts) = (&attempts[0][0], &attempts[0][1]);
    let (rescues, recovery) = rescues(world, transitions);
    let retries = transitions.iter().filter(|step| step.to == "retrying").count();
    let actions = world.done.lock().unwrap().clone();
    let total: u32 = actions.values().sum();
    let by_kind: Vec<_> = actions.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let broken = world.all_broken().len();
    let result = if broken == 0 { "ok".to_owned() } else { format!("**{broken} broken**") };
    let line = format!(
        "| {} | {} | {} | {} of {} calls | {runs} | {total}: {} | {rescues} | {retries} | \
         {attempts} | {} | {:.1} s | {result} |",
        figures.seed,
        world.task_server().name(),
        figures.seconds,
        figures.accepted,
        figures.calls,
        by_kind.join(", "),
        recovery.map_or("–".to_owned(), |seconds| format!("{seconds:.1} s")),
        figures.quiet,
    );
    Row { line, broken }
}

/// Tells the way of the run that ended last.
pub fn tell_last(world: &World, transitions: &[Transition]) {
    let Some(last) = transitions.last() else { return };
    world.say(&format!("run {} of task {} was the last to end:", last.run, last.task));
    for step in transitions.iter().filter(|step| step.run == last.run) {
        let before = last.at - step.at;
        println!("          {before:6.1} s before: {} {} {}", step.to, step.worker, step.reason);
    }
}

/// Take-overs, and the longest time from a kill or a pause to the take-over of a run that its
/// worker held.
fn rescues(world: &World, transitions: &[Transition]) -> (usize, Option<f64>) {
    let blows = world.fleet.blows.lock().unwrap();
    let mut holders: HashMap<&str, &Transition> = HashMap::new();
    let (mut rescues, mut longest) = (0, None::<f64>);
    for step in transitions {
        if step.to != "running" {
            holders.remove(step.run.as_str());
            continue;
        }
        let Some(claim) = holders.insert(&step.run, step) else { continue };
        rescues += 1;
        // The ledger knows a process by its name and a random part.
        let name = claim.worker.split('@').next().unwrap_or_default();
        let blow = blows
            .iter()
            .filter(|blow| blow.worker == name)
            .filter_map(|blow| blow.at.duration_since(UNIX_EPOCH).ok())
            .map(|since| since.as_secs_f64())
            .find(|at| (claim.at..step.at).contains(at));
        if let Some(at) = blow {
            longest = Some(longest.map_or(step.at - at, |known| known.max(step.at - at)));
        }
    }
    (rescues, longest)
}
