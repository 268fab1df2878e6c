//! Which rules a task's policies make for a pair of columns.

use super::RuledPair;
use super::rule::Rule;
use crate::schema::LogicalType;
use crate::task::{InvalidUtf8, Limit, LongText, Missing, Nul, ValueParams, ZeroDates};

/// NULL is for columns that take it: elsewhere the value stays, and the run fails there.
pub(super) fn rules(values: &ValueParams, pair: RuledPair<'_>) -> Vec<Rule> {
    use LogicalType as T;
    let (from, to) = (&pair.from.logical, &pair.to.logical);
    let nullable = pair.to.nullable;
    let is_day = matches!(from, T::Date | T::DateTime(_) | T::TimestampTz(_));
    let mut rules = Vec::new();
    if is_day {
        match &values.zero_dates {
            Some(ZeroDates::Null) if nullable => rules.push(Rule::ZeroDate(None)),
            Some(ZeroDates::Day(day)) => rules.push(Rule::ZeroDate(Some(day.clone()))),
            _ => {}
        }
    }
    let may_be_odd = is_day || matches!(from, T::Float32 | T::Float64 | T::Decimal { .. });
    if may_be_odd && nullable && values.non_finite == Some(Missing::Null) {
        rules.push(Rule::NonFinite);
    }
    // First among those of text: the others read characters. One engine's text fits itself.
    let is_text = matches!(from, T::Text(_) | T::Enum | T::Json | T::Interval | T::Other(_));
    if is_text && !pair.same_engine && values.invalid_utf8 == Some(InvalidUtf8::Replace) {
        rules.push(Rule::InvalidUtf8);
    }
    if let Some(nul) = values.nul.filter(|nul| matches!(from, T::Text(_)) && *nul != Nul::Error) {
        rules.push(Rule::Nul { replace: nul == Nul::Replace });
    }
    let limited = |limit: Option<Limit>| match limit {
        Some(Limit::Clamp) => Some(true),
        Some(Limit::Null) if nullable => Some(false),
        _ => None,
    };
    if let Some(clamp) = limited(values.out_of_range) {
        rules.extend(range(from, to, clamp));
    }
    if let (T::Time(_), T::Time(_), false) = (from, to, pair.same_engine)
        && let Some(clamp) = limited(values.long_times)
    {
        rules.push(Rule::LongTime { clamp });
    }
    if let (T::Text(_) | T::Enum, T::Text(Some(limit))) = (from, to)
        && values.long_text == Some(LongText::Truncate)
    {
        rules.push(Rule::Truncate(*limit as usize));
    }
    let east = values.time_zone.map_or(0, |offset| i64::from(offset.0));
    match (from, to) {
        (T::DateTime(_), T::TimestampTz(_)) if east != 0 => rules.push(Rule::Move(-east)),
        (T::TimestampTz(_), T::DateTime(_)) if east != 0 => rules.push(Rule::Move(east)),
        _ => {}
    }
    rules
}

/// What a number of one type may be in another.
fn range(from: &LogicalType, to: &LogicalType, clamp: bool) -> Option<Rule> {
    use LogicalType as T;
    let of = |logical: &LogicalType| match logical {
        T::Int(bits) => Some((-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)),
        T::UInt(bits) => Some((0, (1_i128 << bits) - 1)),
        _ => None,
    };
    match (from, to) {
        (T::Decimal { .. }, T::Decimal { precision: Some(digits), scale }) => {
            let scale = usize::from(scale.unwrap_or(0));
            Some(Rule::Digits { whole: usize::from(*digits).saturating_sub(scale), scale, clamp })
        }
        _ => {
            let ((least, most), (low, high)) = (of(from)?, of(to)?);
            (least < low || most > high).then_some(Rule::Range { low, high, clamp })
        }
    }
}
