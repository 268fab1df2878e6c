//! What one rule makes of one cell.

use std::borrow::Cow;

use crate::calendar;

/// What may happen to the cells of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// A date with a zero part becomes NULL or this day.
    ZeroDate(Option<String>),
    /// What is not UTF-8 is replaced.
    InvalidUtf8,
    /// NUL characters are taken out, or replaced.
    Nul { replace: bool },
    /// NaN and infinity become NULL.
    NonFinite,
    /// Integers beyond these become NULL or the nearer one.
    Range { low: i128, high: i128, clamp: bool },
    /// Decimals with more digits before the point become NULL or the largest.
    Digits { whole: usize, scale: usize, clamp: bool },
    /// Times beyond a day become NULL or its nearer end.
    LongTime { clamp: bool },
    /// Text ends after so many characters.
    Truncate(usize),
    /// Date-times are moved by so many seconds: not counted, since it is what they mean.
    Move(i64),
}

/// What becomes of a cell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Keep,
    Null,
    To(Vec<u8>),
}

impl Rule {
    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::ZeroDate(None) => "zero dates become NULL".to_owned(),
            Self::ZeroDate(Some(day)) => format!("zero dates become {day}"),
            Self::InvalidUtf8 => "what is not UTF-8 becomes U+FFFD".to_owned(),
            Self::Nul { replace: false } => "NUL characters are taken out".to_owned(),
            Self::Nul { replace: true } => "NUL characters become U+FFFD".to_owned(),
            Self::NonFinite => "NaN and infinity become NULL".to_owned(),
            Self::Range { clamp: true, .. } | Self::Digits { clamp: true, .. } => {
                "numbers out of range become the nearest in it".to_owned()
            }
            Self::Range { .. } | Self::Digits { .. } => {
                "numbers out of range become NULL".to_owned()
            }
            Self::LongTime { clamp: true } => "times beyond a day become its end".to_owned(),
            Self::LongTime { .. } => "times beyond a day become NULL".to_owned(),
            Self::Truncate(limit) => format!("text ends after {limit} characters"),
            Self::Move(seconds) => format!("moved by {seconds} s into the other time zone"),
        }
    }

    /// What becomes of this cell.
    pub(super) fn apply(&self, cell: &[u8]) -> Change {
        let or_null = |clamped: Option<String>| match clamped {
            Some(text) => Change::To(text.into_bytes()),
            None => Change::Null,
        };
        match self {
            Self::ZeroDate(day) if has_zero_part(cell) => or_null(day.as_ref().map(|day| {
                let midnight = if cell.len() > 10 { " 00:00:00" } else { "" };
                format!("{day}{midnight}")
            })),
            Self::InvalidUtf8 => match String::from_utf8_lossy(cell) {
                Cow::Owned(replaced) => Change::To(replaced.into_bytes()),
                Cow::Borrowed(_) => Change::Keep,
            },
            Self::Nul { replace } if memchr::memchr(0, cell).is_some() => {
                let with: &[u8] = if *replace { "\u{fffd}".as_bytes() } else { b"" };
                Change::To(cell.split(|&byte| byte == 0).collect::<Vec<_>>().join(with))
            }
            Self::NonFinite => {
                let sign = cell.strip_prefix(b"-").unwrap_or(cell);
                let is_odd = [&b"NaN"[..], b"Infinity", b"infinity"].contains(&sign);
                if is_odd { Change::Null } else { Change::Keep }
            }
            Self::Range { low, high, clamp } => {
                let number = std::str::from_utf8(cell).ok().and_then(|t| t.parse::<i128>().ok());
                match number {
                    Some(number) if number < *low || number > *high => {
                        or_null(clamp.then(|| number.clamp(*low, *high).to_string()))
                    }
                    _ => Change::Keep,
                }
            }
            Self::Digits { whole, scale, clamp } => {
                let digits = cell.strip_prefix(b"-").unwrap_or(cell);
                let end = memchr::memchr(b'.', digits).unwrap_or(digits.len());
                let zeros = digits[..end].iter().take_while(|&&byte| byte == b'0').count();
                if end - zeros <= *whole || !digits[..end].iter().all(u8::is_ascii_digit) {
                    return Change::Keep;
                }
                or_null(clamp.then(|| {
                    let sign = if digits.len() < cell.len() { "-" } else { "" };
                    let whole = if *whole == 0 { "0".to_owned() } else { "9".repeat(*whole) };
                    let fraction = "9".repeat(*scale);
                    let point = if fraction.is_empty() { "" } else { "." };
                    format!("{sign}{whole}{point}{fraction}")
                }))
            }
            Self::LongTime { clamp } => {
                let negative = cell.starts_with(b"-");
                let hours = cell.split(|&byte| byte == b':').next().unwrap_or_default();
                let hours = std::str::from_utf8(hours).ok().and_then(|t| t.parse::<i32>().ok());
                match hours {
                    Some(hours) if negative || hours > 23 => or_null(
                        clamp.then(|| if negative { "00:00:00" } else { "23:59:59" }.to_owned()),
                    ),
                    _ => Change::Keep,
                }
            }
            Self::Truncate(limit) if cell.len() > *limit => {
                let text = String::from_utf8_lossy(cell);
                match text.char_indices().nth(*limit) {
                    Some((end, _)) => Change::To(text[..end].as_bytes().to_vec()),
                    None => Change::Keep,
                }
            }
            Self::Move(seconds) => {
                let moved = std::str::from_utf8(cell).ok().and_then(calendar::parse);
                let moved = moved.and_then(|moment| moment.moved(*seconds));
                moved.map_or(Change::Keep, |text| Change::To(text.into_bytes()))
            }
            Self::ZeroDate(_) | Self::Nul { .. } | Self::Truncate(_) => Change::Keep,
        }
    }
}

/// `0000-…`, `…-00-…`, `…-00`.
fn has_zero_part(cell: &[u8]) -> bool {
    cell.starts_with(b"0000-") || cell.get(4..7) == Some(b"-00") || cell.get(7..10) == Some(b"-00")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(text: &str) -> Change {
        Change::To(text.as_bytes().to_vec())
    }

    #[test]
    fn each_rule_changes_what_it_is_for_and_nothing_else() {
        let day = || Rule::ZeroDate(Some("1970-01-01".into()));
        let range = |clamp| Rule::Range { low: -128, high: 127, clamp };
        let digits = |clamp| Rule::Digits { whole: 3, scale: 2, clamp };
        for (rule, cell, change) in [
            (Rule::ZeroDate(None), "0000-00-00", Change::Null),
            (day(), "2020-00-00 10:00:00", to("1970-01-01 00:00:00")),
            (day(), "2020-01-00", to("1970-01-01")),
            (day(), "2020-10-01 00:00:00", Change::Keep),
            (Rule::Nul { replace: false }, "a\0b\0", to("ab")),
            (Rule::Nul { replace: true }, "a\0", to("a\u{fffd}")),
            (Rule::NonFinite, "-Infinity", Change::Null),
            (Rule::NonFinite, "1e300", Change::Keep),
            (range(true), "-129", to("-128")),
            (range(false), "128", Change::Null),
            (range(false), "127", Change::Keep),
            (digits(true), "-1000", to("-999.99")),
            (digits(true), "0000999.99", Change::Keep),
            (digits(false), "1000.5", Change::Null),
            (Rule::LongTime { clamp: true }, "-00:00:01", to("00:00:00")),
            (Rule::LongTime { clamp: true }, "838:59:59", to("23:59:59")),
            (Rule::LongTime { clamp: false }, "24:00:00", Change::Null),
            (Rule::LongTime { clamp: true }, "23:59:59.999999", Change::Keep),
            (Rule::Truncate(2), "éüö", to("éü")),
            (Rule::Truncate(3), "éüö", Change::Keep),
            (Rule::Move(-28_800), "2024-01-01 07:00:00.5", to("2023-12-31 23:00:00.5")),
            (Rule::Move(3600), "infinity", Change::Keep),
        ] {
            assert_eq!(rule.apply(cell.as_bytes()), change, "{rule:?} {cell:?}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_replaced_and_only_that() {
        for (cell, change) in [
            (&b"a\xffb"[..], to("a\u{fffd}b")),
            (b"\xe4\xb8", to("\u{fffd}")),
            ("é\0".as_bytes(), Change::Keep),
            (b"", Change::Keep),
        ] {
            assert_eq!(Rule::InvalidUtf8.apply(cell), change, "{cell:?}");
        }
    }
}
