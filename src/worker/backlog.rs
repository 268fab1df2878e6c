//! Runs that the ledger has shown to be due, for slots that get free before the next look.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Whether one of them could be had: if none could, looking again at once would not help.
    won: Won,
    good_until: Instant,
}

/// Hears of a claim that has succeeded.
#[derive(Clone, Default)]
pub(super) struct Won(Arc<AtomicBool>);

impl Won {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self { due: VecDeque::new(), more: false, won: Won::default(), good_until: Instant::now() }
    }

    /// Whether a free slot has something to look for at once.
    pub(super) fn waits(&self) -> bool {
        !self.is_empty() || (self.more && self.won.is_noted())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Whether it is still worth going through: what came later may be more urgent.
    pub(super) fn is_fresh(&self) -> bool {
        !self.is_empty() && Instant::now() < self.good_until
    }

    /// The answer to a look that asked for `wanted` runs, good for so long.
    pub(super) fn fill(&mut self, due: Vec<Due>, wanted: usize, good_for: Duration) {
        self.more = due.len() >= wanted;
        self.due = due.into();
        self.won = Won::default();
        self.good_until = Instant::now() + good_for;
    }

    /// The next one, and where to note that it could be had.
    pub(super) fn pop(&mut self) -> Option<(Due, Won)> {
        self.due.pop_front().map(|due| (due, self.won.clone()))
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
        let (_, won) = backlog.pop().unwrap();
        backlog.pop().unwrap();
        assert!(!backlog.waits(), "none could be had: the next look is the poll's");
        won.note();
        assert!(backlog.waits() && !backlog.is_fresh(), "looks again at once");
        backlog.fill(due(1), 2, Duration::from_secs(60));
        assert!(backlog.pop().is_some());
        assert!(!backlog.waits(), "the next look is the poll's");
        backlog.fill(due(2), 2, Duration::ZERO);
        assert!(backlog.waits() && !backlog.is_fresh(), "what is old is asked for again");
    }
}
