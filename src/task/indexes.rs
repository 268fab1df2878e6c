//! Which indexes of its source a created target gets.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `"indexes": true`, `"unique"` or `false`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IndexWish {
    /// All, what is unique too as plain indexes: a row that is no longer in the source may stay in the
    /// target, and must not keep out the one that has its value now.
    #[default]
    Plain,
    /// All, and unique ones stay unique.
    Unique,
    /// None but the key.
    Without,
}

impl<'de> Deserialize<'de> for IndexWish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null | Value::Bool(true) => Ok(Self::Plain),
            Value::Bool(false) => Ok(Self::Without),
            Value::String(text) if text == "unique" => Ok(Self::Unique),
            _ => Err(D::Error::custom("write indexes as true, false or \"unique\"")),
        }
    }
}
