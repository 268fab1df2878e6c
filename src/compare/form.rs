//! The engine-independent form in which cells are compared when both sides are streamed.

use serde_json::Value;

use crate::batch::Batch;
use crate::checksum::checksum;
use crate::plan::check::bool_digit;
use crate::schema::LogicalType;

/// The hash of the cells from column `first` on.
pub(super) fn hash_row(
    batch: &Batch,
    row: usize,
    first: usize,
    forms: &[Form],
    scratch: &mut Vec<u8>,
) -> u128 {
    scratch.clear();
    for (cell, form) in batch.row(row).skip(first).zip(forms) {
        match cell {
            None => scratch.push(0),
            Some(cell) => {
                scratch.push(1);
                let start = scratch.len();
                scratch.extend_from_slice(&[0; 8]);
                form.push(scratch, cell);
                let length = (scratch.len() - start - 8) as u64;
                scratch[start..start + 8].copy_from_slice(&length.to_le_bytes());
            }
        }
    }
    checksum(scratch)
}

/// The form of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Bool,
    Number,
    Single,
    Double,
    Instant,
    Json,
    Lower,
}

impl Form {
    /// By the types of both sides.
    pub(super) fn choose(from: &LogicalType, to: &LogicalType) -> Self {
        use LogicalType as T;
        match (from, to) {
            (T::Bool, _) | (_, T::Bool) => Form::Bool,
            (T::Float32, _) | (_, T::Float32) => Form::Single,
            (T::Float64, _) | (_, T::Float64) => Form::Double,
            (T::Decimal { .. }, _) | (_, T::Decimal { .. }) => Form::Number,
            (T::DateTime(_) | T::TimestampTz(_) | T::Time(_) | T::Date, _)
            | (_, T::DateTime(_) | T::TimestampTz(_) | T::Time(_)) => Form::Instant,
            (T::Json, _) | (_, T::Json) => Form::Json,
            (T::Uuid, _) | (_, T::Uuid) => Form::Lower,
            _ => Form::Plain,
        }
    }

    /// Appends a cell.
    pub(super) fn push(self, out: &mut Vec<u8>, cell: &[u8]) {
        match self {
            Form::Plain => out.extend_from_slice(cell),
            Form::Lower => out.extend(cell.iter().map(u8::to_ascii_lowercase)),
            Form::Bool => out.extend_from_slice(bool_digit(cell).unwrap_or(cell)),
            Form::Number => out.extend_from_slice(number(cell)),
            Form::Single => push_parsed(out, cell, |n: f32| (n + 0.0).to_bits().into()),
            Form::Double => push_parsed(out, cell, |n: f64| (n + 0.0).to_bits()),
            Form::Instant => out.extend_from_slice(instant(cell)),
            Form::Json => match serde_json::from_slice::<Value>(cell) {
                Ok(value) => push_json(out, &value),
                Err(_) => out.extend_from_slice(cell),
            },
        }
    }
}

/// A number's bits; adding zero makes -0 and 0 alike, which not every engine tells apart.
fn push_parsed<N: std::str::FromStr>(out: &mut Vec<u8>, cell: &[u8], bits: impl Fn(N) -> u64) {
    match std::str::from_utf8(cell).ok().and_then(|text| text.parse::<N>().ok()) {
        Some(number) => out.extend_from_slice(&bits(number).to_le_bytes()),
        None => out.extend_from_slice(cell),
    }
}

/// Without trailing zeros behind the point.
fn number(cell: &[u8]) -> &[u8] {
    let mut end = cell.len();
    if cell.contains(&b'.') {
        while cell[..end].ends_with(b"0") {
            end -= 1;
        }
        if cell[..end].ends_with(b".") {
            end -= 1;
        }
    }
    if &cell[..end] == b"-0" { b"0" } else { &cell[..end] }
}

/// Without trailing zeros of the fraction, and a midnight as its date.
fn instant(cell: &[u8]) -> &[u8] {
    let trimmed = number(cell);
    trimmed.strip_suffix(b" 00:00:00").unwrap_or(trimmed)
}

/// JSON with sorted keys and no spaces: engines store it their own way.
fn push_json(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            out.push(b'{');
            for (key, value) in entries {
                out.extend_from_slice(key.as_bytes());
                out.push(0);
                push_json(out, value);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                push_json(out, item);
                out.push(b',');
            }
            out.push(b']');
        }
        scalar => out.extend_from_slice(scalar.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formed(form: Form, cell: &str) -> Vec<u8> {
        let mut out = Vec::new();
        form.push(&mut out, cell.as_bytes());
        out
    }

    #[test]
    fn the_same_value_has_one_form_in_every_engine() {
        for (form, one, other) in [
            (Form::Bool, "t", "1"),
            (Form::Number, "1.500", "1.5"),
            (Form::Number, "-0.00", "0"),
            (Form::Double, "1e2", "100"),
            (Form::Single, "0.1", "0.10000000149011612"),
            (Form::Instant, "2024-01-01 00:00:00.000000", "2024-01-01"),
            (Form::Instant, "10:00:00.100", "10:00:00.1"),
            (Form::Json, "{\"b\": 1, \"a\": [1, 2]}", "{\"a\":[1,2],\"b\":1}"),
        ] {
            assert_eq!(formed(form, one), formed(form, other), "{one} {other}");
        }
        assert_ne!(formed(Form::Number, "100"), formed(Form::Number, "1"));
        assert_ne!(formed(Form::Plain, "a"), formed(Form::Plain, "a "));
    }

    #[test]
    fn cells_do_not_run_into_each_other() {
        let row = |cells: [Option<&str>; 2]| {
            let mut batch = Batch::new(2);
            for cell in cells {
                match cell {
                    Some(text) => batch.push(text.as_bytes()),
                    None => batch.push_null(),
                }
            }
            hash_row(&batch, 0, 0, &[Form::Plain, Form::Plain], &mut Vec::new())
        };
        assert_ne!(row([Some("ab"), Some("c")]), row([Some("a"), Some("bc")]));
        assert_ne!(row([Some(""), None]), row([None, Some("")]));
    }
}
