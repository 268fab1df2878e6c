//! One table of everything that the three engines have in common, in each of them.

use super::render::{Kind, numbers, quote};
use crate::support::Site;

/// Rows of the source.
pub const ROWS: u32 = 100_000;
/// Rows of its sample.
pub const SAMPLE: u32 = 10_000;
/// Rows that a change adds.
pub const ADDED: u32 = 1000;
/// Rows that are repeated, each with its own key.
const PALETTE: usize = 120;

/// A column: its name, what it holds, its type in MySQL, PostgreSQL and SQLite, and the values
/// that its rows go through besides NULL.
struct Column {
    name: &'static str,
    kind: Kind,
    types: [&'static str; 3],
    values: &'static [&'static str],
}

const fn column(
    name: &'static str,
    kind: Kind,
    types: [&'static str; 3],
    values: &'static [&'static str],
) -> Column {
    Column { name, kind, types, values }
}

const ALL_BYTES: &str = "all bytes";
const LONG_TEXT: &str = "long text";

const COLUMNS: &[Column] = &[
    column("i8", Kind::Int, ["tinyint", "smallint", "TINYINT"], &["-128", "127", "0", "2"]),
    column("u8", Kind::Int, ["tinyint unsigned", "smallint", "TINYINT UNSIGNED"], &["0", "255"]),
    column("i32", Kind::Int, ["int", "integer", "INT4"], &["-2147483648", "2147483647", "7"]),
    column("u32", Kind::Int, ["int unsigned", "bigint", "INT4 UNSIGNED"], &["0", "4294967295"]),
    column(
        "i64",
        Kind::Int,
        ["bigint", "bigint", "BIGINT"],
        &["-9223372036854775808", "9223372036854775807", "0", "9007199254740993"],
    ),
    column(
        "u64",
        Kind::Decimal,
        ["bigint unsigned", "numeric(20)", "UNSIGNED64_TEXT"],
        &["0", "18446744073709551615", "9223372036854775808"],
    ),
    column(
        "money",
        Kind::Decimal,
        ["decimal(12,2)", "numeric(12,2)", "DECIMAL_TEXT(12,2)"],
        &["0.00", "-9999999999.99", "0.10", "123456.78"],
    ),
    column(
        "wide",
        Kind::Decimal,
        ["decimal(65,30)", "numeric(65,30)", "DECIMAL_TEXT(65,30)"],
        &[
            "99999999999999999999999999999999999.999999999999999999999999999999",
            "-0.000000000000000000000000000001",
            "1.500000000000000000000000000000",
        ],
    ),
    column(
        "single",
        Kind::Single,
        ["float", "real", "FLOAT4"],
        &["0.1", "3.4e38", "1.18e-38", "-16777216", "0.3333333"],
    ),
    column(
        "dbl",
        Kind::Double,
        ["double", "double precision", "DOUBLE"],
        &[
            "0.1",
            "1.7e308",
            "1e-300",
            "0.30000000000000004",
            "-123456789.12345679",
            "123456789012345680",
            "2.2250738585072014e-308",
        ],
    ),
    column("short", Kind::Text, ["varchar(60)", "varchar(60)", "VARCHAR(60)"], TEXTS),
    column("txt", Kind::Text, ["longtext", "text", "TEXT"], TEXTS),
    column(
        "blb",
        Kind::Bytes,
        ["longblob", "bytea", "BLOB"],
        &["", "00", ALL_BYTES, "5c4e0a", "27225c00ff", "f09f9880"],
    ),
    column(
        "d",
        Kind::Date,
        ["date", "date", "DATE"],
        &["2024-02-29", "1000-01-01", "9999-12-31", "1969-12-31"],
    ),
    column(
        "t",
        Kind::Time,
        ["time(6)", "time(6)", "TIME(6)"],
        &["00:00:00.000000", "23:59:59.999999", "12:30:00.500000"],
    ),
    column(
        "dt",
        Kind::Stamp,
        ["datetime(6)", "timestamp(6)", "DATETIME(6)"],
        &[
            "1000-01-01 00:00:00.000000",
            "9999-12-31 23:59:59.999999",
            "2024-06-30 12:00:00.100000",
            "2024-03-31 02:30:00.000001",
        ],
    ),
    column(
        "ts",
        Kind::Stamp,
        ["timestamp(6) NULL", "timestamptz(6)", "TIMESTAMPTZ(6)"],
        &["1970-01-02 00:00:00.000001", "2037-12-31 23:59:59.999999", "2024-10-27 01:30:00.000000"],
    ),
    column("flag", Kind::Bool, ["tinyint(1)", "boolean", "BOOLEAN"], &["0", "1"]),
];

const TEXTS: &[&str] = &[
    "plain",
    "",
    "it's \"quoted\" `so`",
    "back\\slash\\",
    "new\nline\r\nand \u{b}\u{c}\u{8}",
    "tab\there",
    "\\N",
    "\\.",
    "NULL",
    "null",
    "😀👩‍👩‍👧 emoji",
    "中文 é e\u{301} ß",
    "  blanks  ",
    "100% _ -- /* ; */ $$ ${x} {} ?",
    "\u{1}\u{7f}\u{2028}\u{feff}",
    "0123",
    "1e5",
    "2024-01-01",
    LONG_TEXT,
];

fn place(engine: &str) -> usize {
    crate::support::ENGINES.iter().position(|name| *name == engine).unwrap()
}

/// The columns and what they hold, the key first.
pub fn columns() -> Vec<(&'static str, Kind)> {
    let all = COLUMNS.iter().map(|c| (c.name, c.kind));
    [("id", Kind::Int), ("label", Kind::Text)].into_iter().chain(all).collect()
}

/// `CREATE TABLE` by hand; `reversed` puts the columns in the opposite order.
pub fn ddl(engine: &str, table: &str, reversed: bool) -> String {
    let mut lines = vec!["id bigint NOT NULL".to_owned(), "label varchar(40)".to_owned()];
    lines.extend(COLUMNS.iter().map(|c| format!("{} {}", c.name, c.types[place(engine)])));
    if reversed {
        lines.reverse();
    }
    let charset = if engine == "mysql" { " CHARACTER SET utf8mb4" } else { "" };
    format!("CREATE TABLE {table} ({}, PRIMARY KEY (id)){charset}", lines.join(", "))
}

fn literal(column: &Column, engine: &str, row: usize) -> String {
    // One more than the values: the one beyond is NULL.
    let value = match column.values.get(row % (column.values.len() + 1)) {
        None => return "NULL".to_owned(),
        Some(value) => *value,
    };
    match value {
        ALL_BYTES => {
            let bytes: String = (0..=255).map(|b| format!("{b:02x}")).collect();
            column.kind.literal(engine, &bytes)
        }
        LONG_TEXT if column.name == "txt" => column.kind.literal(engine, &"长 text\\ ".repeat(100)),
        _ => column.kind.literal(engine, value),
    }
}

/// Fills `source` inside the server.
pub async fn fill(site: &Site, engine: &str, table: &str) {
    numbers(site, engine, ROWS).await;
    let palette = ddl(engine, "palette", false);
    site.execute(engine, &palette).await;
    let row = |number: usize| {
        let cells: Vec<_> = COLUMNS.iter().map(|c| literal(c, engine, number)).collect();
        format!("({number}, NULL, {})", cells.join(", "))
    };
    let rows: Vec<_> = (0..PALETTE).map(row).collect();
    site.execute(engine, &format!("INSERT INTO palette VALUES {}", rows.join(", "))).await;
    site.execute(engine, &ddl(engine, table, false)).await;
    let names: Vec<_> = COLUMNS.iter().map(|c| quote(engine, c.name)).collect();
    site.execute(
        engine,
        &format!(
            "INSERT INTO {table} SELECT n + 1, concat('row ', n), {} FROM numbers \
             JOIN palette ON palette.id = numbers.n % {PALETTE}",
            names.join(", ")
        ),
    )
    .await;
}

/// Copies the source's first rows into a table of its own.
pub async fn sample(site: &Site, engine: &str, from: &str, to: &str) {
    site.execute(engine, &ddl(engine, to, false)).await;
    let copy = format!("INSERT INTO {to} SELECT * FROM {from} WHERE id <= {SAMPLE}");
    site.execute(engine, &copy).await;
}

/// Changes a tenth of the rows and adds some.
pub async fn change(site: &Site, engine: &str, table: &str) {
    let names: Vec<_> = COLUMNS.iter().map(|c| c.name).collect();
    let names = names.join(", ");
    site.execute(
        engine,
        &format!(
            "UPDATE {table} SET i32 = 77, txt = 'changed', dbl = NULL, short = NULL \
             WHERE id % 10 = 3; \
             INSERT INTO {table} SELECT id + {ROWS}, 'added', {names} FROM {table} \
             WHERE id <= {ADDED}"
        ),
    )
    .await;
}
