//! What a column gets when an INSERT leaves it out.

use super::{Column, LogicalType};

/// A column's default, as its engine prints it and as others understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefault {
    /// The clause in the engine's own SQL, as in `DEFAULT 5` or `DEFAULT now()`.
    pub sql: String,
    /// What it means.
    pub meaning: Meaning,
    /// Whether the column is also set when a row is updated (MySQL's ON UPDATE).
    pub on_update: bool,
}

/// What a default means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A value, in the canonical text of the column's type.
    Literal(String),
    /// The moment of the INSERT; without a zone the session's wall clock, or that of UTC.
    Now {
        /// Whether it is UTC whatever the session's zone.
        utc: bool,
    },
    /// The day of the INSERT, by the session's calendar or that of UTC.
    Today {
        /// Whether it is UTC whatever the session's zone.
        utc: bool,
    },
    /// Something that only its own engine understands.
    Expression,
    /// Something that stays with its table: it counts by a sequence of the source, or the catalogue
    /// does not print all of it.
    Unportable,
}

impl ColumnDefault {
    /// A default with that meaning and no more.
    pub fn new(sql: impl Into<String>, meaning: Meaning) -> Self {
        Self { sql: sql.into(), meaning, on_update: false }
    }

    /// A value, as its engine prints it without quotes; [`Meaning::Expression`] where that is not the
    /// canonical text of the type.
    pub fn literal(sql: impl Into<String>, logical: &LogicalType, printed: &str) -> Self {
        let canonical = canonical(logical, printed);
        Self::new(sql, canonical.map_or(Meaning::Expression, Meaning::Literal))
    }
}

/// The canonical text of a printed value; `None` where it may mean something else to another engine.
fn canonical(logical: &LogicalType, printed: &str) -> Option<String> {
    use LogicalType as T;
    let text = printed.trim();
    let keep = |holds: bool| holds.then(|| text.to_owned());
    match logical {
        T::Bool => match text.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => Some("1".to_owned()),
            "0" | "f" | "false" => Some("0".to_owned()),
            _ => None,
        },
        T::Int(_) | T::UInt(_) | T::Year => {
            keep(is_number(text) && !text.contains(['.', 'e', 'E']))
        }
        T::Decimal { .. } => keep(is_number(text) && !text.contains(['e', 'E'])),
        T::Float32 | T::Float64 => keep(is_number(text)),
        T::Text(_) | T::Enum | T::Json => Some(printed.to_owned()),
        T::Uuid => uuid::Uuid::parse_str(text).ok().map(|uuid| uuid.hyphenated().to_string()),
        T::Date => keep(has_shape(text, "dddd-dd-dd", false) && !text.contains("-00")),
        T::Time(_) => keep(has_shape(text, "dd:dd:dd", true)),
        T::DateTime(_) | T::TimestampTz(_) => {
            let text = text.strip_suffix("+00").unwrap_or(text);
            let holds = has_shape(text, "dddd-dd-dd dd:dd:dd", true) && !text.contains("-00");
            holds.then(|| text.to_owned())
        }
        T::Bit { length: Some(length), varying: false } => {
            let digits = text.bytes().all(|b| matches!(b, b'0' | b'1'));
            (digits && text.len() <= *length as usize)
                .then(|| format!("{text:0>width$}", width = *length as usize))
        }
        T::Bytes(_) | T::Bit { .. } | T::Interval | T::Geometry | T::Other(_) => None,
    }
}

/// Digits with at most one point and one exponent, after at most one sign.
pub fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && unsigned.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether the text has these digits (`d`) and separators, and then perhaps a second's fraction.
fn has_shape(text: &str, shape: &str, fraction: bool) -> bool {
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    };
    let Some((head, tail)) = text.split_at_checked(shape.len()) else { return false };
    let digits = tail.strip_prefix('.').filter(|_| fraction);
    head.bytes().zip(shape.bytes()).all(fits)
        && (tail.is_empty() || digits.is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit())))
}

/// Takes a default away after the server has refused to create these columns: the one that the
/// refusal names, else every expression, else every one. `false` if there is none: the refusal is
/// about something else.
pub fn give_up(columns: &mut [Column], refusal: &str) -> bool {
    let has = |column: &Column| column.default.is_some();
    let is_named = |column: &Column| has(column) && refusal.contains(&format!("'{}'", column.name));
    let is_expression = |column: &Column| {
        column.default.as_ref().is_some_and(|default| default.meaning == Meaning::Expression)
    };
    let chosen: Vec<usize> = [&is_named as &dyn Fn(&Column) -> bool, &is_expression, &has]
        .iter()
        .map(|is_chosen| (0..columns.len()).filter(|&at| is_chosen(&columns[at])).collect())
        .find(|chosen: &Vec<usize>| !chosen.is_empty())
        .unwrap_or_default();
    chosen.iter().for_each(|&at| columns[at].default = None);
    !chosen.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_understood_only_in_the_form_of_its_type() {
        let decimal = LogicalType::Decimal { precision: Some(10), scale: Some(2) };
        for (logical, printed, wanted) in [
            (LogicalType::Int(32), "-5", Some("-5")),
            (LogicalType::Int(32), "0x10", None),
            (LogicalType::Int(32), "1 OR 1", None),
            (LogicalType::Bool, "TRUE", Some("1")),
            (decimal, "-1.50", Some("-1.50")),
            (LogicalType::Float64, "1e3", Some("1e3")),
            (LogicalType::Float64, "nan", None),
            (LogicalType::Text(None), " it's ", Some(" it's ")),
            (LogicalType::Date, "2020-01-31", Some("2020-01-31")),
            (LogicalType::Date, "0000-00-00", None),
            (LogicalType::Date, "today", None),
            (LogicalType::TimestampTz(6), "2020-01-01 08:00:00+00", Some("2020-01-01 08:00:00")),
            (LogicalType::TimestampTz(6), "2020-01-01 08:00:00+02", None),
            (LogicalType::DateTime(3), "2020-01-01 08:00:00.125", Some("2020-01-01 08:00:00.125")),
            (LogicalType::Bit { length: Some(4), varying: false }, "101", Some("0101")),
            (LogicalType::Bytes(None), "x", None),
        ] {
            assert_eq!(canonical(&logical, printed).as_deref(), wanted, "{logical}: {printed}");
        }
    }

    #[test]
    fn what_a_refusal_names_is_given_up_first() {
        let column = |name: &str, meaning| Column {
            name: name.to_owned(),
            logical: LogicalType::Int(32),
            native: "int".to_owned(),
            nullable: true,
            generated: false,
            auto_increment: false,
            optional: true,
            collation: None,
            comment: None,
            default: Some(ColumnDefault::new("DEFAULT x", meaning)),
        };
        let mut columns = vec![
            column("a", Meaning::Literal("x".into())),
            column("b", Meaning::Literal("1".into())),
            column("c", Meaning::Expression),
        ];
        let left = |columns: &[Column]| -> String {
            columns.iter().filter(|c| c.default.is_some()).map(|c| c.name.as_str()).collect()
        };
        assert!(give_up(&mut columns, "Invalid default value for 'a'"));
        assert_eq!(left(&columns), "bc");
        assert!(give_up(&mut columns, "syntax error"));
        assert_eq!(left(&columns), "b");
        assert!(give_up(&mut columns, "syntax error"));
        assert!(!give_up(&mut columns, "no such database"));
    }
}
