//! Canonical text into COPY's text form.

use super::sql::MAX_IDENTIFIER;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::plan::check::Check;
use crate::plugin::WritePlan;
use crate::plugin::row_keys::RowKeys;
use crate::schema::{Column, LogicalType};

/// How a column's cells are written. PostgreSQL reads the canonical form of every type but bytes;
/// the others here keep it from changing a value in silence, or from refusing a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Hex,
    /// A decimal for an integer column, whose zeros after the point are left out.
    Whole,
    /// At most this many characters, blanks included: `varchar(n)` cuts off blanks that are too
    /// many instead of refusing them.
    Characters(usize),
    /// At most this many bytes: `name` cuts off the rest.
    Bytes(usize),
}

impl Form {
    fn choose(from: &LogicalType, to: &Column) -> Self {
        match (from, &to.logical) {
            (LogicalType::Bytes(_) | LogicalType::Geometry, _) => Form::Hex,
            (LogicalType::Decimal { .. }, LogicalType::Int(_)) => Form::Whole,
            // In character(n) blanks at the end have no meaning.
            (_, LogicalType::Text(Some(_))) if to.native.starts_with("character(") => Form::Text,
            (_, LogicalType::Text(Some(limit))) => Form::Characters(*limit as usize),
            _ if to.native == "name" => Form::Bytes(MAX_IDENTIFIER),
            _ => Form::Text,
        }
    }

    /// Appends the cell, or says what is wrong with it.
    fn write(self, cell: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let text = match self {
            Form::Hex => {
                hex(cell, out);
                return Ok(());
            }
            Form::Whole => &cell[..memchr::memchr(b'.', cell).unwrap_or(cell.len())],
            Form::Characters(limit) if cell.len() > limit && characters(cell) > limit => {
                return Err(format!(
                    "has {} characters, the target keeps {limit}",
                    characters(cell)
                ));
            }
            Form::Bytes(limit) if cell.len() > limit => {
                return Err(format!("has {} bytes, the target keeps {limit}", cell.len()));
            }
            Form::Text | Form::Characters(_) | Form::Bytes(_) => cell,
        };
        if escape(text, out) {
            Ok(())
        } else {
            Err("holds a NUL character, which PostgreSQL's text can't".to_owned())
        }
    }
}

/// Characters of UTF-8 text: the bytes that do not continue one.
fn characters(cell: &[u8]) -> usize {
    cell.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// Encodes the rows of one COPY statement at a time.
pub(super) struct Encoder<'p> {
    plan: &'p WritePlan,
    columns: Vec<(Form, Check)>,
    /// Rows that were encoded and not yet sent.
    pub(super) buffer: Vec<u8>,
    /// The keys of this statement's rows, to name the one that the server refuses.
    keys: RowKeys,
}

impl<'p> Encoder<'p> {
    /// For the plan's columns.
    pub(super) fn new(plan: &'p WritePlan) -> Self {
        let columns = plan.columns.iter().zip(plan.target_columns());
        Self {
            plan,
            columns: columns.map(|(c, to)| (Form::choose(&c.from, to), c.check)).collect(),
            buffer: Vec::new(),
            keys: RowKeys::new(plan),
        }
    }

    /// Starts another statement and returns the rows of the one before.
    pub(super) fn restart(&mut self) -> u64 {
        self.keys.restart(self.plan)
    }

    /// Appends a row.
    ///
    /// # Errors
    /// Kind `Permanent`, naming column and key, for a cell that the target can't hold unchanged.
    pub(super) fn push(&mut self, batch: &Batch, row: usize) -> Result<()> {
        for (position, &(form, check)) in self.columns.iter().enumerate() {
            if position > 0 {
                self.buffer.push(b'\t');
            }
            let Some(cell) = batch.cell(row, position) else {
                self.buffer.extend_from_slice(b"\\N");
                continue;
            };
            if check != Check::None {
                check.verify(cell).map_err(|fault| self.refuse(batch, row, position, &fault))?;
            }
            let written = form.write(cell, &mut self.buffer);
            written.map_err(|fault| self.refuse(batch, row, position, &fault))?;
        }
        self.buffer.push(b'\n');
        self.keys.push(self.plan, batch, row);
        Ok(())
    }

    /// Names the row on a line of the statement, counted from 1.
    pub(super) fn describe_line(&self, line: usize) -> String {
        self.keys.describe(self.plan, line)
    }

    #[cold]
    fn refuse(&self, batch: &Batch, row: usize, position: usize, fault: &str) -> Error {
        let name = &self.plan.schema.columns[self.plan.columns[position].target].name;
        let row = self.plan.describe_row(batch.row(row));
        Error::permanent(format!("{row}: column {name} {fault}"))
            .with_remedy("correct the value at the source, or change the target column's type")
            .about_a_row()
    }
}

const PLAIN: u8 = 0;
const NUL: u8 = 1;

/// For each byte what it becomes: itself, an escape letter, or a refusal.
const ESCAPES: [u8; 256] = {
    let mut table = [PLAIN; 256];
    table[0] = NUL;
    table[b'\\' as usize] = b'\\';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table
};

/// Appends a cell with COPY's escapes; `false` if it contains a NUL.
fn escape(mut cell: &[u8], out: &mut Vec<u8>) -> bool {
    while let Some(at) = cell.iter().position(|&byte| ESCAPES[usize::from(byte)] != PLAIN) {
        let letter = ESCAPES[usize::from(cell[at])];
        if letter == NUL {
            return false;
        }
        out.extend_from_slice(&cell[..at]);
        out.extend_from_slice(&[b'\\', letter]);
        cell = &cell[at + 1..];
    }
    out.extend_from_slice(cell);
    true
}

/// Appends bytes in bytea's hex form, its backslash escaped.
fn hex(cell: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\\\x");
    out.reserve(cell.len() * 2);
    for byte in cell {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::WireFormat;
    use crate::plugin::{ByKey, WriteColumn, WriteMode};
    use crate::schema::{Schema, TableRef};
    use std::sync::Arc;
    use uuid::Uuid;

    fn plan(columns: &[(&str, LogicalType, Check)]) -> WritePlan {
        let column = |(name, logical, _): &(&str, LogicalType, Check)| Column {
            name: (*name).to_owned(),
            logical: logical.clone(),
            native: String::new(),
            nullable: true,
            generated: false,
            auto_increment: false,
            optional: true,
            collation: None,
            comment: None,
            default: None,
        };
        let schema = Schema {
            table: TableRef::parse("s.t"),
            columns: columns.iter().map(column).collect(),
            keys: vec![],
            estimated_rows: None,
            pending: None,
            comment: None,
        };
        let write = |(target, (_, from, check)): (usize, &(&str, LogicalType, Check))| {
            WriteColumn { target, from: from.clone(), same_native: false, check: *check }
        };
        WritePlan {
            schema: Arc::new(schema),
            columns: columns.iter().enumerate().map(write).collect(),
            key: vec![0],
            mode: WriteMode::Upsert,
            by_key: ByKey::Merge,
            adds_key: false,
            empties: false,
            swap: None,
            unique_rows: true,
            path: crate::plugin::path::ChosenPath::only(crate::plugin::path::WritePath::Statements),
            statement_rows: 500,
            format: WireFormat::Canonical,
            run_id: Uuid::nil(),
        }
    }

    #[test]
    fn cells_are_escaped() {
        let plan = plan(&[
            ("id", LogicalType::Int(64), Check::None),
            ("a", LogicalType::Text(None), Check::None),
            ("b", LogicalType::Bytes(None), Check::None),
        ]);
        let mut batch = Batch::new(3);
        for cell in [&b"1"[..], b"a\tb\\N\r\n\x08", b"\x00\\\xff", b"2", b""] {
            batch.push(cell);
        }
        batch.push_null();
        let mut encoder = Encoder::new(&plan);
        encoder.push(&batch, 0).unwrap();
        encoder.push(&batch, 1).unwrap();
        assert_eq!(encoder.buffer, b"1\ta\\tb\\\\N\\r\\n\x08\t\\\\x005cff\n2\t\t\\N\n".as_slice());
        assert_eq!(encoder.describe_line(2), "row id=2");
        assert_eq!(encoder.describe_line(3), "row 3 of a statement");
        assert_eq!(encoder.restart(), 2);
        assert_eq!(encoder.describe_line(1), "row 1 of a statement");
    }

    #[test]
    fn nothing_is_cut_off_in_silence() {
        let mut out = Vec::new();
        assert!(Form::Whole.write(b"-12.00", &mut out).is_ok());
        assert_eq!(out, b"-12");
        assert!(Form::Characters(3).write("äöü".as_bytes(), &mut out).is_ok());
        assert!(Form::Characters(3).write(b"abc ", &mut out).is_err());
        assert!(Form::Bytes(3).write("äö".as_bytes(), &mut out).is_err());
    }

    #[test]
    fn a_refused_cell_is_named_without_its_value() {
        let plan = plan(&[
            ("id", LogicalType::Int(64), Check::None),
            ("a", LogicalType::Text(None), Check::None),
            ("n", LogicalType::Text(None), Check::Integer),
        ]);
        for (a, n, part) in [(&b"x\0y"[..], &b"1"[..], "column a"), (b"x", b"1.5", "column n")] {
            let mut batch = Batch::new(3);
            for cell in [b"7", a, n] {
                batch.push(cell);
            }
            let error = Encoder::new(&plan).push(&batch, 0).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("id=7"), "{error}");
            assert!(!error.contains("x\0y") && !error.contains("1.5"), "{error}");
        }
    }
}
