//! Tables, columns and logical types: what the three engines have in common.
//!
//! # Canonical text
//! A cell in a [`crate::batch::Batch`] is the value in canonical text by its [`LogicalType`]:
//!
//! | type | form |
//! |---|---|
//! | `Bool` | `1` or `0` |
//! | `Int`, `UInt`, `Year` | decimal digits, `-` in front of negatives |
//! | `Decimal` | `[-]digits[.digits]`, never an exponent; PostgreSQL's `NaN`, `Infinity` |
//! | `Float32`, `Float64` | shortest text that reads back to the same bits; `NaN`, `Infinity` |
//! | `Text`, `Json`, `Enum`, `Other` | UTF-8 |
//! | `Bytes`, `Geometry` | the bytes themselves |
//! | `Date` | `YYYY-MM-DD` |
//! | `Time` | `[-]HH:MM:SS[.ffffff]`, hours may exceed 24 |
//! | `DateTime` | `YYYY-MM-DD HH:MM:SS[.ffffff]`, no zone |
//! | `TimestampTz` | the same, in UTC |
//! | `Uuid` | lower case with hyphens |
//! | `Bit` | `0` and `1`, most significant first |
//! | `Interval` | PostgreSQL's `postgres` style |

use std::fmt;

use uuid::Uuid;

pub use default::{ColumnDefault, Meaning};

pub mod default;

/// A table's name as a task gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRef {
    /// Schema (PostgreSQL) or database (MySQL); `None` is the connection's default.
    pub schema: Option<String>,
    /// The table's own name.
    pub name: String,
}

impl TableRef {
    /// Reads `table` or `schema.table`.
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) if !schema.is_empty() && !name.is_empty() => {
                Self { schema: Some(schema.to_owned()), name: name.to_owned() }
            }
            _ => Self { schema: None, name: text.to_owned() },
        }
    }
}

impl fmt::Display for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// A type as goshift sees it, whatever the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogicalType {
    /// True or false.
    Bool,
    /// Signed integer of 8, 16, 24, 32 or 64 bits.
    Int(u8),
    /// Unsigned integer of 8, 16, 24, 32 or 64 bits.
    UInt(u8),
    /// Exact number; `None` where the engine sets no limit.
    Decimal {
        /// Digits in all.
        precision: Option<u16>,
        /// Digits after the point.
        scale: Option<u16>,
    },
    /// IEEE single.
    Float32,
    /// IEEE double.
    Float64,
    /// Text of at most this many characters.
    Text(Option<u32>),
    /// Bytes, at most this many.
    Bytes(Option<u32>),
    /// Calendar date.
    Date,
    /// Time of day or duration, with this many fractional digits.
    Time(u8),
    /// Date and time without a zone, with this many fractional digits.
    DateTime(u8),
    /// An instant, with this many fractional digits.
    TimestampTz(u8),
    /// MySQL's YEAR.
    Year,
    /// PostgreSQL's interval.
    Interval,
    /// JSON text.
    Json,
    /// UUID.
    Uuid,
    /// Bit string of this length (at most, if `varying`).
    Bit {
        /// Bits.
        length: Option<u32>,
        /// Whether shorter ones are kept short.
        varying: bool,
    },
    /// One of a list of labels, or for SET several joined by commas.
    Enum,
    /// MySQL geometry in its internal form.
    Geometry,
    /// Anything else, in the engine's own text form; copied only between equal native types or
    /// into text.
    Other(String),
}

impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("boolean"),
            Self::Int(bits) => write!(f, "{bits}-bit integer"),
            Self::UInt(bits) => write!(f, "unsigned {bits}-bit integer"),
            Self::Decimal { precision: Some(p), scale } => {
                write!(f, "decimal({p},{})", scale.unwrap_or(0))
            }
            Self::Decimal { .. } => f.write_str("decimal"),
            Self::Float32 => f.write_str("single float"),
            Self::Float64 => f.write_str("double float"),
            Self::Text(Some(n)) => write!(f, "text({n})"),
            Self::Text(None) => f.write_str("text"),
            Self::Bytes(Some(n)) => write!(f, "bytes({n})"),
            Self::Bytes(None) => f.write_str("bytes"),
            Self::Date => f.write_str("date"),
            Self::Time(n) => write!(f, "time({n})"),
            Self::DateTime(n) => write!(f, "datetime({n})"),
            Self::TimestampTz(n) => write!(f, "timestamp with time zone({n})"),
            Self::Year => f.write_str("year"),
            Self::Interval => f.write_str("interval"),
            Self::Json => f.write_str("json"),
            Self::Uuid => f.write_str("uuid"),
            Self::Bit { length: Some(n), varying: false } => write!(f, "bit({n})"),
            Self::Bit { .. } => f.write_str("bit varying"),
            Self::Enum => f.write_str("enum"),
            Self::Geometry => f.write_str("geometry"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// A column as the engine describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// What goshift takes it for.
    pub logical: LogicalType,
    /// The engine's own full type, for messages and for "equal native types".
    pub native: String,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Whether the engine computes it, so that it is never written.
    pub generated: bool,
    /// AUTO_INCREMENT, identity or serial.
    pub auto_increment: bool,
    /// Whether an INSERT may leave it out (default, auto-increment or nullable).
    pub optional: bool,
    /// Collation, for text.
    pub collation: Option<String>,
    /// The comment in the source, copied when a target table is created.
    pub comment: Option<String>,
    /// What an INSERT that leaves it out gives it; `None` for nothing or NULL, for what is generated
    /// and for what counts up.
    pub default: Option<ColumnDefault>,
}

/// A primary or unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in the engine.
    pub name: String,
    /// Positions in [`Schema::columns`], in key order.
    pub columns: Vec<usize>,
    /// Whether it is the primary key.
    pub primary: bool,
}

/// A table's shape. Keys come with the primary key first.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The table.
    pub table: TableRef,
    /// Its columns in the table's order, generated ones included.
    pub columns: Vec<Column>,
    /// Primary and unique keys (whole-column, without a predicate).
    pub keys: Vec<Key>,
    /// The engine's own estimate of the number of rows, for progress only.
    pub estimated_rows: Option<u64>,
    /// What a run has still to add to the table that it created.
    pub pending: Option<Pending>,
    /// The table's comment, copied when a target is created.
    pub comment: Option<String>,
}

/// An index as every engine can have it: on columns, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name in the engine.
    pub name: String,
    /// Whether it keeps rows with the same values apart, but for NULLs.
    pub unique: bool,
    /// Its columns, in their order.
    pub parts: Vec<IndexPart>,
}

/// A column of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexPart {
    /// Position in [`Schema::columns`].
    pub column: usize,
    /// How many characters or bytes of it are indexed; `None` for all. Only MySQL has such.
    pub prefix: Option<u32>,
}

impl Index {
    /// The same index where its columns stand elsewhere; `None` if one of them has no place.
    pub fn moved(&self, place: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let part = |part: &IndexPart| Some(IndexPart { column: place(part.column)?, ..*part });
        let parts = self.parts.iter().map(part).collect::<Option<_>>()?;
        Some(Self { parts, ..self.clone() })
    }

    /// Whether another one serves for this: the same columns, and as strict.
    pub fn is_served_by(&self, other: &Self) -> bool {
        self.parts == other.parts && (other.unique || !self.unique)
    }

    /// Its columns, if all of each is indexed.
    pub fn whole_columns(&self) -> Option<Vec<usize>> {
        self.parts.iter().map(|part| part.prefix.is_none().then_some(part.column)).collect()
    }
}

/// The indexes of a table, but for its primary key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// Those that every engine can have.
    pub plain: Vec<Index>,
    /// The names of the others: on expressions or some of the rows, of special kinds.
    pub special: Vec<String>,
}

/// What was left out when goshift created a table, since rows go in faster without: the run adds it when
/// they are in, or whichever run comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The run that created the table.
    pub run_id: Uuid,
    /// Positions of the primary key's columns in [`Schema::columns`], in key order; empty if the table has
    /// it, or is to have none.
    pub key: Vec<usize>,
    /// Indexes, some of which may be there already.
    pub indexes: Vec<Index>,
}

impl Schema {
    /// Position of the column of that name: an exact match first, else one that differs by case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name).or_else(|| {
            let mut alike = (0..self.columns.len())
                .filter(|&i| self.columns[i].name.eq_ignore_ascii_case(name));
            alike.next().filter(|_| alike.next().is_none())
        })
    }

    /// The key to split by when the task names none: the primary key, else a unique key without
    /// nullable columns. Empty for a table without a key.
    pub fn split_key(&self) -> &[usize] {
        self.keys
            .iter()
            .find(|key| key.primary || key.columns.iter().all(|&c| !self.columns[c].nullable))
            .map_or(&[], |key| &key.columns)
    }

    /// The column's names, for messages.
    pub fn names(&self, positions: &[usize]) -> String {
        let names: Vec<_> = positions.iter().map(|&p| self.columns[p].name.as_str()).collect();
        names.join(", ")
    }
}
