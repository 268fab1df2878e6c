//! Rows that arrive as PostgreSQL's COPY text. LOAD DATA takes it as it is where every column means the
//! same to both; statements take it apart.

use bytes::Bytes;

use crate::batch::{Batch, Payload, WireFormat};
use crate::error::{Error, Result};
use crate::plan::check::{Check, choose};
use crate::plugin::copy_text::{self, Cell};
use crate::plugin::{ColumnPair, WritePlan};
use crate::schema::{Column, LogicalType};

/// Whether the source's text is the field that [`super::encode`] would make of every cell: the server
/// itself says so, by a warning, of whatever it can't hold.
pub(super) fn fits(pair: &ColumnPair<'_>) -> bool {
    use LogicalType as T;
    let (from, to) = (&pair.from.logical, &pair.to.logical);
    let means_the_same = match (from, to) {
        (T::Bool, T::Bool) | (T::Bool | T::Int(_), T::Int(_) | T::UInt(_)) => true,
        (T::Int(_), T::Decimal { .. }) | (T::Float64, T::Float64) => true,
        (T::Json, T::Json) | (T::Uuid, T::Uuid) => true,
        // What is shorter by blanks at its end only would be cut off in silence.
        (T::Text(Some(from)), T::Text(Some(to))) => from <= to,
        (T::Text(_) | T::Json | T::Uuid, T::Text(None)) => true,
        (T::Uuid, T::Text(Some(to))) => *to >= 36,
        // Others would be rounded.
        (T::Decimal { .. }, T::Decimal { .. })
        | (T::Date, T::Date)
        | (T::Time(_), T::Time(_))
        | (T::DateTime(_) | T::TimestampTz(_), T::DateTime(_) | T::TimestampTz(_)) => {
            choose(from, to) == Ok(Check::None)
        }
        _ => false,
    };
    // Blanks at a text's end have to count on both sides or on neither; a UUID has none.
    let counts_blanks = *from == T::Uuid || fills_up(pair.to) == copy_text::is_padded(pair.from);
    // For NULL in a NOT NULL column the server may invent a value.
    means_the_same && counts_blanks && (pair.to.nullable || !pair.from.nullable)
}

/// Whether blanks at a text's end are no part of it.
fn fills_up(column: &Column) -> bool {
    column.native.starts_with("char(")
}

/// How the source's column is read, by the target's: see [`fits`].
fn cell(to: &Column) -> Cell {
    if fills_up(to) { Cell::Padded } else { Cell::Plain }
}

/// The rows of a payload.
pub(super) fn batches(plan: &WritePlan, payload: Payload) -> Result<Vec<Batch>> {
    match payload {
        Payload::Rows(batch) => Ok(vec![batch]),
        Payload::Raw(lines) if plan.format == WireFormat::PostgresText => {
            let cells: Vec<_> = plan.target_columns().map(cell).collect();
            copy_text::batches(&lines, &cells)
        }
        Payload::Raw(_) => Err(not_accepted()),
    }
}

pub(super) fn not_accepted() -> Error {
    Error::internal("MySQL was sent a format it did not accept")
}

/// The number of a payload's rows.
pub(super) fn rows(payload: &Payload) -> u64 {
    match payload {
        Payload::Rows(batch) => batch.rows() as u64,
        Payload::Raw(lines) => copy_text::rows(lines),
    }
}

/// Lines in which only those letters stand behind a backslash that LOAD DATA takes for the same byte:
/// it has no form feed and no vertical tab.
pub(super) fn without_feeds(lines: Bytes) -> Bytes {
    let feed = |letter: u8| match letter {
        b'f' => Some(0x0c),
        b'v' => Some(0x0b),
        _ => None,
    };
    let mut mended: Option<Vec<u8>> = None;
    // What is not copied yet, and where to look on: a backslash may stand behind another.
    let (mut kept, mut from) = (0, 0);
    while let Some(found) = memchr::memchr(b'\\', &lines[from..]) {
        let at = from + found;
        if let Some(byte) = lines.get(at + 1).copied().and_then(feed) {
            let mended = mended.get_or_insert_with(|| Vec::with_capacity(lines.len()));
            mended.extend_from_slice(&lines[kept..at]);
            mended.push(byte);
            kept = at + 2;
        }
        from = (at + 2).min(lines.len());
    }
    match mended {
        None => lines,
        Some(mut mended) => {
            mended.extend_from_slice(&lines[kept..]);
            mended.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_written_as_they_are() {
        for (lines, mended) in [
            (&b"1\ta\\fb\\vc\n"[..], &b"1\ta\x0cb\x0bc\n"[..]),
            (b"\\f\t\\v\n", b"\x0c\t\x0b\n"),
            (b"\\\\f\t\\\\\\v\n", b"\\\\f\t\\\\\x0b\n"),
            (b"\\b\\n\\r\\t\\N\\\\\n", b"\\b\\n\\r\\t\\N\\\\\n"),
        ] {
            assert_eq!(&without_feeds(Bytes::from_static(lines))[..], mended);
        }
        let plain = Bytes::from_static(b"1\t\\tb\n");
        assert_eq!(without_feeds(plain.clone()).as_ptr(), plain.as_ptr(), "nothing is copied");
    }
}
