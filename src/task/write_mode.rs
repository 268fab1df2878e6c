//! How a task wants its rows written.

use serde::Deserialize;

/// How a task wants its rows written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteWish {
    /// Insert, or update the row with the same key.
    Upsert,
    /// Insert; a row whose key is there already is left as it is there.
    InsertIgnore,
    /// Update the row with the same key; insert nothing.
    Update,
    /// Replace the row with the same key as a whole, or insert one.
    Replace,
    /// Insert only, each shard once a run, whatever is there.
    Insert,
    /// Take every row out of the target, once a run, then upsert or insert.
    TruncateInsert,
    /// Load a table beside the target, which then takes its place.
    Swap,
}

impl WriteWish {
    /// As it is written in params.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::InsertIgnore => "insert_ignore",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Insert => "insert",
            Self::TruncateInsert => "truncate_insert",
            Self::Swap => "swap",
        }
    }
}
