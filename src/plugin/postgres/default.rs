//! Columns' defaults, as pg_get_expr prints them and as SET DEFAULT takes them.

use super::sql;
use crate::schema::default::is_number;
use crate::schema::{Column, ColumnDefault, LogicalType, Meaning};

/// Reads a default; `None` for NULL. Not for what is generated or an identity.
pub(super) fn read(text: &str, logical: &LogicalType) -> Option<ColumnDefault> {
    let own = format!("DEFAULT {text}");
    if let Some(meaning) = moment(text, logical) {
        return Some(ColumnDefault::new(own, meaning));
    }
    if text.contains("nextval(") {
        return Some(ColumnDefault::new(own, Meaning::Unportable));
    }
    let is_word = matches!((text, logical), ("true" | "false", LogicalType::Bool));
    if is_word || is_number(text) {
        return Some(ColumnDefault::literal(own, logical, text));
    }
    if text.starts_with("NULL::") || text == "NULL" {
        return None;
    }
    Some(match literal(text) {
        Some(value) => ColumnDefault::literal(own, logical, &value),
        None => ColumnDefault::new(own, Meaning::Expression),
    })
}

fn moment(text: &str, logical: &LogicalType) -> Option<Meaning> {
    let name =
        text.split_once('(').filter(|(name, _)| !name.is_empty()).map_or(text, |(name, rest)| {
            let digits = rest.strip_suffix(')').unwrap_or(rest);
            if digits.bytes().all(|b| b.is_ascii_digit()) { name } else { text }
        });
    let is_moment = matches!(name, "now" | "transaction_timestamp" | "CURRENT_TIMESTAMP");
    match (name, logical) {
        (_, LogicalType::DateTime(_) | LogicalType::TimestampTz(_)) if is_moment => {
            Some(Meaning::Now { utc: false })
        }
        ("LOCALTIMESTAMP", LogicalType::DateTime(_)) => Some(Meaning::Now { utc: false }),
        (
            "(now() AT TIME ZONE 'utc'::text)"
            | "(now() AT TIME ZONE 'UTC'::text)"
            | "(CURRENT_TIMESTAMP AT TIME ZONE 'utc'::text)"
            | "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC'::text)"
            | "timezone('utc'::text, now())"
            | "timezone('UTC'::text, now())",
            LogicalType::DateTime(_),
        ) => Some(Meaning::Now { utc: true }),
        ("CURRENT_DATE", LogicalType::Date) => Some(Meaning::Today { utc: false }),
        _ => None,
    }
}

/// The value of `'…'::type`, if the text is no more than that.
fn literal(text: &str) -> Option<String> {
    let (body, escapes) = match text.strip_prefix("E'") {
        Some(body) => (body, true),
        None => (text.strip_prefix('\'')?, false),
    };
    let mut value = String::with_capacity(body.len());
    let mut rest = body.chars();
    loop {
        match rest.next()? {
            '\'' if rest.as_str().starts_with('\'') => {
                rest.next();
                value.push('\'');
            }
            '\'' => break,
            // The server's own printing doubles backslashes and escapes nothing else.
            '\\' if escapes => value.push(rest.next().filter(|&next| next == '\\')?),
            other => value.push(other),
        }
    }
    let cast = rest.as_str();
    let is_type = |c: char| c.is_ascii_alphanumeric() || "_ .\"[](),".contains(c);
    let is_cast = cast.strip_prefix("::").is_some_and(|name| name.chars().all(is_type));
    (cast.is_empty() || is_cast).then_some(value)
}

/// The clause for a column that is created; `None` if the default can't be carried over.
pub(super) fn clause(column: &Column, same_engine: bool) -> Option<String> {
    use LogicalType as T;
    let default = column.default.as_ref()?;
    if same_engine {
        return (default.meaning != Meaning::Unportable).then(|| default.sql.clone());
    }
    const UTC: &str = "now() AT TIME ZONE 'UTC'";
    let value = match (&default.meaning, &column.logical) {
        (Meaning::Literal(text), T::Bool) => {
            (if text == "1" { "true" } else { "false" }).to_owned()
        }
        (
            Meaning::Literal(text),
            T::Int(_) | T::UInt(_) | T::Year | T::Decimal { .. } | T::Float32 | T::Float64,
        ) if is_number(text) => text.clone(),
        (Meaning::Literal(text), _) => sql::literal(text),
        (Meaning::Now { utc: true }, T::DateTime(_)) => format!("({UTC})"),
        (Meaning::Now { .. }, T::DateTime(_)) => "LOCALTIMESTAMP".to_owned(),
        (Meaning::Now { .. }, T::TimestampTz(_)) => "now()".to_owned(),
        (Meaning::Today { utc: true }, T::Date) => format!("(({UTC})::date)"),
        (Meaning::Today { utc: false }, T::Date) => "CURRENT_DATE".to_owned(),
        _ => return None,
    };
    Some(format!("DEFAULT {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_no_more_than_that() {
        assert_eq!(literal("'it''s \\ x'::character varying").as_deref(), Some("it's \\ x"));
        assert_eq!(literal("E'a\\\\b'::text").as_deref(), Some("a\\b"));
        assert_eq!(literal("'a'::text || 'b'::text"), None);
        assert_eq!(literal("'2020-01-01'::date + 1"), None);
        assert_eq!(literal("'open"), None);
    }

    #[test]
    fn what_counts_by_a_sequence_stays() {
        let text = LogicalType::Text(None);
        let default = read("('N'::text || nextval('n_seq'::regclass))", &text).unwrap();
        assert_eq!(default.meaning, Meaning::Unportable);
        assert_eq!(read("NULL::character varying", &text), None);
        assert_eq!(read("now()", &text).unwrap().meaning, Meaning::Expression);
        let now = read("CURRENT_TIMESTAMP(3)", &LogicalType::DateTime(3)).unwrap();
        assert_eq!(now.meaning, Meaning::Now { utc: false });
        let date = read("clock_timestamp()", &LogicalType::DateTime(6)).unwrap();
        assert_eq!(date.meaning, Meaning::Expression);
    }
}
