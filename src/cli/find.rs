//! Naming a run by the beginning or the end of its id. Ids sort by time, so that those of one day
//! begin alike: their ends tell them apart.

use uuid::Uuid;

use super::show::people;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, RunRow};

/// Candidates that are listed for a person.
const LISTED: usize = 10;
/// A shorter text is no name of a run.
const SHORTEST: usize = 4;

/// The one run that a text names.
///
/// # Errors
/// Kind `Usage` for none and for several.
pub(super) async fn run(ledger: &Ledger, text: &str) -> Result<RunRow> {
    let mut found = candidates(ledger, text).await?;
    match found.len() {
        0 if text.len() < SHORTEST || !text.chars().all(is_of_an_id) => {
            Err(Error::usage(format!("\"{}\" is not a run's id", people::plain(text))).with_remedy(
                format!(
                    "give its last {SHORTEST} characters or more; list the runs with `goshift runs`"
                ),
            ))
        }
        0 => Err(Error::usage(format!("there is no run {}", people::plain(text)))
            .with_remedy("list the runs with `goshift runs`")),
        1 => Ok(found.remove(0)),
        _ => Err(ambiguous(text, &found)),
    }
}

/// The runs that a text may name.
///
/// # Errors
/// When the ledger can't be read.
pub(super) async fn candidates(ledger: &Ledger, text: &str) -> Result<Vec<RunRow>> {
    let text = text.trim().trim_start_matches('…').to_ascii_lowercase();
    if let Ok(id) = Uuid::parse_str(&text) {
        return ledger.runs_like(&id.to_string(), 1).await;
    }
    if text.len() < SHORTEST || !text.chars().all(is_of_an_id) {
        return Ok(Vec::new());
    }
    ledger.runs_like(&text, LISTED + 1).await
}

fn is_of_an_id(c: char) -> bool {
    c.is_ascii_hexdigit() || c == '-'
}

/// The error for a text that names several runs.
pub(super) fn ambiguous(text: &str, found: &[RunRow]) -> Error {
    let several = if found.len() > LISTED { "more than " } else { "" };
    let count = found.len().min(LISTED);
    let one = |run: &RunRow| {
        let since = people::ago(run.since.submitted);
        format!("{} (task {}, {}, submitted {since})", run.run_id, run.task_id, run.state)
    };
    let listed: Vec<_> = found.iter().take(LISTED).map(one).collect();
    Error::usage(format!("\"{text}\" names {several}{count} runs"))
        .with_remedy(format!("say more of the id; it is one of:\n    {}", listed.join("\n    ")))
}
