//! The ways into a target, and falling back from a fast one.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a shard's rows get into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WritePath {
    /// Bulk load straight into the table, in which no row is expected to have one of the run's keys.
    Direct,
    /// Bulk load into a temporary table, then one statement that merges it.
    Staged,
    /// Statements of several rows.
    Statements,
    /// Statements of several rows into a temporary table, then one that merges it.
    StagedStatements,
    /// The server copies from table to table; no row has one of the run's keys.
    Inside,
    /// The server copies from table to table and merges.
    InsideMerged,
}

impl fmt::Display for WritePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "bulk load straight into the table",
            Self::Staged => "bulk load into a temporary table, then merged",
            Self::Statements => "statements of several rows",
            Self::StagedStatements => {
                "statements of several rows into a temporary table, then merged"
            }
            Self::Inside => "INSERT … SELECT inside the server",
            Self::InsideMerged => "INSERT … SELECT inside the server, merged",
        })
    }
}

/// The path that was chosen at plan time, and the one for when it turns out not to work: then the
/// whole run changes over, and the shard at hand is tried again.
#[derive(Debug)]
pub struct ChosenPath {
    first: WritePath,
    fallback: WritePath,
    has_fallen_back: AtomicBool,
    had_trouble: AtomicBool,
}

impl ChosenPath {
    /// One without a fallback.
    pub fn only(path: WritePath) -> Self {
        Self::new(path, path)
    }

    /// A path with its fallback.
    pub fn new(first: WritePath, fallback: WritePath) -> Self {
        let (has_fallen_back, had_trouble) = Default::default();
        Self { first, fallback, has_fallen_back, had_trouble }
    }

    /// Whether some shard may take that path.
    pub fn may_be(&self, path: WritePath) -> bool {
        self.first == path || self.fallback == path
    }

    /// The path for the next shard.
    pub fn now(&self) -> WritePath {
        if self.has_fallen_back.load(Ordering::Relaxed) { self.fallback } else { self.first }
    }

    /// Notes a connection that broke on the first path, which may be that path's fault. Returns
    /// whether it was the run's first one, which is worth another try.
    pub fn is_forgiven(&self) -> bool {
        !self.had_trouble.swap(true, Ordering::Relaxed)
    }

    /// Changes over to the fallback. Returns whether there was one left, so that trying again helps.
    pub fn fall_back(&self) -> bool {
        self.has_fallen_back.store(true, Ordering::Relaxed);
        self.first != self.fallback
    }
}

impl fmt::Display for ChosenPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.fallback {
            return self.first.fmt(f);
        }
        write!(f, "{} (else: {})", self.first, self.fallback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_falls_back_once_and_for_all() {
        let path = ChosenPath::new(WritePath::Direct, WritePath::Staged);
        assert_eq!(path.now(), WritePath::Direct);
        assert!(path.fall_back());
        assert_eq!(path.now(), WritePath::Staged);
        assert!(path.is_forgiven() && !path.is_forgiven());
        assert!(!ChosenPath::only(WritePath::Staged).fall_back());
    }
}
