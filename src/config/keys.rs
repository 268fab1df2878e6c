//! Unknown keys are errors with a suggestion, in the configuration and in params alike.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A settings struct that knows the keys it reads.
pub trait KnownKeys {
    /// Every accepted key, aliases included.
    const KEYS: &'static [&'static str];
}

/// Refuses keys that `T` does not read.
///
/// # Errors
/// Kind `Config`, with the nearest known key as the remedy.
pub fn check<T: KnownKeys>(place: &str, map: &Map<String, Value>) -> Result<()> {
    match map.keys().find(|key| !T::KEYS.contains(&key.as_str())) {
        Some(key) => Err(unknown(place, key, T::KEYS)),
        None => Ok(()),
    }
}

/// The error for an unknown key.
pub fn unknown(place: &str, key: &str, known: &[&str]) -> Error {
    let nearest = known
        .iter()
        .map(|k| (strsim::jaro_winkler(&key.to_lowercase(), k), *k))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let error = Error::config(format!("{place} has an unknown key \"{key}\""));
    match nearest {
        Some((_, name)) => error.with_remedy(format!("did you mean \"{name}\"?")),
        None => error.with_remedy(format!("known keys: {}", known.join(", "))),
    }
}

/// Checks the keys of an object and reads it.
///
/// # Errors
/// Kind `Config`, naming the place.
pub fn read<T: KnownKeys + for<'de> Deserialize<'de>>(place: &str, value: Value) -> Result<T> {
    let Value::Object(map) = &value else {
        return Err(Error::config(format!("{place} must be an object {{…}}")));
    };
    check::<T>(place, map)?;
    T::deserialize(value).map_err(|error| {
        Error::config(format!("{place}: {error}")).with_remedy(format!("correct {place}"))
    })
}

/// Reads a number that may be written as text, as it is when it comes from an environment
/// variable.
///
/// # Errors
/// When the text is not a number in range.
pub fn number_or_text<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: std::str::FromStr,
{
    let value = Option::<Value>::deserialize(deserializer)?;
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(other) => return Err(serde::de::Error::custom(format!("{other} is not a number"))),
    };
    text.parse()
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format!("\"{text}\" is not a number in range")))
}

/// Reads `true` or `false` that may be written as text, as [`number_or_text`].
///
/// # Errors
/// When it is neither.
pub fn truth_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(truth)),
        Some(Value::String(text)) if text.trim() == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text.trim() == "false" => Ok(Some(false)),
        Some(other) => Err(serde::de::Error::custom(format!("{other} is neither true nor false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_gets_a_suggestion() {
        let error = unknown("params", "worker_nun", &["worker_num", "read_batch"]);
        assert_eq!(error.remedy(), Some("did you mean \"worker_num\"?"));
        let error = unknown("params", "zzz", &["worker_num"]);
        assert_eq!(error.remedy(), Some("known keys: worker_num"));
    }
}
