//! How a run ends: which failures are tried again, and which are given up.

use super::{Runner, Summary};
use crate::error::{Error, Kind, Result};
use crate::ledger::{Claim, Ending};
use crate::task::Retry;

impl Runner {
    pub(super) fn ending(
        &self,
        claim: &Claim,
        result: &Result<Option<Summary>>,
        retry: &Retry,
        foreground: bool,
    ) -> Ending {
        let error = match result {
            Ok(Some(_)) => return Ending::Succeeded,
            // Whoever stops a foreground run does not want it to go on elsewhere.
            Ok(None) if foreground => return Ending::Cancelled,
            Ok(None) => return Ending::Released { reason: "given back: the worker drains".into() },
            Err(error) => error,
        };
        let (reason, remedy) = (error.to_string(), error.remedy().map(str::to_owned));
        let worker = &self.settings.worker;
        match error.kind() {
            Kind::Cancelled if self.halt.is_cancelled() && !foreground => {
                Ending::Released { reason }
            }
            Kind::Cancelled => Ending::Cancelled,
            Kind::Transient if !foreground && claim.attempt < retry.max_attempts(worker) => {
                let delay = retry.ladder(worker).delay(claim.attempt);
                Ending::Retry { delay_ms: delay.as_millis() as i64, reason, remedy }
            }
            Kind::Transient if !foreground => Ending::Failed {
                reason: format!("{reason} (after {} attempts)", claim.attempt),
                remedy,
                dead: true,
            },
            // Whoever runs a task in the foreground sees the failure: no dead letter for it.
            _ => Ending::Failed { reason, remedy, dead: !foreground },
        }
    }
}

/// A run whose workers keep dying is taken out of circulation.
pub(super) fn poisonous(claim: &Claim) -> Error {
    Error::permanent(format!(
        "its worker died {} times in the middle of it: it is not tried again",
        claim.rescues
    ))
    .with_remedy("look into the workers' logs and memory, then rerun it with --rerun")
}
