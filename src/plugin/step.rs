//! What a run does once at its target, beside writing rows.

use uuid::Uuid;

use crate::error::Error;
use crate::fence::Fence;

/// The table in the target that remembers which steps of which runs are done.
pub(super) const TABLE: &str = "goshift_step";

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepName {
    /// Before the first row.
    PreSql,
    /// After the last row.
    PostSql,
}

impl StepName {
    /// As it is written in params and remembered in the target.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreSql => "pre_sql",
            Self::PostSql => "post_sql",
        }
    }

    /// Stands for it among the numbers of a run's shards, for their locks.
    pub(super) fn lock(self) -> u64 {
        match self {
            Self::PreSql => u64::MAX,
            Self::PostSql => u64::MAX - 1,
        }
    }
}

/// Statements that are run in one transaction, which remembers them as done.
#[derive(Debug, Clone)]
pub struct Step {
    /// Of which run.
    pub run_id: Uuid,
    /// Which step.
    pub name: StepName,
    /// What is run, in this order.
    pub statements: Vec<String>,
    /// Open while the run is this worker's: looked at before each statement and before the COMMIT.
    pub fence: Fence,
}

impl Step {
    /// Says which statement failed. Its text stays in the task: it may hold what no log should.
    pub(super) fn failed(&self, at: usize, error: Error) -> Error {
        let (name, of) = (self.name.as_str(), self.statements.len());
        let error = error.context(format!("{name}, statement {} of {of}", at + 1));
        match error.remedy() {
            Some(_) => error,
            None => error.with_remedy(format!(
                "correct {name} in the task's params, or the target, then rerun the run"
            )),
        }
    }
}
