//! The inner loops, for `benches/hot_loops.rs` only.

use super::encode::Encoder;
use super::tuples::Tuples;
use crate::batch::Batch;
use crate::error::Result;
use crate::plugin::WritePlan;
use crate::plugin::copy_text::{Cell, Decoder};

/// Encodes a batch as COPY's text; returns its bytes.
///
/// # Errors
/// For a cell that the target can't hold.
pub fn lines(plan: &WritePlan, batch: &Batch) -> Result<usize> {
    let mut encoder = Encoder::new(plan);
    (0..batch.rows()).try_for_each(|row| encoder.push(batch, row))?;
    Ok(encoder.buffer.len())
}

/// Decodes COPY's text of so many columns; returns the rows of the batches.
///
/// # Errors
/// For what is no such text.
pub fn decode(columns: usize, text: &[u8]) -> Result<usize> {
    let mut decoder = Decoder::new(vec![Cell::Plain; columns]);
    let (mut rest, mut rows) = (text, 0);
    while !rest.is_empty() {
        rest = &rest[decoder.feed(rest)?..];
        rows += decoder.take_full().map_or(0, |batch| batch.rows());
    }
    Ok(rows + decoder.take_rest()?.map_or(0, |batch| batch.rows()))
}

/// Counts the rows of a binary COPY stream.
///
/// # Errors
/// For what is no such stream.
pub fn count(stream: &[u8]) -> Result<u64> {
    let mut tuples = Tuples::new();
    tuples.feed(stream)?;
    tuples.rows()
}
