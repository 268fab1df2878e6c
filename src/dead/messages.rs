//! The messages of the dead queue that never became a run.

use uuid::Uuid;

use crate::checksum::checksum;
use crate::config::Settings;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::queue::rabbitmq::{DeadMessage, list_dead};
use crate::submit;

/// What a message is called: by its AMQP message id, else by its body. Fit for a terminal.
pub fn name(message: &DeadMessage) -> String {
    match message.message_id.as_deref().filter(|id| !id.trim().is_empty()) {
        Some(id) => id.replace(char::is_control, " "),
        None => format!("body-{:016x}", checksum(&message.body) as u64),
    }
}

/// Messages in the dead queue that are no run's, the oldest first; none without a broker. While they
/// are read nobody else can see them, which takes some milliseconds.
///
/// # Errors
/// When the ledger or the broker can't be reached.
pub async fn messages(settings: &Settings, ledger: &Ledger) -> Result<Vec<DeadMessage>> {
    let Some(config) = submit::broker(settings)? else { return Ok(Vec::new()) };
    // Those of runs may come first, however many they are.
    let mut messages = list_dead(&config, usize::MAX).await?;
    let runs: Vec<Uuid> = messages.iter().filter_map(|message| message.run_id).collect();
    let known = ledger.known(&runs).await?;
    messages.retain(|message| message.run_id.is_none_or(|id| !known.contains(&id)));
    Ok(messages)
}

/// The beginning of a message's body, as text, and how many bytes follow it.
pub fn beginning(message: &DeadMessage) -> (String, usize) {
    const SHOWN: usize = 500;
    let cut = message.body.len().min(SHOWN);
    (String::from_utf8_lossy(&message.body[..cut]).into_owned(), message.body.len() - cut)
}
