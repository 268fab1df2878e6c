//! An INSERT of several rows, while it is built.

/// Bytes after which a statement is sent even if it has fewer rows than `write_batch`.
pub(super) const STATEMENT_BYTES: usize = 1024 * 1024;

/// Head, rows and tail, with the places of the rows.
pub(super) struct Statement {
    head: String,
    tail: String,
    /// Up to the last row; empty between statements.
    text: Vec<u8>,
    /// Where each row begins.
    starts: Vec<usize>,
}

impl Statement {
    /// Without rows: what stands before and behind them.
    pub(super) fn new(head: String, tail: String) -> Self {
        Self { head, tail, text: Vec::new(), starts: Vec::new() }
    }

    /// Where the next row is to be appended.
    pub(super) fn next_row(&mut self) -> &mut Vec<u8> {
        match self.starts.is_empty() {
            true => self.text.extend_from_slice(self.head.as_bytes()),
            false => self.text.push(b','),
        }
        self.starts.push(self.text.len());
        &mut self.text
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.len()
    }

    /// Bytes without the tail.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Bytes of all of it.
    pub(super) fn whole_bytes(&self) -> usize {
        self.text.len() + self.tail.len()
    }

    /// All of it, ready to be sent.
    pub(super) fn whole(&self) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8([&self.text, self.tail.as_bytes()].concat())
    }

    /// A statement with one of its rows, counted from 1.
    pub(super) fn alone(&self, row: usize) -> Vec<u8> {
        let start = self.starts[row - 1];
        let end = self.starts.get(row).map_or(self.text.len(), |next| next - 1);
        [self.head.as_bytes(), &self.text[start..end], self.tail.as_bytes()].concat()
    }

    /// Takes the last row out, for another statement: its text.
    pub(super) fn take_last(&mut self) -> Vec<u8> {
        let start = self.starts.pop().unwrap_or_default();
        let row = self.text.split_off(start);
        // The comma before it.
        self.text.pop();
        row
    }

    /// Takes the rows out, once they were sent.
    pub(super) fn restart(&mut self) {
        self.text.clear();
        // A large row must not stay in memory for the rest of the shard.
        self.text.shrink_to(STATEMENT_BYTES * 2);
        self.starts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_can_go_into_a_statement_of_its_own() {
        let mut statement = Statement::new("INSERT INTO t VALUES ".into(), " AS new".into());
        for row in ["(1)", "(2)", "(3)"] {
            statement.next_row().extend_from_slice(row.as_bytes());
        }
        assert_eq!(statement.take_last(), b"(3)");
        assert_eq!(statement.whole().unwrap(), "INSERT INTO t VALUES (1),(2) AS new");
        assert_eq!(statement.rows(), 2);
        statement.restart();
        statement.next_row().extend_from_slice(b"(3)");
        assert_eq!(statement.whole().unwrap(), "INSERT INTO t VALUES (3) AS new");
    }
}
