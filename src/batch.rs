//! What flows from a reader to a writer: row batches in a bounded channel.
//!
//! A dropped sender is a failure: only [`BatchSender::finish`] ends a shard, so that a reader that
//! dies can never look like a reader that is done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::error::{Error, Kind, Result};
use crate::fence::{Fence, Pulse};
use crate::plan::rules::Rules;
use crate::plugin::ReadPlan;
use crate::room::Stay;
use crate::throttle::Throttle;

const NULL_BIT: u32 = 1 << 31;

/// Bytes after which a reader hands a batch on. Large enough to make the channel's cost
/// disappear, small enough that twenty lanes stay in a few dozen megabytes.
pub const BATCH_BYTES: usize = 128 * 1024;

/// Rows in one byte arena, row after row, cells in canonical text (see [`crate::schema`]).
///
/// `ends[i]` is the arena offset after cell `i`; its top bit marks NULL.
#[derive(Debug, Default)]
pub struct Batch {
    data: Vec<u8>,
    ends: Vec<u32>,
    columns: usize,
}

impl Batch {
    /// An empty batch whose rows have `columns` cells.
    pub fn new(columns: usize) -> Self {
        Self { data: Vec::with_capacity(BATCH_BYTES + BATCH_BYTES / 4), ends: Vec::new(), columns }
    }

    /// Appends a cell.
    pub fn push(&mut self, cell: &[u8]) {
        self.data.extend_from_slice(cell);
        self.end_cell();
    }

    /// Appends a NULL cell.
    pub fn push_null(&mut self) {
        self.ends.push(self.data.len() as u32 | NULL_BIT);
    }

    /// The arena, to append a cell's bytes piece by piece before [`Batch::end_cell`].
    pub fn arena(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// Ends the cell whose bytes were appended to the arena.
    pub fn end_cell(&mut self) {
        self.ends.push(self.data.len() as u32);
    }

    /// Number of whole rows.
    pub fn rows(&self) -> usize {
        self.ends.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Cells a row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes of the cells.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Bytes held: a batch of NULLs has no cells' bytes, but offsets.
    fn footprint(&self) -> usize {
        self.data.len() + self.ends.len() * size_of::<u32>()
    }

    /// Whether it is time to hand the batch on.
    pub fn is_full(&self) -> bool {
        self.footprint() >= BATCH_BYTES
    }

    /// Refuses rows that would overflow the arena's 31-bit offsets.
    pub fn check_room(&self, more: usize) -> Result<()> {
        if self.data.len() + more >= NULL_BIT as usize {
            return Err(Error::permanent("a row is larger than 2 GiB"));
        }
        Ok(())
    }

    /// Cell `column` of row `row`; `None` is NULL.
    pub fn cell(&self, row: usize, column: usize) -> Option<&[u8]> {
        let index = row * self.columns + column;
        let end = self.ends[index];
        if end & NULL_BIT != 0 {
            return None;
        }
        let start = index.checked_sub(1).map_or(0, |i| self.ends[i] & !NULL_BIT);
        Some(&self.data[start as usize..end as usize])
    }

    /// A batch of the rows from `first` on, as many as have no more than `rows` rows and `bytes`
    /// bytes; one at least.
    fn part(&self, first: usize, rows: usize, bytes: usize) -> Self {
        let ends = |row: usize| &self.ends[row * self.columns..(row + 1) * self.columns];
        let end = |row: usize| ends(row).last().map_or(0, |end| (end & !NULL_BIT) as usize);
        let start = first.checked_sub(1).map_or(0, end);
        let last = first.saturating_add(rows).min(self.rows());
        let fitting = (first + 1..last).find(|&row| end(row) - start > bytes).unwrap_or(last);
        let past = fitting.max(first + 1);
        Self {
            data: self.data[start..end(past - 1)].to_vec(),
            ends: (first..past).flat_map(ends).map(|end| end - start as u32).collect(),
            columns: self.columns,
        }
    }

    /// The cells of a row, in column order.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.columns).map(move |column| self.cell(row, column))
    }
}

/// What both ends of a shard's channel agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFormat {
    /// Batches of canonical text, understood by every engine.
    Canonical,
    /// Batches whose cells are SQLite values with a storage-class tag byte in front, so that
    /// SQLite's dynamic typing survives a copy from SQLite to SQLite.
    SqliteValues,
    /// PostgreSQL's binary COPY stream, passed on without looking at it.
    PostgresBinary,
    /// The shard as a query, which the target's server runs itself: both tables are there.
    ServerSide,
}

impl WireFormat {
    /// Whether the rows of a payload can be counted.
    pub fn is_counted(self) -> bool {
        !matches!(self, WireFormat::PostgresBinary | WireFormat::ServerSide)
    }
}

impl fmt::Display for WireFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireFormat::Canonical => "text",
            WireFormat::SqliteValues => "SQLite's own values",
            WireFormat::PostgresBinary => "PostgreSQL's binary COPY, passed on as it is",
            WireFormat::ServerSide => "none: the rows stay in the server",
        })
    }
}

/// One message of a shard's channel.
#[derive(Debug)]
pub enum Payload {
    /// Rows in an arena.
    Rows(Batch),
    /// Opaque bytes in an agreed format.
    Raw(Bytes),
}

impl Payload {
    fn footprint(&self) -> usize {
        match self {
            Payload::Rows(batch) => batch.footprint(),
            Payload::Raw(bytes) => bytes.len(),
        }
    }

    /// Takes the first part of it off, of no more than so many rows and bytes. `done` counts the
    /// rows that were taken before.
    fn take(&mut self, done: &mut usize, rows: usize, bytes: usize) -> Option<(Payload, usize)> {
        match self {
            Payload::Raw(rest) if rest.is_empty() => None,
            Payload::Raw(rest) => {
                Some((Payload::Raw(rest.split_to(bytes.clamp(1, rest.len()))), 0))
            }
            Payload::Rows(batch) if *done >= batch.rows() => None,
            Payload::Rows(batch) => {
                let part = batch.part(*done, rows, bytes);
                *done += part.rows();
                let rows = part.rows();
                Some((Payload::Rows(part), rows))
            }
        }
    }

    /// Bytes of rows, without what goshift adds.
    fn bytes(&self) -> usize {
        match self {
            Payload::Rows(batch) => batch.bytes(),
            Payload::Raw(bytes) => bytes.len(),
        }
    }
}

enum Message {
    Payload(Payload, OwnedSemaphorePermit),
    End,
}

/// The reader's end.
pub struct BatchSender {
    messages: mpsc::Sender<Message>,
    budget: Arc<Semaphore>,
    limit: usize,
    pulse: Pulse,
    throttle: Throttle,
    stay: Option<Arc<Stay>>,
    /// With the columns of the source that the cells are.
    rules: Option<(Rules, Vec<usize>)>,
}

/// The writer's end.
pub struct BatchReceiver {
    messages: mpsc::Receiver<Message>,
    held: Option<OwnedSemaphorePermit>,
    fence: Fence,
    pulse: Pulse,
    paced: bool,
}

/// A channel of one lane, which holds at most `limit` bytes that the writer has not taken, or
/// one payload if that alone is larger.
pub fn channel(limit: usize) -> (BatchSender, BatchReceiver) {
    fenced_channel(limit, Fence::always(), Pulse::default())
}

/// A [`channel`] whose end gets through only while `fence` is open; `pulse` beats with every
/// payload.
pub fn fenced_channel(limit: usize, fence: Fence, pulse: Pulse) -> (BatchSender, BatchReceiver) {
    throttled_channel(limit, fence, pulse, Throttle::default())
}

/// A [`fenced_channel`] through which no more goes than `throttle` allows.
pub fn throttled_channel(
    limit: usize,
    fence: Fence,
    pulse: Pulse,
    throttle: Throttle,
) -> (BatchSender, BatchReceiver) {
    let limit = limit.clamp(BATCH_BYTES, u32::MAX as usize);
    let (sender, receiver) = mpsc::channel(64);
    let budget = Arc::new(Semaphore::new(limit));
    let paced = throttle.is_limited();
    (
        BatchSender {
            messages: sender,
            budget,
            limit,
            pulse: pulse.clone(),
            throttle,
            stay: None,
            rules: None,
        },
        BatchReceiver { messages: receiver, held: None, fence, pulse, paced },
    )
}

fn writer_gone() -> Error {
    Error::new(Kind::Cancelled, "the writer stopped before the shard's end")
}

impl BatchSender {
    /// Large payloads wait for room.
    pub(crate) fn within(self, stay: Arc<Stay>) -> Self {
        Self { stay: Some(stay), ..self }
    }

    /// Values are changed as the plan's rules say.
    pub(crate) fn under(self, plan: &ReadPlan) -> Self {
        let rules = || (plan.rules.clone(), plan.columns.clone());
        Self { rules: (!plan.rules.is_empty()).then(rules), ..self }
    }

    /// Hands a payload on, waiting while the writer is behind or the run's limit is reached.
    ///
    /// # Errors
    /// Kind `Cancelled` when the writer is gone: its own error is the one to report; `Transient` when
    /// there is no room for a large row.
    pub async fn send(&mut self, mut payload: Payload) -> Result<()> {
        if let Some(stay) = &self.stay {
            tokio::select! {
                held = stay.hold(payload.footprint(), &self.pulse) => held?,
                () = self.messages.closed() => return Err(writer_gone()),
            }
        }
        if let Some((rules, columns)) = &self.rules {
            payload = match payload {
                Payload::Rows(batch) => Payload::Rows(rules.apply(columns, batch)),
                _ => return Err(Error::internal("rules need rows they can read")),
            };
        }
        if !self.throttle.is_limited() {
            return self.hand_on(payload).await;
        }
        let mut done = 0;
        loop {
            // Asked each time: the run's share may change in the middle.
            let (rows, bytes) = self.throttle.payload();
            let Some((part, rows)) = payload.take(&mut done, rows, bytes) else { return Ok(()) };
            tokio::select! {
                () = self.throttle.pass(rows, part.bytes(), &self.pulse) => {}
                () = self.messages.closed() => return Err(writer_gone()),
            }
            self.hand_on(part).await?;
        }
    }

    async fn hand_on(&self, payload: Payload) -> Result<()> {
        let cost = payload.footprint().clamp(1, self.limit) as u32;
        let permit = tokio::select! {
            permit = Arc::clone(&self.budget).acquire_many_owned(cost) => permit.map_err(|_| writer_gone())?,
            () = self.messages.closed() => return Err(writer_gone()),
        };
        self.pulse.beat();
        self.messages.send(Message::Payload(payload, permit)).await.map_err(|_| writer_gone())
    }

    /// [`BatchSender::send`] for a blocking thread inside a tokio runtime.
    ///
    /// # Errors
    /// As [`BatchSender::send`].
    pub fn blocking_send(&mut self, payload: Payload) -> Result<()> {
        tokio::runtime::Handle::current().block_on(self.send(payload))
    }

    /// Says that the shard is complete. Without this the writer rolls back.
    ///
    /// # Errors
    /// As [`BatchSender::send`].
    pub async fn finish(self) -> Result<()> {
        self.messages.send(Message::End).await.map_err(|_| writer_gone())
    }

    /// [`BatchSender::finish`] for a blocking thread inside a tokio runtime.
    ///
    /// # Errors
    /// As [`BatchSender::send`].
    pub fn blocking_finish(self) -> Result<()> {
        tokio::runtime::Handle::current().block_on(self.finish())
    }
}

impl BatchReceiver {
    /// Whether the run has a limit of rows or bytes: then a writer gathers no more than a payload,
    /// which is what a part of a second allows.
    pub fn is_paced(&self) -> bool {
        self.paced
    }

    /// The next payload, or `None` after the reader's explicit end. Taking the next one releases
    /// the memory budget of the one before.
    ///
    /// # Errors
    /// Kind `Cancelled` when the reader is gone without an end, `LeaseLost` when the run's lease
    /// may have run out by then: roll back.
    pub async fn next(&mut self) -> Result<Option<Payload>> {
        self.beat();
        self.receive().await
    }

    /// The writer has got on: a long statement has ended, say.
    pub(crate) fn beat(&self) {
        self.pulse.beat();
    }

    /// Asking is no movement, only what arrives is: a writer that asks again and again must not hide
    /// a reader that hangs.
    async fn receive(&mut self) -> Result<Option<Payload>> {
        self.held = None;
        let message = self.messages.recv().await;
        self.beat();
        match message {
            Some(Message::Payload(payload, permit)) => {
                self.held = Some(permit);
                Ok(Some(payload))
            }
            // The last moment before the writer commits: a process that was paused past its lease
            // must not.
            Some(Message::End) => self.fence.check().map(|()| None),
            None => Err(Error::new(Kind::Cancelled, "the reader stopped before the shard's end")),
        }
    }

    /// [`BatchReceiver::next`], or `None` if nothing came within `limit`: time for the writer to
    /// show its server that it is alive. Safe to call again.
    ///
    /// # Errors
    /// As [`BatchReceiver::next`].
    pub async fn next_within(&mut self, limit: Duration) -> Result<Option<Option<Payload>>> {
        match tokio::time::timeout(limit, self.receive()).await {
            Ok(next) => next.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// [`BatchReceiver::next`] for a blocking thread inside a tokio runtime.
    ///
    /// # Errors
    /// As [`BatchReceiver::next`].
    pub fn blocking_next(&mut self) -> Result<Option<Payload>> {
        tokio::runtime::Handle::current().block_on(self.next())
    }
}

#[cfg(test)]
mod throttled;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_pushed() {
        let mut batch = Batch::new(2);
        batch.push(b"a");
        batch.push_null();
        batch.push(b"");
        batch.arena().extend_from_slice(b"xy");
        batch.end_cell();
        assert_eq!(batch.rows(), 2);
        let cells: Vec<_> = (0..2).flat_map(|row| batch.row(row)).collect();
        assert_eq!(cells, [Some(&b"a"[..]), None, Some(b""), Some(b"xy")]);
    }

    #[tokio::test]
    async fn a_dropped_sender_is_a_failure_and_an_end_is_not() {
        let (sender, mut receiver) = channel(1);
        drop(sender);
        assert_eq!(receiver.next().await.unwrap_err().kind(), Kind::Cancelled);

        let (sender, mut receiver) = channel(1);
        sender.finish().await.unwrap();
        assert!(receiver.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn behind_a_closed_fence_there_is_no_end() {
        let fence = Fence::until(crate::fence::Moment::now());
        let (sender, mut receiver) = fenced_channel(1, fence, Pulse::default());
        sender.finish().await.unwrap();
        assert_eq!(receiver.next().await.unwrap_err().kind(), Kind::LeaseLost);
    }

    #[tokio::test]
    async fn a_full_channel_waits_for_the_writer() {
        let (mut sender, mut receiver) = channel(BATCH_BYTES);
        sender.send(Payload::Raw(Bytes::from(vec![0; BATCH_BYTES * 2]))).await.unwrap();
        let mut second = Box::pin(sender.send(Payload::Raw(Bytes::from_static(b"x"))));
        assert!(futures::poll!(&mut second).is_pending());
        receiver.next().await.unwrap();
        assert!(futures::poll!(&mut second).is_pending(), "the first is still held");
        let next = tokio::join!(second, receiver.next());
        assert!(next.0.is_ok() && next.1.unwrap().is_some());
    }
}
