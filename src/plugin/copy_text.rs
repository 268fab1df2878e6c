//! The text form of PostgreSQL's COPY: into batches of canonical text, and as it is.
//!
//! A line a row, cells with tabs between them. Backslashes stand in front of letters only, and both
//! separators are never part of a value (PostgreSQL manual, COPY, text format).

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::schema::Column;

/// How a column's text becomes canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// It is.
    Plain,
    /// bytea, which arrives as `\x…`.
    Hex,
    /// character(n): the blanks that fill it up are no part of the value (PostgreSQL manual 8.3). A cast
    /// to text in the server would cut them off, too, and costs it more than all else about such a column.
    Padded,
}

/// Reads a COPY stream in pieces of any size; a piece may end inside an escape.
///
/// COPY TO escapes with one letter only, never by number, and writes `\N` for NULL and nothing
/// else (PostgreSQL manual, COPY, text format).
pub(super) struct Decoder {
    batch: Batch,
    cells: Vec<Cell>,
    /// Position of the current cell in its row.
    column: usize,
    /// Arena offset of the current cell.
    start: usize,
    escaped: bool,
    null: bool,
}

impl Decoder {
    /// For rows of such cells.
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        let batch = Batch::new(cells.len());
        Self { batch, cells, column: 0, start: 0, escaped: false, null: false }
    }

    /// Reads until the piece or the batch is at its end, and returns the number of bytes read.
    /// After less than the whole piece, [`Decoder::take`] the batch and come back.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<usize> {
        self.batch.check_room(piece.len())?;
        self.batch.arena().reserve(piece.len());
        let mut at = 0;
        while at < piece.len() {
            if self.escaped {
                self.unescape(piece[at]);
                at += 1;
                continue;
            }
            let Some(found) = memchr::memchr3(b'\t', b'\n', b'\\', &piece[at..]) else {
                self.batch.arena().extend_from_slice(&piece[at..]);
                break;
            };
            self.batch.arena().extend_from_slice(&piece[at..at + found]);
            at += found + 1;
            match piece[at - 1] {
                b'\\' => self.escaped = true,
                b'\t' => self.end_cell()?,
                _ => {
                    self.end_row()?;
                    if self.batch.is_full() {
                        return Ok(at);
                    }
                }
            }
        }
        Ok(piece.len())
    }

    /// Takes the batch if it is full.
    pub(super) fn take_full(&mut self) -> Option<Batch> {
        (self.column == 0 && self.batch.is_full()).then(|| self.take())
    }

    /// Takes what is left after the last piece.
    pub(super) fn take_rest(&mut self) -> Result<Option<Batch>> {
        if self.column != 0 || self.escaped || self.batch.bytes() != self.start {
            return Err(cut_off());
        }
        Ok((self.batch.rows() > 0).then(|| self.take()))
    }

    fn take(&mut self) -> Batch {
        self.start = 0;
        std::mem::replace(&mut self.batch, Batch::new(self.cells.len()))
    }

    fn unescape(&mut self, letter: u8) {
        self.escaped = false;
        let byte = match letter {
            b'N' => {
                self.null = true;
                return;
            }
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            other => other,
        };
        self.batch.arena().push(byte);
    }

    fn end_cell(&mut self) -> Result<()> {
        let Some(cell) = self.cells.get(self.column) else {
            return Err(Error::internal("a row of PostgreSQL's COPY has too many cells"));
        };
        if self.null {
            self.null = false;
            self.batch.push_null();
        } else {
            match cell {
                Cell::Plain => {}
                Cell::Hex => decode_hex(self.batch.arena(), self.start)?,
                Cell::Padded => trim_blanks(self.batch.arena(), self.start),
            }
            self.batch.end_cell();
        }
        self.start = self.batch.bytes();
        self.column += 1;
        Ok(())
    }

    fn end_row(&mut self) -> Result<()> {
        self.end_cell()?;
        if self.column != self.cells.len() {
            return Err(Error::internal("a row of PostgreSQL's COPY has too few cells"));
        }
        self.column = 0;
        Ok(())
    }
}

/// Whole lines, as batches.
pub(super) fn batches(lines: &[u8], cells: &[Cell]) -> Result<Vec<Batch>> {
    let (mut decoder, mut rest, mut batches) = (Decoder::new(cells.to_vec()), lines, Vec::new());
    while !rest.is_empty() {
        rest = &rest[decoder.feed(rest)?..];
        batches.extend(decoder.take_full());
    }
    batches.extend(decoder.take_rest()?);
    Ok(batches)
}

/// Whether PostgreSQL fills the column's texts up with blanks, which are no part of them.
pub(super) fn is_padded(column: &Column) -> bool {
    column.native.starts_with("character(")
}

/// The bytes of all lines that are whole.
pub(super) fn whole_lines(text: &[u8]) -> usize {
    memchr::memrchr(b'\n', text).map_or(0, |last| last + 1)
}

/// The number of whole lines.
pub(super) fn rows(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

pub(super) fn cut_off() -> Error {
    Error::transient("PostgreSQL's COPY ended inside a row")
}

/// Cuts off the blanks at the end of what was appended from `start` on.
fn trim_blanks(arena: &mut Vec<u8>, start: usize) {
    let last = arena[start..].iter().rposition(|&byte| byte != b' ');
    arena.truncate(last.map_or(start, |last| start + last + 1));
}

/// Replaces `\x` and hex digits from `start` on by the bytes they stand for.
fn decode_hex(arena: &mut Vec<u8>, start: usize) -> Result<()> {
    let broken = || Error::internal("PostgreSQL sent a bytea that is not in hex form");
    let length = arena.len() - start;
    if length < 2 || !length.is_multiple_of(2) || arena[start..start + 2] != *b"\\x" {
        return Err(broken());
    }
    let bytes = length / 2 - 1;
    for i in 0..bytes {
        let digits = start + 2 + 2 * i;
        let high = digit(arena[digits]).ok_or_else(broken)?;
        let low = digit(arena[digits + 1]).ok_or_else(broken)?;
        arena[start + i] = high << 4 | low;
    }
    arena.truncate(start + bytes);
    Ok(())
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rows = Vec<Vec<Option<Vec<u8>>>>;

    fn decode(input: &[u8], cells: &[Cell], piece: usize) -> Rows {
        let mut decoder = Decoder::new(cells.to_vec());
        for mut piece in input.chunks(piece) {
            while !piece.is_empty() {
                let read = decoder.feed(piece).unwrap();
                piece = &piece[read..];
            }
        }
        let batch = decoder.take_rest().unwrap().unwrap();
        (0..batch.rows()).map(|r| batch.row(r).map(|c| c.map(<[u8]>::to_vec)).collect()).collect()
    }

    #[test]
    fn pieces_may_end_anywhere() {
        let input = b"1\ta\\tb\\\\N\\n\t\\\\x00ff\n\\N\t\t\\N\n2\t\\b\\f\\v\\r\t\\\\x\n";
        let some = |bytes: &[u8]| Some(bytes.to_vec());
        let expected: Rows = vec![
            vec![some(b"1"), some(b"a\tb\\N\n"), some(b"\x00\xff")],
            vec![None, some(b""), None],
            vec![some(b"2"), some(b"\x08\x0c\x0b\r"), some(b"")],
        ];
        for piece in 1..=input.len() {
            assert_eq!(
                decode(input, &[Cell::Plain, Cell::Plain, Cell::Hex], piece),
                expected,
                "{piece}"
            );
        }
    }

    #[test]
    fn the_blanks_that_fill_a_character_column_up_are_cut_off_and_no_others() {
        let input = b"a  \ta  \n   \t   \n\\t \t\\t \n\\N\t\\N\n b c \t b c \n";
        let some = |bytes: &[u8]| Some(bytes.to_vec());
        let expected: Rows = vec![
            vec![some(b"a"), some(b"a  ")],
            vec![some(b""), some(b"   ")],
            vec![some(b"\t"), some(b"\t ")],
            vec![None, None],
            vec![some(b" b c"), some(b" b c ")],
        ];
        for piece in 1..=input.len() {
            assert_eq!(decode(input, &[Cell::Padded, Cell::Plain], piece), expected, "{piece}");
        }
    }

    #[test]
    fn lines_are_counted_and_taken_apart() {
        let cells = [Cell::Plain, Cell::Padded];
        let counted: usize =
            batches(b"1\ta  \n2\t\\N\n", &cells).unwrap().iter().map(Batch::rows).sum();
        assert_eq!((counted, rows(b"1\ta  \n2\t\\N\n")), (2, 2));
        assert!(batches(b"1\t2\n3", &cells).is_err());
        assert_eq!([b"1\n2\n3", b"1\t2\t3"].map(|text| whole_lines(text)), [4, 0]);
    }

    #[test]
    fn a_cut_row_and_a_wrong_width_are_errors() {
        for (input, columns) in [(&b"1\t2"[..], 2), (b"1\n2", 1), (b"1\\", 1)] {
            let mut decoder = Decoder::new(vec![Cell::Plain; columns]);
            decoder.feed(input).unwrap();
            assert!(decoder.take_rest().is_err());
        }
        assert!(Decoder::new(vec![Cell::Plain]).feed(b"1\t2\n").is_err());
        assert!(Decoder::new(vec![Cell::Plain; 3]).feed(b"1\t2\n").is_err());
    }

    #[test]
    fn a_full_batch_is_handed_over_between_rows() {
        let line = [vec![b'x'; 1000], b"\n".to_vec()].concat();
        let input = line.repeat(300);
        let (mut decoder, mut rest, mut rows) = (Decoder::new(vec![Cell::Plain]), &input[..], 0);
        while !rest.is_empty() {
            let read = decoder.feed(rest).unwrap();
            rest = &rest[read..];
            rows += decoder.take_full().map_or(0, |batch| batch.rows());
        }
        assert!(rows > 0);
        assert_eq!(rows + decoder.take_rest().unwrap().unwrap().rows(), 300);
    }
}
