//! Keys of MySQL.

use super::cases::{
    APART, BYTES, Case, DECIMALS, DOUBLES, INTEGERS, STAMPS, TEXTS, UNSIGNED, composite, single,
    split_by,
};
use crate::pairs::render::Kind::{
    Bytes, Date, Decimal, Double, Int, Single, Stamp, Text, Time, Uuid,
};

pub const CASES: &[Case] = &[
    single(
        "general_ci",
        &[("k", Text, "varchar(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")],
        "concat(elt(n % 4 + 1, 'key', 'KEY', 'Key', 'KéY'), n)",
        TEXTS,
    ),
    single(
        "unicode_ci",
        &[("k", Text, "varchar(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")],
        "concat(elt(n % 4 + 1, 'key', 'KEY', 'Key', 'KéY'), n)",
        TEXTS,
    ),
    single(
        "case, accents and blanks tell keys apart",
        &[("k", Text, "varchar(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")],
        "concat(char(97 + n % 26), n, repeat(' ', n % 3))",
        APART,
    ),
    single(
        "latin1",
        &[("k", Text, "varchar(60) CHARACTER SET latin1 COLLATE latin1_swedish_ci")],
        "concat(elt(n % 4 + 1, 'key', 'ÄÖ', 'Key', 'KéY'), n)",
        &["", "it's", "\\", "ÿ"],
    ),
    single(
        "uuid",
        &[("k", Uuid, "uuid")],
        "concat(left(md5(n), 12), '4', substr(md5(n), 14, 3), '8', substr(md5(n), 18))",
        &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    ),
    single("binary(16)", &[("k", Bytes, "binary(16)")], "unhex(md5(n))", BYTES),
    single("varbinary", &[("k", Bytes, "varbinary(40)")], "unhex(md5(n))", &["", "00", "0000"]),
    composite(
        "99 % under one prefix",
        &[("a", Int, "int"), ("b", Text, "varchar(40) CHARACTER SET utf8mb4")],
        "CASE WHEN n % 100 = 0 THEN n ELSE 7 END, concat(elt(n % 2 + 1, 'k', 'K'), n)",
    ),
    single("gaps", &[("k", Int, "bigint")], "(n - 300) * 1099511627776", INTEGERS),
    single(
        "beyond 2^63",
        &[("k", Decimal, "bigint unsigned")],
        "CAST(9223372036854775809 AS UNSIGNED) + n * 1099511627776",
        UNSIGNED,
    ),
    single("decimal", &[("k", Decimal, "decimal(30,10)")], "(n - 300.5) * 1.7", DECIMALS),
    single(
        "datetime",
        &[("k", Stamp, "datetime(6)")],
        "timestampadd(MICROSECOND, n * 333333, '2024-03-31 01:59:00')",
        &["1000-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999", "2024-03-31 02:30:00.000001"],
    ),
    single(
        "timestamp",
        &[("k", Stamp, "timestamp(6)")],
        "timestampadd(MICROSECOND, n * 333333, '2024-03-31 00:59:00')",
        STAMPS,
    ),
    single("double", &[("k", Double, "double")], "(n - 300.25) / 7e0", DOUBLES),
    single("float", &[("k", Single, "float")], "(n - 300.25) / 7e0", &["0.1", "3.4e38", "-1e-30"]),
    composite(
        "enum",
        &[("a", Text, "enum('zeta','alpha','mid')"), ("b", Int, "int")],
        "elt(n % 3 + 1, 'mid', 'zeta', 'alpha'), n - 300",
    ),
    composite(
        "date and time",
        &[("a", Date, "date"), ("b", Time, "time(6)")],
        "date_add('2024-02-27', INTERVAL n % 7 DAY), sec_to_time(n * 60)",
    ),
    split_by(
        "NULLs and duplicates under a collation",
        &[("id", Int, "int"), ("g", Text, "varchar(40) CHARACTER SET utf8mb4")],
        "n, nullif(concat(elt(n % 2 + 1, 'g', 'G'), n % 9), 'g3')",
    ),
    split_by(
        "NULLs and duplicates",
        &[("id", Int, "int"), ("g", Int, "int")],
        "n, nullif(n % 30, 7)",
    ),
];
