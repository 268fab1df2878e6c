//! SQLite values as cells: canonical text by the column's logical type, or tagged values.

use std::io::Write;

use rusqlite::types::ValueRef;

use super::temporal;
use crate::batch::Batch;
use crate::plan::check::{Check, bool_digit};
use crate::schema::LogicalType;

/// The largest whole number up to which a double holds every one.
const EXACT_DOUBLE: u64 = 1 << 53;

/// Appends a value that fits the column's logical type.
///
/// # Errors
/// A phrase for the end of "column x …" for one that doesn't. The arena then holds half a cell.
pub(super) fn push(
    value: ValueRef<'_>,
    logical: &LogicalType,
    batch: &mut Batch,
) -> Result<(), String> {
    use LogicalType as T;
    let fits = match (value, logical) {
        (ValueRef::Null, _) => {
            batch.push_null();
            return Ok(());
        }
        (ValueRef::Text(text), T::Text(_) | T::Enum | T::Json | T::Interval | T::Other(_)) => {
            utf8(text, batch)?;
            true
        }
        (ValueRef::Integer(n), T::Bool) => digits(n, batch) && matches!(n, 0 | 1),
        (ValueRef::Text(text), T::Bool) => extend(bool_digit(text), batch),
        (ValueRef::Integer(n), T::Float32 | T::Float64) => {
            digits(n, batch) && n.unsigned_abs() <= EXACT_DOUBLE
        }
        (
            ValueRef::Integer(n),
            T::Int(_)
            | T::UInt(_)
            | T::Year
            | T::Decimal { .. }
            | T::Text(_)
            | T::Json
            | T::Other(_),
        ) => digits(n, batch),
        (ValueRef::Text(text), T::UInt(64)) => {
            let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
            extend(plain.then_some(text), batch)
        }
        (ValueRef::Real(real), T::Float32) => single(real, batch)?,
        (ValueRef::Real(real), T::Float64 | T::Text(_) | T::Other(_)) => float(real, batch),
        (ValueRef::Real(real), T::Json) => float(real, batch) && real.is_finite(),
        (ValueRef::Real(real), T::Decimal { scale, .. }) => {
            let start = batch.bytes();
            plain(real, batch) && decimal(&batch.arena()[start..], *scale)?
        }
        (ValueRef::Text(text), T::Decimal { scale, .. }) => {
            decimal(text, *scale)? && extend(Some(text), batch)
        }
        (ValueRef::Blob(bytes), T::Bytes(_) | T::Geometry) => extend(Some(bytes), batch),
        (ValueRef::Text(text), T::Date) => temporal::push_date(text, batch.arena()),
        (ValueRef::Text(text), T::Time(limit)) => {
            temporal::push_time(text, batch.arena()) && fraction(text, *limit)?
        }
        (ValueRef::Text(text), T::DateTime(limit) | T::TimestampTz(limit)) => {
            temporal::push_datetime(text, batch.arena()) && fraction(text, *limit)?
        }
        (ValueRef::Text(text), T::Uuid) => uuid(text, batch),
        (ValueRef::Text(text), T::Bit { .. }) => {
            let bits = text.iter().all(|b| matches!(b, b'0' | b'1'));
            extend(bits.then_some(text), batch)
        }
        _ => false,
    };
    if !fits {
        return Err(misfit(value, logical));
    }
    batch.end_cell();
    Ok(())
}

/// Appends text that is not UTF-8 as it is, for a rule that replaces it; `false` for any other value.
pub(super) fn push_invalid(value: ValueRef<'_>, batch: &mut Batch) -> bool {
    match value {
        ValueRef::Text(text) if std::str::from_utf8(text).is_err() => {
            batch.arena().extend_from_slice(text);
            batch.end_cell();
            true
        }
        _ => false,
    }
}

/// Appends a value with its storage class in front, for [`crate::batch::WireFormat::SqliteValues`].
pub(super) fn push_tagged(value: ValueRef<'_>, batch: &mut Batch) {
    let arena = batch.arena();
    match value {
        ValueRef::Null => return batch.push_null(),
        ValueRef::Integer(n) => {
            arena.push(b'i');
            arena.extend_from_slice(&n.to_le_bytes());
        }
        ValueRef::Real(real) => {
            arena.push(b'r');
            arena.extend_from_slice(&real.to_le_bytes());
        }
        ValueRef::Text(text) => {
            arena.push(b't');
            arena.extend_from_slice(text);
        }
        ValueRef::Blob(bytes) => {
            arena.push(b'b');
            arena.extend_from_slice(bytes);
        }
    }
    batch.end_cell();
}

/// Reads a cell that [`push_tagged`] wrote; `None` if it is none.
pub(super) fn tagged(cell: &[u8]) -> Option<ValueRef<'_>> {
    let (tag, rest) = cell.split_first()?;
    Some(match tag {
        b'i' => ValueRef::Integer(i64::from_le_bytes(rest.try_into().ok()?)),
        b'r' => ValueRef::Real(f64::from_le_bytes(rest.try_into().ok()?)),
        b't' => ValueRef::Text(rest),
        b'b' => ValueRef::Blob(rest),
        _ => return None,
    })
}

/// A value of a key, for messages.
pub(super) fn shown(value: ValueRef<'_>) -> String {
    let short = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(real) => format!("{real:?}"),
        ValueRef::Text(text) => short(text),
        ValueRef::Blob(bytes) => format!("x'{}'", hex(&bytes[..bytes.len().min(40)])),
    }
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn extend(bytes: Option<&[u8]>, batch: &mut Batch) -> bool {
    batch.arena().extend_from_slice(bytes.unwrap_or_default());
    bytes.is_some()
}

fn utf8(text: &[u8], batch: &mut Batch) -> Result<(), String> {
    std::str::from_utf8(text).map_err(|_| "holds text that is not UTF-8".to_owned())?;
    batch.arena().extend_from_slice(text);
    Ok(())
}

fn digits(n: i64, batch: &mut Batch) -> bool {
    extend(Some(itoa::Buffer::new().format(n).as_bytes()), batch)
}

/// Shortest digits; with an exponent where they would be many.
fn float(real: f64, batch: &mut Batch) -> bool {
    let out = batch.arena();
    if real.is_infinite() {
        out.extend_from_slice(if real > 0.0 { b"Infinity" } else { b"-Infinity" });
        return true;
    }
    let size = real.abs();
    if size == 0.0 || (1e-5..1e17).contains(&size) {
        return plain(real, batch);
    }
    write!(out, "{real:e}").is_ok()
}

/// A double in a column that says it is single: as the single whose shortest digits it has.
fn single(real: f64, batch: &mut Batch) -> Result<bool, String> {
    let narrow = real as f32;
    if f64::from(narrow) == real {
        return Ok(float_single(narrow, batch));
    }
    let start = batch.bytes();
    float_single(narrow, batch);
    let digits = std::str::from_utf8(&batch.arena()[start..]).ok();
    if digits.and_then(|d| d.parse::<f64>().ok()) == Some(real) {
        return Ok(true);
    }
    Err("holds a number that single precision would round".into())
}

fn float_single(real: f32, batch: &mut Batch) -> bool {
    let size = real.abs();
    if real.is_infinite() {
        float(real.into(), batch)
    } else if size == 0.0 || (1e-5..1e9).contains(&size) {
        write!(batch.arena(), "{real}").is_ok()
    } else {
        write!(batch.arena(), "{real:e}").is_ok()
    }
}

/// Shortest digits, never an exponent.
fn plain(real: f64, batch: &mut Batch) -> bool {
    if real.is_infinite() {
        float(real, batch)
    } else if (1e-4..1e15).contains(&real.abs()) {
        // As short and much faster, but with an exponent outside of these bounds.
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(real);
        extend(Some(text.strip_suffix(".0").unwrap_or(text).as_bytes()), batch)
    } else {
        write!(batch.arena(), "{real}").is_ok()
    }
}

fn decimal(text: &[u8], scale: Option<u16>) -> Result<bool, String> {
    if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") {
        return Ok(true);
    }
    Check::Scale(scale.unwrap_or(u16::MAX)).verify(text).map(|()| true).map_err(declared)
}

fn fraction(text: &[u8], limit: u8) -> Result<bool, String> {
    Check::Fraction(limit).verify(text).map(|()| true).map_err(declared)
}

/// A check's phrase, said of the source.
fn declared(phrase: String) -> String {
    phrase.replace("the target keeps", "its declared type has")
}

fn uuid(text: &[u8], batch: &mut Batch) -> bool {
    let Ok(uuid) = uuid::Uuid::try_parse_ascii(text) else { return false };
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    extend(Some(uuid.hyphenated().encode_lower(&mut buffer).as_bytes()), batch)
}

fn misfit(value: ValueRef<'_>, logical: &LogicalType) -> String {
    let class = match value {
        ValueRef::Null => "NULL",
        ValueRef::Integer(_) => "an INTEGER",
        ValueRef::Real(_) => "a REAL",
        ValueRef::Text(_) => "a TEXT",
        ValueRef::Blob(_) => "a BLOB",
    };
    format!("holds {class} that is no {logical}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_shortest_and_have_no_exponent() {
        let mut bits = 0x0123_4567_89ab_cdef_u64;
        let random = std::iter::repeat_with(|| {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bits
        });
        let edges =
            [0.0, -0.0, 1.0, -1.0, 0.1, 1e-4, 1e15, 1e16, 999_999_999_999_999.9, 173_665.47];
        let wild = random.take(40_000).flat_map(|bits| {
            let cents = (bits >> 30) as i64 as f64 / 100.0;
            [f64::from_bits(bits), cents, -cents, (bits >> 20) as f64 * 1e-9]
        });
        for real in edges.into_iter().chain(wild).filter(|real| real.is_finite()) {
            let mut batch = Batch::new(1);
            assert!(plain(real, &mut batch));
            // Halfway between two, either is right.
            let text = String::from_utf8_lossy(batch.arena()).into_owned();
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(real.to_bits()), "{text}");
            assert_eq!(text.len(), format!("{real}").len(), "{text} for {real}");
            assert!(!text.contains(['e', 'E']), "{text}");
        }
    }
}
