//! What becomes of columns that only the source has.

use serde::Deserialize;

/// What becomes of columns of the source that the target lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// The task is refused, and they are named.
    #[default]
    Error,
    /// They are added to the target, where they take NULL.
    AddColumns,
    /// They are left out, which the run says.
    Ignore,
}
