//! Keys of PostgreSQL.

use super::cases::{
    APART, BYTES, Case, DECIMALS, DOUBLES, INTEGERS, STAMPS, TEXTS, UNSIGNED, composite, single,
    split_by,
};
use crate::pairs::render::Kind::{
    Bool, Bytes, Date, Decimal, Double, Int, Single, Stamp, Text, Time, Uuid,
};

pub const CASES: &[Case] = &[
    Case {
        setup: "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', \
                deterministic = false)",
        ..single(
            "nondeterministic ICU",
            &[("k", Text, "text COLLATE blind")],
            "concat((ARRAY['key', 'KEY', 'Key', 'KéY'])[n % 4 + 1], n)",
            TEXTS,
        )
    },
    single(
        "case, accents and blanks tell keys apart",
        &[("k", Text, "text COLLATE \"en-x-icu\"")],
        "concat(chr(97 + (n % 26)::int), n, repeat(' ', (n % 3)::int))",
        APART,
    ),
    single("C collation", &[("k", Text, "varchar(60) COLLATE \"C\"")], "concat('K', n)", APART),
    single("uuid", &[("k", Uuid, "uuid")], "md5(n::text)::uuid", &[]),
    single("bytea", &[("k", Bytes, "bytea")], "decode(md5(n::text), 'hex')", BYTES),
    composite(
        "99 % under one prefix",
        &[("a", Int, "int"), ("b", Text, "varchar(40)")],
        "CASE WHEN n % 100 = 0 THEN n ELSE 7 END, concat((ARRAY['k', 'K'])[n % 2 + 1], n)",
    ),
    single("gaps", &[("k", Int, "bigint")], "(n - 300) * 1099511627776", INTEGERS),
    single(
        "beyond 2^63",
        &[("k", Decimal, "numeric(20)")],
        "9223372036854775809 + n * 1099511627776",
        UNSIGNED,
    ),
    single("numeric", &[("k", Decimal, "numeric(30,10)")], "(n - 300.5) * 1.7", DECIMALS),
    single(
        "timestamp",
        &[("k", Stamp, "timestamp")],
        "timestamp '2024-03-31 01:59:00' + n * interval '0.333333 s'",
        STAMPS,
    ),
    single(
        "timestamptz",
        &[("k", Stamp, "timestamptz")],
        "timestamptz '2024-03-31 01:59:00+00' + n * interval '0.333333 s'",
        STAMPS,
    ),
    single("double", &[("k", Double, "float8")], "(n - 300.25) / 7", DOUBLES),
    Case {
        same_engine_only: true,
        ..single(
            "double with NaN and infinity",
            &[("k", Double, "float8")],
            "(n - 300.25) / 7",
            &["'NaN'", "'Infinity'", "'-Infinity'"],
        )
    },
    single("real", &[("k", Single, "real")], "(n - 300.25) / 7", &["0.1", "3.4e38", "-1e-30"]),
    Case {
        setup: "CREATE TYPE mood AS ENUM ('zeta', 'alpha', 'mid')",
        ..composite(
            "enum",
            &[("a", Text, "mood"), ("b", Int, "int")],
            "((ARRAY['mid', 'zeta', 'alpha'])[n % 3 + 1])::mood, n - 300",
        )
    },
    composite(
        "boolean and time",
        &[("a", Bool, "boolean"), ("b", Time, "time")],
        "n % 3 = 0, time '00:00' + n * interval '1.5 s'",
    ),
    split_by(
        "NULLs and duplicates",
        &[("id", Int, "int"), ("g", Date, "date")],
        "n, nullif(date '2024-02-20' + (n % 30)::int, '2024-02-22')",
    ),
];
