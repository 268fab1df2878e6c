//! The keys of the rows that a statement carries, to name the one that the server refuses.

use super::WritePlan;
use crate::batch::Batch;

/// Bytes of a key that are remembered.
const KEY_BYTES: usize = 80;

/// The keys of one statement's rows, in order.
pub(super) struct RowKeys {
    keys: Batch,
    rows: usize,
}

impl RowKeys {
    /// Of a statement without rows.
    pub(super) fn new(plan: &WritePlan) -> Self {
        Self { keys: Batch::new(plan.key.len()), rows: 0 }
    }

    /// Forgets them, for another statement. Returns how many rows there were.
    pub(super) fn restart(&mut self, plan: &WritePlan) -> u64 {
        let rows = self.rows as u64;
        *self = Self::new(plan);
        rows
    }

    /// Remembers a row of a batch.
    pub(super) fn push(&mut self, plan: &WritePlan, batch: &Batch, row: usize) {
        self.rows += 1;
        for &position in &plan.key {
            match batch.cell(row, position) {
                Some(cell) => self.keys.push(&cell[..cell.len().min(KEY_BYTES)]),
                None => self.keys.push_null(),
            }
        }
    }

    /// Names a row, counted from 1.
    pub(super) fn describe(&self, plan: &WritePlan, number: usize) -> String {
        let Some(row) = number.checked_sub(1).filter(|&row| row < self.keys.rows()) else {
            return format!("row {number} of a statement");
        };
        let cells = (0..plan.columns.len()).map(|column| {
            let position = plan.key.iter().position(|&key| key == column)?;
            self.keys.cell(row, position)
        });
        plan.describe_row(cells)
    }
}
