//! `goshift pause` and `goshift resume`.

use std::process::ExitCode;

use serde_json::json;

use super::Call;
use crate::cli::show::{self, people};
use crate::error::{Error, Result};
use crate::event::Priority;
use crate::ledger::Scope;
use crate::submit::Submitter;

/// As long as the ledger's column.
const LONGEST_REASON: usize = 500;

/// Lets no further run start.
pub(super) async fn pause(
    call: &Call,
    queue: Option<Priority>,
    reason: Option<&str>,
) -> Result<ExitCode> {
    if reason.is_some_and(|text| text.chars().count() > LONGEST_REASON) {
        return Err(Error::usage(format!("--reason has more than {LONGEST_REASON} characters"))
            .with_remedy("say it in fewer"));
    }
    let ledger = call.ledger().await?;
    let scope = queue.map_or(Scope::Fleet, Scope::Queue);
    let new = ledger.pause(scope, &show::who(), reason).await?;
    let pauses = ledger.pauses().await?;
    let held_back = ledger.held_back().await?;
    if call.json {
        let pause = pauses.iter().find(|pause| pause.scope == scope.key());
        show::line(
            &json!({"event": "paused", "scope": scope.key(), "new": new, "held_back": held_back,
                "pause": pause})
            .to_string(),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    if !new {
        show::notice("it was paused already");
    }
    show::lines(&show::pauses(&pauses, show::width()))?;
    let runs = people::count(held_back);
    show::line(&format!("{runs} run(s) wait; what is running goes on, submissions are accepted"))?;
    Ok(ExitCode::SUCCESS)
}

/// Ends a pause and wakes what is due.
pub(super) async fn resume(call: &Call, queue: Option<Priority>) -> Result<ExitCode> {
    let ledger = call.ledger().await?;
    let scope = queue.map_or(Scope::Fleet, Scope::Queue);
    let ended = ledger.resume(scope).await?;
    // Also when there was no pause: the one who ended it may have died before the wake-ups.
    let woken = Submitter::open(&call.settings, ledger.clone(), "goshift resume")?;
    let woken = woken.wake_due().await?;
    let left = ledger.pauses().await?;
    if call.json {
        show::line(
            &json!({"event": "resumed", "scope": scope.key(), "was_paused": ended,
                "woken": woken, "pauses": left})
            .to_string(),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let what = queue.map_or("the fleet".to_owned(), |queue| format!("the queue {}", queue.name()));
    let said = if ended { "goes on" } else { "was not paused" };
    let woken = match woken {
        Some(runs) => format!("{} waiting run(s) woken", people::count(runs as i64)),
        None => "the workers find what waits in the ledger".to_owned(),
    };
    show::line(&format!("{what} {said}; {woken}"))?;
    show::lines(&show::pauses(&left, show::width()))?;
    Ok(ExitCode::SUCCESS)
}
