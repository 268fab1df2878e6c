//! `goshift -id N`: submits a run, claims it at once and executes it here, with the same ledger
//! and the same lease as a worker. If this process dies, a worker finishes the run.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::HumanCount;
use serde_json::json;
use tracing::Instrument;

use super::Call;
use crate::cli::show;
use crate::error::{Error, Result};
use crate::ledger::{Claim, ClaimOutcome, Ledger, NewRun, Submitted};
use crate::metrics::WorkerMetrics;
use crate::progress::Display;
use crate::room::Room;
use crate::run::{self, Ahead, Compared, Runner, Summary};
use crate::shutdown::Shutdown;
use crate::submit::Submitter;
use crate::task::Mode;
use crate::telemetry::trace;

/// Runs a task to its end.
pub(super) async fn sync(call: &Call, task_id: i64) -> Result<ExitCode> {
    let mode = match &call.mode {
        Some(mode) => Mode::parse(mode)?.name(),
        None => "",
    };
    let shutdown = Shutdown::listen(true)?;
    let ledger = call.ledger().await?;
    let task = ledger.task(task_id).await?;
    let task = task.checked(&call.overrides, Some(mode))?;
    let display = if call.json { Display::Json } else { Display::Auto };
    let runner = Runner {
        settings: call.settings.clone(),
        submitter: Submitter::open(&call.settings, ledger.clone(), "goshift")?,
        ledger: ledger.clone(),
        display,
        drain: shutdown.drain,
        halt: shutdown.halt,
        ahead: Ahead::default(),
        room: Room::new(call.settings.worker.row_memory),
        metrics: WorkerMetrics::default(),
    };
    runner.connect_ahead(&task);
    let claim = claim(call, &ledger, task_id, mode).await?;
    let span = run::working(&claim, None);
    let finished = Box::pin(runner.execute(&claim, true)).instrument(span.clone()).await;
    trace::end(&span);
    let finished = finished?;
    match finished.result? {
        Some(summary) => {
            say(call, &claim, &summary)?;
            Ok(ExitCode::SUCCESS)
        }
        None => Err(Error::new(crate::error::Kind::Cancelled, "stopped by a signal")),
    }
}

fn say(call: &Call, claim: &Claim, summary: &Summary) -> Result<()> {
    let seconds = summary.elapsed.as_secs_f64();
    if call.json {
        let mut event = json!({"event": "succeeded", "task_id": claim.task_id,
            "run_id": claim.run_id, "rows": summary.rows, "bytes": summary.bytes,
            "shards": summary.shards, "seconds": (seconds * 1000.0).round() / 1000.0,
            "rejected": summary.rejected, "consistency": summary.consistency.name(),
            "notes": summary.notes});
        if let Some(Compared { written, deleted, kept }) = summary.compared {
            event["written"] = written.into();
            event["deleted"] = deleted.into();
            event["only_in_target"] = kept.into();
        }
        return show::line(&event.to_string());
    }
    let done = match summary.compared {
        None => String::new(),
        Some(Compared { written, deleted, kept }) => {
            let counts = [(written, "written"), (deleted, "deleted"), (kept, "only in the target")];
            let counts = counts.into_iter().filter(|&(rows, what)| rows > 0 || what == "written");
            let counts = counts.map(|(rows, what)| format!("{} {what}", HumanCount(rows)));
            format!(" compared, {},", counts.collect::<Vec<_>>().join(", "))
        }
    };
    show::line(&format!(
        "task {}: {} rows{done} in {seconds:.2} s ({} rows/s), {} shards, run {}",
        claim.task_id,
        HumanCount(summary.rows),
        HumanCount((summary.rows as f64 / seconds.max(0.001)) as u64),
        summary.shards,
        claim.run_id
    ))?;
    if summary.rejected > 0 {
        show::notice(&format!(
            "{} rows were refused by the target and left out: see them with \
             `goshift rejected list {run}`, try them again with `goshift rejected replay {run}`",
            HumanCount(summary.rejected),
            run = claim.run_id
        ));
    }
    Ok(())
}

/// Enters a run and claims it; or takes over a run of the task whose process has died.
async fn claim(call: &Call, ledger: &Ledger, task_id: i64, mode: &str) -> Result<Claim> {
    let worker = crate::worker::process_name(&format!("goshift-{}", std::process::id()));
    let lease = call.settings.worker.lease;
    let limits = crate::worker::run_limits(&call.settings)?;
    let patience = Instant::now() + lease + Duration::from_secs(1);
    let mut told = false;
    loop {
        let Some(active) = ledger.active(task_id).await? else { break };
        if active.lease_ms.is_some_and(|left| left < 0)
            && let ClaimOutcome::Claimed(claim) =
                ledger.claim(active.run_id, &worker, lease, &limits).await?
        {
            show::notice(&format!("going on with run {}, whose process has died", active.run_id));
            return Ok(claim);
        }
        if active.lease_ms.is_none() || !active.is_silent(lease) || Instant::now() > patience {
            return Err(Error::permanent(format!(
                "task {task_id} is {} as run {}{}",
                active.state,
                active.run_id,
                active.worker.map(|w| format!(" on {w}")).unwrap_or_default()
            ))
            .with_remedy(format!(
                "wait for it, or stop it with `goshift cancel {}`",
                active.run_id
            )));
        }
        if !told {
            show::notice(&format!("run {} is silent: waiting for its lease to end", active.run_id));
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let run = NewRun {
        run_id: None,
        task_id,
        mode: mode.to_owned(),
        params: call.overrides.clone(),
        priority: crate::event::Priority::High,
        delay_ms: 0,
        dedup_key: None,
        submitted_by: Some(show::who()),
        rerun_of: None,
        traceparent: None,
    };
    let submitted = ledger.submit(&run).await?;
    for pause in ledger.pauses().await?.iter().filter(|pause| pause.holds(run.priority.name())) {
        show::notice(&format!("{} is paused; this run goes on nevertheless", pause.what()));
    }
    match ledger.claim_though_paused(submitted.run_id, &worker, lease, &limits).await? {
        ClaimOutcome::Claimed(claim) => Ok(claim),
        ClaimOutcome::Full(connection) => Err(full(ledger, task_id, &submitted, &connection).await),
        ClaimOutcome::NotDue(ms) => Err(Error::permanent(format!(
            "run {} of task {task_id} is waiting for its time, in {} s",
            submitted.run_id,
            ms / 1000
        ))
        .with_remedy(format!("cancel it first: `goshift cancel {}`", submitted.run_id))),
        ClaimOutcome::Held | ClaimOutcome::Paused | ClaimOutcome::Over | ClaimOutcome::Unknown => {
            Err(Error::permanent(format!(
                "a worker was faster: task {task_id} is being run as {}",
                submitted.run_id
            ))
            .with_remedy("follow it with `goshift runs`"))
        }
    }
}

/// A connection has as many runs as it may. The person decides whether to wait: a run that was
/// entered for this process only is taken back, since a worker would take it from here.
async fn full(ledger: &Ledger, task_id: i64, run: &Submitted, connection: &str) -> Error {
    let what = format!("task {task_id} can't start: {connection} has its max_runs at work");
    let (error, remedy) = if !run.new {
        (Error::permanent(what), format!("run {} waits for it already", run.run_id))
    } else {
        let error = match ledger.cancel(run.run_id).await {
            Ok(_) => Error::permanent(what),
            Err(error) => Error::permanent(what).caused_by(error),
        };
        let wait = format!("try again later, or let a worker wait: `goshift-submit {task_id}`");
        (error, wait)
    };
    error.with_remedy(remedy)
}
