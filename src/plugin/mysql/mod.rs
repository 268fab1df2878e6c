//! MySQL and MariaDB.
//!
//! Reading streams the text protocol. Writing loads from memory where the target was empty, and
//! builds literal multi-row statements elsewhere, because a prepared statement costs a definition
//! packet for every placeholder.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Plugin, Reader, Writer};
use crate::config::connection::ConnectionConfig;
use crate::error::Result;

mod connect;
mod create;
mod culprit;
mod default;
mod describe;
mod digest;
mod empty;
mod encode;
mod failure;
mod feed;
mod hash;
mod hazards;
#[cfg(feature = "bench")]
pub mod hot;
mod indexes;
mod inside;
mod jump;
mod load;
mod loader;
mod lock;
mod passed;
mod pressure;
mod purge;
mod reader;
mod rights;
mod snapshot;
mod sql;
mod stage;
mod statement;
mod statements;
mod step;
mod storage;
mod swap;
mod types;
mod window;
mod writer;

/// The engine.
pub struct Mysql;

#[async_trait]
impl Plugin for Mysql {
    fn names(&self) -> &'static [&'static str] {
        &["mysql", "mariadb"]
    }

    async fn reader(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(reader::MysqlReader::open(config, lanes).await?))
    }

    async fn writer(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Writer>> {
        Ok(Arc::new(writer::MysqlWriter::open(config, lanes).await?))
    }
}
