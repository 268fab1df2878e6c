//! How one run is shown to people.

use super::run::Whole;
use super::runs::{Pace, duration_ms, shards as shards_of};
use super::shards;
use crate::cli::show::{self, Table, people};
use crate::ledger::{RunRow, State, TransitionRow};
use crate::task::{Consistency, Endpoint, Params};

/// Where the values begin.
const INDENT: &str = "            ";

/// A run's head, figures, shards, workers, changes of state and next step.
pub(super) fn lines(whole: &Whole, pace: &Pace, width: Option<usize>) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), width };
    head(&mut page, whole);
    page.field("figures", &figures(&whole.run, pace));
    if let Some(level) = consistency(whole) {
        page.field("consistency", &level);
    }
    shards::summary(&mut page, whole);
    if whole.rejected > 0 {
        let rows = people::count(whole.rejected as i64);
        let see =
            format!("{rows} rows were left out: `goshift rejected list {}`", whole.run.run_id);
        page.field("rejected", &see);
    }
    let run = &whole.run;
    if let Some(reason) = run.reason.as_deref().filter(|_| run.state != State::Succeeded.name()) {
        page.field("error", reason);
        if let Some(remedy) = &run.remedy {
            page.field("", &format!("→ {remedy}"));
        }
    }
    participants(&mut page, whole);
    transitions(&mut page, whole);
    if let Some(every) = &whole.shards {
        shards::table(&mut page, every, whole);
    }
    if let Some(step) = next_step(whole) {
        page.lines.push(String::new());
        page.field("next", &format!("→ {step}"));
    }
    page.lines
}

/// Lines that fit the terminal.
pub(super) struct Page {
    pub lines: Vec<String>,
    pub width: Option<usize>,
}

impl Page {
    /// A title and a text that goes on under itself.
    pub(super) fn field(&mut self, title: &str, text: &str) {
        let wrapped = show::wrap(&people::plain(text), INDENT, self.width, usize::MAX);
        for (number, line) in wrapped.into_iter().enumerate() {
            let title = if number == 0 { title } else { "" };
            self.lines.push(format!("{title:<12}{}", line.trim_start()));
        }
    }

    pub(super) fn table(&mut self, table: &Table) {
        if !table.is_empty() {
            self.lines.push(String::new());
            self.lines.extend(table.lines(self.width));
        }
    }
}

fn head(page: &mut Page, whole: &Whole) {
    let run = &whole.run;
    page.field("run", &run.run_id.to_string());
    let by = match (&run.worker, run.helpers) {
        (Some(worker), 0) => format!(" on {worker}"),
        (Some(worker), helpers) => format!(" on {worker} and {helpers} more"),
        (None, _) => String::new(),
    };
    let dead = if run.dead { ", dead" } else { "" };
    page.field("state", &format!("{}{dead}, attempt {}{by}", run.state, run.attempt));
    let route = whole.task.as_ref().map_or(": its row is gone".to_owned(), |task| {
        format!(": {} → {}", end(&task.from), end(&task.to))
    });
    page.field("task", &format!("{}{route}", run.task_id));
    let by = run.submitted_by.as_deref().unwrap_or("somebody");
    let since = people::ago(run.since.submitted);
    page.field("submitted", &format!("{since} by {by}, queue {}", run.priority));
    if let Some(old) = &run.rerun_of {
        page.field("repeats", &format!("run {old}"));
    }
    if let Some(new) = &run.rerun_by {
        page.field("repeated by", &format!("run {new}"));
    }
    if !run.mode.is_empty() {
        page.field("mode", &run.mode);
    }
    if let Some(params) = run.params.as_deref().filter(|params| !params.is_empty()) {
        page.field("params", params);
    }
}

fn figures(run: &RunRow, pace: &Pace) -> String {
    let mut parts = vec![match run.rows_estimated.filter(|_| !State::is_terminal(&run.state)) {
        Some(all) => {
            format!("{} of about {} rows", people::count(run.rows_done), people::count(all))
        }
        None => format!("{} rows", people::count(run.rows_done)),
    }];
    // Of a run that copies all rows it is no news.
    if run.rows_written != run.rows_done {
        parts.push(format!("{} written", people::count(run.rows_written)));
    }
    if run.rows_deleted > 0 {
        parts.push(format!("{} deleted", people::count(run.rows_deleted)));
    }
    if run.bytes_done > 0 {
        parts.push(people::size(run.bytes_done));
    }
    if run.shards_total > 0 {
        parts.push(format!("shards {}", shards_of(run)));
    }
    if let Some(ms) = duration_ms(run) {
        parts.push(people::span(ms));
    }
    if let Some(rate) = pace.rows_per_second(run) {
        parts.push(format!("{} rows/s", people::count(rate)));
    }
    if let Some(left) = pace.left_ms(run) {
        parts.push(format!("{} left", people::span(left)));
    }
    parts.join(", ")
}

fn participants(page: &mut Page, whole: &Whole) {
    let mut table = Table::new(&["~PARTICIPANT", "STATE", ">EPOCH", ">SHARDS", ">ROWS", "JOINED"]);
    for participant in &whole.participants {
        table.row([
            participant.worker.clone(),
            participant.state.clone(),
            participant.epoch.to_string(),
            people::count(participant.shards_done),
            people::count(participant.rows_done),
            people::ago(participant.joined_ms),
        ]);
        table.explain(participant.reason.as_deref(), None);
    }
    page.table(&table);
}

fn transitions(page: &mut Page, whole: &Whole) {
    let mut table = Table::new(&["WHEN", "STATE", ">TRY", ">EPOCH", "AT (UTC)", "~WORKER"]);
    for step in &whole.transitions {
        let at = step.at.split('.').next().unwrap_or(&step.at).replace('T', " ");
        table.row([
            people::ago(step.age_ms),
            step.to_state.clone(),
            step.attempt.to_string(),
            step.epoch.to_string(),
            at,
            step.worker.clone().unwrap_or_default(),
        ]);
        table.explain(step.reason.as_deref(), None);
    }
    page.table(&table);
}

/// As of which moments the source was read, and why that is less than was asked for.
fn consistency(whole: &Whole) -> Option<String> {
    let level = whole.run.consistency.as_deref()?;
    let texts = [whole.run.params.as_deref(), whole.task.as_ref().map(|task| task.params.as_str())];
    let wanted = texts.into_iter().flatten().find_map(|text| {
        Params::parse_object(text).ok()?.get("consistency")?.as_str().map(str::to_owned)
    });
    let is_less = level == Consistency::Shard.name()
        && wanted.as_deref() == Some(Consistency::Snapshot.name());
    let why =
        if is_less { ": rows of an attempt that read without this snapshot are in" } else { "" };
    Some(format!("{level}{why}"))
}

/// A task's end, for people.
pub(super) fn end(end: &Endpoint) -> String {
    format!("{} {}_{}.{}", end.db_type, end.app, end.db, end.table)
}

/// Whether a change of state tells of something that went wrong.
pub(super) fn is_error(step: &TransitionRow) -> bool {
    [State::Failed.name(), State::Retrying.name()].contains(&step.to_state.as_str())
        && step.reason.is_some()
}

/// What a person would do next.
pub(super) fn next_step(whole: &Whole) -> Option<String> {
    let run = &whole.run;
    let id = run.run_id.to_string();
    // The random end of the id names it as well.
    let short = &id[id.len() - 8..];
    let waits = run.state == State::Submitted.name() || run.state == State::Retrying.name();
    if let (true, Some(pause)) = (waits, whole.pauses.first()) {
        return Some(format!("{} is paused: {}", pause.what(), pause.remedy()));
    }
    if waits && !whole.workers {
        return Some("no worker is running: start one with `goshift-worker`".to_owned());
    }
    if let (true, Some(connection)) = (waits, &run.waits_for) {
        return Some(format!("it {}", show::waits_for(connection)));
    }
    if waits && run.since.due < -999 {
        return Some(format!("it is due {}", people::ago(run.since.due)));
    }
    match run.state.as_str() {
        "succeeded" => Some(format!("compare both sides: `goshift verify -id {}`", run.task_id)),
        "failed" | "cancelled" if run.rerun_by.is_some() => {
            run.rerun_by.as_ref().map(|by| format!("look at its repetition: `goshift run {by}`"))
        }
        "failed" if run.dead => Some(format!(
            "once that is done, run it again with `goshift dead rerun {short}`, or give it up \
             with `goshift dead purge {short}`"
        )),
        "failed" | "cancelled" => Some(format!("repeat it: `goshift-submit --rerun {id}`")),
        _ => Some(format!(
            "follow it with `goshift run {short} --watch`, stop it with `goshift cancel {short}`"
        )),
    }
}
