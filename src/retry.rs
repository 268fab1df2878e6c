//! How long to wait before trying again.
//!
//! The only place that uses the `backoff` crate, so that replacing it is a change to this file.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

const FIRST_RECONNECT: Duration = Duration::from_millis(100);
const LAST_RECONNECT: Duration = Duration::from_secs(10);
const FLOOR: Duration = Duration::from_secs(1);

/// Waits between attempts to reach a server again; never gives up.
#[derive(Debug)]
pub struct Reconnect(ExponentialBackoff);

/// Starts at about 100 ms, doubles up to 10 s; randomised, so that a fleet doesn't knock in step.
pub fn reconnect() -> Reconnect {
    Reconnect(
        ExponentialBackoffBuilder::new()
            .with_initial_interval(FIRST_RECONNECT)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_interval(LAST_RECONNECT)
            .with_max_elapsed_time(None)
            .build(),
    )
}

impl Reconnect {
    /// The time to wait before the next attempt, at most 10 s.
    #[allow(clippy::should_implement_trait)] // endless, so an Option would only be in the way
    pub fn next(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(LAST_RECONNECT).min(LAST_RECONNECT)
    }

    /// Starts again at the shortest wait, after a success.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// Waits between the attempts of a run: each attempt may wait up to its rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    rungs: Vec<Duration>,
}

impl Default for Ladder {
    /// 10 s, 1 min, 5 min, 15 min, 1 h.
    fn default() -> Self {
        Self { rungs: [10, 60, 300, 900, 3600].map(Duration::from_secs).to_vec() }
    }
}

impl Ladder {
    /// A ladder with these rungs; the default one if there are none.
    pub fn new(rungs: Vec<Duration>) -> Self {
        if rungs.is_empty() { Self::default() } else { Self { rungs } }
    }

    /// The wait after failed attempt `attempt` (1 is the first): full jitter, anything from zero
    /// to the attempt's rung, but at least a second unless the rung is shorter than that.
    pub fn delay(&self, attempt: u32) -> Duration {
        self.delay_at(attempt, rand::random_range(0.0..=1.0))
    }

    /// [`Ladder::delay`] at a given point of its range, 0 to 1.
    fn delay_at(&self, attempt: u32, point: f64) -> Duration {
        let index = (attempt.saturating_sub(1) as usize).min(self.rungs.len() - 1);
        let rung = self.rungs[index];
        rung.mul_f64(point).clamp(rung.min(FLOOR), rung)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnecting_slows_down_and_never_ends() {
        let mut waits = reconnect();
        assert!(waits.next() <= FIRST_RECONNECT.mul_f64(1.5));
        let later: Vec<_> = (0..1000).map(|_| waits.next()).skip(20).collect();
        assert!(later.iter().all(|wait| *wait >= LAST_RECONNECT / 2 && *wait <= LAST_RECONNECT));
        waits.reset();
        assert!(waits.next() <= FIRST_RECONNECT.mul_f64(1.5));
    }

    #[test]
    fn each_attempt_may_wait_up_to_its_rung() {
        let ladder = Ladder::default();
        let longest: Vec<_> =
            (0..8).map(|attempt| ladder.delay_at(attempt, 1.0).as_secs()).collect();
        assert_eq!(longest, [10, 10, 60, 300, 900, 3600, 3600, 3600]);
        assert_eq!(ladder.delay_at(2, 0.5), Duration::from_secs(30));
    }

    #[test]
    fn a_wait_has_a_floor_but_not_above_its_rung() {
        let ladder = Ladder::new(vec![Duration::from_millis(200), Duration::from_secs(60)]);
        assert_eq!(ladder.delay_at(1, 0.0), Duration::from_millis(200));
        assert_eq!(ladder.delay_at(2, 0.0), FLOOR);
    }

    #[test]
    fn draws_spread_over_the_whole_range() {
        let ladder = Ladder::new(vec![Duration::from_secs(100)]);
        let draws: Vec<_> = (0..2000).map(|_| ladder.delay(1).as_secs_f64()).collect();
        assert!(draws.iter().all(|draw| (1.0..=100.0).contains(draw)));
        assert!(draws.iter().any(|draw| *draw < 20.0) && draws.iter().any(|draw| *draw > 80.0));
    }
}
