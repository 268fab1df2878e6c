//! How many rows a run may leave out because the target refuses them.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// The bound of rejected rows: `"max_errors": 100` or `"0.5%"`. Without, the first one fails the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxErrors {
    /// So many rows.
    Rows(u64),
    /// Of a hundred rows of the source.
    Percent(f64),
}

impl Default for MaxErrors {
    fn default() -> Self {
        Self::Rows(0)
    }
}

impl MaxErrors {
    /// Whether a row may be left out at all.
    pub fn is_none(self) -> bool {
        matches!(self, Self::Rows(0)) || self == Self::Percent(0.0)
    }

    /// Whether so many of a table's rows may be left out.
    pub fn allows(self, rejected: u64, of: u64) -> bool {
        match self {
            Self::Rows(rows) => rejected <= rows,
            Self::Percent(percent) => rejected as f64 <= of as f64 * percent / 100.0,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some(percent) = text.strip_suffix('%') else {
            return Some(Self::Rows(text.parse().ok()?));
        };
        let percent = percent.trim().parse().ok()?;
        (0.0..=100.0).contains(&percent).then_some(Self::Percent(percent))
    }
}

impl fmt::Display for MaxErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows} rows"),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

impl<'de> Deserialize<'de> for MaxErrors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Rows(u64),
            Text(String),
        }
        let odd = || serde::de::Error::custom("write max_errors as in 100 or \"0.5%\"");
        match Form::deserialize(deserializer).map_err(|_| odd())? {
            Form::Rows(rows) => Ok(Self::Rows(rows)),
            Form::Text(text) => Self::parse(&text).ok_or_else(odd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_bounds_what_it_says() {
        let read = |text: &str| serde_json::from_str::<MaxErrors>(text);
        let (rows, share) = (read("100").unwrap(), read("\"0.5%\"").unwrap());
        assert!(rows.allows(100, 100) && !rows.allows(101, 1_000_000));
        assert!(share.allows(5, 1000) && !share.allows(6, 1000));
        assert!(read("\"0\"").unwrap().is_none() && read("\"0 %\"").unwrap().is_none());
        for text in ["-1", "\"some\"", "\"101%\"", "true", "[1]"] {
            assert!(read(text).unwrap_err().to_string().contains("0.5%"), "{text}");
        }
    }
}
