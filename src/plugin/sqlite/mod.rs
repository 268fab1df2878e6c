//! SQLite, through the bundled library on blocking threads.
//!
//! SQLite types values, not columns. A column's declared type says what goshift takes it for
//! (`types`); a value that is something else stops the shard with the row's key (`cells`). Between
//! two SQLite files the values travel with their own types instead
//! ([`crate::batch::WireFormat::SqliteValues`]).

use std::sync::Arc;

use async_trait::async_trait;

use super::{Plugin, Reader, Writer};
use crate::config::connection::ConnectionConfig;
use crate::error::Result;

mod bind;
mod cells;
mod connect;
mod default;
mod describe;
mod error;
mod hazards;
mod indexes;
mod range;
mod reader;
mod scan;
mod shard;
mod snapshot;
mod sql;
mod step;
mod temporal;
#[cfg(test)]
mod tests;
mod types;
mod window;
mod writer;

/// The engine's name.
const ENGINE: &str = "sqlite";

/// The engine.
pub struct Sqlite;

#[async_trait]
impl Plugin for Sqlite {
    fn names(&self) -> &'static [&'static str] {
        &[ENGINE, "sqlite3"]
    }

    // A pool grows to the lanes that really read, so their number needs no limit of its own.
    async fn reader(&self, config: &ConnectionConfig, _lanes: usize) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(reader::SqliteReader::connect(config).await?))
    }

    // A file has one writer at a time, whatever the number of lanes: one connection serves all.
    async fn writer(&self, config: &ConnectionConfig, _lanes: usize) -> Result<Arc<dyn Writer>> {
        Ok(Arc::new(writer::SqliteWriter::connect(config).await?))
    }
}
