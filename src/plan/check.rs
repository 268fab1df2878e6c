//! Which logical type may go into which, and what every cell must satisfy on the way.
//!
//! Servers refuse what is out of range in strict mode, but they round fractions in silence; the
//! checks here close those gaps. Chosen once per column, at plan time.

use crate::schema::LogicalType;

/// A condition on each cell of a column, beyond what the target server itself refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The server's own strictness is enough.
    None,
    /// Decimal digits with an optional sign and nothing else.
    Integer,
    /// At most this many digits after the point, trailing zeros aside; no exponent.
    Scale(u16),
    /// At most this many digits of a second's fraction, trailing zeros aside.
    Fraction(u8),
    /// A calendar date without a time of day.
    DateOnly,
    /// A truth value: `0`, `1`, `t`, `f`, `true` or `false`.
    Bool,
    /// A number that single precision holds exactly as written.
    Float32,
    /// A number that double precision reads; used where text goes into a float.
    Float64,
}

impl Check {
    /// Says what is wrong with a cell, if anything.
    ///
    /// # Errors
    /// A phrase for the end of the sentence "column x …".
    pub fn verify(self, cell: &[u8]) -> Result<(), String> {
        match self {
            Check::None => Ok(()),
            Check::Integer => is_integer(cell)
                .then_some(())
                .ok_or_else(|| "holds something that is not a whole number".to_owned()),
            Check::Scale(scale) => match fraction_digits(cell) {
                Some(digits) if digits <= usize::from(scale) => Ok(()),
                Some(digits) => {
                    Err(format!("has {digits} digits after the point, the target keeps {scale}"))
                }
                None => Err("holds something that is not a plain decimal number".to_owned()),
            },
            Check::Fraction(limit) => {
                let digits = second_fraction_digits(cell);
                if digits <= usize::from(limit) {
                    Ok(())
                } else {
                    Err(format!(
                        "has {digits} digits of a second's fraction, the target keeps {limit}"
                    ))
                }
            }
            Check::DateOnly => (cell.len() <= 12 && !cell.contains(&b':'))
                .then_some(())
                .ok_or_else(|| "holds something that is not a calendar date".to_owned()),
            Check::Bool => bool_digit(cell)
                .map(|_| ())
                .ok_or_else(|| "holds something that is neither true nor false".to_owned()),
            Check::Float32 => parse::<f64>(cell)
                .filter(|&wide| {
                    wide.is_nan() || f64::from(wide as f32) == wide || shortest(cell, wide)
                })
                .map(|_| ())
                .ok_or_else(|| "does not fit single precision exactly".to_owned()),
            Check::Float64 => parse::<f64>(cell)
                .map(|_| ())
                .ok_or_else(|| "holds something that is not a number".to_owned()),
        }
    }
}

/// `1` or `0` for a truth value in any engine's spelling.
pub fn bool_digit(cell: &[u8]) -> Option<&'static [u8]> {
    match cell {
        b"1" | b"t" | b"true" | b"TRUE" | b"True" => Some(b"1"),
        b"0" | b"f" | b"false" | b"FALSE" | b"False" => Some(b"0"),
        _ => None,
    }
}

/// Chooses the check for a column, or says why the pair is refused.
///
/// # Errors
/// A sentence without the column's name.
pub fn choose(from: &LogicalType, to: &LogicalType) -> Result<Check, String> {
    use LogicalType as T;
    let check = match (from, to) {
        (T::Other(a), T::Other(b)) if a == b => Check::None,
        (T::Geometry, T::Geometry) | (T::Interval, T::Interval) => Check::None,
        (_, T::Text(_) | T::Enum) if !matches!(from, T::Bytes(_) | T::Geometry) => Check::None,
        (T::Bool | T::Int(_) | T::UInt(_) | T::Year, T::Int(_) | T::UInt(_) | T::Year) => {
            Check::Integer
        }
        (T::Bool | T::Int(_) | T::UInt(_) | T::Year, T::Decimal { .. }) => Check::Integer,
        (T::Bool | T::Int(8 | 16 | 24 | 32) | T::UInt(8 | 16 | 24 | 32) | T::Year, T::Float64) => {
            Check::Integer
        }
        (T::Bool | T::Int(_) | T::UInt(_) | T::Text(_), T::Bool) => Check::Bool,
        (T::Bit { length: Some(1), .. }, T::Bool) => Check::Bool,
        (T::Bool, T::Bit { length: Some(1), .. }) => Check::Bool,
        (T::Decimal { scale: a, .. }, T::Decimal { scale: b, .. }) => match (a, b) {
            (_, None) => Check::None,
            (Some(a), Some(b)) if a <= b => Check::None,
            (_, Some(b)) => Check::Scale(*b),
        },
        (T::Decimal { .. }, T::Int(_) | T::UInt(_)) => Check::Scale(0),
        (T::Float32, T::Float32 | T::Float64) | (T::Float64, T::Float64) => Check::None,
        (T::Float64, T::Float32) => Check::Float32,
        (T::Bytes(_), T::Bytes(_)) => Check::None,
        (T::Date, T::Date | T::DateTime(_)) => Check::None,
        (T::DateTime(a) | T::TimestampTz(a), T::DateTime(b) | T::TimestampTz(b))
        | (T::Time(a), T::Time(b)) => {
            if a <= b {
                Check::None
            } else {
                Check::Fraction(*b)
            }
        }
        (T::Time(_), T::Interval) => Check::None,
        (T::Json, T::Json) | (T::Uuid, T::Uuid) => Check::None,
        (T::Bit { .. }, T::Bit { .. }) => Check::None,
        (T::Text(_) | T::Enum, T::Json | T::Uuid) => Check::None,
        (T::Text(_), T::Date) => Check::DateOnly,
        (T::Text(_), T::Int(_) | T::UInt(_) | T::Year) => Check::Integer,
        (T::Text(_), T::Decimal { scale: Some(scale), .. }) => Check::Scale(*scale),
        (T::Text(_), T::Decimal { scale: None, .. }) => Check::None,
        (T::Text(_), T::Float64) => Check::Float64,
        (T::Text(_), T::Time(n) | T::DateTime(n) | T::TimestampTz(n)) => Check::Fraction(*n),
        (T::Text(_), T::Other(_) | T::Interval) => Check::None,
        _ => return Err(format!("{from} can't be copied into {to} without a change of value")),
    };
    Ok(check)
}

fn parse<N: std::str::FromStr>(cell: &[u8]) -> Option<N> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// Whether the text is the shortest form of the single-precision number it reads as.
fn shortest(cell: &[u8], wide: f64) -> bool {
    format!("{}", wide as f32).as_bytes() == cell
}

fn is_integer(cell: &[u8]) -> bool {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Significant digits after the point of a plain decimal; `None` for anything else.
fn fraction_digits(cell: &[u8]) -> Option<usize> {
    let unsigned = cell.strip_prefix(b"-").unwrap_or(cell);
    let point = memchr::memchr(b'.', unsigned).unwrap_or(unsigned.len());
    let (whole, rest) = unsigned.split_at(point);
    let fraction = rest.strip_prefix(b".").unwrap_or(rest);
    let plain = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    (plain && !(whole.is_empty() && fraction.is_empty())).then(|| significant(fraction))
}

/// Significant digits of a second's fraction in a time, a date-time or an ISO text.
fn second_fraction_digits(cell: &[u8]) -> usize {
    let Some(point) = memchr::memrchr(b'.', cell) else { return 0 };
    let fraction = &cell[point + 1..];
    let end = fraction.iter().position(|b| !b.is_ascii_digit()).unwrap_or(fraction.len());
    significant(&fraction[..end])
}

fn significant(fraction: &[u8]) -> usize {
    fraction.iter().rposition(|&b| b != b'0').map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_refuse_what_a_server_would_round() {
        assert!(Check::Scale(2).verify(b"1.2300").is_ok());
        assert!(Check::Scale(2).verify(b"-1.234").is_err());
        assert!(Check::Scale(2).verify(b"NaN").is_err());
        assert!(Check::Integer.verify(b"-12").is_ok());
        assert!(Check::Integer.verify(b"1.5").is_err());
        assert!(Check::Integer.verify(b"").is_err());
        assert!(Check::Fraction(3).verify(b"2024-01-01 00:00:00.123000").is_ok());
        assert!(Check::Fraction(3).verify(b"00:00:00.1234").is_err());
        assert!(Check::Bool.verify(b"2").is_err());
        assert!(Check::Float32.verify(b"0.5").is_ok());
        assert!(Check::Float32.verify(b"0.1").is_ok());
        assert!(Check::Float32.verify(b"0.123456789012").is_err());
    }

    #[test]
    fn lossy_pairs_are_refused_by_name() {
        let refused = choose(&LogicalType::Float64, &LogicalType::Int(32)).unwrap_err();
        assert!(refused.contains("double float") && refused.contains("32-bit"), "{refused}");
        assert!(choose(&LogicalType::Bytes(None), &LogicalType::Text(None)).is_err());
        assert!(choose(&LogicalType::DateTime(6), &LogicalType::Date).is_err());
        let narrowed = choose(
            &LogicalType::Decimal { precision: Some(20), scale: Some(4) },
            &LogicalType::Decimal { precision: Some(10), scale: Some(2) },
        );
        assert_eq!(narrowed, Ok(Check::Scale(2)));
    }
}
