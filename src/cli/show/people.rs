//! Figures as people read them.

use indicatif::{BinaryBytes, HumanCount};

/// A number with separators between its thousands.
pub(in crate::cli) fn count(number: i64) -> String {
    match u64::try_from(number) {
        Ok(number) => HumanCount(number).to_string(),
        Err(_) => format!("-{}", HumanCount(number.unsigned_abs())),
    }
}

/// A size.
pub(in crate::cli) fn size(bytes: i64) -> String {
    BinaryBytes(bytes.max(0) as u64).to_string()
}

/// A length of time in milliseconds, by its two largest units.
pub(in crate::cli) fn span(ms: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let ms = ms.max(0);
    if ms < 10_000 && ms % 1000 != 0 {
        return format!("{:.1} s", ms as f64 / 1000.0);
    }
    let seconds = ms / 1000;
    let first = UNITS.iter().position(|(_, unit)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (name, unit) = UNITS[first];
    let mut text = format!("{} {name}", seconds / unit);
    if let Some((name, smaller)) = UNITS.get(first + 1)
        && seconds % unit / smaller > 0
    {
        text.push_str(&format!(" {} {name}", seconds % unit / smaller));
    }
    text
}

/// A length of time in milliseconds, by its largest unit.
pub(in crate::cli) fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// How long ago, or how soon.
pub(in crate::cli) fn ago(ms: i64) -> String {
    match ms {
        ..-999 => format!("in {}", age(-ms)),
        -999..1000 => "just now".to_owned(),
        _ => format!("{} ago", age(ms)),
    }
}

/// Text from elsewhere, as it may go to a terminal: no line ends and no control characters.
pub(in crate::cli) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_made_for_reading() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(-1_234), "-1,234");
        assert_eq!(span(1_500), "1.5 s");
        assert_eq!(span(59_000), "59 s");
        assert_eq!(span(125_000), "2 min 5 s");
        assert_eq!(span(7_200_000), "2 h");
        assert_eq!(ago(180_000), "3 min ago");
        assert_eq!(ago(-30_000), "in 30 s");
        assert_eq!(ago(10), "just now");
        assert_eq!(ago(3 * 86_400_000), "3 days ago");
        assert_eq!(plain("a\n\u{1b}[31mb"), "a  [31mb");
    }
}
