//! What becomes of values that the target can't hold: `"values": {"zero_dates": "null"}`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::config::keys::KnownKeys;

/// A task's policies. What is not set is an error where it is met, naming column and key; each value
/// that a policy changes is counted and reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ValueParams {
    /// Dates with a zero for the year, the month or the day.
    pub zero_dates: Option<ZeroDates>,
    /// NUL characters in text.
    pub nul: Option<Nul>,
    /// Text that is not UTF-8, on its way into another engine.
    pub invalid_utf8: Option<InvalidUtf8>,
    /// NaN and infinity, of numbers and of times.
    pub non_finite: Option<Missing>,
    /// Numbers beyond the target's range.
    pub out_of_range: Option<Limit>,
    /// Times of day below 00:00:00 or beyond 23:59:59.
    pub long_times: Option<Limit>,
    /// Text longer than its column.
    pub long_text: Option<LongText>,
    /// What TINYINT(1) is in a table that goshift creates.
    pub tinyint1: Option<Tinyint1>,
    /// Where date-times without a zone are at home, between a column without and one with a zone; UTC
    /// without.
    pub time_zone: Option<Offset>,
}

impl KnownKeys for ValueParams {
    const KEYS: &'static [&'static str] = &[
        "zero_dates",
        "nul",
        "invalid_utf8",
        "non_finite",
        "out_of_range",
        "long_times",
        "long_text",
        "tinyint1",
        "time_zone",
    ];
}

impl ValueParams {
    /// These, and where they say nothing the others.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        Self {
            zero_dates: self.zero_dates.clone().or_else(|| others.zero_dates.clone()),
            nul: self.nul.or(others.nul),
            invalid_utf8: self.invalid_utf8.or(others.invalid_utf8),
            non_finite: self.non_finite.or(others.non_finite),
            out_of_range: self.out_of_range.or(others.out_of_range),
            long_times: self.long_times.or(others.long_times),
            long_text: self.long_text.or(others.long_text),
            tinyint1: self.tinyint1.or(others.tinyint1),
            time_zone: self.time_zone.or(others.time_zone),
        }
    }
}

/// `"error"`, `"null"` or a date to stand for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZeroDates {
    /// Left as it is: the target takes it or the run fails.
    Error,
    /// NULL.
    Null,
    /// This day, as `YYYY-MM-DD`.
    Day(String),
}

/// What becomes of a NUL character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nul {
    /// Left as it is.
    Error,
    /// Taken out.
    Strip,
    /// U+FFFD stands for it.
    Replace,
}

/// What becomes of bytes in a text that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InvalidUtf8 {
    /// The run fails.
    Error,
    /// U+FFFD stands for each sequence of them.
    Replace,
}

/// What becomes of a value that has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Left as it is.
    Error,
    /// NULL.
    Null,
}

/// What becomes of a value beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Left as it is.
    Error,
    /// NULL.
    Null,
    /// The limit itself.
    Clamp,
}

/// What becomes of text that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LongText {
    /// Left as it is.
    Error,
    /// Its beginning, as far as there is room.
    Truncate,
}

/// What TINYINT(1) is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tinyint1 {
    /// A number.
    Integer,
    /// A truth value: anything but 0 and 1 is an error.
    Boolean,
}

/// Seconds east of Greenwich, as in `+08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset(pub i32);

impl Offset {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Some(Self(0));
        }
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let both = digits(hours) && digits(minutes);
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        (both && hours < 15 && minutes < 60).then(|| Self(sign * (hours * 3600 + minutes * 60)))
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A zone with summer time says of one hour a year nothing certain.
        Self::parse(&text).ok_or_else(|| D::Error::custom("write time_zone as in \"+08:00\""))
    }
}

impl<'de> Deserialize<'de> for ZeroDates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_day = crate::calendar::parse(&text).is_some_and(|moment| moment.is_date());
        match text.as_str() {
            "error" => Ok(Self::Error),
            "null" => Ok(Self::Null),
            _ if is_day => Ok(Self::Day(text)),
            _ => Err(D::Error::custom(
                "write zero_dates as \"error\", \"null\" or a day as in \"1970-01-01\"",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_words_and_a_task_s_own_win() {
        let read = |json: &str| serde_json::from_str::<ValueParams>(json);
        let own = read(r#"{"zero_dates": "1970-01-01", "time_zone": "+08:00"}"#).unwrap();
        let others = read(r#"{"zero_dates": "null", "nul": "strip"}"#).unwrap();
        let both = own.over(&others);
        assert_eq!(both.zero_dates, Some(ZeroDates::Day("1970-01-01".into())));
        assert_eq!((both.nul, both.time_zone), (Some(Nul::Strip), Some(Offset(28_800))));
        assert_eq!(Offset::parse("-03:30"), Some(Offset(-12_600)));
        for text in [
            r#"{"zero_dates": "1970-13-01"}"#,
            r#"{"time_zone": "Asia/Shanghai"}"#,
            r#"{"time_zone": "+8"}"#,
            r#"{"long_text": "cut"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
