//! Columns' defaults, as the pragmas print them and as CREATE TABLE takes them.

use super::sql;
use crate::plugin::BoundValue;
use crate::schema::default::is_number;
use crate::schema::{Column, ColumnDefault, LogicalType, Meaning};

/// Reads `dflt_value`, which is what the table was created with, without outer parentheses.
pub(super) fn read(text: &str, logical: &LogicalType) -> Option<ColumnDefault> {
    // In parentheses anything may stand that is constant.
    let own = format!("DEFAULT ({text})");
    let word = text.to_ascii_uppercase();
    Some(match (word.as_str(), logical) {
        ("NULL", _) => return None,
        // By the clock of UTC.
        ("CURRENT_TIMESTAMP", LogicalType::DateTime(_)) => {
            ColumnDefault::new(own, Meaning::Now { utc: true })
        }
        ("CURRENT_TIMESTAMP", LogicalType::TimestampTz(_)) => {
            ColumnDefault::new(own, Meaning::Now { utc: false })
        }
        ("CURRENT_DATE", LogicalType::Date) => {
            ColumnDefault::new(own, Meaning::Today { utc: true })
        }
        ("TRUE" | "FALSE", LogicalType::Bool) => ColumnDefault::literal(own, logical, text),
        // As text 1.50 is 1.5.
        (_, LogicalType::Text(_)) if is_number(text) && text.parse::<i64>().is_err() => {
            ColumnDefault::new(own, Meaning::Expression)
        }
        _ if is_number(text) => ColumnDefault::literal(own, logical, text),
        _ => match unquoted(text) {
            Some(value) => {
                let own = format!("DEFAULT {}", sql::literal(&BoundValue::Text(value.clone())));
                ColumnDefault::literal(own, logical, &value)
            }
            None => ColumnDefault::new(own, Meaning::Expression),
        },
    })
}

/// What stands between quotes, if the text is one string. Double ones are taken for single ones there.
fn unquoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.get(1..)?.strip_suffix(quote)?;
    let doubled = String::from_iter([quote, quote]);
    (!inner.replace(&doubled, "").contains(quote))
        .then(|| inner.replace(&doubled, &String::from(quote)))
}

/// The clause for a column that is created; `None` if the default can't be carried over.
pub(super) fn clause(column: &Column, native: bool) -> Option<String> {
    use LogicalType as T;
    let default = column.default.as_ref()?;
    if native {
        return Some(default.sql.clone());
    }
    let value = match (&default.meaning, &column.logical) {
        // Numbers where the declared type makes numbers of them.
        (
            Meaning::Literal(text),
            T::Bool | T::Int(_) | T::UInt(8..=32) | T::Float32 | T::Float64 | T::Year,
        ) => text.clone(),
        (Meaning::Literal(text), _) => sql::literal(&BoundValue::Text(text.clone())),
        (Meaning::Now { utc: false }, T::DateTime(_)) => {
            "(datetime('now', 'localtime'))".to_owned()
        }
        (Meaning::Now { .. }, T::DateTime(_) | T::TimestampTz(_)) => "CURRENT_TIMESTAMP".to_owned(),
        (Meaning::Today { utc: false }, T::Date) => "(date('now', 'localtime'))".to_owned(),
        (Meaning::Today { utc: true }, T::Date) => "CURRENT_DATE".to_owned(),
        _ => return None,
    };
    Some(format!("DEFAULT {value}"))
}
