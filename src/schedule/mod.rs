//! Schedules: a task is submitted whenever its cron expression says so.
//!
//! Servers and workers all watch the same table. Whoever moves a schedule to its next tick enters the
//! run in the same transaction, so that each tick is submitted once, over any number of them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod clock;
mod rule;

pub use clock::keep_time;
pub use rule::Rule;

/// A tick that nobody has submitted for within this time was missed.
pub const GRACE: Duration = Duration::from_secs(60);

/// What becomes of ticks that came while nobody was there to submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// Nothing: the next one is waited for.
    Skip,
    /// One run for all of them.
    #[default]
    One,
    /// A run for each, one after another.
    All,
}

impl Missed {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::One, Self::All];

    /// As the ledger stores it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::One => "one",
            Self::All => "all",
        }
    }

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
