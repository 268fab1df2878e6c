//! Columns' defaults, as information_schema prints them and as CREATE TABLE takes them.

use super::sql;
use crate::schema::default::is_number;
use crate::schema::{Column, ColumnDefault, LogicalType, Meaning};

/// What information_schema says of a column's default.
pub(super) struct Printed<'a> {
    /// COLUMN_DEFAULT.
    pub text: Option<&'a str>,
    /// EXTRA.
    pub extra: &'a str,
    /// Since 10.2.7 MariaDB prints SQL; MySQL prints values without their quotes.
    pub is_mariadb: bool,
}

/// Reads a default. Not for what is generated or counts up.
pub(super) fn read(printed: &Printed<'_>, logical: &LogicalType) -> Option<ColumnDefault> {
    let on_update = on_update(printed.extra);
    let text = printed.text.filter(|text| !(printed.is_mariadb && *text == "NULL"));
    let mut default = match text {
        None => {
            on_update.as_ref()?;
            ColumnDefault::new("DEFAULT NULL", Meaning::Expression)
        }
        Some(text) => match moment(text, logical) {
            Some(meaning) => ColumnDefault::new(format!("DEFAULT {}", expression(text)), meaning),
            None if printed.is_mariadb => of_mariadb(text, logical),
            None => of_mysql(text, printed.extra, logical),
        },
    };
    if let Some(clause) = on_update {
        default.sql = format!("{} {clause}", default.sql);
        default.on_update = true;
    }
    Some(default)
}

/// MySQL 8 wants parentheses around what is neither a literal nor CURRENT_TIMESTAMP.
fn expression(text: &str) -> String {
    match text.to_ascii_lowercase().starts_with("current_timestamp") {
        true => text.to_owned(),
        false => format!("({text})"),
    }
}

fn on_update(extra: &str) -> Option<String> {
    let start = extra.to_ascii_lowercase().find("on update ")?;
    Some(extra[start..].trim().to_owned())
}

/// Whether the text is the moment or the day of the INSERT.
fn moment(text: &str, logical: &LogicalType) -> Option<Meaning> {
    let text = text.to_ascii_lowercase();
    let name = text.split('(').next().unwrap_or_default();
    // Nothing but the name, and perhaps a precision.
    let rest = text[name.len()..].trim_matches(['(', ')']);
    if !rest.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match (name, logical) {
        ("current_timestamp" | "now", LogicalType::DateTime(_) | LogicalType::TimestampTz(_)) => {
            Some(Meaning::Now { utc: false })
        }
        ("utc_timestamp", LogicalType::DateTime(_)) => Some(Meaning::Now { utc: true }),
        ("curdate" | "current_date", LogicalType::Date) => Some(Meaning::Today { utc: false }),
        ("utc_date", LogicalType::Date) => Some(Meaning::Today { utc: true }),
        _ => None,
    }
}

fn of_mariadb(text: &str, logical: &LogicalType) -> ColumnDefault {
    if let Some(digits) = bits(text) {
        return ColumnDefault::literal(format!("DEFAULT {text}"), logical, digits);
    }
    if is_number(text) {
        return ColumnDefault::literal(format!("DEFAULT {text}"), logical, text);
    }
    let Some(value) = unquoted(text) else {
        return ColumnDefault::new(format!("DEFAULT ({text})"), Meaning::Expression);
    };
    // Bytes that are no text are printed as question marks.
    if matches!(logical, LogicalType::Bytes(_)) && !value.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return ColumnDefault::new(format!("DEFAULT {text}"), Meaning::Unportable);
    }
    ColumnDefault::literal(format!("DEFAULT {}", quoted(&value, logical)), logical, &value)
}

fn of_mysql(text: &str, extra: &str, logical: &LogicalType) -> ColumnDefault {
    if extra.to_ascii_uppercase().contains("DEFAULT_GENERATED") {
        // There the quotes inside are printed with a backslash.
        let text = text.replace("\\'", "'");
        return ColumnDefault::new(format!("DEFAULT ({text})"), Meaning::Expression);
    }
    if let Some(digits) = bits(text) {
        return ColumnDefault::literal(format!("DEFAULT {text}"), logical, digits);
    }
    if matches!(logical, LogicalType::Bytes(_)) {
        let is_hex = text.starts_with("0x") && text[2..].bytes().all(|b| b.is_ascii_hexdigit());
        let meaning = if is_hex { Meaning::Expression } else { Meaning::Unportable };
        return ColumnDefault::new(format!("DEFAULT {text}"), meaning);
    }
    ColumnDefault::literal(format!("DEFAULT {}", quoted(text, logical)), logical, text)
}

/// The digits of `b'101'`.
fn bits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("b'")?.strip_suffix('\'')?;
    digits.bytes().all(|b| matches!(b, b'0' | b'1')).then_some(digits)
}

/// What stands between quotes, if the text is one string literal.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        value.push(match (c, c == '\'' || c == '\\') {
            ('\'', _) => rest.next().filter(|&next| next == '\'')?,
            (_, true) => match rest.next()? {
                '0' => '\0',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'Z' => '\u{1a}',
                other => other,
            },
            _ => c,
        });
    }
    Some(value)
}

/// A string literal; MySQL 8 takes one for long types only as an expression.
fn quoted(value: &str, logical: &LogicalType) -> String {
    match logical {
        LogicalType::Text(None) | LogicalType::Json => format!("({})", sql::text(value)),
        _ => sql::text(value),
    }
}

/// The clause for a column of this type that is created; `None` if the default can't be carried over.
pub(super) fn clause(column: &Column, native: &str, same_engine: bool) -> Option<String> {
    let default = column.default.as_ref()?;
    if same_engine {
        return (default.meaning != Meaning::Unportable).then(|| default.sql.clone());
    }
    let precision = |n: &u8| if *n == 0 { String::new() } else { format!("({n})") };
    let is_long = matches!(native, "longtext" | "json");
    let value = match (&default.meaning, &column.logical) {
        (Meaning::Literal(text), LogicalType::Bit { .. }) if native.starts_with("bit") => {
            format!("b{}", sql::text(text))
        }
        (Meaning::Literal(text), _) if is_number(text) && !is_long && !is_text(native) => {
            text.clone()
        }
        (Meaning::Literal(text), _) if is_long => format!("({})", sql::text(text)),
        (Meaning::Literal(text), _) => sql::text(text),
        (Meaning::Now { utc: false }, LogicalType::DateTime(n)) => {
            format!("CURRENT_TIMESTAMP{}", precision(n))
        }
        // An instant becomes a date-time in UTC here.
        (Meaning::Now { .. }, LogicalType::DateTime(n) | LogicalType::TimestampTz(n)) => {
            format!("(UTC_TIMESTAMP({n}))")
        }
        (Meaning::Today { utc: false }, LogicalType::Date) => "(CURRENT_DATE)".to_owned(),
        (Meaning::Today { utc: true }, LogicalType::Date) => "(UTC_DATE())".to_owned(),
        _ => return None,
    };
    Some(format!("DEFAULT {value}"))
}

fn is_text(native: &str) -> bool {
    native.starts_with("varchar") || native.starts_with("char")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default(text: &str, extra: &str, is_mariadb: bool, logical: &LogicalType) -> ColumnDefault {
        read(&Printed { text: Some(text), extra, is_mariadb }, logical).unwrap()
    }

    #[test]
    fn mysql_prints_values_without_quotes() {
        let text = LogicalType::Text(Some(20));
        let it = default("it's", "", false, &text);
        assert_eq!(it.sql, "DEFAULT 'it\\'s'");
        assert_eq!(it.meaning, Meaning::Literal("it's".into()));
        let null = default("NULL", "", false, &text);
        assert_eq!(null.meaning, Meaning::Literal("NULL".into()), "a text, not no value");
        let call = default("concat(_utf8mb4\\'a\\',1)", "DEFAULT_GENERATED", false, &text);
        assert_eq!(
            (call.sql.as_str(), call.meaning),
            ("DEFAULT (concat(_utf8mb4'a',1))", Meaning::Expression)
        );
        let stamp = default(
            "CURRENT_TIMESTAMP(3)",
            "DEFAULT_GENERATED on update CURRENT_TIMESTAMP(3)",
            false,
            &LogicalType::DateTime(3),
        );
        assert_eq!(stamp.sql, "DEFAULT CURRENT_TIMESTAMP(3) on update CURRENT_TIMESTAMP(3)");
        assert_eq!((stamp.meaning, stamp.on_update), (Meaning::Now { utc: false }, true));
    }

    #[test]
    fn mariadb_prints_sql() {
        let text = LogicalType::Text(Some(20));
        assert_eq!(read(&Printed { text: Some("NULL"), extra: "", is_mariadb: true }, &text), None);
        let it = default(r"'it''s \\ x'", "", true, &text);
        assert_eq!(it.meaning, Meaning::Literal(r"it's \ x".into()));
        assert_eq!(it.sql, r"DEFAULT 'it\'s \\ x'");
        assert_eq!(default("'a' + 'b'", "", true, &text).meaning, Meaning::Expression);
        assert_eq!(default("uuid()", "", true, &text).sql, "DEFAULT (uuid())");
        let bytes = default("'\\0?'", "", true, &LogicalType::Bytes(Some(4)));
        assert_eq!(bytes.meaning, Meaning::Unportable);
    }
}
