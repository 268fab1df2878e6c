//! Counts the rows of a binary COPY stream as it passes, so that what was sent can be compared with
//! what the server says it stored. The format is that of the PostgreSQL manual's page on COPY.

use crate::error::{Error, Result};

/// Bytes in front of the first row: signature, flags and the length of an extension.
const HEADER: usize = 19;

/// Where a stream stands; its pieces may end anywhere.
#[derive(Debug)]
pub(super) struct Tuples {
    rows: u64,
    /// Bytes to pass over before the next number.
    skip: usize,
    /// Fields of the current row still to come.
    fields: usize,
    /// The first bytes of a number that a piece has cut in two.
    cut: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The header's last number, the length of its extension, comes next.
    Header,
    /// The number of fields of a row comes next.
    Row,
    /// The length of a field comes next.
    Field,
    /// Behind the trailer.
    End,
}

impl Tuples {
    /// In front of the header.
    pub(super) fn new() -> Self {
        Self { rows: 0, skip: HEADER - 4, fields: 0, cut: Vec::new(), state: State::Header }
    }

    /// Passes over the next piece.
    ///
    /// # Errors
    /// Kind `Internal` for what is no such stream.
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> Result<()> {
        loop {
            let skipped = self.skip.min(piece.len());
            self.skip -= skipped;
            piece = &piece[skipped..];
            if piece.is_empty() {
                return Ok(());
            }
            let width = if self.state == State::Row { 2 } else { 4 };
            let Some(number) = self.number(width, &mut piece) else { return Ok(()) };
            self.take(number)?;
        }
    }

    /// Rows that have begun.
    ///
    /// # Errors
    /// Kind `Internal` if the stream has not come to its end.
    pub(super) fn rows(&self) -> Result<u64> {
        match self.state {
            State::End => Ok(self.rows),
            _ => Err(Error::internal("a binary COPY stream ended early")),
        }
    }

    /// The next big-endian number of so many bytes, once they are all there.
    #[inline]
    fn number(&mut self, width: usize, piece: &mut &[u8]) -> Option<i32> {
        if self.cut.is_empty() && piece.len() >= width {
            let (number, rest) = piece.split_at(width);
            *piece = rest;
            return Some(big_endian(number));
        }
        let missing = (width - self.cut.len()).min(piece.len());
        let (head, rest) = piece.split_at(missing);
        self.cut.extend_from_slice(head);
        *piece = rest;
        if self.cut.len() < width {
            return None;
        }
        let number = big_endian(&self.cut);
        self.cut.clear();
        Some(number)
    }

    #[inline]
    fn take(&mut self, number: i32) -> Result<()> {
        match (self.state, usize::try_from(number)) {
            (State::Header, Ok(extension)) => {
                self.skip = extension;
                self.state = State::Row;
            }
            (State::Row, Ok(fields)) => {
                self.rows += 1;
                self.fields = fields;
                self.state = if fields == 0 { State::Row } else { State::Field };
            }
            (State::Row, Err(_)) if number == -1 => self.state = State::End,
            // −1 is NULL, which has no bytes.
            (State::Field, length) if length.is_ok() || number == -1 => {
                self.skip = length.unwrap_or(0);
                self.fields -= 1;
                if self.fields == 0 {
                    self.state = State::Row;
                }
            }
            _ => return Err(Error::internal("this is no binary COPY stream")),
        }
        Ok(())
    }
}

/// A signed number of two or four bytes.
#[inline]
fn big_endian(bytes: &[u8]) -> i32 {
    match *bytes {
        [a, b] => i32::from(i16::from_be_bytes([a, b])),
        [a, b, c, d] => i32::from_be_bytes([a, b, c, d]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows: (1, NULL) and ("", 9 bytes).
    fn stream() -> Vec<u8> {
        let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend(b"\0\x02\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff");
        bytes.extend(b"\0\x02\0\0\0\0\0\0\0\x09123456789");
        bytes.extend(b"\xff\xff");
        bytes
    }

    #[test]
    fn rows_are_counted_wherever_the_pieces_end() {
        let bytes = stream();
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let mut tuples = Tuples::new();
                for piece in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    tuples.feed(piece).unwrap();
                }
                assert_eq!(tuples.rows().unwrap(), 2, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn what_has_no_end_is_not_complete() {
        let bytes = stream();
        let mut tuples = Tuples::new();
        tuples.feed(&bytes[..bytes.len() - 2]).unwrap();
        assert!(tuples.rows().is_err());
        let mut tuples = Tuples::new();
        tuples.feed(&bytes[..19]).unwrap();
        assert!(tuples.feed(b"\0\x01\xff\xff\xff\xfe").is_err());
    }
}
