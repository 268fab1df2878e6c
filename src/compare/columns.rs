//! Which columns of a row differ.

use super::side::{Side, Streaming};
use crate::batch::{self, BatchReceiver, Payload};
use crate::checksum::checksum;
use crate::error::{Error, Kind, Result};
use crate::plugin::{Bound, KeyRange};

/// A row's cells, hashed one by one; empty for a row that is gone.
pub(super) type Cells = Vec<Option<u128>>;

impl Side {
    /// The cells of the row with this key, in the order of the compared columns.
    pub(super) async fn cells(&self, key: &Bound, streaming: &Streaming) -> Result<Cells> {
        let mut plan = self.by_key(streaming.format);
        plan.columns.clone_from(&self.plan.read.columns);
        let (sender, receiver) = batch::channel(streaming.buffer);
        let sender = sender.under(&plan);
        let collecting = collect(receiver, streaming, self.plan.key.len());
        let range = KeyRange::Keys(vec![key.clone()]);
        let (read, cells) = tokio::join!(self.reader.read(&plan, &range, sender), collecting);
        match (read, cells) {
            (Err(read), Err(cells)) if read.kind() == Kind::Cancelled => Err(cells),
            (read, cells) => read.and(cells),
        }
    }
}

async fn collect(mut receiver: BatchReceiver, streaming: &Streaming, keys: usize) -> Result<Cells> {
    let (mut cells, mut formed) = (Cells::new(), Vec::new());
    while let Some(payload) = receiver.next().await? {
        let Payload::Rows(batch) = payload else {
            return Err(Error::internal("a reader sent a format that was not asked for"));
        };
        // A collation may find more than one row by a key; the first one will do.
        if batch.rows() == 0 || !cells.is_empty() {
            continue;
        }
        for (cell, form) in batch.row(0).zip(&streaming.forms[keys..]) {
            cells.push(cell.map(|cell| {
                formed.clear();
                form.push(&mut formed, cell);
                checksum(&formed)
            }));
        }
    }
    Ok(cells)
}
