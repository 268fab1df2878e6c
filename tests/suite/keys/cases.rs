//! What a key to test is made of, and values that are hard to split by.

use crate::pairs::render::Kind;

/// A table with a key of some kind.
#[derive(Clone, Copy)]
pub struct Case {
    /// What is special about it.
    pub name: &'static str,
    /// Statements before it is created.
    pub setup: &'static str,
    /// Columns with their types in the engine.
    pub key: &'static [(&'static str, Kind, &'static str)],
    /// Key clauses.
    pub rest: &'static str,
    /// Table options.
    pub options: &'static str,
    /// The columns' values, by `n`.
    pub rows: &'static str,
    /// Further values of the first column, where it is the only one.
    pub specials: &'static [&'static str],
    /// `split.pk`, where it is not the primary key.
    pub split: &'static str,
    /// Other engines have no such values.
    pub same_engine_only: bool,
}

/// A primary key of one column `k`.
pub const fn single(
    name: &'static str,
    key: &'static [(&'static str, Kind, &'static str)],
    rows: &'static str,
    specials: &'static [&'static str],
) -> Case {
    Case {
        name,
        setup: "",
        key,
        rest: "PRIMARY KEY (k)",
        options: "",
        rows,
        specials,
        split: "",
        same_engine_only: false,
    }
}

/// A primary key of two columns `a` and `b`.
pub const fn composite(
    name: &'static str,
    key: &'static [(&'static str, Kind, &'static str)],
    rows: &'static str,
) -> Case {
    Case { rest: "PRIMARY KEY (a, b)", ..single(name, key, rows, &[]) }
}

/// A primary key `id`, split by another column `g`.
pub const fn split_by(
    name: &'static str,
    key: &'static [(&'static str, Kind, &'static str)],
    rows: &'static str,
) -> Case {
    Case { rest: "PRIMARY KEY (id)", split: "g", ..single(name, key, rows, &[]) }
}

/// Distinct under every collation.
pub const TEXTS: &[&str] = &[
    "",
    "it's",
    "back\\slash\\",
    "100%",
    "_",
    "😀",
    "\"dq\"",
    "`tick`",
    "Ünï",
    "  lead",
    "tab\tnew\nline",
    "\\N",
    "中文",
    "' OR 1=1 -- ",
];
/// Distinct only byte by byte.
pub const APART: &[&str] = &[
    "", " ", "  ", "a", "a ", "A", "A ", "á", "a\u{301}", "ä", "Á", "ß", "ss", "\\", "%", "😀",
    "😁",
];
pub const BYTES: &[&str] = &[
    "00000000000000000000000000000000",
    "00000000000000000000000000000001",
    "00ff00ff00ff00ff00ff00ff00ff0000",
    "5c00275c00275c00275c00275c002727",
    "20202020202020202020202020202020",
    "ffffffffffffffffffffffffffffffff",
];
pub const INTEGERS: &[&str] = &["-9223372036854775808", "9223372036854775807", "1", "-1"];
pub const UNSIGNED: &[&str] =
    &["0", "1", "9223372036854775807", "9223372036854775808", "18446744073709551615"];
pub const DECIMALS: &[&str] =
    &["-99999999999999999999.9999999999", "99999999999999999999.9999999999", "0.0000000001"];
pub const DOUBLES: &[&str] =
    &["-1.7e308", "1.7e308", "1e-300", "0.1", "0.30000000000000004", "-0.5"];
pub const STAMPS: &[&str] = &[
    "1970-01-02 00:00:00.000001",
    "2037-12-31 23:59:59.999999",
    "2024-10-27 00:30:00.000000",
    "2024-10-27 01:30:00.000000",
];
