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
mod describe;
mod encode;
mod failure;
mod load;
mod loader;
mod lock;
mod pressure;
mod reader;
mod sql;
mod types;
mod writer;

/// The engine.
pub struct Mysql;

#[async_trait]
impl Plugin for Mysql {
    fn names(&self) -> &'static [&'static str] {
        &["mysql", "mariadb"]
    }

    async fn reader(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(reader::MysqlReader { db: connect::Database::open(config, lanes).await? }))
    }

    async fn writer(&self, config: &ConnectionConfig, lanes: usize) -> Result<Arc<dyn Writer>> {
        Ok(Arc::new(writer::MysqlWriter::open(config, lanes).await?))
    }
}
