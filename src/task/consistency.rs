//! How much of the source is read as of one moment.

use serde::Deserialize;

/// As of which moments a run reads its source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Each shard as of a moment of its own.
    #[default]
    Shard,
    /// All shards, and their cutting, as of one moment.
    Snapshot,
}

impl Consistency {
    /// As it is written in params and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shard => "shard",
            Self::Snapshot => "snapshot",
        }
    }

    /// By that name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Shard, Self::Snapshot].into_iter().find(|level| level.name() == name)
    }
}
