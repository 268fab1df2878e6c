//! Dead runs and messages on the terminal, for both `goshift dead` and `goshift-submit`.

use super::find;
use super::show;
use crate::dead::{Chosen, Refusal};
use crate::error::Result;
use crate::ledger::Ledger;

mod list;

pub(super) use list::{list, message_lines};

/// Finds what is meant by names: runs by the beginning or the end of their ids, else messages. All of
/// the task's without names.
pub(super) async fn choose(
    ledger: &Ledger,
    task: Option<i64>,
    names: Vec<String>,
    limit: usize,
) -> Result<Chosen> {
    if names.is_empty() {
        return Chosen::all(ledger, task, limit).await;
    }
    let mut chosen = Chosen::named(limit);
    for text in names {
        let mut found = find::candidates(ledger, &text).await?;
        match found.len() {
            0 => chosen.add_message(text),
            1 => chosen.add_run(found.remove(0)),
            _ => chosen.refuse(find::ambiguous(&text, &found)),
        }
    }
    Ok(chosen)
}

/// Says what stays dead, and why.
pub(super) fn refused(what: &str, refusal: Refusal) {
    let error = refusal.into_error();
    show::notice(&format!("{what}: {error}"));
    if let Some(remedy) = error.remedy() {
        show::notice(&format!("  → {remedy}"));
    }
}
