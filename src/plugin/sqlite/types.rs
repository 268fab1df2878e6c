//! Declared types, both ways.
//!
//! | logical | declared by goshift | affinity | declared by others, taken for the same |
//! |---|---|---|---|
//! | `Bool` | `BOOLEAN` | NUMERIC | `BOOL`, `BIT`, `BIT(1)` |
//! | `Int(8)`, `Int(16)`, `Int(24)` | `TINYINT`, `SMALLINT`, `MEDIUMINT` | INTEGER | `INT1` to `INT3` |
//! | `Int(32)` | `INT4` | INTEGER | |
//! | `Int(64)` | `BIGINT`, `INTEGER PRIMARY KEY` | INTEGER | `INT`, `INTEGER`, `INT8`, any other with `INT` |
//! | `UInt(8)` to `UInt(32)` | `TINYINT UNSIGNED` to `INT4 UNSIGNED` | INTEGER | `INT UNSIGNED`, … |
//! | `UInt(64)` | `UNSIGNED64_TEXT` | TEXT | `BIGINT UNSIGNED`, `UNSIGNED BIG INT` |
//! | `Decimal` | `DECIMAL_TEXT(p,s)` | TEXT | `DECIMAL(p,s)`, `NUMERIC(p,s)`, `NUMBER(p,s)` |
//! | `Float32` | `FLOAT4` | REAL | |
//! | `Float64` | `DOUBLE` | REAL | `REAL`, `FLOAT`, any other with `REAL`, `FLOA`, `DOUB` |
//! | `Text(n)` | `VARCHAR(n)`, `TEXT` | TEXT | no type, any with `CHAR`, `CLOB`, `TEXT` |
//! | `Bytes(n)` | `BLOB(n)`, `BLOB` | BLOB | `BINARY(n)`, `VARBINARY(n)`, `BYTEA`, any with `BLOB` |
//! | `Date`, `Year` | `DATE`, `YEAR` | NUMERIC | |
//! | `Time(p)` | `TIME(p)` | NUMERIC | `TIME` is `Time(6)` |
//! | `DateTime(p)` | `DATETIME(p)` | NUMERIC | `DATETIME`, `TIMESTAMP` are `DateTime(6)` |
//! | `TimestampTz(p)` | `TIMESTAMPTZ(p)` | NUMERIC | `TIMESTAMP(p) WITH TIME ZONE` |
//! | `Interval` | `DURATION_TEXT` | TEXT | |
//! | `Json`, `Uuid` | `JSON_TEXT`, `UUID_TEXT` | TEXT | `JSON`, `UUID`, `GUID` |
//! | `Bit` | `BIT_TEXT(n)`, `VARBIT_TEXT(n)` | TEXT | |
//! | `Enum`, `Other` | `TEXT` | TEXT | |
//! | `Geometry` | `BLOB` | BLOB | |
//! | `Other(native)` | | | every other name, all of NUMERIC affinity |
//!
//! Other programs keep 64-bit numbers in `INTEGER` and doubles in `FLOAT`, so those names say
//! nothing narrower; `INT4` and `FLOAT4` mean the narrow types in MySQL and PostgreSQL as well.
//! NUMERIC affinity turns text that looks like a number into one, so whatever can look like that
//! gets a name of TEXT affinity; and no such name may contain `INT`, as `INTERVAL` does.

use std::fmt::Display;

use crate::schema::LogicalType;

/// What SQLite makes of values stored in a column (<https://www.sqlite.org/datatype3.html>, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    /// Integers, and text that looks like one, as INTEGER.
    Integer,
    /// Numbers as TEXT.
    Text,
    /// Everything as it is.
    Blob,
    /// Numbers, and text that looks like one, as REAL.
    Real,
    /// Text that looks like a number as INTEGER or REAL.
    Numeric,
}

impl Affinity {
    /// By the rules in SQLite's own order.
    pub(super) fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        if has(&["INT"]) {
            Self::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if has(&["BLOB"]) || declared.is_empty() {
            Self::Blob
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Numeric
        }
    }

    /// Whether text that looks like a number becomes one.
    pub(super) fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Real | Self::Numeric)
    }

    /// Whether a value that lay in a column of affinity `from` is stored here without a change.
    pub(super) fn keeps(self, from: Self) -> bool {
        // INTEGER and NUMERIC differ only in CAST.
        let class = |a| if a == Self::Integer { Self::Numeric } else { a };
        self == Self::Blob || class(self) == class(from)
    }
}

/// The declared type for a column of this logical type.
pub(super) fn declared(logical: &LogicalType) -> String {
    use LogicalType as T;
    match logical {
        T::Bool => "BOOLEAN".into(),
        T::Int(bits) => integer(*bits).into(),
        T::UInt(64) => "UNSIGNED64_TEXT".into(),
        T::UInt(bits) => format!("{} UNSIGNED", integer(*bits)),
        T::Decimal { precision: Some(p), scale: Some(s) } => format!("DECIMAL_TEXT({p},{s})"),
        T::Decimal { precision, .. } => sized("DECIMAL_TEXT", precision.as_ref()),
        T::Float32 => "FLOAT4".into(),
        T::Float64 => "DOUBLE".into(),
        T::Text(Some(length)) => format!("VARCHAR({length})"),
        T::Text(None) | T::Enum | T::Other(_) => "TEXT".into(),
        T::Bytes(length) => sized("BLOB", length.as_ref()),
        T::Geometry => "BLOB".into(),
        T::Date => "DATE".into(),
        T::Time(digits) => format!("TIME({digits})"),
        T::DateTime(digits) => format!("DATETIME({digits})"),
        T::TimestampTz(digits) => format!("TIMESTAMPTZ({digits})"),
        T::Year => "YEAR".into(),
        T::Interval => "DURATION_TEXT".into(),
        T::Json => "JSON_TEXT".into(),
        T::Uuid => "UUID_TEXT".into(),
        T::Bit { length, varying: false } => sized("BIT_TEXT", length.as_ref()),
        T::Bit { length, varying: true } => sized("VARBIT_TEXT", length.as_ref()),
    }
}

fn integer(bits: u8) -> &'static str {
    match bits {
        8 => "TINYINT",
        16 => "SMALLINT",
        24 => "MEDIUMINT",
        32 => "INT4",
        _ => "BIGINT",
    }
}

fn sized(name: &str, length: Option<&impl Display>) -> String {
    length.map_or_else(|| name.to_owned(), |length| format!("{name}({length})"))
}

/// What a column of this declared type is taken for.
pub(super) fn logical(declared: &str) -> LogicalType {
    use LogicalType as T;
    let (name, arguments) = split(declared);
    let first = arguments.first().copied();
    let length = first.filter(|&n| n > 0);
    let digits = first.map_or(6, |n| n.min(6) as u8);
    let bits = |varying| T::Bit { length, varying };
    match name.as_str() {
        "BOOLEAN" | "BOOL" => T::Bool,
        "BIT" if matches!(first, None | Some(1)) => T::Bool,
        "TINYINT" | "INT1" => T::Int(8),
        "SMALLINT" | "INT2" => T::Int(16),
        "MEDIUMINT" | "INT3" => T::Int(24),
        "INT4" => T::Int(32),
        "TINYINT UNSIGNED" => T::UInt(8),
        "SMALLINT UNSIGNED" => T::UInt(16),
        "MEDIUMINT UNSIGNED" => T::UInt(24),
        "INT4 UNSIGNED" | "INT UNSIGNED" | "INTEGER UNSIGNED" => T::UInt(32),
        "UNSIGNED64_TEXT" | "BIGINT UNSIGNED" | "UNSIGNED BIG INT" => T::UInt(64),
        "DECIMAL_TEXT" => decimal(&arguments, None),
        "DECIMAL" | "NUMERIC" | "NUMBER" | "DEC" => decimal(&arguments, Some(0)),
        "FLOAT4" => T::Float32,
        "" => T::Text(None),
        "BINARY" | "VARBINARY" | "BYTEA" => T::Bytes(length),
        "DATE" => T::Date,
        "TIME" => T::Time(digits),
        "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => T::DateTime(digits),
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => T::TimestampTz(digits),
        "YEAR" => T::Year,
        "DURATION_TEXT" => T::Interval,
        "JSON_TEXT" | "JSON" => T::Json,
        "UUID_TEXT" | "UUID" | "GUID" => T::Uuid,
        "BIT_TEXT" => bits(false),
        "VARBIT_TEXT" => bits(true),
        _ => match Affinity::of(declared) {
            Affinity::Integer => T::Int(64),
            Affinity::Text => T::Text(length),
            Affinity::Blob => T::Bytes(length),
            Affinity::Real => T::Float64,
            Affinity::Numeric => T::Other(declared.to_owned()),
        },
    }
}

/// `scale` is what a precision alone means: nothing in our own names, 0 in standard SQL.
fn decimal(arguments: &[u32], scale: Option<u16>) -> LogicalType {
    let number = |position: usize| arguments.get(position).and_then(|&n| u16::try_from(n).ok());
    let precision = number(0);
    LogicalType::Decimal { precision, scale: number(1).or(precision.and(scale)) }
}

/// The words of a declared type in upper case, and the numbers in its parentheses.
fn split(declared: &str) -> (String, Vec<u32>) {
    let upper = declared.to_ascii_uppercase();
    let (before, inside, after) = match (upper.find('('), upper.rfind(')')) {
        (Some(open), Some(close)) if open < close => {
            (&upper[..open], &upper[open + 1..close], &upper[close + 1..])
        }
        _ => (upper.as_str(), "", ""),
    };
    let words: Vec<_> = before.split_whitespace().chain(after.split_whitespace()).collect();
    (words.join(" "), inside.split(',').filter_map(|n| n.trim().parse().ok()).collect())
}
