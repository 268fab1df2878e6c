//! What becomes of a message: a run, a later wake-up, or a dead letter.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::{Worker, pause};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::ledger::ClaimOutcome;
use crate::queue::{DeadReason, Delivery};
use crate::submit;

impl Worker {
    /// Deals with one message. It is acknowledged only once the ledger or another queue has what
    /// it says.
    pub(super) async fn on_delivery(
        &mut self,
        delivery: Delivery,
        slot: OwnedSemaphorePermit,
    ) -> Result<()> {
        let claimed = match Event::parse(&delivery.body) {
            Ok(event) => self.claim_event(&event, delivery.message_id.as_deref()).await,
            Err(error) => Err(error),
        };
        match claimed {
            Ok((_, ClaimOutcome::Claimed(claim))) => {
                if self.slots.available_permits() == 0 {
                    pause(&mut self.consumer).await;
                }
                delivery.answer.ack().await;
                self.start_run(claim, slot);
            }
            Ok((event, ClaimOutcome::NotDue(ms))) => {
                // It came early, by the longest fixed delay that was not too long: send it on.
                if let (Some(publisher), Some(run_id)) = (self.submitter.publisher(), event.run_id)
                {
                    let wake = Event::wake(event.task_id, run_id, event.priority);
                    let sent = publisher.publish_delayed(&wake, Duration::from_millis(ms)).await;
                    if let Err(error) = sent {
                        tracing::warn!(run = %run_id, %error, "a worker will find it in the ledger when due");
                    }
                }
                delivery.answer.ack().await;
            }
            Ok((_, ClaimOutcome::Held | ClaimOutcome::Over | ClaimOutcome::Unknown)) => {
                delivery.answer.ack().await;
            }
            Err(error) if error.is_transient() => {
                delivery.answer.requeue().await;
                return Err(error);
            }
            Err(error) => self.bury(delivery, error).await?,
        }
        Ok(())
    }

    /// Enters the event's run into the ledger if it is not there, and claims it.
    async fn claim_event(
        &self,
        event: &Event,
        message_id: Option<&str>,
    ) -> Result<(Event, ClaimOutcome)> {
        let lease = self.settings.worker.lease;
        if let Some(run_id) = event.run_id {
            let outcome = self.ledger.claim(run_id, &self.row.worker, lease).await?;
            if outcome != ClaimOutcome::Unknown {
                return Ok((event.clone(), outcome));
            }
        }
        let run = submit::from_event(event, message_id)?;
        let submitted = self.ledger.submit(&run).await?;
        let outcome = self.ledger.claim(submitted.run_id, &self.row.worker, lease).await?;
        Ok((Event { run_id: Some(submitted.run_id), ..event.clone() }, outcome))
    }

    /// Puts a message that can never become a run into the dead queue.
    async fn bury(&self, delivery: Delivery, error: Error) -> Result<()> {
        if error.kind() == Kind::Internal {
            tracing::error!(%error, "a message met a defect");
        }
        let Some(publisher) = self.submitter.publisher() else { return Err(error) };
        let reason = DeadReason {
            reason: error.to_string(),
            remedy: error.remedy().map(str::to_owned),
            attempts: 0,
        };
        let buried =
            publisher.publish_dead(&delivery.body, delivery.message_id.as_deref(), &reason).await;
        match buried {
            Ok(()) => {
                tracing::warn!(%error, "a message went to the dead queue");
                delivery.answer.ack().await;
            }
            Err(broker) => {
                tracing::warn!(%broker, "the dead queue did not confirm: the message goes back");
                delivery.answer.requeue().await;
            }
        }
        Ok(())
    }
}
