//! The bounded channel of a lane.
//!
//! A dropped sender is a failure: only [`BatchSender::finish`] ends a shard, so that a reader that
//! dies can never look like a reader that is done.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{BATCH_BYTES, Batch};
use crate::error::{Error, Kind, Result};
use crate::fence::{Fence, Pulse};
use crate::plan::rules::Rules;
use crate::plugin::ReadPlan;
use crate::room::Stay;
use crate::throttle::Throttle;

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
    pub fn bytes(&self) -> usize {
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
mod tests {
    use super::*;

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
