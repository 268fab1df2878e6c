//! What becomes of a message: a run, a later wake-up, or a dead letter.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::desk::Desk;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::ledger::ClaimOutcome;
use crate::queue::{Acknowledge, DeadReason, Delivery, Publisher};
use crate::submit;
use crate::telemetry::traceparent::Traceparent;

impl Desk {
    /// Deals with one message, and with the run that it brings. It is acknowledged only once the
    /// ledger or another queue has what it says.
    pub(super) async fn on_delivery(
        &self,
        delivery: Delivery,
        slot: OwnedSemaphorePermit,
    ) -> Result<()> {
        crate::fault::point("delivery.received");
        let claimed = match Event::parse(&delivery.body) {
            Ok(event) => {
                let event = event.in_trace(traceparent(&delivery).as_deref());
                let run = event.run_id.map(tracing::field::display);
                tracing::debug!(task = event.task_id, run, "received");
                self.claim_event(event, &delivery).await
            }
            Err(error) => Err(error),
        };
        match claimed {
            Ok((_, ClaimOutcome::Claimed(claim))) => {
                delivery.answer.ack().await;
                crate::fault::point("delivery.acknowledged");
                self.run(claim, delivery.traceparent.as_deref(), slot).await;
            }
            Ok((event, ClaimOutcome::NotDue(ms))) => self.send_on(&event, ms, delivery.answer),
            // A run that is held may have room for another participant: the message is an
            // invitation then.
            Ok((Event { run_id: Some(run_id), .. }, ClaimOutcome::Held)) => {
                match self.participate(run_id).await {
                    Ok(Some(part)) => {
                        delivery.answer.ack().await;
                        self.take_part(part, delivery.traceparent.as_deref(), slot).await;
                    }
                    Ok(None) => delivery.answer.ack().await,
                    Err(error) => {
                        delivery.answer.requeue().await;
                        return Err(error);
                    }
                }
            }
            // Paused: the ledger keeps the run, and whoever resumes wakes it.
            Ok((
                _,
                ClaimOutcome::Held
                | ClaimOutcome::Paused
                | ClaimOutcome::Over
                | ClaimOutcome::Unknown,
            )) => {
                delivery.answer.ack().await;
            }
            // The ledger holds the run until the connection has room.
            Ok((event, ClaimOutcome::Full(connection))) => {
                let run = event.run_id.map(tracing::field::display);
                tracing::info!(
                    task = event.task_id,
                    run,
                    "waits: {connection} has its max_runs at work"
                );
                delivery.answer.ack().await;
            }
            // The ledger's trouble is not the message's fault.
            Err(error) if error.is_transient() || error.kind() == Kind::Internal => {
                delivery.answer.requeue().await;
                return Err(error);
            }
            Err(error) => self.bury(delivery, &error),
        }
        Ok(())
    }

    /// Claims the event's run; enters it into the ledger if it is not there.
    async fn claim_event(
        &self,
        event: Event,
        delivery: &Delivery,
    ) -> Result<(Event, ClaimOutcome)> {
        if let Some(run_id) = event.run_id {
            let outcome = self.claim(run_id).await?;
            if outcome != ClaimOutcome::Unknown {
                return Ok((event, outcome));
            }
            // Our own wake-ups are published after their run was committed: this one was purged.
            if delivery.message_id.as_deref() == Some(run_id.to_string().as_str()) {
                return Ok((event, ClaimOutcome::Unknown));
            }
        }
        if self.is_known_repeat(&event, delivery).await? {
            return Ok((event, ClaimOutcome::Held));
        }
        let message_id = delivery.message_id.as_deref().filter(|id| !id.is_empty());
        let mut run = submit::from_event(&event, message_id)?;
        let mut submitted = self.ledger.submit(&run).await?;
        let mut outcome = self.claim(submitted.run_id).await?;
        // A new message whose id was used before, as by a client that counts from 1 each day, is
        // no repeat: only the broker's own flag tells one.
        let by_message_id = event.dedup_key.is_none() && message_id.is_some();
        if outcome == ClaimOutcome::Over && by_message_id && !delivery.redelivered {
            tracing::warn!(
                task = event.task_id, run = %submitted.run_id,
                "its message id was used before: entered as a new run"
            );
            run.dedup_key = None;
            submitted = self.ledger.submit(&run).await?;
            outcome = self.claim(submitted.run_id).await?;
        }
        let traceparent = submitted.traceparent;
        Ok((Event { run_id: Some(submitted.run_id), traceparent, ..event }, outcome))
    }

    /// A message without any id that comes again after a worker died between its claim and its
    /// acknowledgement: the run that it became is active.
    async fn is_known_repeat(&self, event: &Event, delivery: &Delivery) -> Result<bool> {
        let nameless =
            event.run_id.is_none() && event.dedup_key.is_none() && delivery.message_id.is_none();
        if !(nameless && delivery.redelivered) {
            return Ok(false);
        }
        let active = self.ledger.active(event.task_id).await?;
        let submitter = event.submitted_by.as_deref().unwrap_or(submit::STRANGER);
        Ok(active.is_some_and(|run| run.submitted_by.as_deref() == Some(submitter)))
    }

    /// It came early, by the longest fixed delay that was not too long: sends it on. In the
    /// background, since a broker that is silent must not hold up the worker.
    fn send_on(&self, event: &Event, ms: u64, answer: Box<dyn Acknowledge>) {
        let publisher = self.submitter.publisher().map(Arc::clone);
        let wake = event.run_id.map(|run_id| {
            Event::wake(event.task_id, run_id, event.priority)
                .in_trace(event.traceparent.as_deref())
        });
        self.runs.spawn(async move {
            if let (Some(publisher), Some(wake)) = (publisher, wake) {
                let sent = publisher.publish_delayed(&wake, Duration::from_millis(ms)).await;
                if let Err(error) = sent {
                    let run = wake.run_id.map(tracing::field::display);
                    tracing::warn!(task = wake.task_id, run, %error, "a worker will find the run in the ledger when it is due");
                }
            }
            answer.ack().await;
        });
    }

    /// Puts a message that can never become a run into the dead queue, in the background.
    fn bury(&self, delivery: Delivery, error: &Error) {
        let reason = DeadReason {
            reason: error.to_string(),
            remedy: error.remedy().map(str::to_owned),
            attempts: 0,
        };
        let publisher = self.submitter.publisher().map(Arc::clone);
        self.runs.spawn(async move {
            match publisher {
                Some(publisher) => entomb(publisher, delivery, reason).await,
                None => delivery.answer.requeue().await,
            }
        });
    }
}

/// The message's trace, written as the ledger keeps it. One that is malformed begins none.
fn traceparent(delivery: &Delivery) -> Option<String> {
    let header = delivery.traceparent.as_deref()?;
    Traceparent::parse(header).map(|read| read.to_string())
}

async fn entomb(publisher: Arc<dyn Publisher>, delivery: Delivery, reason: DeadReason) {
    let message_id = delivery.message_id.as_deref();
    match publisher.publish_dead(&delivery.body, message_id, &reason).await {
        Ok(()) => {
            tracing::warn!("a message went to the dead queue: {}", reason.reason);
            delivery.answer.ack().await;
        }
        Err(error) => {
            tracing::warn!(%error, "the dead queue did not confirm: the message goes back");
            delivery.answer.requeue().await;
        }
    }
}
