//! `goshift run RUN`: one run, with everything that belongs to it.

use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use super::Call;
use super::command::Run;
use super::detail;
use super::runs::{Pace, to_json};
use super::watch::{self, Look};
use crate::cli::{find, show};
use crate::error::{Error, Result};
use crate::ledger::{
    Ledger, ParticipantRow, PauseRow, RunRow, ShardCount, ShardRow, State, TransitionRow,
};
use crate::task::TaskRow;

/// Shards that are being worked on are listed up to so many.
const HELD: usize = 12;

/// What the ledger knows of a run.
pub(super) struct Whole {
    pub run: RunRow,
    pub task: Option<TaskRow>,
    pub counts: Vec<ShardCount>,
    pub held: Vec<ShardRow>,
    /// All of them, if that was asked for.
    pub shards: Option<Vec<ShardRow>>,
    pub participants: Vec<ParticipantRow>,
    pub transitions: Vec<TransitionRow>,
    /// Rows that were left out.
    pub rejected: u64,
    /// Those that hold it back.
    pub pauses: Vec<PauseRow>,
    /// Whether any worker is there.
    pub workers: bool,
}

/// Shows one run.
pub(super) async fn run(call: &Call, name: &str, chosen: &Run) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let run_id = find::run(&ledger, name).await?.run_id;
    let mut pace = Pace::default();
    if !chosen.watch {
        let whole = read(call, &ledger, run_id, chosen.shards).await?;
        show::lines(&lines(call, &whole, &mut pace)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    watch::watch(call.json, ExitCode::FAILURE, async || {
        let whole = read(call, &ledger, run_id, chosen.shards).await?;
        let succeeded = whole.run.state == State::Succeeded.name();
        let over = State::is_terminal(&whole.run.state);
        Ok(Look {
            lines: lines(call, &whole, &mut pace)?,
            over: over.then(|| ExitCode::from(u8::from(!succeeded))),
        })
    })
    .await
}

async fn read(call: &Call, ledger: &Ledger, run_id: Uuid, shards: bool) -> Result<Whole> {
    let run = ledger.run(run_id).await?;
    let task = match ledger.task(run.task_id).await {
        Ok(task) => Some(task),
        // A run outlives its task's row.
        Err(error) if !error.is_transient() => None,
        Err(error) => return Err(error),
    };
    let mut pauses = ledger.pauses().await?;
    pauses.retain(|pause| pause.holds(run.priority));
    let workers = ledger.workers(call.settings.worker.lease).await?;
    Ok(Whole {
        task,
        counts: ledger.shard_counts(run_id).await?,
        held: ledger.held_shards(run_id, HELD).await?,
        shards: if shards { Some(ledger.shards(run_id).await?) } else { None },
        participants: ledger.participants(run_id).await?,
        transitions: ledger.transitions(run_id).await?,
        rejected: ledger.rejected_count(run_id).await?,
        pauses,
        workers: workers.iter().any(|worker| worker.row.state != "lost"),
        run,
    })
}

fn lines(call: &Call, whole: &Whole, pace: &mut Pace) -> Result<Vec<String>> {
    pace.note(&whole.run);
    if !call.json {
        return Ok(detail::lines(whole, pace, show::width()));
    }
    let run: serde_json::Value = serde_json::from_str(&to_json(&whole.run, pace)?)
        .map_err(|error| Error::internal("no JSON form").caused_by(error))?;
    let mut object = json!({
        "run": run,
        "task": whole.task.as_ref().map(|task| json!({"id": task.id,
            "from": detail::end(&task.from), "to": detail::end(&task.to)})),
        "shards": whole.counts,
        "held": whole.held,
        "participants": whole.participants,
        "transitions": whole.transitions,
        "errors": whole.transitions.iter().filter(|step| detail::is_error(step)).collect::<Vec<_>>(),
        "rejected": whole.rejected,
        "pauses": whole.pauses,
        "next": detail::next_step(whole),
    });
    if let Some(shards) = &whole.shards {
        object["every_shard"] = json!(shards);
    }
    Ok(vec![show::json(&object)?])
}
