//! The rows that one run of mode `cursor` reads: those between two values of the source's
//! `diff_column`.

use serde::{Deserialize, Serialize};

use super::BoundValue;
use crate::calendar;
use crate::error::{Error, Result};
use crate::task::Overlap;

/// What a run reads, fixed at its start: both ends belong to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The lowest value; from the beginning without.
    pub from: Option<BoundValue>,
    /// The highest value; none of the rows that have one without.
    pub to: Option<BoundValue>,
    /// Whether rows without a value belong to it.
    pub nulls: bool,
}

/// What the source says of the column now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest {
    /// Its highest value.
    pub highest: Option<BoundValue>,
    /// The same, but not later than the source's own clock: a row that is dated in the future must not
    /// take the watermark there, past rows that are still to come.
    pub reached: Option<BoundValue>,
    /// Whether a row has no value.
    pub has_nulls: bool,
}

impl Window {
    /// The condition, as SQL: `column` is quoted, and `literal` writes a value so that the server
    /// compares the column with it.
    pub fn condition(&self, column: &str, literal: impl Fn(&BoundValue) -> String) -> String {
        let within = self.to.as_ref().map(|to| {
            let from = self.from.as_ref().map(|from| format!("{column} >= {} AND ", literal(from)));
            format!("{}{column} <= {}", from.unwrap_or_default(), literal(to))
        });
        let nulls = self.nulls.then(|| format!("{column} IS NULL"));
        let parts: Vec<_> = within.into_iter().chain(nulls).collect();
        // No engine has a row with 1 = 0.
        if parts.is_empty() { "1 = 0".to_owned() } else { parts.join(" OR ") }
    }
}

/// The value that lies so far before a watermark, or a lower one.
///
/// # Errors
/// Kind `Config` for a value that nothing can be taken from.
pub fn before(mark: &BoundValue, overlap: Overlap) -> Result<BoundValue> {
    if overlap == Overlap::Given(0) {
        return Ok(mark.clone());
    }
    let lower = match mark {
        BoundValue::Number(text) | BoundValue::Text(text) => number_before(text, overlap.steps())
            .map(|text| match mark {
                BoundValue::Text(_) => BoundValue::Text(text),
                _ => BoundValue::Number(text),
            }),
        BoundValue::Hex(_) => None,
    };
    let text = if let BoundValue::Text(text) = mark { text.as_str() } else { "" };
    lower.or_else(|| time_before(text, overlap.seconds()).map(BoundValue::Text)).ok_or_else(|| {
        Error::config("params.cursor.overlap: diff_column has neither times nor numbers")
            .with_remedy("set \"cursor\": {\"overlap\": 0}, or name another diff_column")
    })
}

/// Of a decimal number the whole part, less the steps.
fn number_before(text: &str, steps: u64) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|b| b.is_ascii_digit());
    let floor = whole.parse::<i128>().ok().filter(|_| digits)?;
    let floor = if whole.starts_with('-') && !fraction.is_empty() { floor - 1 } else { floor };
    floor.checked_sub(i128::from(steps)).map(|lower| lower.to_string())
}

/// Of a time, less the seconds and without the fraction. A date stays one.
fn time_before(text: &str, seconds: u64) -> Option<String> {
    calendar::parse(text)?.floored(-i64::try_from(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> BoundValue {
        BoundValue::Text(text.to_owned())
    }

    #[test]
    fn an_overlap_is_taken_from_times_and_numbers() {
        for (mark, seconds, lower) in [
            ("2024-03-01 00:05:00.250000", 600, "2024-02-29 23:55:00"),
            ("2024-03-01T00:05:00Z", 60, "2024-03-01T00:04:00Z"),
            ("2024-03-01 00:05:00.5+00", 1, "2024-03-01 00:04:59+00"),
            ("2024-03-01", 600, "2024-02-29"),
            ("1000", 1, "999"),
            ("-1.5", 10, "-12"),
            ("whatever", 0, "whatever"),
        ] {
            let found = before(&text(mark), Overlap::Given(seconds)).unwrap();
            assert_eq!(found, text(lower), "{mark}");
        }
        let number = BoundValue::Number("18446744073709551615".into());
        let lower = BoundValue::Number("18446744073709550615".into());
        assert_eq!(before(&number, Overlap::Usual).unwrap(), lower);
        for odd in ["whatever", "", "infinity", "2024-13-01", "1e300"] {
            assert!(before(&text(odd), Overlap::Usual).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_window_holds_both_of_its_ends() {
        let quoted = |value: &BoundValue| match value {
            BoundValue::Text(text) => format!("'{text}'"),
            other => format!("{other:?}"),
        };
        let condition = |window: &Window| window.condition("c", quoted);
        let mut window = Window { from: Some(text("a")), to: Some(text("b")), nulls: false };
        assert_eq!(condition(&window), "c >= 'a' AND c <= 'b'");
        window.nulls = true;
        assert_eq!(condition(&window), "c >= 'a' AND c <= 'b' OR c IS NULL");
        window.from = None;
        assert_eq!(condition(&window), "c <= 'b' OR c IS NULL");
        assert_eq!(condition(&Window::default()), "1 = 0");
    }
}
