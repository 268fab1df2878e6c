//! Values that a task's policies change on their way, and how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::batch::Batch;
use crate::calendar;
use crate::error::{Error, Result};
use crate::schema::{Column, LogicalType};
use crate::task::{Limit, LongText, Missing, Nul, ValueParams, ZeroDates};

/// What may happen to the cells of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// A date with a zero part becomes NULL or this day.
    ZeroDate(Option<String>),
    /// NUL characters are taken out, or replaced.
    Nul { replace: bool },
    /// NaN and infinity become NULL.
    NonFinite,
    /// Integers beyond these become NULL or the nearer one.
    Range { low: i128, high: i128, clamp: bool },
    /// Decimals with more digits before the point become NULL or the largest.
    Digits { whole: usize, scale: usize, clamp: bool },
    /// Times beyond a day become NULL or its nearer end.
    LongTime { clamp: bool },
    /// Text ends after so many characters.
    Truncate(usize),
    /// Date-times are moved by so many seconds: not counted, since it is what they mean.
    Move(i64),
}

/// What becomes of a cell.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Keep,
    Null,
    To(Vec<u8>),
}

/// A column's rule, and how many cells it has changed.
#[derive(Debug)]
struct Counted {
    /// Position in the source's schema.
    column: usize,
    name: String,
    rule: Rule,
    cells: AtomicU64,
}

/// The rules of a run, for all its lanes.
#[derive(Debug, Clone, Default)]
pub struct Rules(Arc<Vec<Counted>>);

/// Both columns of a pair, and what they are for.
#[derive(Debug, Clone, Copy)]
pub struct RuledPair<'a> {
    /// In the source's schema.
    pub position: usize,
    /// In the source.
    pub from: &'a Column,
    /// In the target.
    pub to: &'a Column,
    /// Whether it is part of a key: then nothing is changed, since rows would be taken for others.
    pub in_key: bool,
    /// Whether both are of one engine.
    pub same_engine: bool,
}

impl Rules {
    /// The rules that a task's policies make for its columns.
    ///
    /// # Errors
    /// Kind `Config` for a key that would have to be moved into another time zone.
    pub fn choose<'a>(
        values: &ValueParams,
        pairs: impl Iterator<Item = RuledPair<'a>>,
    ) -> Result<Self> {
        let mut all = Vec::new();
        for pair in pairs {
            let rules = rules(values, pair);
            if pair.in_key && rules.iter().any(|rule| matches!(rule, Rule::Move(_))) {
                return Err(Error::config(format!(
                    "values.time_zone can't move {}, which is part of a key",
                    pair.from.name
                ))
                .with_remedy("give both columns the same kind of type"));
            }
            let rules = rules.into_iter().filter(|_| !pair.in_key);
            all.extend(rules.map(|rule| Counted {
                column: pair.position,
                name: pair.from.name.clone(),
                rule,
                cells: AtomicU64::new(0),
            }));
        }
        Ok(Self(Arc::new(all)))
    }

    /// Whether no value is changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What may happen to a column of the source, in words for people.
    pub fn of(&self, column: usize) -> String {
        let rules = self.0.iter().filter(|counted| counted.column == column);
        rules.map(|counted| counted.rule.words()).collect::<Vec<_>>().join(", ")
    }

    /// What has happened in this process, for the operator. A shard that was tried again counts again.
    pub fn notes(&self) -> Vec<String> {
        let counted = self.0.iter().filter_map(|counted| {
            let cells = counted.cells.load(Ordering::Relaxed);
            let words = counted.rule.words();
            (cells > 0).then(|| format!("column {}: {cells} values: {words}", counted.name))
        });
        counted.collect()
    }

    /// Applies the rules to a batch whose cells are these columns of the source.
    pub(crate) fn apply(&self, columns: &[usize], batch: Batch) -> Batch {
        let mut changes: Vec<(usize, usize, Option<Vec<u8>>)> = Vec::new();
        for (position, column) in columns.iter().enumerate() {
            let rules: Vec<_> = self.0.iter().filter(|counted| counted.column == *column).collect();
            if rules.is_empty() {
                continue;
            }
            for row in 0..batch.rows() {
                let Some(cell) = batch.cell(row, position) else { continue };
                match changed(&rules, cell) {
                    Change::Keep => {}
                    Change::Null => changes.push((row, position, None)),
                    Change::To(cell) => changes.push((row, position, Some(cell))),
                }
            }
        }
        if changes.is_empty() {
            return batch;
        }
        changes.sort_unstable_by_key(|&(row, position, _)| (row, position));
        let mut changes = changes.into_iter().peekable();
        let mut whole = Batch::new(batch.columns());
        for row in 0..batch.rows() {
            for (position, cell) in batch.row(row).enumerate() {
                let is_next =
                    |&(r, p, _): &(usize, usize, Option<Vec<u8>>)| (r, p) == (row, position);
                let cell = match changes.next_if(is_next) {
                    Some((_, _, Some(changed))) => {
                        whole.push(&changed);
                        continue;
                    }
                    Some((_, _, None)) => None,
                    None => cell,
                };
                match cell {
                    Some(cell) => whole.push(cell),
                    None => whole.push_null(),
                }
            }
        }
        whole
    }
}

fn changed(rules: &[&Counted], cell: &[u8]) -> Change {
    let mut current = Change::Keep;
    for counted in rules {
        let cell = if let Change::To(changed) = &current { changed } else { cell };
        let next = counted.rule.apply(cell);
        if next == Change::Keep {
            continue;
        }
        counted.cells.fetch_add(1, Ordering::Relaxed);
        if next == Change::Null {
            return next;
        }
        current = next;
    }
    current
}

/// NULL is for columns that take it: elsewhere the value stays, and the run fails there.
fn rules(values: &ValueParams, pair: RuledPair<'_>) -> Vec<Rule> {
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

impl Rule {
    fn words(&self) -> String {
        match self {
            Self::ZeroDate(None) => "zero dates become NULL".to_owned(),
            Self::ZeroDate(Some(day)) => format!("zero dates become {day}"),
            Self::Nul { replace: false } => "NUL characters are taken out".to_owned(),
            Self::Nul { replace: true } => "NUL characters become U+FFFD".to_owned(),
            Self::NonFinite => "NaN and infinity become NULL".to_owned(),
            Self::Range { clamp: true, .. } | Self::Digits { clamp: true, .. } => {
                "numbers out of range become the nearest in it".to_owned()
            }
            Self::Range { .. } | Self::Digits { .. } => {
                "numbers out of range become NULL".to_owned()
            }
            Self::LongTime { clamp: true } => "times beyond a day become its end".to_owned(),
            Self::LongTime { .. } => "times beyond a day become NULL".to_owned(),
            Self::Truncate(limit) => format!("text ends after {limit} characters"),
            Self::Move(seconds) => format!("moved by {seconds} s into the other time zone"),
        }
    }

    fn apply(&self, cell: &[u8]) -> Change {
        let or_null = |clamped: Option<String>| match clamped {
            Some(text) => Change::To(text.into_bytes()),
            None => Change::Null,
        };
        match self {
            Self::ZeroDate(day) if has_zero_part(cell) => or_null(day.as_ref().map(|day| {
                let midnight = if cell.len() > 10 { " 00:00:00" } else { "" };
                format!("{day}{midnight}")
            })),
            Self::Nul { replace } if memchr::memchr(0, cell).is_some() => {
                let with: &[u8] = if *replace { "\u{fffd}".as_bytes() } else { b"" };
                Change::To(cell.split(|&byte| byte == 0).collect::<Vec<_>>().join(with))
            }
            Self::NonFinite => {
                let sign = cell.strip_prefix(b"-").unwrap_or(cell);
                let is_odd = [&b"NaN"[..], b"Infinity", b"infinity"].contains(&sign);
                if is_odd { Change::Null } else { Change::Keep }
            }
            Self::Range { low, high, clamp } => {
                let number = std::str::from_utf8(cell).ok().and_then(|t| t.parse::<i128>().ok());
                match number {
                    Some(number) if number < *low || number > *high => {
                        or_null(clamp.then(|| number.clamp(*low, *high).to_string()))
                    }
                    _ => Change::Keep,
                }
            }
            Self::Digits { whole, scale, clamp } => {
                let digits = cell.strip_prefix(b"-").unwrap_or(cell);
                let end = memchr::memchr(b'.', digits).unwrap_or(digits.len());
                let zeros = digits[..end].iter().take_while(|&&byte| byte == b'0').count();
                if end - zeros <= *whole || !digits[..end].iter().all(u8::is_ascii_digit) {
                    return Change::Keep;
                }
                or_null(clamp.then(|| {
                    let sign = if digits.len() < cell.len() { "-" } else { "" };
                    let whole = if *whole == 0 { "0".to_owned() } else { "9".repeat(*whole) };
                    let fraction = "9".repeat(*scale);
                    let point = if fraction.is_empty() { "" } else { "." };
                    format!("{sign}{whole}{point}{fraction}")
                }))
            }
            Self::LongTime { clamp } => {
                let negative = cell.starts_with(b"-");
                let hours = cell.split(|&byte| byte == b':').next().unwrap_or_default();
                let hours = std::str::from_utf8(hours).ok().and_then(|t| t.parse::<i32>().ok());
                match hours {
                    Some(hours) if negative || hours > 23 => or_null(
                        clamp.then(|| if negative { "00:00:00" } else { "23:59:59" }.to_owned()),
                    ),
                    _ => Change::Keep,
                }
            }
            Self::Truncate(limit) if cell.len() > *limit => {
                let text = String::from_utf8_lossy(cell);
                match text.char_indices().nth(*limit) {
                    Some((end, _)) => Change::To(text[..end].as_bytes().to_vec()),
                    None => Change::Keep,
                }
            }
            Self::Move(seconds) => {
                let moved = std::str::from_utf8(cell).ok().and_then(calendar::parse);
                let moved = moved.and_then(|moment| moment.moved(*seconds));
                moved.map_or(Change::Keep, |text| Change::To(text.into_bytes()))
            }
            Self::ZeroDate(_) | Self::Nul { .. } | Self::Truncate(_) => Change::Keep,
        }
    }
}

/// `0000-…`, `…-00-…`, `…-00`.
fn has_zero_part(cell: &[u8]) -> bool {
    cell.starts_with(b"0000-") || cell.get(4..7) == Some(b"-00") || cell.get(7..10) == Some(b"-00")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(text: &str) -> Change {
        Change::To(text.as_bytes().to_vec())
    }

    #[test]
    fn each_rule_changes_what_it_is_for_and_nothing_else() {
        let day = || Rule::ZeroDate(Some("1970-01-01".into()));
        let range = |clamp| Rule::Range { low: -128, high: 127, clamp };
        let digits = |clamp| Rule::Digits { whole: 3, scale: 2, clamp };
        for (rule, cell, change) in [
            (Rule::ZeroDate(None), "0000-00-00", Change::Null),
            (day(), "2020-00-00 10:00:00", to("1970-01-01 00:00:00")),
            (day(), "2020-01-00", to("1970-01-01")),
            (day(), "2020-10-01 00:00:00", Change::Keep),
            (Rule::Nul { replace: false }, "a\0b\0", to("ab")),
            (Rule::Nul { replace: true }, "a\0", to("a\u{fffd}")),
            (Rule::NonFinite, "-Infinity", Change::Null),
            (Rule::NonFinite, "1e300", Change::Keep),
            (range(true), "-129", to("-128")),
            (range(false), "128", Change::Null),
            (range(false), "127", Change::Keep),
            (digits(true), "-1000", to("-999.99")),
            (digits(true), "0000999.99", Change::Keep),
            (digits(false), "1000.5", Change::Null),
            (Rule::LongTime { clamp: true }, "-00:00:01", to("00:00:00")),
            (Rule::LongTime { clamp: true }, "838:59:59", to("23:59:59")),
            (Rule::LongTime { clamp: false }, "24:00:00", Change::Null),
            (Rule::LongTime { clamp: true }, "23:59:59.999999", Change::Keep),
            (Rule::Truncate(2), "éüö", to("éü")),
            (Rule::Truncate(3), "éüö", Change::Keep),
            (Rule::Move(-28_800), "2024-01-01 07:00:00.5", to("2023-12-31 23:00:00.5")),
            (Rule::Move(3600), "infinity", Change::Keep),
        ] {
            assert_eq!(rule.apply(cell.as_bytes()), change, "{rule:?} {cell:?}");
        }
    }
}
