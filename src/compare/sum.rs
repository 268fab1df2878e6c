//! Rows counted and summed up.

use crate::plugin::digest::{Digest, HashedRow};

/// Rows and the sum of their hashes, modulo 2^64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Rows.
    pub rows: u64,
    /// The sum.
    pub hash: u64,
}

impl Sum {
    /// The hash in hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:016x}", self.hash)
    }

    /// Adds another range's.
    pub fn add(&mut self, other: Sum) {
        self.rows += other.rows;
        self.hash = self.hash.wrapping_add(other.hash);
    }

    pub(super) fn of_rows(rows: &[HashedRow]) -> Self {
        let hash = rows.iter().fold(0_u64, |sum, row| sum.wrapping_add(row.hash));
        Self { rows: rows.len() as u64, hash }
    }

    pub(super) fn of_digests(digests: &[Digest]) -> Self {
        let mut sum = Self::default();
        for digest in digests {
            sum.add(Sum { rows: digest.rows, hash: digest.hash });
        }
        sum
    }
}
