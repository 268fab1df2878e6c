//! Cells as SQLite values, one binder a column, chosen once a shard.

use rusqlite::types::ValueRef;

use super::cells;
use super::types::Affinity;
use crate::batch::WireFormat;
use crate::plan::check::{Check, bool_digit};
use crate::plugin::{WriteMode, WritePlan};
use crate::schema::LogicalType;

/// Significant decimal digits that a double always gives back.
const EXACT_DIGITS: usize = 15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// INTEGER.
    Integer,
    /// INTEGER 0 or 1.
    Bool,
    /// INTEGER or REAL, because the column would make it one anyway.
    Decimal,
    /// REAL.
    Float,
    /// BLOB.
    Blob,
    /// TEXT.
    Text,
    /// The tag says it.
    Tagged,
}

/// What becomes of one column's cells.
#[derive(Debug)]
pub(super) struct Binder {
    form: Form,
    affinity: Affinity,
    check: Check,
    /// Whether SQLite would make something else of NULL than the same row again.
    required: bool,
}

/// The binders of a plan, in batch order.
pub(super) fn binders(plan: &WritePlan) -> Vec<Binder> {
    let of = |(position, column): (usize, &crate::plugin::WriteColumn)| {
        let target = &plan.schema.columns[column.target];
        let affinity = Affinity::of(&target.native);
        let key = plan.mode == WriteMode::Upsert && plan.key.contains(&position);
        let tagged = plan.format == WireFormat::SqliteValues;
        Binder {
            form: if tagged { Form::Tagged } else { form(&column.from, &target.logical, affinity) },
            affinity,
            check: if tagged { Check::None } else { column.check },
            required: key || target.auto_increment,
        }
    };
    plan.columns.iter().enumerate().map(of).collect()
}

fn form(from: &LogicalType, to: &LogicalType, affinity: Affinity) -> Form {
    use LogicalType as T;
    let whole = matches!(from, T::Bool | T::Int(_) | T::UInt(_) | T::Year);
    match (from, to) {
        (T::Bytes(_) | T::Geometry, _) => Form::Blob,
        (_, T::Bool) => Form::Bool,
        // The text that SQLite would make of a number here has fewer digits.
        _ if affinity == Affinity::Text => Form::Text,
        (T::Float32 | T::Float64, _) | (_, T::Float32 | T::Float64) => Form::Float,
        _ if whole => Form::Integer,
        (T::Text(_), T::Int(_) | T::UInt(_) | T::Year) => Form::Integer,
        (_, T::Int(_) | T::UInt(_) | T::Decimal { .. }) if affinity.is_numeric() => Form::Decimal,
        _ => Form::Text,
    }
}

impl Binder {
    /// The value to store for a cell.
    ///
    /// # Errors
    /// A phrase for the end of "column x …" when SQLite would store something else.
    pub(super) fn value<'a>(&self, cell: Option<&'a [u8]>) -> Result<ValueRef<'a>, String> {
        let Some(cell) = cell else {
            return if self.required {
                Err("is a key and NULL: SQLite would add the row again on every attempt".into())
            } else {
                Ok(ValueRef::Null)
            };
        };
        if self.check != Check::None {
            self.check.verify(cell)?;
        }
        match self.form {
            Form::Integer => self.integer(cell),
            Form::Bool => match bool_digit(cell) {
                Some(digit) => Ok(ValueRef::Integer(i64::from(digit == b"1"))),
                None => Err("holds something that is neither true nor false".into()),
            },
            Form::Decimal => self.decimal(cell),
            Form::Float => self.float(cell),
            Form::Blob => Ok(ValueRef::Blob(cell)),
            Form::Text => self.text(cell),
            Form::Tagged => cells::tagged(cell).ok_or_else(|| "came without a type".to_owned()),
        }
    }

    fn integer<'a>(&self, cell: &'a [u8]) -> Result<ValueRef<'a>, String> {
        match number(cell) {
            Some(integer) => Ok(ValueRef::Integer(integer)),
            None if self.affinity == Affinity::Blob => Ok(ValueRef::Text(cell)),
            None => {
                Err("holds a number that is no 64-bit integer: SQLite would round it, declare \
                         the column UNSIGNED64_TEXT"
                    .into())
            }
        }
    }

    fn decimal<'a>(&self, cell: &'a [u8]) -> Result<ValueRef<'a>, String> {
        let text = std::str::from_utf8(cell).unwrap_or_default();
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
            _ => text,
        };
        // A column of REAL affinity makes a double of an integer too.
        if let Ok(integer) = whole.parse::<i64>()
            && (self.affinity != Affinity::Real || integer.unsigned_abs() <= 1 << 53)
        {
            return Ok(ValueRef::Integer(integer));
        }
        match number::<f64>(cell) {
            // Below 1e-300 a double begins to lose digits.
            Some(real)
                if significant(text) <= EXACT_DIGITS && real.abs() > 1e-300 && real.is_finite() =>
            {
                Ok(ValueRef::Real(real))
            }
            _ => Err("holds a number that SQLite would cut to 15 digits by the declared type: \
                      declare the column DECIMAL_TEXT"
                .into()),
        }
    }

    fn float<'a>(&self, cell: &'a [u8]) -> Result<ValueRef<'a>, String> {
        match number::<f64>(cell) {
            None => Err("holds something that is not a number".into()),
            Some(real) if real.is_nan() => {
                Err("holds NaN, which SQLite stores as NULL: declare the column TEXT".into())
            }
            // SQLite keeps -0 as 0 in a numeric column; to SQL the two are equal.
            Some(real) => Ok(ValueRef::Real(real)),
        }
    }

    fn text<'a>(&self, cell: &'a [u8]) -> Result<ValueRef<'a>, String> {
        if self.affinity.is_numeric() && looks_numeric(cell) {
            return Err("holds text that its declared type makes SQLite store as a number: \
                        declare the column TEXT"
                .into());
        }
        Ok(ValueRef::Text(cell))
    }
}

fn number<N: std::str::FromStr>(cell: &[u8]) -> Option<N> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// Digits of a decimal without leading zeros, and without those after the point at the end.
fn significant(text: &str) -> usize {
    let text = if text.contains('.') { text.trim_end_matches('0') } else { text };
    text.bytes().filter(u8::is_ascii_digit).skip_while(|&b| b == b'0').count()
}

/// Whether SQLite may take the text for a number.
fn looks_numeric(cell: &[u8]) -> bool {
    let is_space = |b: &u8| b.is_ascii_whitespace() || *b == 0x0b;
    let start = cell.iter().position(|b| !is_space(b)).unwrap_or(cell.len());
    let end = cell.iter().rposition(|b| !is_space(b)).map_or(start, |last| last + 1);
    let text = &cell[start..end];
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    unsigned.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.')
        && number::<f64>(text).is_some()
}
