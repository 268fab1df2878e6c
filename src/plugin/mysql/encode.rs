//! Canonical text into MySQL literals. The form is chosen once a column.

use super::sql;
use crate::error::{Error, Result};
use crate::plan::check::{Check, bool_digit};
use crate::plugin::WritePlan;
use crate::schema::LogicalType;

/// How a column's cells are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal {
    /// Digits without quotes.
    Number,
    /// The same where [`Check::Integer`] has seen that they are.
    Integer,
    /// The same for FLOAT.
    Single,
    /// A string literal.
    Text,
    /// A hexadecimal literal.
    Hex,
    /// `b'0101'`.
    Bits,
    /// `1` or `0`.
    Bool,
}

impl Literal {
    /// By the source's and the target's type.
    pub(super) fn choose(from: &LogicalType, to: &LogicalType) -> Self {
        use LogicalType as T;
        match (from, to) {
            (_, T::Bool) => Literal::Bool,
            (T::Bool, T::Bit { .. }) => Literal::Bool,
            (_, T::Bit { .. }) => Literal::Bits,
            (T::Bytes(_) | T::Geometry, _) => Literal::Hex,
            (_, T::Float32) => Literal::Single,
            (
                T::Bool | T::Int(_) | T::UInt(_) | T::Decimal { .. } | T::Float32 | T::Float64,
                T::Int(_) | T::UInt(_) | T::Decimal { .. } | T::Float64 | T::Year,
            ) => Literal::Number,
            _ => Literal::Text,
        }
    }

    /// Appends the literal, or says what is wrong with the cell.
    fn push(self, sql: &mut Vec<u8>, cell: &[u8]) -> Result<(), String> {
        match self {
            Literal::Number => sql.extend_from_slice(number(cell)?),
            Literal::Integer => sql.extend_from_slice(cell),
            Literal::Single => sql.extend_from_slice(single(number(cell)?)),
            Literal::Text => sql::push_text(sql, cell),
            Literal::Hex => sql::push_hex(sql, cell),
            Literal::Bits => {
                let digits = bits(cell)?;
                sql.extend_from_slice(b"b'");
                sql.extend_from_slice(digits);
                sql.push(b'\'');
            }
            Literal::Bool => sql.extend_from_slice(truth(cell)?),
        }
        Ok(())
    }
}

impl Literal {
    /// Appends the cell as a field of a LOAD DATA, or says what is wrong with it.
    fn push_field(self, out: &mut Vec<u8>, cell: &[u8]) -> Result<(), String> {
        match self {
            Literal::Number => out.extend_from_slice(number(cell)?),
            Literal::Integer => out.extend_from_slice(cell),
            Literal::Single => out.extend_from_slice(single(number(cell)?)),
            Literal::Text => sql::push_field(out, cell),
            Literal::Hex => sql::push_digits(out, cell),
            Literal::Bits => out.extend_from_slice(bits(cell)?),
            Literal::Bool => out.extend_from_slice(truth(cell)?),
        }
        Ok(())
    }
}

fn number(cell: &[u8]) -> Result<&[u8], String> {
    let plain = cell.iter().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    (plain && !cell.is_empty())
        .then_some(cell)
        .ok_or_else(|| "holds NaN or infinity, which MySQL has no value for".to_owned())
}

/// The shortest text of the largest FLOAT is a little beyond it, which MySQL calls out of range.
fn single(cell: &[u8]) -> &[u8] {
    let (sign, digits) = match cell.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, cell),
    };
    if !digits.starts_with(b"34028235") && !digits.starts_with(b"3.4028235") {
        return cell;
    }
    let read = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<f32>().ok());
    match (read == Some(f32::MAX), sign) {
        (true, false) => b"3.4028234663852886e38",
        (true, true) => b"-3.4028234663852886e38",
        _ => cell,
    }
}

fn bits(cell: &[u8]) -> Result<&[u8], String> {
    let plain = cell.iter().all(|b| matches!(b, b'0' | b'1'));
    plain.then_some(cell).ok_or_else(|| "holds something that is not a bit string".to_owned())
}

fn truth(cell: &[u8]) -> Result<&'static [u8], String> {
    bool_digit(cell).ok_or_else(|| "holds something that is neither true nor false".to_owned())
}

/// What MySQL would change in silence even in strict mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// Nothing.
    Free,
    /// BINARY(n) fills shorter values up with zeros.
    Exact(usize),
    /// CHAR(n) loses trailing spaces, VARCHAR(n) those beyond its length.
    Spaces(usize),
    /// BIT(n), by way of a number: a load clips what has more digits.
    Bits(usize),
}

impl Width {
    fn choose(from: &LogicalType, same_native: bool, to: &crate::schema::Column) -> Self {
        let limit = match to.logical {
            LogicalType::Text(Some(n)) | LogicalType::Bytes(Some(n)) => n as usize,
            LogicalType::Bit { length: Some(n), .. } if !same_native => {
                return Width::Bits(n as usize);
            }
            _ => return Width::Free,
        };
        match from {
            _ if same_native => Width::Free,
            LogicalType::Bytes(_) if to.native.starts_with("binary") => Width::Exact(limit),
            LogicalType::Text(_) if to.native.starts_with("char") => Width::Spaces(0),
            LogicalType::Text(Some(n)) if *n as usize <= limit => Width::Free,
            LogicalType::Text(_) => Width::Spaces(limit),
            _ => Width::Free,
        }
    }

    fn verify(self, cell: &[u8]) -> Result<(), String> {
        match self {
            Width::Exact(n) if cell.len() != n => {
                Err(format!("has {} bytes, the target would fill it up to {n}", cell.len()))
            }
            Width::Spaces(n) if cell.ends_with(b" ") => {
                let characters = cell.iter().filter(|&&b| b & 0xc0 != 0x80).count();
                if characters > n {
                    return Err("ends with spaces, which the target would cut off".to_owned());
                }
                Ok(())
            }
            Width::Bits(n) => {
                let digits = cell.iter().skip_while(|&&digit| digit == b'0').count();
                if digits > n {
                    return Err(format!("has {digits} bits, the target keeps {n}"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// How a column's cells are written, and what they must be.
#[derive(Debug)]
struct Form {
    literal: Literal,
    check: Check,
    width: Width,
    /// For NULL in a NOT NULL column MySQL may invent a value: the present time, the next number.
    nullable: bool,
}

impl Form {
    /// Appends the cell by `push`, or says what is wrong with it.
    #[inline]
    fn push(
        &self,
        out: &mut Vec<u8>,
        cell: Option<&[u8]>,
        null: &[u8],
        push: impl FnOnce(Literal, &mut Vec<u8>, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(cell) = cell else {
            if !self.nullable {
                return Err("is NULL, which the target does not take".to_owned());
            }
            out.extend_from_slice(null);
            return Ok(());
        };
        if self.check != Check::None {
            self.check.verify(cell)?;
        }
        if self.width != Width::Free {
            self.width.verify(cell)?;
        }
        push(self.literal, out, cell)
    }
}

/// The columns' forms and checks, in batch order.
pub(super) struct Encoder {
    columns: Vec<Form>,
}

impl Encoder {
    pub(super) fn new(plan: &WritePlan) -> Self {
        let columns = plan.columns.iter().map(|column| {
            let to = &plan.schema.columns[column.target];
            let literal = match Literal::choose(&column.from, &to.logical) {
                Literal::Number if column.check == Check::Integer => Literal::Integer,
                literal => literal,
            };
            Form {
                literal,
                check: column.check,
                width: Width::choose(&column.from, column.same_native, to),
                nullable: to.nullable,
            }
        });
        Self { columns: columns.collect() }
    }

    /// The columns of a LOAD DATA. What its text can't say passes through a variable.
    pub(super) fn load_columns(&self, plan: &WritePlan) -> String {
        let (mut columns, mut sets) = (Vec::new(), Vec::new());
        for (position, (column, form)) in plan.target_columns().zip(&self.columns).enumerate() {
            let name = sql::name(&column.name);
            let is_bit = matches!(column.logical, LogicalType::Bit { .. });
            let value = match form.literal {
                Literal::Hex => format!("UNHEX(@g{position})"),
                Literal::Bits => format!("CAST(CONV(@g{position}, 2, 10) AS UNSIGNED)"),
                // As text 0 would be the year 2000.
                Literal::Number | Literal::Integer if column.logical == LogicalType::Year => {
                    format!("@g{position}+0")
                }
                // As text 1 would be the byte 0x31.
                Literal::Bool if is_bit => format!("@g{position}+0"),
                Literal::Number
                | Literal::Integer
                | Literal::Single
                | Literal::Text
                | Literal::Bool => {
                    columns.push(name);
                    continue;
                }
            };
            columns.push(format!("@g{position}"));
            sets.push(format!("{name} = {value}"));
        }
        let sets =
            if sets.is_empty() { String::new() } else { format!(" SET {}", sets.join(", ")) };
        format!("({}){sets}", columns.join(", "))
    }

    /// Appends a line of a LOAD DATA for row `row` of the batch.
    ///
    /// # Errors
    /// As [`Encoder::push_row`].
    pub(super) fn push_line(
        &self,
        out: &mut Vec<u8>,
        plan: &WritePlan,
        batch: &crate::batch::Batch,
        row: usize,
    ) -> Result<()> {
        for (position, (cell, form)) in batch.row(row).zip(&self.columns).enumerate() {
            if position > 0 {
                out.push(b'\t');
            }
            form.push(out, cell, b"\\N", Literal::push_field)
                .map_err(|reason| refusal(plan, batch, row, position, &reason))?;
        }
        out.push(b'\n');
        Ok(())
    }

    /// Appends `(v, v, …)` for row `row` of the batch.
    ///
    /// # Errors
    /// Kind `Permanent`, naming the column and the row's key.
    pub(super) fn push_row(
        &self,
        sql: &mut Vec<u8>,
        plan: &WritePlan,
        batch: &crate::batch::Batch,
        row: usize,
    ) -> Result<()> {
        sql.push(b'(');
        for (position, (cell, form)) in batch.row(row).zip(&self.columns).enumerate() {
            if position > 0 {
                sql.push(b',');
            }
            form.push(sql, cell, b"NULL", Literal::push)
                .map_err(|reason| refusal(plan, batch, row, position, &reason))?;
        }
        sql.push(b')');
        Ok(())
    }
}

#[cold]
fn refusal(
    plan: &WritePlan,
    batch: &crate::batch::Batch,
    row: usize,
    position: usize,
    reason: &str,
) -> Error {
    let column = &plan.schema.columns[plan.columns[position].target];
    Error::permanent(format!(
        "{}, {}: column {} ({}) {reason}",
        plan.schema.table,
        plan.describe_row(batch.row(row)),
        column.name,
        column.native
    ))
    .with_remedy("correct the source's value, or change the target's column")
    .about_a_row()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(from: &LogicalType, to: &LogicalType, cell: &[u8]) -> Result<String, String> {
        let mut sql = Vec::new();
        Literal::choose(from, to).push(&mut sql, cell)?;
        Ok(String::from_utf8_lossy(&sql).into_owned())
    }

    #[test]
    fn what_mysql_would_pad_or_cut_is_refused() {
        assert!(Width::Exact(4).verify(b"ab").is_err());
        assert!(Width::Exact(4).verify(b"abcd").is_ok());
        assert!(Width::Spaces(0).verify(b"ab ").is_err());
        assert!(Width::Spaces(3).verify(b"ab ").is_ok());
        assert!(Width::Spaces(3).verify("äöü ".as_bytes()).is_err());
        assert!(Width::Bits(3).verify(b"1001").is_err());
        assert!(Width::Bits(3).verify(b"0101").is_ok());
    }

    #[test]
    fn literals_by_type() {
        use LogicalType as T;
        let decimal = T::Decimal { precision: Some(10), scale: Some(2) };
        let bits = T::Bit { length: Some(3), varying: false };
        for (from, to, cell, expected) in [
            (T::Int(64), T::Int(64), &b"-5"[..], "-5"),
            (T::Int(64), T::Text(None), b"-5", "'-5'"),
            (T::Text(None), T::Int(64), b"5", "'5'"),
            (decimal.clone(), decimal, b"1.50", "1.50"),
            (T::Bool, T::Int(8), b"1", "1"),
            (T::Text(None), T::Bool, b"true", "1"),
            (T::Bytes(None), T::Bytes(None), b"\0'", "x'0027'"),
            (bits.clone(), bits, b"101", "b'101'"),
            (T::Json, T::Json, b"{\"a\": \"\\n\"}", r#"'{"a": "\\n"}'"#),
        ] {
            assert_eq!(literal(&from, &to, cell).as_deref(), Ok(expected));
        }
        assert!(literal(&T::Float64, &T::Float64, b"NaN").is_err());
    }
}
