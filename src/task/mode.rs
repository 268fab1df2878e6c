//! What a run does with a table.

use crate::error::{Error, Result};

/// How much of the table a run copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All of it; repeating it is safe.
    Init,
    /// The rows that are missing from the target or different there.
    Diff,
    /// The same, and rows that only the target has are deleted there.
    Mirror,
    /// The rows whose `diff_column` has reached the watermark of the task's last run.
    Cursor,
}

impl Mode {
    /// Reads a mode's name.
    ///
    /// # Errors
    /// Kind `Config` for an unknown one.
    pub fn parse(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "init" | "" => Ok(Mode::Init),
            "diff" => Ok(Mode::Diff),
            "mirror" => Ok(Mode::Mirror),
            "cursor" => Ok(Mode::Cursor),
            other => Err(Error::config(format!("unknown mode \"{other}\""))
                .with_remedy("use init, diff, mirror or cursor")),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Init => "init",
            Mode::Diff => "diff",
            Mode::Mirror => "mirror",
            Mode::Cursor => "cursor",
        }
    }

    /// Whether both sides are compared and only differences are written.
    pub fn compares(self) -> bool {
        matches!(self, Mode::Diff | Mode::Mirror)
    }
}
