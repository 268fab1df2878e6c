//! How mode `cursor` picks its rows: `"cursor": {"overlap": "10m", "nulls": "copy"}`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// What is read again of a column of times, where a task says nothing.
const SECONDS: u64 = 600;
/// What is read again of a column of numbers.
const STEPS: u64 = 1000;

/// A task's wishes for mode `cursor`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CursorParams {
    /// How far before the last watermark a run begins.
    pub overlap: Overlap,
    /// What becomes of rows without a value in `diff_column`.
    pub nulls: Nulls,
}

/// How far before the last watermark a run begins, for rows that were committed late: `"10m"`, or
/// a number of seconds; for a column of numbers that many of its steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overlap {
    /// Ten minutes, or 1,000 steps.
    #[default]
    Usual,
    /// As the task says.
    Given(u64),
}

impl Overlap {
    /// In seconds.
    pub fn seconds(self) -> u64 {
        if let Self::Given(seconds) = self { seconds } else { SECONDS }
    }

    /// In the steps of a column of numbers.
    pub fn steps(self) -> u64 {
        if let Self::Given(steps) = self { steps } else { STEPS }
    }
}

/// What becomes of rows without a value in `diff_column`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nulls {
    /// Every run copies them all: nothing says which are new.
    #[default]
    Copy,
    /// They are left out.
    Skip,
    /// The run fails if there is one.
    Error,
}

impl<'de> Deserialize<'de> for Overlap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Text(String),
        }
        let odd = || serde::de::Error::custom("write overlap as in \"10m\" or 600");
        match Form::deserialize(deserializer).map_err(|_| odd())? {
            Form::Number(number) => Ok(Self::Given(number)),
            Form::Text(text) => {
                let seconds = humantime::parse_duration(text.trim()).map(|d: Duration| {
                    // A part of a second is a second.
                    d.as_secs() + u64::from(d.subsec_nanos() > 0)
                });
                text.trim().parse().or(seconds).map(Self::Given).map_err(|_| odd())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<CursorParams, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_overlap_is_a_time_or_a_number() {
        assert_eq!(read("{}").unwrap().overlap.seconds(), 600);
        assert_eq!(read("{}").unwrap().overlap.steps(), 1000);
        for (text, seconds) in [("\"2h\"", 7200), ("90", 90), ("\"90\"", 90), ("\"1500ms\"", 2)] {
            let read = read(&format!("{{\"overlap\": {text}}}")).unwrap();
            assert_eq!((read.overlap.seconds(), read.nulls), (seconds, Nulls::Copy), "{text}");
        }
        assert_eq!(read("{\"nulls\": \"error\"}").unwrap().nulls, Nulls::Error);
        for text in ["{\"overlap\": \"soon\"}", "{\"overlap\": -1}", "{\"nulls\": \"keep\"}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
