//! The ledger: the tables beside the task table that hold runs and shards. It is the truth about
//! every run; the broker only wakes workers.
//!
//! Every write for a run carries the claim's epoch and changes nothing once another worker has
//! claimed the run. Statements are written once for three engines (see [`dialect`]).

use std::future::Future;
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Transaction};

use crate::error::{Error, Result};
use dialect::Dialect;
use transact::Attempt;

mod catalogue;
mod claim;
mod connect;
mod detail;
pub mod dialect;
mod ending;
mod failure;
mod figures;
mod fleet;
mod gate;
mod inspect;
mod joining;
mod notices;
mod overview;
mod participants;
mod pause;
mod purge;
mod rejected;
mod resume;
mod retention;
mod schedules;
mod shards;
mod submission;
mod sweep;
mod tables;
mod tasks;
mod traced;
mod transact;
mod window;

pub use catalogue::{TaskFilter, known_state};
pub use claim::{Claim, ClaimOutcome, Role};
pub use detail::{ParticipantRow, ShardCount, ShardRow, TransitionRow};
pub use ending::{Ending, lease_lost};
pub use figures::Progress;
pub use fleet::{SeenWorker, WorkerRow};
pub use gate::RunLimits;
pub use inspect::{ActiveRun, RunFilter, RunRow, Since};
pub use notices::{OpenNotice, Thresholds};
pub use overview::Overview;
pub use participants::{Halt, Standing};
pub use pause::{PauseRow, Scope, Waiting};
pub use rejected::RejectedRow;
pub use resume::{PlanNote, StoredShards};
pub use schedules::{DueSchedule, NewSchedule, ScheduleRow, Ticked};
pub use shards::{Claimed, Cut, Holder};
pub use submission::{Entered, NewRun, Submitted, group};
pub use sweep::{DeadRun, Due};
pub use window::KeptWindow;

/// States of a run, as they are written to `task_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Accepted, waiting for a worker.
    Submitted,
    /// A worker holds it.
    Running,
    /// Failed for now; due again later.
    Retrying,
    /// Every shard is in.
    Succeeded,
    /// Needs a person.
    Failed,
    /// Stopped on request.
    Cancelled,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Submitted,
        Self::Running,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word in the ledger and in `task_status`.
    pub fn name(self) -> &'static str {
        match self {
            State::Submitted => "submitted",
            State::Running => "running",
            State::Retrying => "retrying",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// Whether the run is over.
    pub fn is_terminal(name: &str) -> bool {
        ["succeeded", "failed", "cancelled"].contains(&name)
    }
}

/// The task database.
#[derive(Clone)]
pub struct Ledger {
    pools: connect::Pools,
    dialect: Dialect,
    address: String,
    /// How long one transaction may take. The driver itself would wait for ever for a server that
    /// has vanished.
    patience: Duration,
    /// Whether people are to be told of failures, and after what time again.
    notices: Option<Duration>,
}

impl Ledger {
    /// Where the task database is, for messages.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// Kind `Transient` when there is none.
    pub async fn ping(&self) -> Result<()> {
        self.answer("asking", self.pool().execute("SELECT 1")).await.map(|_| ())
    }

    fn query(&self, template: &str) -> sqlx::query::Query<'static, Any, sqlx::any::AnyArguments> {
        sqlx::query(AssertSqlSafe(self.dialect.sql(template)))
    }

    async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool().begin_with(self.dialect.begin()).await
    }

    fn failure(&self, doing: &str, error: sqlx::Error) -> Error {
        failure::classify(error, doing, &self.address)
    }

    /// Waits for a query, but not for ever.
    async fn answer<T>(
        &self,
        doing: &str,
        query: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T> {
        match tokio::time::timeout(self.patience, query).await {
            Ok(answered) => answered.map_err(|error| self.failure(doing, error)),
            Err(_) => Err(self.silent(doing)),
        }
    }

    fn silent(&self, doing: &str) -> Error {
        Error::transient(format!(
            "task database {}, {doing}: no answer within {:?}",
            self.address, self.patience
        ))
        .with_remedy("is the task database up, or one of its tables locked?")
    }
}

/// Reads a column of a ledger row.
fn get<'r, T>(row: &'r AnyRow, column: &str) -> Result<T, sqlx::Error>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    sqlx::Row::try_get(row, column)
}

/// So many placeholders.
fn values(count: usize) -> String {
    vec!["?"; count].join(", ")
}
