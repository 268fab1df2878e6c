//! The one error type: what happened, where, and what to do next.

use std::fmt;

/// What an error means for the run that met it and for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong. Exit code 2.
    Usage,
    /// The configuration, the task row or its params are wrong. Permanent, exit code 2.
    Config,
    /// Trying again without a change by a person cannot help. The run fails at once.
    Permanent,
    /// A connection, a lock or a server's state; trying again later may help.
    Transient,
    /// Another worker owns the run now. Nothing more may be written; no attempt is charged.
    LeaseLost,
    /// A person or a shutdown asked for the stop.
    Cancelled,
    /// A broken promise inside goshift itself.
    Internal,
}

impl Kind {
    /// Its name in traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::LeaseLost => "lease_lost",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// Shorthand used across the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its kind, its place and a remedy for the person at the terminal.
///
/// Messages never hold a password and never a row's values, except the key of the row at fault.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    remedy: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    blames_row: bool,
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        // A key may hold a NUL, which PostgreSQL's text can't: an error must always be writable.
        let message = message.into().replace('\0', "\u{fffd}");
        Self { kind, message, remedy: None, source: None, blames_row: false }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Configuration, task row or params are wrong.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// Only a person's change can help.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(Kind::Permanent, message)
    }

    /// Trying again later may help.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Kind::Transient, message)
    }

    /// A promise inside goshift was broken.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
            .with_remedy("this is a defect in goshift: please report it with the log")
    }

    /// Adds what to do next. The innermost remedy wins: it knows most.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    /// Puts the place in front: `task 5: …`.
    #[must_use]
    pub fn context(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Keeps the underlying error; its text is shown after the message.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says that one row's values are at fault, and other rows of the same table can be written.
    #[must_use]
    pub fn about_a_row(self) -> Self {
        Self { blames_row: true, ..self }
    }

    /// Whether one row's values are at fault.
    pub fn is_about_a_row(&self) -> bool {
        self.blames_row && self.kind == Kind::Permanent
    }

    /// What the error means for the run.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do next, if known.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Whether a later attempt may succeed without a person's change.
    pub fn is_transient(&self) -> bool {
        self.kind == Kind::Transient
    }

    /// The process's exit code by the contract: 1 a run failed, 2 wrong usage or configuration.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage | Kind::Config => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {}", source.to_string().replace('\0', "\u{fffd}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Puts a place in front of an error on its way up.
pub trait Context<T> {
    /// Adds the place, computed only on failure.
    fn context<D: fmt::Display>(self, place: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context<D: fmt::Display>(self, place: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| error.context(place()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_goes_in_front_and_the_first_remedy_stays() {
        let error = Error::transient("no answer")
            .caused_by(std::io::Error::other("refused"))
            .with_remedy("start it")
            .with_remedy("something vaguer")
            .context("task 5");
        assert_eq!(error.to_string(), "task 5: no answer: refused");
        assert_eq!(error.remedy(), Some("start it"));
        assert_eq!(error.exit_code(), 1);
    }
}
