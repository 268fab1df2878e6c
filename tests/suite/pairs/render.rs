//! The same text for the same value in each engine, made by the servers' own SQL, so that equality
//! is not decided by goshift.

use crate::support::Site;

/// What a column holds, whatever the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers of at most 64 bits with a sign.
    Int,
    /// Exact numbers, written with all digits of their scale.
    Decimal,
    /// Single precision.
    Single,
    /// Double precision.
    Double,
    /// Text.
    Text,
    /// Bytes, written as hexadecimal digits.
    Bytes,
    /// A date.
    Date,
    /// A time of day.
    Time,
    /// Date and time without a zone, or an instant in UTC.
    Stamp,
    /// True or false.
    Bool,
    /// A UUID.
    Uuid,
}

impl Kind {
    fn is_float(self) -> bool {
        matches!(self, Kind::Single | Kind::Double)
    }

    /// A value as a literal of an engine.
    pub fn literal(self, engine: &str, value: &str) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        match (self, engine) {
            (Kind::Text, "mysql") => format!("_utf8mb4 x'{}'", hex(value.as_bytes())),
            (Kind::Text, "postgres") => {
                format!("convert_from('\\x{}', 'UTF8')", hex(value.as_bytes()))
            }
            (Kind::Text, _) => format!("CAST(x'{}' AS TEXT)", hex(value.as_bytes())),
            (Kind::Bytes, "postgres") => format!("'\\x{value}'::bytea"),
            (Kind::Bytes, _) => format!("x'{value}'"),
            (Kind::Bool, "postgres") => if value == "1" { "true" } else { "false" }.to_owned(),
            (Kind::Decimal, "sqlite") => format!("'{value}'"),
            (Kind::Int | Kind::Decimal | Kind::Single | Kind::Double | Kind::Bool, _) => {
                value.to_owned()
            }
            (Kind::Date | Kind::Time | Kind::Stamp | Kind::Uuid, _) => format!("'{value}'"),
        }
    }

    /// An expression for a column's neutral text.
    fn expression(self, engine: &str, column: &str) -> String {
        let c = quote(engine, column);
        match engine {
            "mysql" => match self {
                Kind::Single => format!("CAST({c}+0e0 AS CHAR)"),
                Kind::Text => format!("HEX(CONVERT({c} USING utf8mb4))"),
                Kind::Bytes => format!("HEX({c})"),
                Kind::Time => format!("TIME_FORMAT({c}, '%H:%i:%s.%f')"),
                Kind::Stamp => format!("DATE_FORMAT({c}, '%Y-%m-%d %H:%i:%s.%f')"),
                _ => format!("CAST({c} AS CHAR)"),
            },
            "postgres" => match self {
                Kind::Single | Kind::Double => format!("{c}::float8::text"),
                Kind::Text => format!("upper(encode(convert_to({c}::text, 'UTF8'), 'hex'))"),
                Kind::Bytes => format!("upper(encode({c}, 'hex'))"),
                Kind::Date => format!("to_char({c}, 'YYYY-MM-DD')"),
                Kind::Time => format!("to_char({c}, 'HH24:MI:SS.US')"),
                // Sessions of the tests are in UTC.
                Kind::Stamp => format!("to_char({c}, 'YYYY-MM-DD HH24:MI:SS.US')"),
                Kind::Bool => format!("{c}::int::text"),
                _ => format!("{c}::text"),
            },
            _ => match self {
                // Handed over as it is: SQLite's own text is not exact.
                Kind::Single | Kind::Double => c,
                Kind::Text | Kind::Bytes => format!("hex({c})"),
                Kind::Time => padded(&c, 15),
                Kind::Stamp => padded(&c, 26),
                _ => format!("CAST({c} AS TEXT)"),
            },
        }
    }
}

/// Text with a fraction of six digits.
fn padded(column: &str, length: usize) -> String {
    let dot = format!("CASE WHEN instr({column}, '.') > 0 THEN '' ELSE '.' END");
    format!("substr({column} || {dot} || '000000', 1, {length})")
}

/// A quoted name.
pub fn quote(engine: &str, name: &str) -> String {
    match engine {
        "mysql" => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A table as a test sees it: its columns' names and kinds.
pub type Columns<'a> = &'a [(&'a str, Kind)];

/// The query for [`neutral`]: the exact columns as one text, then each float.
pub fn query(engine: &str, table: &str, columns: Columns<'_>) -> String {
    let (floats, exact): (Vec<_>, Vec<_>) = columns.iter().partition(|(_, kind)| kind.is_float());
    let exact = exact.iter().map(|(name, kind)| {
        let cell = kind.expression(engine, name);
        format!("CASE WHEN {} IS NULL THEN '~' ELSE {cell} END", quote(engine, name))
    });
    let exact: Vec<_> = exact.collect();
    let floats: String =
        floats.iter().map(|(name, kind)| format!(", {}", kind.expression(engine, name))).collect();
    format!("SELECT concat_ws(' ', {}){floats} FROM {}", exact.join(", "), quote(engine, table))
}

/// Rows as [`query`] gives them, floats by value, sorted.
pub fn neutral(rows: Vec<Vec<String>>, columns: Columns<'_>) -> Vec<String> {
    let kinds: Vec<_> = columns.iter().map(|c| c.1).filter(|kind| kind.is_float()).collect();
    let row = |cells: Vec<String>| {
        let mut line = cells[0].clone();
        for (cell, kind) in cells[1..].iter().zip(&kinds) {
            line += &match (kind, cell.as_str()) {
                (_, "NULL") => " ~".to_owned(),
                (Kind::Single, cell) => format!(" {:?}", cell.parse::<f32>().unwrap()),
                (_, cell) => format!(" {:?}", cell.parse::<f64>().unwrap()),
            };
        }
        line
    };
    let mut lines: Vec<_> = rows.into_iter().map(row).collect();
    lines.sort_unstable();
    lines
}

/// All rows of a table, each as one text.
pub async fn rows(site: &Site, engine: &str, table: &str, columns: Columns<'_>) -> Vec<String> {
    neutral(site.rows(engine, &query(engine, table, columns)).await, columns)
}

/// Fails with the first rows that only one side has.
pub fn assert_same(what: &str, source: &[String], target: &[String]) {
    if source == target {
        return;
    }
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let strange = these.iter().filter(|row| those.binary_search(row).is_err());
        strange.take(3).cloned().collect()
    };
    panic!(
        "{what}: {} rows in the source, {} in the target\nonly in the source: {:#?}\nonly in the \
         target: {:#?}",
        source.len(),
        target.len(),
        only(source, target),
        only(target, source)
    );
}

/// Creates a table `numbers` with n from 0 to `count` − 1, at most 100,000.
pub async fn numbers(site: &Site, engine: &str, count: u32) {
    let digits: Vec<_> = (1..10).map(|n| format!("UNION ALL SELECT {n}")).collect();
    site.execute(
        engine,
        &format!(
            "CREATE TABLE numbers (n bigint PRIMARY KEY); INSERT INTO numbers \
             WITH d AS (SELECT 0 AS n {}) SELECT k FROM (SELECT a.n + 10 * b.n + 100 * c.n + \
             1000 * e.n + 10000 * f.n AS k FROM d a, d b, d c, d e, d f) x WHERE k < {count}",
            digits.join(" ")
        ),
    )
    .await;
}
