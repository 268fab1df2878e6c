//! Which rows a query reads: a shard's range, the task's filter and the place to go on from.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::{cells, sql};
use crate::error::{Error, Result};
use crate::plugin::{Bound, BoundValue, KeyRange, ReadPlan};

/// A value in a comparison, of the storage class it has in the table: that way the column's own
/// affinity and collation decide, as they do in its index.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT, which need not be UTF-8.
    Text(Vec<u8>),
    /// BLOB.
    Blob(Vec<u8>),
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Integer(n) => ValueRef::Integer(*n),
            Param::Real(real) => ValueRef::Real(*real),
            Param::Text(text) => ValueRef::Text(text),
            Param::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Param {
    /// A value of a row; `None` for NULL, which no position has.
    pub(super) fn of(value: ValueRef<'_>) -> Option<Self> {
        Some(match value {
            ValueRef::Null => return None,
            ValueRef::Integer(n) => Param::Integer(n),
            ValueRef::Real(real) => Param::Real(real),
            ValueRef::Text(text) => Param::Text(text.to_vec()),
            ValueRef::Blob(bytes) => Param::Blob(bytes.to_vec()),
        })
    }

    /// As the ledger keeps it; `None` for text that is not UTF-8.
    pub(super) fn into_bound(self) -> Option<BoundValue> {
        Some(match self {
            Param::Integer(n) => BoundValue::Number(n.to_string()),
            Param::Real(real) => BoundValue::Number(format!("{real:?}")),
            Param::Text(text) => BoundValue::Text(String::from_utf8(text).ok()?),
            Param::Blob(bytes) => BoundValue::Hex(cells::hex(&bytes)),
        })
    }

    fn from_bound(value: &BoundValue) -> Option<Self> {
        Some(match value {
            BoundValue::Number(number) => match number.parse() {
                Ok(integer) => Param::Integer(integer),
                Err(_) => Param::Real(number.parse().ok()?),
            },
            BoundValue::Text(text) => Param::Text(text.clone().into_bytes()),
            BoundValue::Hex(digits) => {
                let pairs = (0..digits.len()).step_by(2);
                let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
                Param::Blob(pairs.map(byte).collect::<Option<_>>()?)
            }
        })
    }
}

/// A position in the order of some columns.
pub(super) type Position = Vec<Param>;

/// A shard's rows, but for the place to start at.
#[derive(Debug)]
pub(super) struct Range {
    /// The exclusive lower bound, in the split columns.
    pub(super) after: Option<Position>,
    to: Option<Position>,
    /// The only values of the split columns, if they are given one by one.
    keys: Option<Vec<Position>>,
    /// Conditions without parameters.
    fixed: Vec<String>,
    /// The split columns, quoted.
    split: Vec<String>,
}

impl Range {
    /// The rows of a shard.
    ///
    /// # Errors
    /// Kind `Internal` for a bound that does not fit the split columns.
    pub(super) fn new(plan: &ReadPlan, range: &KeyRange) -> Result<Self> {
        let split: Vec<_> = plan.split_columns().map(|c| sql::quote(&c.name)).collect();
        let nullable = plan.split_columns().zip(&split).filter(|(column, _)| column.nullable);
        let mut fixed = Vec::new();
        let (mut after, mut to, mut keys) = (None, None, None);
        match range {
            KeyRange::All => {}
            KeyRange::Between { after: low, to: high } => {
                fixed.extend(nullable.map(|(_, name)| format!("{name} IS NOT NULL")));
                after = low.as_ref().map(|bound| position(bound, split.len())).transpose()?;
                to = high.as_ref().map(|bound| position(bound, split.len())).transpose()?;
            }
            KeyRange::Keys(given) => {
                let given = given.iter().map(|key| position(key, split.len()));
                keys = Some(given.collect::<Result<_>>()?);
            }
            KeyRange::Nulls => {
                let any: Vec<_> = nullable.map(|(_, name)| format!("{name} IS NULL")).collect();
                fixed.push(if any.is_empty() { "0".into() } else { any.join(" OR ") });
            }
        }
        // The line break ends a comment in the filter.
        fixed.extend(plan.filter.as_ref().map(|filter| format!("{filter}\n")));
        Ok(Self { after, to, keys, fixed, split })
    }

    /// `WHERE` for the rows after `position` in the order of `columns`, or from the shard's start.
    pub(super) fn condition(&self, columns: &[String], position: Option<&Position>) -> String {
        let mut terms = Vec::new();
        if position.is_some() {
            terms.push(compare(columns, ">"));
        } else if self.after.is_some() {
            terms.push(compare(&self.split, ">"));
        }
        if self.to.is_some() {
            terms.push(compare(&self.split, "<="));
        }
        terms.extend(self.keys.as_ref().map(|keys| among(&self.split, keys)));
        terms.extend(self.fixed.iter().map(|term| format!("({term})")));
        if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) }
    }

    /// The parameters of [`Range::condition`].
    pub(super) fn params<'a>(
        &'a self,
        position: Option<&'a Position>,
    ) -> impl Iterator<Item = &'a Param> {
        let keys = self.keys.iter().flatten();
        position.or(self.after.as_ref()).into_iter().chain(&self.to).chain(keys).flatten()
    }
}

fn compare(columns: &[String], operator: &str) -> String {
    let holders = vec!["?"; columns.len()].join(", ");
    format!("({}) {operator} ({holders})", columns.join(", "))
}

/// The columns have one of these rows of values.
pub(super) fn among(columns: &[String], keys: &[Position]) -> String {
    if keys.is_empty() {
        return "0".to_owned();
    }
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    format!("({}) IN (VALUES {})", columns.join(", "), vec![row; keys.len()].join(", "))
}

pub(super) fn position(bound: &Bound, columns: usize) -> Result<Position> {
    let position: Option<Position> = bound.0.iter().map(Param::from_bound).collect();
    position.filter(|position| position.len() == columns).ok_or_else(|| {
        Error::internal(format!("the bound {bound:?} doesn't fit {columns} split columns"))
    })
}
