//! Tables that fit the terminal: cells are shortened and lines cut before anything wraps.

use console::{measure_text_width as width_of, truncate_str};

use super::people::plain;

/// Lines that a note beneath a row may take on a terminal.
const NOTE_LINES: usize = 3;
/// A column is not made narrower than this.
const NARROWEST: usize = 9;

/// How a column stands and shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Text.
    Left,
    /// A figure.
    Right,
    /// An id, of which the end tells it from the others: shortened from its front.
    Id,
    /// A name: shortened from its end.
    Name,
}

/// Rows under a heading, columns aligned, each row with notes beneath it.
pub(in crate::cli) struct Table {
    kinds: Vec<Kind>,
    heading: Vec<String>,
    rows: Vec<(Vec<String>, Vec<String>)>,
}

impl Table {
    /// A heading starts with `>` over figures, with `#` over ids and with `~` over names that may
    /// be shortened.
    pub(in crate::cli) fn new(heading: &[&str]) -> Self {
        let kind = |text: &&str| match text.chars().next() {
            Some('>') => Kind::Right,
            Some('#') => Kind::Id,
            Some('~') => Kind::Name,
            _ => Kind::Left,
        };
        Self {
            kinds: heading.iter().map(kind).collect(),
            heading: heading.iter().map(|h| h.trim_start_matches(['>', '#', '~']).into()).collect(),
            rows: Vec::new(),
        }
    }

    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push((cells.into_iter().map(|cell| plain(&cell)).collect(), Vec::new()));
    }

    /// Puts a line beneath the last row.
    pub(in crate::cli) fn note(&mut self, text: &str) {
        if let Some((_, notes)) = self.rows.last_mut() {
            notes.push(plain(text));
        }
    }

    /// Puts a reason and its remedy beneath the last row.
    pub(in crate::cli) fn explain(&mut self, reason: Option<&str>, remedy: Option<&str>) {
        if let Some(reason) = reason.filter(|text| !text.is_empty()) {
            self.note(reason);
        }
        if let Some(remedy) = remedy.filter(|text| !text.is_empty()) {
            self.note(&format!("→ {remedy}"));
        }
    }

    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table's lines, none wider than `width`.
    pub(in crate::cli) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let widths = self.widths(width);
        let mut lines = vec![self.line(&self.heading, &widths, width)];
        for (cells, notes) in &self.rows {
            lines.push(self.line(cells, &widths, width));
            for note in notes {
                lines.extend(wrap(note, "    ", width, NOTE_LINES));
            }
        }
        lines
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let cells = || self.rows.iter().map(|(cells, _)| cells).chain([&self.heading]);
        let widest = |i: usize| cells().filter_map(|row| row.get(i)).map(|c| width_of(c)).max();
        let mut widths: Vec<_> = (0..self.kinds.len()).map(|i| widest(i).unwrap_or(0)).collect();
        let Some(limit) = limit else { return widths };
        for kind in [Kind::Id, Kind::Name] {
            let total: usize = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
            let mut excess = total.saturating_sub(limit);
            for (width, _) in widths.iter_mut().zip(&self.kinds).filter(|(_, k)| **k == kind) {
                let shorter = width.saturating_sub(excess).max(NARROWEST.min(*width));
                excess -= *width - shorter;
                *width = shorter;
            }
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize], limit: Option<usize>) -> String {
        let mut line = String::new();
        for ((cell, &width), kind) in cells.iter().zip(widths).zip(&self.kinds) {
            let cell = match kind {
                Kind::Id => tail(cell, width),
                _ => truncate_str(cell, width, "…").into_owned(),
            };
            let gap = " ".repeat(width.saturating_sub(width_of(&cell)));
            let cell = if *kind == Kind::Right { gap + &cell } else { cell + &gap };
            line.push_str(&cell);
            line.push_str("  ");
        }
        let line = line.trim_end();
        limit.map_or(line.to_owned(), |limit| truncate_str(line, limit, "…").into_owned())
    }
}

/// The end of a text that is too wide.
fn tail(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = text.chars().skip(length - width.saturating_sub(1));
    std::iter::once('…').chain(kept).collect()
}

/// A text in lines no wider than `width`, broken between words where that can be, at most
/// `lines` of them.
pub(in crate::cli) fn wrap(
    text: &str,
    indent: &str,
    width: Option<usize>,
    lines: usize,
) -> Vec<String> {
    let Some(width) = width else { return vec![format!("{indent}{text}")] };
    let room = width.saturating_sub(width_of(indent)).max(1);
    let mut wrapped: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let fits = if wrapped.len() + 1 == lines { None } else { Some(break_at(rest, room)) };
        let (line, behind) = match fits {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let line = truncate_str(line.trim_end(), room, "…");
        wrapped.push(truncate_str(&format!("{indent}{line}"), width, "").into_owned());
        rest = behind.trim_start();
    }
    wrapped
}

/// Where a text must be broken so that its beginning fits: behind a word, else anywhere.
fn break_at(text: &str, room: usize) -> usize {
    let (mut used, mut word_end) = (0, None);
    for (at, c) in text.char_indices() {
        if c == ' ' {
            word_end = Some(at);
        }
        used += width_of(c.encode_utf8(&mut [0; 4]));
        if used > room {
            // The first character goes in whatever it takes, or this would not end.
            return word_end.filter(|end| *end > 0).unwrap_or(at.max(c.len_utf8()));
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["#RUN", "STATE", ">ROWS", "~WORKER"]);
        let id = "01990000-0000-7000-8000-0123456789ab";
        table.row([id.into(), "retrying".into(), "1,234".into(), "a-very-long-name".into()]);
        table.explain(Some("the table 订单 is not there and so on"), Some("create it"));
        table
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 1..90 {
            for line in sample().lines(Some(width)) {
                assert!(width_of(&line) <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn an_id_keeps_its_end_and_a_remedy_its_arrow() {
        let lines = sample().lines(Some(50));
        assert!(lines[1].starts_with('…') && lines[1].contains("56789ab  retrying  1,234"));
        assert_eq!(lines.last().map(String::as_str), Some("    → create it"));
        let whole = sample().lines(None);
        assert!(whole[1].ends_with("1,234  a-very-long-name"), "{}", whole[1]);
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrap("one two three", "  ", Some(9), 5), ["  one two", "  three"]);
        assert_eq!(wrap("onetwothree", "", Some(4), 2), ["onet", "wot…"]);
    }
}
