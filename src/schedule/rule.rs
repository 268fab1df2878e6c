//! When a schedule ticks.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

use super::{GRACE, Missed};
use crate::error::{Error, Result};

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Rule {
    cron: Cron,
    zone: TimeZone,
}

/// What to do about a tick that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Whether to submit.
    pub submits: bool,
    /// The tick that is waited for next; `None` if there is none any more.
    pub next: Option<Timestamp>,
}

impl Rule {
    /// Reads a cron expression of five fields (minute, hour, day of the month, month, day of the week),
    /// or a nickname as `@daily`, and the IANA name of a time zone.
    ///
    /// # Errors
    /// Kind `Config`, for the person who wrote them.
    pub fn parse(cron: &str, zone: &str) -> Result<Self> {
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(cron.trim()).map_err(|error| {
            Error::config(format!("\"{cron}\" is not a cron expression"))
                .caused_by(error)
                .with_remedy(
                    "write five fields: minute, hour, day of the month, month, day of the week, as \
                     in \"30 2 * * *\" for each night at 2:30",
                )
        })?;
        let zone = TimeZone::get(zone.trim()).map_err(|error| {
            Error::config(format!("\"{zone}\" is not a time zone"))
                .caused_by(error)
                .with_remedy("name it as the IANA database does: Asia/Shanghai, Europe/Berlin, UTC")
        })?;
        Ok(Self { cron, zone })
    }

    /// The first tick after a moment; `None` if there is none. Where clocks are put forward, a tick in
    /// the hour that does not exist comes at its end; where they are put back, one in the doubled hour
    /// comes once, if it has a fixed hour.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = moment.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&moment, false).ok()?;
        next.round(Unit::Second).ok().map(|next| next.timestamp())
    }

    /// What to do about the tick `due`, now that it is `now`.
    pub fn step(&self, due: Timestamp, now: Timestamp, missed: Missed) -> Move {
        let late = now.duration_since(due).unsigned_abs();
        match missed {
            Missed::All => Move { submits: true, next: self.after(due) },
            Missed::One => Move { submits: true, next: self.after(now) },
            Missed::Skip => Move { submits: late <= GRACE, next: self.after(now) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ticks(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let rule = Rule::parse(cron, zone).unwrap();
        let following = |moment: &Timestamp| rule.after(*moment);
        let first = rule.after(at(from));
        std::iter::successors(first, following).take(count).map(|at| at.to_string()).collect()
    }

    #[test]
    fn ticks_follow_the_zone_s_clock() {
        let nightly = ticks("30 2 * * *", "Asia/Shanghai", "2026-11-27T00:00:00Z", 2);
        assert_eq!(nightly, ["2026-11-27T18:30:00Z", "2026-11-28T18:30:00Z"]);
        let weekdays = ticks("0 9 * * MON-FRI", "UTC", "2026-11-27T09:00:00Z", 1);
        assert_eq!(weekdays, ["2026-11-30T09:00:00Z"]);
        assert_eq!(ticks("@daily", "UTC", "2026-12-31T12:00:00Z", 1), ["2027-01-01T00:00:00Z"]);
    }

    #[test]
    fn a_night_that_has_no_half_past_two_has_one_tick_and_so_has_one_that_has_two() {
        let spring = ticks("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 2);
        assert_eq!(spring.len(), 2);
        assert!(spring[0].starts_with("2027-03-28T01:"), "{spring:?}");
        assert_eq!(spring[1], "2027-03-29T00:30:00Z");
        let autumn = ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert!(autumn[0].starts_with("2026-10-25T0"), "{autumn:?}");
        assert_eq!(autumn[1], "2026-10-26T01:30:00Z");
    }

    #[test]
    fn what_is_no_expression_or_zone_is_refused() {
        for cron in ["", "* * * *", "61 * * * *", "0 0 3 * * *", "@often", "0 0 1 1 * 2030"] {
            let error = Rule::parse(cron, "UTC").unwrap_err();
            assert!(error.to_string().contains("not a cron expression"), "{cron}: {error}");
        }
        assert!(Rule::parse("0 3 * * *", "Mars/Olympus").unwrap_err().remedy().is_some());
        // It never comes.
        assert_eq!(
            Rule::parse("0 0 31 2 *", "UTC").ok().and_then(|r| r.after(at("2026-01-01T00:00:00Z"))),
            None
        );
    }

    #[test]
    fn missed_ticks_are_treated_by_policy() {
        let rule = Rule::parse("*/10 * * * *", "UTC").unwrap();
        let due = at("2026-11-27T10:00:00Z");
        let (soon, late) = (at("2026-11-27T10:00:20Z"), at("2026-11-27T10:35:00Z"));
        let next = |text: &str| Some(at(text));
        for missed in Missed::ALL {
            let step = rule.step(due, soon, missed);
            assert_eq!(step, Move { submits: true, next: next("2026-11-27T10:10:00Z") });
        }
        let step = |missed| rule.step(due, late, missed);
        let following = next("2026-11-27T10:40:00Z");
        assert_eq!(step(Missed::Skip), Move { submits: false, next: following });
        assert_eq!(step(Missed::One), Move { submits: true, next: following });
        assert_eq!(step(Missed::All), Move { submits: true, next: next("2026-11-27T10:10:00Z") });
    }
}
