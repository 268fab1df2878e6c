//! What flows from a reader to a writer: row batches in a bounded channel.

use std::fmt;

use crate::error::{Error, Result};

mod channel;
#[cfg(test)]
mod throttled;

pub use channel::{
    BatchReceiver, BatchSender, Payload, channel, fenced_channel, throttled_channel,
};

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
    /// Whole lines of PostgreSQL's COPY in its text form, whose cells are canonical text. Cells of a
    /// text of fixed width have the blanks that fill it up, and go only where such blanks don't count.
    PostgresText,
    /// The shard as a query, which the target's server runs itself: both tables are there.
    ServerSide,
}

impl WireFormat {
    /// Whether the rows of a payload can be counted, for a limit of rows.
    pub fn is_counted(self) -> bool {
        matches!(self, WireFormat::Canonical | WireFormat::SqliteValues)
    }

    /// Whether a limit of bytes may cut a payload anywhere between two bytes, or between two rows.
    pub fn can_be_cut(self) -> bool {
        self != WireFormat::PostgresText
    }

    /// Whether only a bulk load takes it as it is, and statements would have to take it apart.
    pub fn is_for_loads(self) -> bool {
        self == WireFormat::PostgresText
    }
}

impl fmt::Display for WireFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireFormat::Canonical => "text",
            WireFormat::SqliteValues => "SQLite's own values",
            WireFormat::PostgresBinary => "PostgreSQL's binary COPY, passed on as it is",
            WireFormat::PostgresText => "PostgreSQL's COPY, passed on as it is",
            WireFormat::ServerSide => "none: the rows stay in the server",
        })
    }
}

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
}
