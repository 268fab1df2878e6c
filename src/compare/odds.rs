//! Whether the next range is likely to be the same on both sides.
//!
//! To sum a range up as a whole costs the servers less than by its parts, but one that differs is then
//! summed up once more. So it depends on what the ranges were like so far.

use std::sync::atomic::{AtomicU32, Ordering};

/// Of so many ranges one may differ: the parts of a range cost a third more than the range.
const ONE_IN: u32 = 4;

/// The ranges that were looked at.
#[derive(Debug, Default)]
pub(super) struct Odds {
    ranges: AtomicU32,
    differing: AtomicU32,
}

impl Odds {
    /// Whether a range is worth a look as a whole. Tables are taken to be equal at first.
    pub(super) fn favour_equal(&self) -> bool {
        let differing = self.differing.load(Ordering::Relaxed);
        differing.saturating_mul(ONE_IN) <= self.ranges.load(Ordering::Relaxed)
    }

    /// Notes what a range was like: whether its parts were needed.
    pub(super) fn note(&self, differs: bool) {
        self.differing.fetch_add(u32::from(differs), Ordering::Relaxed);
        self.ranges.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_looked_at_as_a_whole_while_few_of_them_differ() {
        let odds = Odds::default();
        assert!(odds.favour_equal());
        odds.note(true);
        assert!(!odds.favour_equal());
        for _ in 0..3 {
            odds.note(false);
        }
        assert!(odds.favour_equal(), "one in four");
        odds.note(true);
        assert!(!odds.favour_equal());
    }
}
