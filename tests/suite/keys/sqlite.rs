//! Keys of SQLite.

use super::cases::{
    APART, BYTES, Case, DECIMALS, DOUBLES, INTEGERS, STAMPS, TEXTS, UNSIGNED, composite, single,
    split_by,
};
use crate::pairs::render::Kind::{Bytes, Decimal, Double, Int, Stamp, Text};

pub const CASES: &[Case] = &[
    single(
        "NOCASE",
        &[("k", Text, "TEXT COLLATE NOCASE NOT NULL")],
        "concat(CASE n % 3 WHEN 0 THEN 'key' WHEN 1 THEN 'KEY' ELSE 'Key' END, n)",
        TEXTS,
    ),
    single(
        "RTRIM",
        &[("k", Text, "TEXT COLLATE RTRIM NOT NULL")],
        "concat('key', n, substr('   ', 1, n % 4))",
        TEXTS,
    ),
    single(
        "case, accents and blanks tell keys apart",
        &[("k", Text, "TEXT NOT NULL")],
        "concat(char(97 + n % 26), n, substr('   ', 1, n % 3))",
        APART,
    ),
    single(
        "uuid as text",
        &[("k", Text, "TEXT NOT NULL")],
        "format('%08x-0000-4000-8000-%012x', n * 7919, n)",
        &[],
    ),
    single(
        "uuid as blob",
        &[("k", Bytes, "BLOB NOT NULL")],
        "unhex(format('%032x', (n + 2) * 65536))",
        BYTES,
    ),
    Case {
        options: "WITHOUT ROWID",
        ..composite(
            "99 % under one prefix",
            &[("a", Int, "INTEGER"), ("b", Text, "VARCHAR(40)")],
            "CASE WHEN n % 100 = 0 THEN n ELSE 7 END, concat('k', n)",
        )
    },
    single("gaps", &[("k", Int, "INTEGER")], "(n - 300) * 1099511627776", INTEGERS),
    single("gaps, no rowid", &[("k", Int, "BIGINT")], "(n - 300) * 1099511627776", INTEGERS),
    single("unsigned", &[("k", Decimal, "UNSIGNED64_TEXT NOT NULL")], "n * 7 + 2", UNSIGNED),
    single(
        "decimal",
        &[("k", Decimal, "DECIMAL_TEXT(30,10) NOT NULL")],
        "format('%d.5000000000', n - 300)",
        DECIMALS,
    ),
    single("real", &[("k", Double, "REAL NOT NULL")], "(n - 300.25) / 7", DOUBLES),
    single(
        "datetime",
        &[("k", Stamp, "DATETIME NOT NULL")],
        "strftime('%Y-%m-%d %H:%M:%f', '2024-03-31 01:59:00', format('%d.333 seconds', n))",
        STAMPS,
    ),
    Case {
        same_engine_only: true,
        ..single(
            "all storage classes in one column",
            &[("k", Text, "")],
            "CASE n % 4 WHEN 0 THEN n WHEN 1 THEN n / 7.0 WHEN 2 THEN concat('', n) \
             ELSE unhex(format('%08x', n)) END",
            &[],
        )
    },
    split_by(
        "NULLs and duplicates under a collation",
        &[("id", Int, "INTEGER"), ("g", Text, "TEXT COLLATE NOCASE")],
        "n, nullif(concat(CASE n % 2 WHEN 0 THEN 'g' ELSE 'G' END, n % 9), 'g3')",
    ),
    split_by(
        "NULLs and duplicates",
        &[("id", Int, "INTEGER"), ("g", Double, "REAL")],
        "n, nullif(n % 30 / 4.0, 1.75)",
    ),
];
