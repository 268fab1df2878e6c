//! MySQL's types as logical ones, and back for tables that goshift creates.

use crate::schema::LogicalType;

/// A column's row in `information_schema.columns`.
pub(super) struct Declared<'a> {
    /// `DATA_TYPE`, lower case.
    pub data_type: &'a str,
    /// `COLUMN_TYPE`, as in `int(10) unsigned`.
    pub column_type: &'a str,
    /// `CHARACTER_MAXIMUM_LENGTH`.
    pub length: Option<i64>,
    /// `NUMERIC_PRECISION`.
    pub precision: Option<i64>,
    /// `NUMERIC_SCALE`.
    pub scale: Option<i64>,
    /// `DATETIME_PRECISION`.
    pub fraction: Option<i64>,
}

/// What goshift takes a MySQL column for. TINYINT(1) is an integer: it may hold -128 to 127.
pub(super) fn logical(declared: &Declared<'_>) -> LogicalType {
    use LogicalType as T;
    let unsigned = declared.column_type.contains("unsigned");
    let int = |bits| if unsigned { T::UInt(bits) } else { T::Int(bits) };
    let length = declared.length.and_then(|n| u32::try_from(n).ok());
    let fraction = declared.fraction.unwrap_or(0) as u8;
    match declared.data_type {
        "tinyint" => int(8),
        "smallint" => int(16),
        "mediumint" => int(24),
        "int" | "integer" => int(32),
        "bigint" => int(64),
        "decimal" | "numeric" => T::Decimal {
            precision: declared.precision.map(|p| p as u16),
            scale: declared.scale.map(|s| s as u16),
        },
        "float" => T::Float32,
        "double" | "real" => T::Float64,
        "bit" => T::Bit { length: declared.precision.map(|p| p as u32), varying: false },
        "year" => T::Year,
        "date" => T::Date,
        "time" => T::Time(fraction),
        "datetime" => T::DateTime(fraction),
        "timestamp" => T::TimestampTz(fraction),
        "char" | "varchar" => T::Text(length),
        "tinytext" => T::Text(Some(255)),
        "text" | "mediumtext" | "longtext" => T::Text(None),
        "binary" | "varbinary" => T::Bytes(length),
        "tinyblob" | "blob" | "mediumblob" | "longblob" => T::Bytes(None),
        "json" => T::Json,
        "uuid" => T::Uuid,
        "enum" | "set" => T::Enum,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => T::Geometry,
        other => T::Other(other.to_owned()),
    }
}

/// Characters a text column of a key may have, so that the whole key stays under InnoDB's 3,072
/// bytes at four bytes a character.
const KEY_CHARACTERS: u32 = 700;

/// The MySQL type for a logical one. `key_parts` is the number of columns of the key that this
/// column belongs to, 0 for none. `None`: MySQL has no type for it.
pub(super) fn native(logical: &LogicalType, key_parts: u32) -> Option<String> {
    use LogicalType as T;
    let limit = KEY_CHARACTERS / key_parts.max(1);
    Some(match logical {
        T::Bool => "tinyint(1)".into(),
        T::Int(8) => "tinyint".into(),
        T::Int(16) => "smallint".into(),
        T::Int(24) => "mediumint".into(),
        T::Int(32) => "int".into(),
        T::Int(_) => "bigint".into(),
        T::UInt(8) => "tinyint unsigned".into(),
        T::UInt(16) => "smallint unsigned".into(),
        T::UInt(24) => "mediumint unsigned".into(),
        T::UInt(32) => "int unsigned".into(),
        T::UInt(_) => "bigint unsigned".into(),
        // Wider numbers than MySQL's 65 digits are refused by the server when they come.
        T::Decimal { precision: Some(p), scale } => {
            let scale = scale.unwrap_or(0).min(30);
            format!("decimal({},{scale})", (*p).clamp(scale.max(1), 65))
        }
        T::Decimal { precision: None, .. } => "decimal(65,30)".into(),
        T::Float32 => "float".into(),
        T::Float64 => "double".into(),
        T::Text(Some(n)) if key_parts > 0 => format!("varchar({})", (*n).clamp(1, limit)),
        T::Text(None) | T::Enum | T::Interval if key_parts > 0 => format!("varchar({limit})"),
        T::Text(Some(n)) if *n <= 255 => format!("varchar({n})"),
        T::Text(_) | T::Enum => "longtext".into(),
        T::Bytes(Some(n)) if key_parts > 0 => format!("varbinary({})", (*n).clamp(1, limit)),
        T::Bytes(None) if key_parts > 0 => format!("varbinary({limit})"),
        T::Bytes(Some(n)) if *n <= 255 => format!("varbinary({n})"),
        T::Bytes(_) => "longblob".into(),
        T::Date => "date".into(),
        T::Time(n) => format!("time({n})"),
        // Not TIMESTAMP, which ends in 2038: the instant in UTC.
        T::DateTime(n) | T::TimestampTz(n) => format!("datetime({n})"),
        T::Year => "year".into(),
        T::Interval => "varchar(255)".into(),
        T::Json => "json".into(),
        T::Uuid => "char(36)".into(),
        T::Bit { length: Some(n), varying: false } if *n <= 64 => format!("bit({n})"),
        T::Bit { .. } => "longtext".into(),
        T::Geometry => "geometry".into(),
        T::Other(_) => "longtext".into(),
    })
}

/// Whether a column of this type may count up by itself.
pub(super) fn counts(logical: &LogicalType) -> bool {
    matches!(logical, LogicalType::Int(_) | LogicalType::UInt(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared<'a>(data_type: &'a str, column_type: &'a str) -> Declared<'a> {
        Declared {
            data_type,
            column_type,
            length: None,
            precision: None,
            scale: None,
            fraction: None,
        }
    }

    #[test]
    fn unsigned_and_small_integers_keep_their_range() {
        assert_eq!(logical(&declared("tinyint", "tinyint(1)")), LogicalType::Int(8));
        assert_eq!(logical(&declared("bigint", "bigint(20) unsigned")), LogicalType::UInt(64));
    }

    #[test]
    fn text_in_a_key_gets_a_length_that_an_index_takes() {
        assert_eq!(native(&LogicalType::Text(None), 1).as_deref(), Some("varchar(700)"));
        assert_eq!(native(&LogicalType::Text(None), 2).as_deref(), Some("varchar(350)"));
        assert_eq!(native(&LogicalType::Text(None), 0).as_deref(), Some("longtext"));
    }
}
