//! `goshift verify`: both sides of a task, compared.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::command::Verify;
use super::{Call, foreground};
use crate::cli::show::{self, people};
use crate::compare::whole::{Difference, DifferenceKind, Outcome};
use crate::error::{Error, Result};
use crate::preview;
use crate::progress::{Display, Progress, Reporter};
use crate::task::{self, Mode, Params, WriteWish};

/// Compares both sides, and repairs the target if asked to.
pub(super) async fn verify(call: &Call, task_id: i64, wanted: &Verify) -> Result<ExitCode> {
    let outcome = Box::pin(compare(call, task_id, wanted.limit)).await?;
    say(call, task_id, &outcome, wanted.repair)?;
    if !wanted.repair || outcome.equal() {
        return Ok(ExitCode::from(u8::from(!outcome.equal())));
    }
    // The proof comes from here.
    let mut overrides = task::without_statements();
    overrides.insert("verify".to_owned(), false.into());
    if takes_all_out(call, task_id).await? {
        overrides.insert("write_mode".to_owned(), WriteWish::Upsert.name().into());
    }
    let mode = Some(Mode::Diff.name().to_owned());
    let repairing = Call { mode, overrides, ..call.clone() };
    Box::pin(foreground::sync(&repairing, task_id)).await?;
    let outcome = Box::pin(compare(call, task_id, wanted.limit)).await?;
    say(call, task_id, &outcome, true)?;
    Ok(ExitCode::from(u8::from(!outcome.equal())))
}

/// Whether the task fills its target anew: what a repair writes is to be written into what is there.
async fn takes_all_out(call: &Call, task_id: i64) -> Result<bool> {
    let task = call.ledger().await?.task(task_id).await?;
    let params = Params::parse_object(&task.params)?;
    let wish = params.get("write_mode").and_then(|wish| wish.as_str()).unwrap_or_default();
    Ok([WriteWish::TruncateInsert, WriteWish::Swap].iter().any(|all_out| all_out.name() == wish))
}

async fn compare(call: &Call, task_id: i64, limit: usize) -> Result<Outcome> {
    let ledger = call.ledger().await?;
    // Whatever mode the task has: both sides are compared by every column.
    let call = Call { mode: Some(Mode::Init.name().to_owned()), ..call.clone() };
    let task = ledger.task(task_id).await?;
    let task = task.checked(&serde_json::Map::new(), call.mode.as_deref())?;
    let (runner, route) = Box::pin(preview::look(&call.settings, &ledger, &task)).await?;
    if route.plan.creates_target {
        return Err(Error::permanent(format!(
            "task {task_id}: there is no target table {}",
            task.to.table
        ))
        .with_remedy(format!("copy it first: `goshift -id {task_id}`")));
    }
    let progress = Arc::new(Progress::default());
    progress.set_estimate(route.plan.read.schema.estimated_rows);
    let display = if call.json { Display::Quiet } else { Display::Auto };
    let label = format!("verify {task_id}");
    let reporter = Reporter::start(display, label, Arc::clone(&progress));
    let outcome = Box::pin(runner.verify(&task, &route, limit, &progress)).await;
    drop(reporter);
    outcome.map_err(|error| error.context(format!("task {task_id}")))
}

fn say(call: &Call, task_id: i64, outcome: &Outcome, repairing: bool) -> Result<()> {
    if call.json {
        return show::line(&described(task_id, outcome).to_string());
    }
    let verdict = if outcome.equal() { "equal" } else { "DIFFERENT" };
    show::line(&format!("task {task_id}: {verdict}"))?;
    for (side, sum) in [("source", outcome.source), ("target", outcome.target)] {
        let rows = people::count(sum.rows as i64);
        show::line(&format!("  {side}  {rows} rows  checksum {}", sum.hex()))?;
    }
    if outcome.equal() {
        return Ok(());
    }
    let found = outcome.missing + outcome.changed + outcome.extra;
    if found > 0 {
        let [missing, changed, extra] =
            [outcome.missing, outcome.changed, outcome.extra].map(|n| people::count(n as i64));
        show::line(&format!(
            "  {missing} rows missing from the target, {changed} different, {extra} only there"
        ))?;
    }
    for difference in &outcome.first {
        show::line(&format!("    {difference}"))?;
    }
    let more = found.saturating_sub(outcome.first.len() as u64);
    if more > 0 && !outcome.first.is_empty() {
        show::line(&format!("    and {} more", people::count(more as i64)))?;
    }
    if let Some(remedy) = remedy(task_id, outcome, repairing) {
        show::line(&format!("  → {remedy}"))?;
    }
    Ok(())
}

fn remedy(task_id: i64, outcome: &Outcome, repairing: bool) -> Option<String> {
    match (outcome.missing + outcome.changed, outcome.extra) {
        (0, 0) => Some(format!(
            "copy it again with `goshift -id {task_id}`, or look for rows that only the target has"
        )),
        (0, _) => {
            Some(format!("`goshift -id {task_id} --mode mirror` deletes what only the target has"))
        }
        _ if repairing => None,
        _ => Some(format!(
            "`goshift verify -id {task_id} --repair` writes what is missing or different; --mode \
             mirror of a run also deletes what only the target has"
        )),
    }
}

fn described(task_id: i64, outcome: &Outcome) -> serde_json::Value {
    let first = outcome.first.iter().map(|Difference { kind, key, columns }| {
        let kind = match kind {
            DifferenceKind::Missing => "missing",
            DifferenceKind::Changed => "changed",
            DifferenceKind::Extra => "extra",
        };
        json!({"kind": kind, "key": key, "columns": columns})
    });
    json!({"task_id": task_id, "equal": outcome.equal(), "source_rows": outcome.source.rows,
        "target_rows": outcome.target.rows, "source_checksum": outcome.source.hex(),
        "target_checksum": outcome.target.hex(), "missing": outcome.missing,
        "changed": outcome.changed, "extra": outcome.extra, "first": first.collect::<Vec<_>>()})
}
