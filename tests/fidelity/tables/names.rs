//! Names of columns.

use super::case::{
    End::{Equal, Refused},
    Table, created,
};

const ODD: &str = "CREATE TABLE {s} (\"order\" int NOT NULL PRIMARY KEY, \"中文\" varchar(9), \
     \"MixedCase\" varchar(9), \"a.b\" varchar(9), \"it's\" varchar(9), \"two words\" varchar(9)); \
     INSERT INTO {s} VALUES (1, 'a', 'b', 'c', 'd', 'e')";
const ODD_ROWS: &str =
    "SELECT \"中文\", \"MixedCase\", \"a.b\", \"it's\", \"two words\" FROM {t} WHERE \"order\" = 1";
/// 63 bytes: all that PostgreSQL takes.
const LONG: &str = "CREATE TABLE {s} (id int NOT NULL PRIMARY KEY, \
     \"n23456789_123456789_123456789_123456789_123456789_123456789_123\" varchar(9), \
     \"一二三四五六七八九十一二三四五六七八九十一\" varchar(9)); INSERT INTO {s} VALUES (1, 'a', 'b')";
const LONG_ROWS: &str = "SELECT \"n23456789_123456789_123456789_123456789_123456789_123456789_123\", \
     \"一二三四五六七八九十一二三四五六七八九十一\" FROM {t}";
const CASES: &str = "CREATE TABLE {s} (id int PRIMARY KEY, \"Ab\" text, \"aB\" text); \
     INSERT INTO {s} VALUES (1, 'x', 'y')";

pub const TABLES: &[Table] = &[
    created(
        "reserved, Chinese, mixed case, dots, quotes, blanks",
        &[
            ("mysql", "mysql"),
            ("mysql", "postgres"),
            ("mysql", "sqlite"),
            ("postgres", "mysql"),
            ("postgres", "postgres"),
            ("postgres", "sqlite"),
            ("sqlite", "mysql"),
            ("sqlite", "postgres"),
            ("sqlite", "sqlite"),
        ],
        ODD,
        Equal(ODD_ROWS, &["a b c d e"]),
    ),
    created(
        "names of 63 bytes",
        &[
            ("mysql", "postgres"),
            ("postgres", "mysql"),
            ("postgres", "postgres"),
            ("postgres", "sqlite"),
            ("sqlite", "postgres"),
        ],
        LONG,
        Equal(LONG_ROWS, &["a b"]),
    ),
    created(
        "a name of 64 bytes",
        &[("mysql", "postgres"), ("sqlite", "postgres")],
        "CREATE TABLE {s} (id int NOT NULL PRIMARY KEY, \
         \"n23456789_123456789_123456789_123456789_123456789_123456789_1234\" int)",
        Refused(&["_1234", "64 bytes", "63"]),
    ),
    created(
        "a name of 22 characters and 66 bytes",
        &[("mysql", "postgres"), ("sqlite", "postgres")],
        "CREATE TABLE {s} (id int NOT NULL PRIMARY KEY, \"一二三四五六七八九十一二三四五六七八九十一二\" int)",
        Refused(&["十一二", "66 bytes", "63"]),
    ),
    created(
        "columns that differ by case",
        &[("postgres", "postgres")],
        CASES,
        Equal("SELECT \"Ab\", \"aB\" FROM {t}", &["x y"]),
    ),
    created(
        "columns that differ by case, where they can't",
        &[("postgres", "mysql"), ("postgres", "sqlite")],
        CASES,
        Refused(&["uplicate column name", "aB"]),
    ),
    created(
        "columns that differ by case, one left out",
        &[("postgres", "mysql"), ("postgres", "sqlite")],
        CASES,
        Equal("SELECT v FROM {t}", &["y"]),
    )
    .with(r#"{"columns": {"id": "id", "aB": "v"}}"#),
];
