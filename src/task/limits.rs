//! The params that bound a run: its speed, and how often it is tried.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::config::keys::{self, KnownKeys, number_or_text};
use crate::config::sections::{WorkerSettings, durations};
use crate::error::{Error, Result};
use crate::retry::Ladder;

/// `"retry": {"max_attempts": 3, "ladder": ["10s", "1m"]}`, laid over the worker's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Retry {
    /// Attempts before a run is failed; `worker.max_attempts` without.
    #[serde(deserialize_with = "number_or_text")]
    max_attempts: Option<u32>,
    /// Upper bounds of the delays; `worker.retry_ladder` without.
    #[serde(deserialize_with = "ladder")]
    ladder: Option<Vec<Duration>>,
}

impl KnownKeys for Retry {
    const KEYS: &'static [&'static str] = &["max_attempts", "ladder"];
}

impl Retry {
    /// Attempts before a run is failed.
    pub fn max_attempts(&self, worker: &WorkerSettings) -> u32 {
        self.max_attempts.unwrap_or(worker.max_attempts)
    }

    /// The waits between attempts.
    pub fn ladder(&self, worker: &WorkerSettings) -> Ladder {
        Ladder::new(self.rungs(worker).to_vec())
    }

    /// Upper bounds of the waits.
    pub fn rungs<'a>(&'a self, worker: &'a WorkerSettings) -> &'a [Duration] {
        self.ladder.as_deref().unwrap_or(&worker.retry_ladder)
    }
}

/// What can only be said by the keys as they were written.
///
/// # Errors
/// Kind `Config`, naming the key at fault.
pub(super) fn check(params: &Map<String, Value>) -> Result<()> {
    match params.get("retry") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(retry)) => {
            keys::check::<Retry>("params.retry", retry)?;
            let attempts = retry.get("max_attempts").and_then(Value::as_u64);
            if attempts == Some(0) {
                return Err(Error::config("params.retry.max_attempts must be at least 1"));
            }
            Ok(())
        }
        Some(_) => Err(Error::config("params.retry must be an object {…}")
            .with_remedy("write {\"max_attempts\": 3, \"ladder\": [\"10s\", \"1m\"]}")),
    }
}

fn ladder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Duration>>, D::Error> {
    durations(deserializer).map(Some)
}

/// Reads `null` as no policy of the task's own.
pub(super) fn retry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Retry, D::Error> {
    Ok(Option::<Retry>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a number of rows that is not zero.
pub(super) fn rows<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU64>, D::Error> {
    number_or_text(deserializer).map_err(|error| {
        serde::de::Error::custom(format!("max_rows_per_second: {error}, write a number from 1"))
    })
}

/// Reads a number of bytes: 1048576, "500KB", "10MB" or "1GB" (powers of 1000).
pub(super) fn bytes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU64>, D::Error> {
    let text = match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    parse_bytes(&text).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "max_bytes_per_second: \"{text}\" is not a number of bytes: write 500KB, 10MB, 1GB or a whole number from 1"
        ))
    })
}

fn parse_bytes(text: &str) -> Option<NonZeroU64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    NonZeroU64::new(text[..digits].parse::<u64>().ok()?.checked_mul(unit)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Params;

    fn params(text: &str) -> Result<Params> {
        Params::read(Params::parse_object(text).unwrap())
    }

    #[test]
    fn bytes_are_written_as_people_write_them() {
        for (text, bytes) in
            [("1", 1), ("500KB", 500_000), (" 10 mb ", 10_000_000), ("2GB", 2_000_000_000)]
        {
            assert_eq!(parse_bytes(text).map(NonZeroU64::get), Some(bytes), "{text}");
        }
        for text in ["", "0", "MB", "-1", "1.5MB", "10TB", "99999999999GB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_task_s_retry_policy_lies_over_the_worker_s() {
        let worker = WorkerSettings::default();
        let own = params(r#"{"retry": {"max_attempts": 3, "ladder": ["10s", 60]}}"#).unwrap().retry;
        assert_eq!(own.max_attempts(&worker), 3);
        assert_eq!(own.rungs(&worker), [10, 60].map(Duration::from_secs));
        let half = params(r#"{"retry": {"max_attempts": "2"}}"#).unwrap().retry;
        assert_eq!((half.max_attempts(&worker), half.rungs(&worker).len()), (2, 5));
        assert_eq!(params("{}").unwrap().retry.max_attempts(&worker), worker.max_attempts);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            (r#"{"max_rows_per_second": 0}"#, "max_rows_per_second"),
            (r#"{"max_bytes_per_second": "10 bananas"}"#, "10 bananas"),
            (r#"{"retry": {"max_attemps": 3}}"#, "max_attemps"),
            (r#"{"retry": {"max_attempts": 0}}"#, "max_attempts"),
            (r#"{"retry": {"ladder": []}}"#, "at least one delay"),
            (r#"{"retry": {"ladder": ["soon"]}}"#, "not a duration"),
            (r#"{"retry": 3}"#, "params.retry"),
        ] {
            let error = params(text).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.exit_code() == 2 && error.to_string().contains("params"), "{error}");
        }
        let error = params(r#"{"retry": {"max_attemps": 3}}"#).unwrap_err();
        assert_eq!(error.remedy(), Some("did you mean \"max_attempts\"?"));
    }
}
