//! Rows that arrive as PostgreSQL's COPY text. LOAD DATA takes it as it is where every column means the
//! same to both; statements take it apart.

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
