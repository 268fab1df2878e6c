//! The inner loops, for `benches/hot_loops.rs` only.

use super::encode::Encoder;
use super::sql;
use crate::batch::Batch;
use crate::error::Result;
use crate::plugin::WritePlan;

/// Appends text as a string literal.
pub fn literal(out: &mut Vec<u8>, text: &[u8]) {
    sql::push_text(out, text);
}

/// Appends a batch as lines of a LOAD DATA.
///
/// # Errors
/// For a cell that the target can't hold.
pub fn lines(plan: &WritePlan, batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
    let encoder = Encoder::new(plan);
    (0..batch.rows()).try_for_each(|row| encoder.push_line(out, plan, batch, row))
}

/// Appends a batch as the rows of a statement.
///
/// # Errors
/// For a cell that the target can't hold.
pub fn rows(plan: &WritePlan, batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
    let encoder = Encoder::new(plan);
    (0..batch.rows()).try_for_each(|row| encoder.push_row(out, plan, batch, row))
}
