//! Letting go of dead runs and messages.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Chosen, Refusal};
use crate::config::Settings;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::queue::rabbitmq::{DeadMessage, take_dead};
use crate::submit;

/// What is dead no more.
#[derive(Debug, Default)]
pub struct Purged {
    /// Runs; they stay in the ledger as `failed`.
    pub runs: u64,
    /// Messages that never became a run.
    pub messages: u64,
    /// What stays, and why.
    pub refused: Vec<Refusal>,
}

/// Purges what was chosen: first in the ledger, then in the dead queue, so that a crash in between
/// leaves only a message whose run is settled.
///
/// # Errors
/// When the ledger can't be reached; when the broker can't be, and the ledger had nothing to do.
pub async fn purge(settings: &Settings, ledger: &Ledger, mut chosen: Chosen) -> Result<Purged> {
    let runs: Vec<Uuid> = chosen.runs.iter().map(|run| run.run_id).collect();
    let mut purged = Purged { refused: std::mem::take(&mut chosen.refused), ..Purged::default() };
    purged.runs = ledger.purge_dead(&runs).await?;
    match purge_messages(settings, ledger, &mut chosen, &mut purged).await {
        Ok(()) => purged.refused.extend(chosen.unknown()),
        Err(error) => {
            let done = purged.runs > 0 || purged.messages > 0;
            purged.refused.extend(chosen.without_queue(error, done)?);
        }
    }
    Ok(purged)
}

async fn purge_messages(
    settings: &Settings,
    ledger: &Ledger,
    chosen: &mut Chosen,
    purged: &mut Purged,
) -> Result<()> {
    let Some(config) = submit::broker(settings)? else { return Ok(()) };
    let messages = take_dead(&config, |message| chosen.picks(message), usize::MAX).await?;
    for (message, answer) in messages {
        chosen.meet(&message);
        let is_stranger = !is_run(ledger, &message).await?;
        let goes = if is_stranger {
            chosen.means(&message) && (purged.messages as usize) < chosen.limit
        } else {
            is_settled(ledger, &message).await?
        };
        if goes {
            answer.ack().await;
            purged.messages += u64::from(is_stranger);
        } else {
            if !is_stranger {
                purged.refused.extend(chosen.of_dead_run(&message));
            }
            answer.requeue().await;
        }
    }
    Ok(())
}

/// Removes the dead messages of runs that need nothing more: before such runs are deleted, or
/// their messages would look as if they had never become a run.
///
/// # Errors
/// When the ledger or the broker can't be reached.
pub async fn forget_old_letters(settings: &Settings, ledger: &Ledger) -> Result<()> {
    let Some(config) = submit::broker(settings)? else { return Ok(()) };
    let messages = take_dead(&config, |message| message.run_id.is_some(), usize::MAX).await?;
    let runs: Vec<Uuid> = messages.iter().filter_map(|(message, _)| message.run_id).collect();
    let known: HashSet<Uuid> = ledger.known(&runs).await?;
    for (message, answer) in messages {
        let is_known = message.run_id.is_some_and(|id| known.contains(&id));
        if is_known && is_settled(ledger, &message).await? {
            answer.ack().await;
        } else {
            answer.requeue().await;
        }
    }
    Ok(())
}

async fn is_run(ledger: &Ledger, message: &DeadMessage) -> Result<bool> {
    match message.run_id {
        Some(run_id) => ledger.exists(run_id).await,
        None => Ok(false),
    }
}

async fn is_settled(ledger: &Ledger, message: &DeadMessage) -> Result<bool> {
    match message.run_id {
        Some(run_id) => Ok(!ledger.run(run_id).await?.dead),
        None => Ok(false),
    }
}
