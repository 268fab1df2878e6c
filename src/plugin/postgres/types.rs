//! PostgreSQL's types as logical ones, and back for new tables.

use crate::schema::LogicalType;

/// The logical type of a base type (never a domain): its catalog name, its kind
/// (`pg_type.typtype`), its modifier (−1 for none) and its full name.
pub(super) fn logical(name: &str, kind: &str, modifier: i32, native: &str) -> LogicalType {
    use LogicalType as T;
    if kind == "e" {
        return T::Enum;
    }
    // Length modifiers of varchar and bpchar include four bytes of header.
    let length = u32::try_from(modifier).ok();
    let fraction = u8::try_from(modifier).unwrap_or(6);
    match name {
        "bool" => T::Bool,
        "int2" => T::Int(16),
        "int4" => T::Int(32),
        "int8" => T::Int(64),
        "numeric" => decimal(modifier),
        "float4" => T::Float32,
        "float8" => T::Float64,
        "varchar" | "bpchar" => T::Text(length.map(|n| n.saturating_sub(4))),
        "text" | "name" | "citext" => T::Text(None),
        "bytea" => T::Bytes(None),
        "date" => T::Date,
        "time" => T::Time(fraction),
        "timestamp" => T::DateTime(fraction),
        "timestamptz" => T::TimestampTz(fraction),
        "interval" => T::Interval,
        "json" | "jsonb" => T::Json,
        "uuid" => T::Uuid,
        "bit" => T::Bit { length, varying: false },
        "varbit" => T::Bit { length, varying: true },
        _ => T::Other(native.to_owned()),
    }
}

/// The modifier holds the precision in its high half and, since version 15, a signed scale in the
/// low 11 bits, both after four bytes of header (`numeric_typmod_scale` in numeric.c). A scale
/// outside of 0 ≤ scale ≤ precision widens the precision to what the values need.
fn decimal(modifier: i32) -> LogicalType {
    let Some(packed) = modifier.checked_sub(4).filter(|&packed| packed >= 0) else {
        return LogicalType::Decimal { precision: None, scale: None };
    };
    let precision = (packed >> 16) & 0xffff;
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    let digits = if scale < 0 { precision - scale } else { precision.max(scale) };
    LogicalType::Decimal {
        precision: u16::try_from(digits).ok(),
        scale: Some(u16::try_from(scale).unwrap_or(0)),
    }
}

/// Built-in types whose binary form depends on nothing but the type: no object identifiers that
/// differ between servers, as in domains, enums and composites.
const BINARY: &[&str] = &[
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "box",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "circle",
    "date",
    "daterange",
    "double precision",
    "inet",
    "int4range",
    "int8range",
    "integer",
    "interval",
    "json",
    "jsonb",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "numrange",
    "oid",
    "path",
    "point",
    "polygon",
    "real",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "tsrange",
    "tstzrange",
    "tsvector",
    "tsquery",
    "uuid",
    "xml",
];

/// Whether values of this type, by its full name, may be passed on in binary form. Arrays of such
/// types are included: their elements' identifiers are fixed.
pub(super) fn has_stable_binary_form(native: &str) -> bool {
    let element = native.trim_end_matches("[]");
    match (element.find('('), element.find(')')) {
        (Some(open), Some(close)) if open < close => {
            let name = format!("{}{}", &element[..open], &element[close + 1..]);
            BINARY.contains(&name.as_str())
        }
        _ => BINARY.contains(&element),
    }
}

/// The longest `varchar(n)` (`MaxAttrSize` in the server's sources).
const MAX_VARCHAR: u32 = 10_485_760;

/// The type of a new column for a logical type of another engine; `None` where there is none.
pub(super) fn for_new_column(logical: &LogicalType) -> Option<String> {
    use LogicalType as T;
    Some(match logical {
        T::Bool => "boolean".to_owned(),
        T::Int(8 | 16) | T::UInt(8) | T::Year => "smallint".to_owned(),
        T::Int(24 | 32) | T::UInt(16 | 24) => "integer".to_owned(),
        T::Int(_) | T::UInt(32) => "bigint".to_owned(),
        T::UInt(_) => "numeric(20)".to_owned(),
        T::Decimal { precision: Some(precision), scale } => {
            format!("numeric({precision},{})", scale.unwrap_or(0))
        }
        T::Decimal { precision: None, .. } => "numeric".to_owned(),
        T::Float32 => "real".to_owned(),
        T::Float64 => "double precision".to_owned(),
        T::Text(Some(n)) if (1..=MAX_VARCHAR).contains(n) => format!("varchar({n})"),
        T::Text(_) | T::Enum => "text".to_owned(),
        T::Bytes(_) => "bytea".to_owned(),
        T::Date => "date".to_owned(),
        T::Time(n) => format!("time({})", n.min(&6)),
        T::DateTime(n) => format!("timestamp({})", n.min(&6)),
        T::TimestampTz(n) => format!("timestamptz({})", n.min(&6)),
        T::Interval => "interval".to_owned(),
        // Not jsonb: it would reorder keys, drop duplicates and rewrite numbers.
        T::Json => "json".to_owned(),
        T::Uuid => "uuid".to_owned(),
        T::Bit { length: Some(n), varying: false } => format!("bit({n})"),
        T::Bit { length: Some(n), varying: true } => format!("varbit({n})"),
        T::Bit { length: None, .. } => "varbit".to_owned(),
        T::Geometry | T::Other(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_read() {
        let numeric = |modifier| match logical("numeric", "b", modifier, "numeric") {
            LogicalType::Decimal { precision, scale } => (precision, scale),
            other => panic!("{other}"),
        };
        assert_eq!(numeric(-1), (None, None));
        assert_eq!(numeric((10 << 16 | 2) + 4), (Some(10), Some(2)));
        assert_eq!(numeric((5 << 16 | 0x7fe) + 4), (Some(7), Some(0)), "numeric(5,-2)");
        assert_eq!(numeric((3 << 16 | 5) + 4), (Some(5), Some(5)), "numeric(3,5)");
        assert_eq!(logical("varchar", "b", 24, ""), LogicalType::Text(Some(20)));
        assert_eq!(logical("timestamp", "b", -1, ""), LogicalType::DateTime(6));
        assert_eq!(logical("timestamptz", "b", 3, ""), LogicalType::TimestampTz(3));
        assert_eq!(logical("inet", "b", -1, "inet"), LogicalType::Other("inet".into()));
    }

    #[test]
    fn only_builtin_types_go_in_binary() {
        for native in [
            "numeric(10,2)",
            "character varying(20)[]",
            "timestamp(3) without time zone",
            "bit(3)",
            "integer[]",
            "text",
        ] {
            assert!(has_stable_binary_form(native), "{native}");
        }
        for native in ["mood", "public.text", "citext", "\"char\"", "mood[]", "my(3)"] {
            assert!(!has_stable_binary_form(native), "{native}");
        }
    }
}
