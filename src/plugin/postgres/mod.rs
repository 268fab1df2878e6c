//! PostgreSQL 12 and newer.
//!
//! Rows leave and enter by COPY. Between two PostgreSQL servers with equal column types the binary
//! form is passed on unread; otherwise COPY's text form is turned into canonical text and back.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ColumnPair, Plugin, Reader, Writer};
use crate::config::connection::ConnectionConfig;
use crate::error::Result;
use connect::Db;

mod connect;
mod create;
mod default;
mod describe;
mod digest;
mod empty;
mod encode;
mod error;
mod hazards;
#[cfg(feature = "bench")]
pub mod hot;
mod indexes;
mod key;
mod load;
mod lock;
#[cfg(target_os = "linux")]
mod nodelay;
mod pressure;
mod reader;
mod rights;
mod snapshot;
mod sql;
mod step;
mod swap;
mod tuples;
mod types;
mod window;
mod writer;

/// The engine's registration.
pub struct Postgres;

#[async_trait]
impl Plugin for Postgres {
    fn names(&self) -> &'static [&'static str] {
        &["postgres", "postgresql", "pg", "pgsql"]
    }

    async fn reader(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(reader::PgReader::new(Db::connect(config, lanes).await?)))
    }

    async fn writer(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Writer>> {
        Ok(Arc::new(writer::PgWriter::new(Db::connect(config, lanes).await?)))
    }
}

/// Whether the binary form of these columns can be passed on to a target of the same engine.
fn are_alike(pairs: &[ColumnPair<'_>]) -> bool {
    pairs.iter().all(|pair| {
        pair.from.native == pair.to.native && types::has_stable_binary_form(&pair.from.native)
    })
}
