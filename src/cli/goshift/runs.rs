//! `goshift runs`: what runs, what waits, what is over.

use std::collections::{HashMap, VecDeque};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::Call;
use super::command::Runs;
use super::watch::{self, Look};
use crate::cli::show::{self, Table, people};
use crate::error::{Error, Result};
use crate::ledger::{Ledger, RunFilter, RunRow, State};

const STATES: &[&str] = &["submitted", "running", "retrying", "succeeded", "failed", "cancelled"];
/// How far back a pace is measured: workers write their shards down in groups.
const WINDOW: Duration = Duration::from_secs(10);

/// Lists runs.
pub(super) async fn runs(call: &Call, chosen: &Runs) -> Result<ExitCode> {
    let states: Vec<_> = chosen.state.iter().map(|state| state.trim().to_lowercase()).collect();
    if let Some(state) = states.iter().find(|state| !STATES.contains(&state.as_str())) {
        return Err(Error::usage(format!("there is no state \"{state}\""))
            .with_remedy(format!("use some of: {}", STATES.join(", "))));
    }
    let filter = RunFilter {
        task_id: chosen.task,
        states,
        since: chosen.since.map(Into::into),
        dead: chosen.dead,
        limit: chosen.limit,
    };
    let ledger = call.ledger().await?;
    let mut pace = Pace::default();
    if !chosen.watch {
        show::lines(&look(call, &ledger, &filter, &mut pace).await?)?;
        return Ok(ExitCode::SUCCESS);
    }
    watch::watch(call.json, ExitCode::SUCCESS, async || {
        let lines = look(call, &ledger, &filter, &mut pace).await?;
        Ok(Look { lines, over: None })
    })
    .await
}

async fn look(
    call: &Call,
    ledger: &Ledger,
    filter: &RunFilter,
    pace: &mut Pace,
) -> Result<Vec<String>> {
    let runs = ledger.runs(filter).await?;
    for run in &runs {
        pace.note(run);
    }
    if call.json {
        return runs.iter().map(|run| to_json(run, pace)).collect();
    }
    let width = show::width();
    let mut lines = show::pauses(&ledger.pauses().await?, width);
    lines.extend(table(&runs, pace).lines(width));
    Ok(lines)
}

/// A run as JSON, with its pace.
pub(super) fn to_json(run: &RunRow, pace: &Pace) -> Result<String> {
    let mut object = json!(run);
    object["rows_per_second"] = json!(pace.rows_per_second(run));
    object["eta_seconds"] = json!(pace.left_ms(run).map(|ms| ms / 1000));
    show::json(&object)
}

fn table(runs: &[RunRow], pace: &Pace) -> Table {
    let mut table = Table::new(&[
        "#RUN", ">TASK", "STATE", ">ROWS", ">ROWS/S", ">SHARDS", ">ETA", ">TRY", "AGE", "~WORKER",
    ]);
    for run in runs {
        let helpers = if run.helpers > 0 { format!(" +{}", run.helpers) } else { String::new() };
        table.row([
            run.run_id.to_string(),
            run.task_id.to_string(),
            run.state.clone(),
            people::count(run.rows_done),
            pace.rows_per_second(run).map(people::count).unwrap_or_default(),
            shards(run),
            pace.left_ms(run).map(people::age).unwrap_or_default(),
            run.attempt.to_string(),
            happened(run),
            run.worker.as_deref().map(|worker| format!("{worker}{helpers}")).unwrap_or_default(),
        ]);
        if run.state == State::Failed.name() || run.state == State::Retrying.name() {
            table.explain(run.reason.as_deref(), run.remedy.as_deref());
        }
        if let Some(connection) = &run.waits_for {
            table.note(&show::waits_for(connection));
        }
    }
    table
}

/// `3/7`, with a `+` while more may be cut.
pub(super) fn shards(run: &RunRow) -> String {
    if run.shards_total == 0 {
        return String::new();
    }
    let more = if run.split_done || State::is_terminal(&run.state) { "" } else { "+" };
    format!("{}/{}{more}", people::count(run.shards_done), people::count(run.shards_total))
}

/// When it got into its state, as far as that is known.
fn happened(run: &RunRow) -> String {
    let since = &run.since;
    match run.state.as_str() {
        "running" => since.started.map(people::age).unwrap_or_default(),
        "submitted" if since.due < -999 => format!("due {}", people::ago(since.due)),
        "submitted" => people::ago(since.submitted),
        "retrying" if since.due < 0 => format!("due {}", people::ago(since.due)),
        "retrying" => "due now".to_owned(),
        _ => people::ago(since.finished.unwrap_or(since.submitted)),
    }
}

/// How fast runs are, by the looks so far.
#[derive(Default)]
pub(super) struct Pace {
    looks: HashMap<Uuid, VecDeque<(Instant, i64)>>,
}

impl Pace {
    /// Takes a look into account.
    pub(super) fn note(&mut self, run: &RunRow) {
        if run.state != State::Running.name() {
            self.looks.remove(&run.run_id);
            return;
        }
        let looks = self.looks.entry(run.run_id).or_default();
        // Edited or taken to another target, it has started again.
        if looks.back().is_some_and(|(_, rows)| *rows > run.rows_done) {
            looks.clear();
        }
        looks.push_back((Instant::now(), run.rows_done));
        while looks.len() > 2 && looks[1].0.elapsed() >= WINDOW {
            looks.pop_front();
        }
    }

    /// Rows a second: between looks if there were several, else over the run's whole time.
    pub(super) fn rows_per_second(&self, run: &RunRow) -> Option<i64> {
        if let Some(looks) = self.looks.get(&run.run_id)
            && let (Some(first), Some(last)) = (looks.front(), looks.back())
            && looks.len() > 1
        {
            return rate(last.1 - first.1, (last.0 - first.0).as_millis() as i64);
        }
        let waits = run.state == State::Submitted.name() || run.state == State::Retrying.name();
        if waits { None } else { rate(run.rows_done, duration_ms(run)?) }
    }

    /// Milliseconds that a running run still needs, where an estimate is there.
    pub(super) fn left_ms(&self, run: &RunRow) -> Option<i64> {
        let pace = self.rows_per_second(run).filter(|pace| *pace > 0)?;
        let running = run.state == State::Running.name();
        let left = run.rows_estimated? - run.rows_done;
        (running && left > 0).then(|| (left as f64 / pace as f64 * 1000.0) as i64)
    }
}

/// From the first start to the end, or to now.
pub(super) fn duration_ms(run: &RunRow) -> Option<i64> {
    Some(run.since.started? - run.since.finished.unwrap_or(0))
}

fn rate(rows: i64, ms: i64) -> Option<i64> {
    (ms > 0).then(|| (rows as f64 * 1000.0 / ms as f64) as i64)
}
