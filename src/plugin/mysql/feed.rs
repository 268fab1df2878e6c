//! The rows of a LOAD DATA on their way to the driver: encoded here, or as PostgreSQL has sent them.

use std::io;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::encode::Encoder;
use super::lock::SIGN_OF_LIFE;
use super::{failure, passed};
use crate::batch::{Batch, BatchReceiver, Payload, WireFormat};
use crate::error::{Error, Result};
use crate::plugin::WritePlan;

/// Encoded bytes that are worth a packet to the server.
const CHUNK_BYTES: usize = 256 * 1024;
/// Bytes after which a load is ended and another begun in the same transaction: what is wrong with
/// a row shows at the end of a load.
const LOAD_BYTES: u64 = 32 * 1024 * 1024;

/// Why the rows of a load end early.
pub(super) enum Stop {
    Failed(Error),
    /// The server has ended the load by itself: it says why.
    NotTaken,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// What a load has sent.
pub(super) struct Fed {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// What comes behind it; `None` if the reader has been silent for a while.
    pub(super) next: Option<Option<Payload>>,
}

/// The rows of one load on their way to the driver.
pub(super) struct Feed<'p> {
    plan: &'p WritePlan,
    encoder: Encoder,
    chunks: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
    /// When the server was last sent something.
    sent: Instant,
    rows: u64,
    bytes: u64,
}

impl<'p> Feed<'p> {
    /// Sends chunks to the driver, in the order of the plan's columns.
    pub(super) fn new(
        plan: &'p WritePlan,
        encoder: Encoder,
        chunks: mpsc::Sender<io::Result<Bytes>>,
    ) -> Self {
        Self { plan, encoder, chunks, buffer: Vec::new(), sent: Instant::now(), rows: 0, bytes: 0 }
    }

    /// Sends `next` and what follows it, until it is enough for a load.
    pub(super) async fn run(
        mut self,
        next: Option<Payload>,
        input: &mut BatchReceiver,
    ) -> Result<Fed, Stop> {
        let sent = self.send_all(next, input).await;
        if let Err(Stop::Failed(_)) = &sent {
            // Only fails when the load has ended by itself.
            self.chunks.send(Err(io::Error::other("the rows ended early"))).await.ok();
        }
        let next = sent?;
        Ok(Fed { rows: self.rows, bytes: self.bytes, next })
    }

    async fn send_all(
        &mut self,
        mut next: Option<Payload>,
        input: &mut BatchReceiver,
    ) -> Result<Option<Option<Payload>>, Stop> {
        while let Some(payload) = next {
            self.rows += passed::rows(&payload);
            self.bytes += payload.bytes() as u64;
            match payload {
                Payload::Rows(batch) => self.encode(&batch).await?,
                Payload::Raw(lines) if self.plan.format == WireFormat::PostgresText => {
                    self.pass(passed::without_feeds(lines)).await?;
                }
                Payload::Raw(_) => return Err(passed::not_accepted().into()),
            }
            let is_enough = input.is_paced() || self.bytes >= LOAD_BYTES;
            if is_enough || self.sent.elapsed() >= SIGN_OF_LIFE {
                self.send().await?;
            }
            input.beat();
            match input.next_within(SIGN_OF_LIFE).await? {
                Some(following) if is_enough => return Ok(Some(following)),
                Some(following) => next = following,
                // The server would take the silence for a process that is gone.
                None => {
                    self.send().await?;
                    return Ok(None);
                }
            }
        }
        self.send().await?;
        Ok(Some(None))
    }

    async fn encode(&mut self, batch: &Batch) -> Result<(), Stop> {
        for row in 0..batch.rows() {
            self.encoder.push_line(&mut self.buffer, self.plan, batch, row)?;
            if self.buffer.len() >= CHUNK_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends what was encoded.
    async fn send(&mut self) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(self.buffer.len().min(CHUNK_BYTES) + CHUNK_BYTES / 4);
        let full = std::mem::replace(&mut self.buffer, next);
        self.pass(full.into()).await
    }

    async fn pass(&mut self, mut full: Bytes) -> Result<(), Stop> {
        if std::str::from_utf8(&full).is_err() {
            let table = &self.plan.schema.table;
            return Err(Stop::Failed(failure::not_utf8(&format!("loading {table}"))));
        }
        while !full.is_empty() {
            let chunk = full.split_to(full.len().min(CHUNK_BYTES));
            self.chunks.send(Ok(chunk)).await.map_err(|_| Stop::NotTaken)?;
        }
        self.sent = Instant::now();
        Ok(())
    }
}
