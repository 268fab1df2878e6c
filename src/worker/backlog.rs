//! Runs that the ledger has shown to be due, for slots that get free before the next look.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ledger::Due;

/// Runs to ask for beyond the free slots: a look into a long ledger costs far more than a claim.
pub(super) const AHEAD: usize = 64;

/// Due runs that nobody had claimed at the last look. Others may claim them meanwhile; that costs
/// an attempt to claim, no more.
pub(super) struct Backlog {
    due: VecDeque<Due>,
    /// Whether the ledger had more than were asked for.
    more: bool,
    good_until: Instant,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self { due: VecDeque::new(), more: false, good_until: Instant::now() }
    }

    /// Whether a free slot has something to look for at once.
    pub(super) fn waits(&self) -> bool {
        self.more || !self.due.is_empty()
    }

    /// Whether it is still worth going through: what came later may be more urgent.
    pub(super) fn is_fresh(&self) -> bool {
        !self.due.is_empty() && Instant::now() < self.good_until
    }

    /// The answer to a look that asked for `wanted` runs, good for so long.
    pub(super) fn fill(&mut self, due: Vec<Due>, wanted: usize, good_for: Duration) {
        self.more = due.len() >= wanted;
        self.due = due.into();
        self.good_until = Instant::now() + good_for;
    }

    pub(super) fn pop(&mut self) -> Option<Due> {
        self.due.pop_front()
    }

    /// None of them could be had: looking again at once would not help.
    pub(super) fn give_up(&mut self) {
        self.more = false;
        self.due.clear();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn due(count: usize) -> Vec<Due> {
        (0..count).map(|_| Due { run_id: Uuid::now_v7(), task_id: 1 }).collect()
    }

    #[test]
    fn a_full_answer_means_that_there_is_more() {
        let mut backlog = Backlog::new();
        assert!(!backlog.waits() && !backlog.is_fresh());
        backlog.fill(due(2), 2, Duration::from_secs(60));
        assert!(backlog.is_fresh());
        while backlog.pop().is_some() {}
        assert!(backlog.waits() && !backlog.is_fresh(), "looks again at once");
        backlog.fill(due(1), 2, Duration::from_secs(60));
        assert!(backlog.pop().is_some());
        assert!(!backlog.waits(), "the next look is the poll's");
        backlog.fill(due(2), 2, Duration::ZERO);
        assert!(backlog.waits() && !backlog.is_fresh(), "what is old is asked for again");
        backlog.give_up();
        assert!(!backlog.waits());
    }
}
