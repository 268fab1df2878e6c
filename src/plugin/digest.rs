//! What two servers can be asked about the same rows without sending them: sums of row hashes.
//!
//! A row's hash is 64 bits of a hash ([`HashFunction`]) of its columns' text; a range's hash is the
//! sum of its rows' hashes, modulo 2^64. That guards against accidents, not against an attacker. The
//! text of a column ([`Print`]) is the same in every engine that prints it.

use std::sync::Arc;

use super::{Bound, ReadPlan};
use crate::schema::{Column, LogicalType, Schema};

/// What stands for NULL in a row's text, where a text has its length in front. No printed value is the same:
/// numbers, dates and bits have more than a sign.
pub const NULL_TEXT: &str = "-";
/// What stands between the columns of a row's text, and between a text and its length.
pub const SEPARATOR: &str = "|";

/// The text that stands for a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print {
    /// The engine's own exact text. Only against the same engine.
    Own,
    /// Decimal digits, `1` and `0` for truth values.
    Whole,
    /// A decimal number with exactly so many digits after the point.
    Decimal(u16),
    /// UTF-8; what shows its end is up to the hash function.
    Text,
    /// Lower-case hex digits.
    Bytes,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DD HH:MM:SS` in UTC, and a fraction without zeros at its end.
    Instant,
    /// `HH:MM:SS`, and a fraction without zeros at its end.
    Time,
    /// Lower case with hyphens.
    Uuid,
    /// `0` and `1`, of this number.
    Bits(u32),
}

impl Print {
    /// How both columns are printed so that equal values are equal text; `None` if there is no such
    /// way.
    pub fn choose(from: &Column, to: &Column, same_engine: bool) -> Option<Self> {
        use LogicalType as T;
        let is_whole = |logical: &T| {
            matches!(logical, T::Bool | T::Int(_) | T::UInt(_) | T::Year)
                || matches!(logical, T::Decimal { precision: Some(_), scale: Some(0) })
        };
        Some(match (&from.logical, &to.logical) {
            (a, b) if is_whole(a) && is_whole(b) => Print::Whole,
            (T::Decimal { scale: Some(a), .. }, T::Decimal { scale: Some(b), .. }) => {
                Print::Decimal(*a.max(b))
            }
            (T::Text(_) | T::Enum, T::Text(_) | T::Enum) => Print::Text,
            (T::Bytes(_), T::Bytes(_)) => Print::Bytes,
            (T::Date, T::Date) => Print::Date,
            (T::DateTime(_) | T::TimestampTz(_), T::DateTime(_) | T::TimestampTz(_)) => {
                Print::Instant
            }
            (T::Time(_), T::Time(_)) => Print::Time,
            (T::Uuid, T::Uuid | T::Text(_)) | (T::Text(_), T::Uuid) => Print::Uuid,
            (T::Bit { length: Some(a), .. }, T::Bit { length: Some(b), .. }) if a == b => {
                Print::Bits(*a)
            }
            _ if same_engine && from.native == to.native => Print::Own,
            _ => return None,
        })
    }
}

/// How a row's text becomes 64 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashFunction {
    /// The first 64 bits of its SHA-256: what every server has, and processors compute fast.
    Sha256,
    /// One of the engine's own, which only servers of this description share.
    Own(String),
}

/// What to compute on one side.
#[derive(Debug, Clone)]
pub struct DigestPlan {
    /// The table, its split key and its condition; `columns` are those that are hashed.
    pub read: ReadPlan,
    /// One a hashed column.
    pub prints: Vec<Print>,
    /// The columns that tell rows apart, positions in the schema.
    pub key: Vec<usize>,
    /// One a key column.
    pub key_prints: Vec<Print>,
    /// How rows are hashed.
    pub hash: HashFunction,
    /// Whether a row's bucket is taken from its key's numbers; else from a hash of its key.
    pub by_number: bool,
}

impl DigestPlan {
    /// The key's columns, each with its print.
    pub fn key_columns(&self) -> impl Iterator<Item = (&Column, Print)> {
        self.key.iter().map(|&c| &self.read.schema.columns[c]).zip(self.key_prints.iter().copied())
    }

    /// The hashed columns, each with its print.
    pub fn hashed_columns(&self) -> impl Iterator<Item = (&Column, Print)> {
        self.read.read_columns().zip(self.prints.iter().copied())
    }

    /// A plan to read rows by their keys ([`super::KeyRange::Keys`]), all columns of `columns`.
    pub fn by_key(&self, columns: Vec<usize>) -> ReadPlan {
        ReadPlan { columns, split: self.key.clone(), ..self.read.clone() }
    }

    /// The described table.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.read.schema
    }
}

/// Rows are put into this many buckets by their key, a power of two, and only some buckets matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// How many there are.
    pub count: u32,
    /// Which ones are wanted.
    pub chosen: Vec<u32>,
}

/// The rows of one bucket of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The bucket's number.
    pub bucket: u32,
    /// Its rows.
    pub rows: u64,
    /// The sum of their hashes, modulo 2^64.
    pub hash: u64,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedRow {
    /// What finds the row again on its own side; `None` with NULL in the key.
    pub key: Option<Bound>,
    /// The key's text, the same on both sides.
    pub name: Vec<u8>,
    /// The row's hash.
    pub hash: u64,
}

/// How a server orders the values of a column. Two columns of the same order can be cut at the same
/// bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordering {
    /// By number.
    Number,
    /// By calendar and clock.
    Time,
    /// By bytes.
    Bytes,
    /// By rules of this name, which only servers of one kind share.
    Named(String),
    /// Not known.
    Unknown,
}

/// A sum of hashes that a server printed, modulo 2^64.
pub(super) fn wrapped(printed: &str) -> Option<u64> {
    printed.parse::<i128>().ok().map(|sum| sum as u64)
}

/// Appends a key column's text to a row's name, so that no two keys have the same name.
pub fn push_name(name: &mut Vec<u8>, cell: Option<&[u8]>) {
    match cell {
        None => name.extend_from_slice(&u32::MAX.to_le_bytes()),
        Some(cell) => {
            name.extend_from_slice(&(cell.len() as u32).to_le_bytes());
            name.extend_from_slice(cell);
        }
    }
}
