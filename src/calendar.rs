//! Dates and times in the text that databases print, moved by seconds.

use time::{Date, Duration, Month, PrimitiveDateTime, Time};

/// `YYYY-MM-DD[ HH:MM:SS[.f]][zone]`, taken apart.
pub struct Moment<'a> {
    at: PrimitiveDateTime,
    /// What stands between date and time; `None` for a date.
    separator: Option<char>,
    /// Behind the seconds: a fraction, a zone.
    rest: &'a str,
}

/// Reads such a text; `None` for anything else.
pub fn parse(text: &str) -> Option<Moment<'_>> {
    let number = |at: std::ops::Range<usize>| text.get(at)?.parse::<u8>().ok();
    let year = text.get(0..4)?.parse().ok()?;
    let month = Month::try_from(number(5..7)?).ok()?;
    let date = Date::from_calendar_date(year, month, number(8..10)?).ok()?;
    if text.len() == 10 {
        let at = PrimitiveDateTime::new(date, Time::MIDNIGHT);
        return Some(Moment { at, separator: None, rest: "" });
    }
    let time = Time::from_hms(number(11..13)?, number(14..16)?, number(17..19)?).ok()?;
    let separator = text.get(10..11)?.chars().next();
    let at = PrimitiveDateTime::new(date, time);
    Some(Moment { at, separator, rest: text.get(19..)? })
}

impl Moment<'_> {
    /// Whether it is a date without a time.
    pub fn is_date(&self) -> bool {
        self.separator.is_none()
    }

    /// So many seconds later, with its fraction and zone; `None` beyond the calendar.
    pub fn moved(&self, seconds: i64) -> Option<String> {
        self.at(seconds).map(|text| text + self.rest)
    }

    /// The same without the fraction.
    pub fn floored(&self, seconds: i64) -> Option<String> {
        let zone = self.rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        self.at(seconds).map(|text| text + zone)
    }

    fn at(&self, seconds: i64) -> Option<String> {
        let at = self.at.checked_add(Duration::seconds(seconds))?;
        let (date, time) = (at.date(), at.time());
        if !(0..=9999).contains(&date.year()) {
            return None;
        }
        let day = format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day());
        let Some(separator) = self.separator else { return Some(day) };
        let (hour, minute, second) = time.as_hms();
        Some(format!("{day}{separator}{hour:02}:{minute:02}:{second:02}"))
    }
}
