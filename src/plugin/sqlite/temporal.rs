//! Dates and times in text: what SQLite's own functions read, in canonical form.
//!
//! Only the shape is checked. Whether a 31st of February exists is for the target to say; zero
//! dates, `infinity`, `BC` and years beyond 9999 are values of other engines that were copied
//! here.

/// Appends a `DATE` cell; false if the text is none.
pub(super) fn push_date(text: &[u8], out: &mut Vec<u8>) -> bool {
    let whole =
        is_infinite(text) || date(text).is_some_and(|(_, rest)| rest.is_empty() || rest == b" BC");
    if whole {
        out.extend_from_slice(text);
    }
    whole
}

/// Appends a `TIME` cell; false if the text is none.
pub(super) fn push_time(text: &[u8], out: &mut Vec<u8>) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    match clock(unsigned, 1..=3) {
        Some((seconds, b"")) => {
            out.extend_from_slice(text);
            if !seconds {
                out.extend_from_slice(b":00");
            }
            true
        }
        _ => false,
    }
}

/// Appends a `DATETIME` cell; false if the text is none. `T` may stand between the parts, the
/// clock or its seconds may be missing, and a zone may say UTC: SQLite's functions take all that
/// for the same moment. Any other zone would be dropped or converted by the target as it likes.
pub(super) fn push_datetime(text: &[u8], out: &mut Vec<u8>) -> bool {
    if is_infinite(text) {
        out.extend_from_slice(text);
        return true;
    }
    let Some((day, rest)) = date(text) else { return false };
    let (rest, era) = match rest.strip_suffix(b" BC") {
        Some(rest) => (rest, &b" BC"[..]),
        None => (rest, &b""[..]),
    };
    out.extend_from_slice(day);
    match rest {
        [] => out.extend_from_slice(b" 00:00:00"),
        [b' ' | b'T' | b't', time @ ..] => {
            let Some((seconds, zone)) = clock(time, 2..=2) else { return false };
            if !matches!(
                zone.trim_ascii_start(),
                b"" | b"Z" | b"z" | b"+00:00" | b"-00:00" | b"+00"
            ) {
                return false;
            }
            out.push(b' ');
            out.extend_from_slice(&time[..time.len() - zone.len()]);
            if !seconds {
                out.extend_from_slice(b":00");
            }
        }
        _ => return false,
    }
    out.extend_from_slice(era);
    true
}

fn is_infinite(text: &[u8]) -> bool {
    matches!(text, b"infinity" | b"-infinity")
}

/// `YYYY-MM-DD` with four or more digits of the year, and what follows.
fn date(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let year = digits(text);
    let rest = &text[year..];
    let shaped = year >= 4
        && rest.len() >= 6
        && rest[0] == b'-'
        && digits(&rest[1..3]) == 2
        && rest[3] == b'-'
        && digits(&rest[4..6]) == 2;
    shaped.then(|| text.split_at(year + 6))
}

/// `HH:MM[:SS[.f]]` with this many digits of the hour: whether it has seconds, and what follows.
fn clock(text: &[u8], hours: std::ops::RangeInclusive<usize>) -> Option<(bool, &[u8])> {
    let hour = digits(text);
    let rest = two(&text[hour..]).filter(|_| hours.contains(&hour))?;
    let Some(rest) = two(rest) else { return Some((false, rest)) };
    let fraction = match rest.strip_prefix(b".") {
        Some(fraction) => match digits(fraction) {
            0 => return None,
            length => &fraction[length..],
        },
        None => rest,
    };
    Some((true, fraction))
}

/// What follows `:NN`.
fn two(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b":")?;
    (rest.len() >= 2 && digits(&rest[..2]) == 2).then(|| &rest[2..])
}

fn digits(text: &[u8]) -> usize {
    text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(push: fn(&[u8], &mut Vec<u8>) -> bool, text: &str) -> Option<String> {
        let mut out = Vec::new();
        push(text.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_sqlite_reads_becomes_canonical() {
        for (text, canonical) in [
            ("2024-01-31", "2024-01-31 00:00:00"),
            ("2024-01-31 12:30", "2024-01-31 12:30:00"),
            ("2024-01-31T12:30:15.123Z", "2024-01-31 12:30:15.123"),
            ("2024-01-31 12:30:15 +00:00", "2024-01-31 12:30:15"),
            ("0000-00-00 00:00:00", "0000-00-00 00:00:00"),
            ("10000-01-01 00:00:00", "10000-01-01 00:00:00"),
            ("0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"),
            ("-infinity", "-infinity"),
        ] {
            assert_eq!(run(push_datetime, text).as_deref(), Some(canonical));
        }
        assert_eq!(run(push_time, "-838:59:59.5").as_deref(), Some("-838:59:59.5"));
        assert_eq!(run(push_time, "7:05").as_deref(), Some("7:05:00"));
        assert_eq!(run(push_date, "2024-01-31").as_deref(), Some("2024-01-31"));
    }

    #[test]
    fn what_a_target_would_change_is_refused() {
        for text in ["", "now", "2024", "2024-1-1", "2024-01-31 12:30:15+02:00", "2024-01-31 12:3"]
        {
            assert_eq!(run(push_datetime, text), None, "{text}");
        }
        for text in ["12", "12:30+01", "12:30:15.", "1234:00:00"] {
            assert_eq!(run(push_time, text), None, "{text}");
        }
        assert_eq!(run(push_date, "2024-01-31 12:00:00"), None);
    }
}
