//! The interfaces between the run and the engines, and the list of engines.
//!
//! A new database is a new folder here and one line in [`PLUGINS`]. Nothing outside the folders
//! knows an engine. Plugins never see the ledger or the queue.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Result};
use crate::schema::Column;

mod copy_text;
pub mod digest;
pub mod mysql;
pub mod path;
mod pending;
pub mod postgres;
mod reading;
mod reuse;
pub mod rights;
mod row_keys;
pub mod sqlite;
pub mod step;
pub mod window;
mod write_plan;
mod writing;

pub use reading::{Inside, ReadPlan, Reader, SnapshotWay};
pub use write_plan::{ByKey, Receipt, Rejection, WriteColumn, WriteMode, WritePlan, beside};
pub use writing::{Hazard, NewTable, Writer};

use reading::snapshot_lost;
use write_plan::{marker_of, old};
use writing::{not_added, not_emptied};

/// Every engine, with the names that a task row may use for it.
static PLUGINS: &[&dyn Plugin] = &[&mysql::Mysql, &postgres::Postgres, &sqlite::Sqlite];

/// Finds the engine for `from_db_type` / `to_db_type`.
///
/// # Errors
/// Kind `Config` for an unknown name; the message lists the known ones.
pub fn find(db_type: &str) -> Result<&'static dyn Plugin> {
    let wanted = db_type.trim().to_ascii_lowercase();
    PLUGINS.iter().copied().find(|p| p.names().contains(&wanted.as_str())).ok_or_else(|| {
        let known: Vec<_> = PLUGINS.iter().map(|p| p.name()).collect();
        Error::config(format!("unknown database type \"{db_type}\""))
            .with_remedy(format!("use one of: {}", known.join(", ")))
    })
}

/// One database engine.
#[async_trait]
pub trait Plugin: Send + Sync {
    /// The engine's name in configuration and task rows.
    fn name(&self) -> &'static str {
        self.names()[0]
    }

    /// All spellings accepted in a task row, lower case, the main one first.
    fn names(&self) -> &'static [&'static str];

    /// Connects to read, with at most `lanes` + 1 connections. Proves the connection works.
    async fn reader(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Reader>>;

    /// Connects to write, with at most `lanes` + 1 connections. Proves the connection works.
    async fn writer(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Writer>>;
}

/// One value of a shard bound, as the database printed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BoundValue {
    /// Written into SQL without quotes.
    #[serde(rename = "n")]
    Number(String),
    /// Written into SQL as a string literal.
    #[serde(rename = "t")]
    Text(String),
    /// Lower-case hex digits of a binary value.
    #[serde(rename = "x")]
    Hex(String),
}

/// A position in key order: one value for each split column. Only the database compares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bound(pub Vec<BoundValue>);

/// The rows of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRange {
    /// The whole table.
    All,
    /// Keys greater than `after` and not greater than `to`; without a bound, open on that side.
    /// Rows with NULL in a split column are left to [`KeyRange::Nulls`].
    Between {
        /// Exclusive lower bound.
        after: Option<Bound>,
        /// Inclusive upper bound.
        to: Option<Bound>,
    },
    /// Rows with NULL in at least one split column.
    Nulls,
    /// The rows whose split columns have exactly these values.
    Keys(Vec<Bound>),
}

/// A source and target column, for the choice of a wire format.
#[derive(Debug, Clone, Copy)]
pub struct ColumnPair<'a> {
    /// In the source.
    pub from: &'a Column,
    /// In the target.
    pub to: &'a Column,
}
