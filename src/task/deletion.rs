//! How many rows mode `mirror` may delete.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// What a task that says nothing allows: so many rows, or so many of a hundred.
const ROWS: u64 = 10;
const PERCENT: f64 = 10.0;

/// The bound of deleted rows: `"max_delete": 500`, `"20%"`, `{"rows": 500, "percent": 20}` or
/// `"all"`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum MaxDelete {
    /// A few rows, or a small part of the table.
    #[default]
    Few,
    /// Both bounds, where given.
    AtMost {
        /// Rows.
        rows: Option<u64>,
        /// Of a hundred of the target's rows.
        percent: Option<f64>,
    },
    /// Even the last one.
    All,
}

impl MaxDelete {
    /// Whether so many of a table's rows may be deleted.
    pub fn allows(self, extra: u64, of: u64) -> bool {
        let share = |percent: f64| extra as f64 <= of as f64 * percent / 100.0;
        match self {
            Self::All => true,
            Self::Few => extra <= ROWS || share(PERCENT),
            Self::AtMost { rows, percent } => {
                rows.is_none_or(|rows| extra <= rows) && percent.is_none_or(share)
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("all") {
            return Some(Self::All);
        }
        match text.strip_suffix('%') {
            Some(percent) => Self::percent(percent.trim().parse().ok()?),
            None => Some(Self::AtMost { rows: Some(text.parse().ok()?), percent: None }),
        }
    }

    fn percent(percent: f64) -> Option<Self> {
        let is_share = (0.0..=100.0).contains(&percent);
        is_share.then_some(Self::AtMost { rows: None, percent: Some(percent) })
    }
}

impl fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Few => write!(f, "{ROWS} rows or {PERCENT} %"),
            Self::AtMost { rows, percent } => {
                let rows = rows.map(|rows| format!("{rows} rows"));
                let percent = percent.map(|percent| format!("{percent} %"));
                let both: Vec<_> = rows.into_iter().chain(percent).collect();
                f.write_str(&both.join(" and "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for MaxDelete {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bounds {
            rows: Option<u64>,
            percent: Option<f64>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Rows(u64),
            Text(String),
            Bounds(Bounds),
        }
        let wanted =
            "write max_delete as in 500, \"20%\", {\"rows\": 500, \"percent\": 20} or \"all\"";
        let odd = || serde::de::Error::custom(wanted);
        match Form::deserialize(deserializer).map_err(|_| odd())? {
            Form::Rows(rows) => Ok(Self::AtMost { rows: Some(rows), percent: None }),
            Form::Text(text) => Self::parse(&text).ok_or_else(odd),
            Form::Bounds(Bounds { rows: None, percent: None }) => Err(odd()),
            Form::Bounds(Bounds { rows, percent }) => match percent.map(Self::percent) {
                Some(None) => Err(odd()),
                _ => Ok(Self::AtMost { rows, percent }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<MaxDelete, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn each_spelling_bounds_what_it_says() {
        let few = MaxDelete::default();
        assert!(few.allows(10, 10) && few.allows(100, 1000) && !few.allows(101, 1000));
        assert!(!few.allows(11, 12), "a small table is not emptied");
        for (text, allowed, refused) in [
            ("500", (500, 500), (501, 1_000_000)),
            ("\"500\"", (500, 500), (501, 1_000_000)),
            ("\"20%\"", (20, 100), (21, 100)),
            ("{\"rows\": 5, \"percent\": 50}", (5, 10), (6, 100)),
            ("{\"rows\": 5, \"percent\": 50}", (4, 8), (5, 8)),
            ("0", (0, 5), (1, 5)),
        ] {
            let bound = read(text).unwrap();
            assert!(bound.allows(allowed.0, allowed.1), "{text}");
            assert!(!bound.allows(refused.0, refused.1), "{text}");
        }
        assert!(read("\"all\"").unwrap().allows(7, 7));
    }

    #[test]
    fn nonsense_is_refused_with_the_spellings() {
        for text in
            ["-1", "\"many\"", "{}", "\"120%\"", "{\"row\": 5}", "true", "{\"percent\": -1}"]
        {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("20%"), "{text}: {error}");
        }
    }
}
