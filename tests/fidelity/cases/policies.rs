//! What a task's policies make of values that the target can't hold.

use crate::case::{Case, Outcome, equal, fails, policy};

const ZERO_NULL: &str = r#"{"zero_dates": "null"}"#;
const ZERO_DAY: &str = r#"{"zero_dates": "1970-01-01"}"#;
const NAN_NULL: &str = r#"{"non_finite": "null"}"#;
const CLAMP: &str = r#"{"out_of_range": "clamp"}"#;
const RANGE_NULL: &str = r#"{"out_of_range": "null"}"#;
const TRUNCATE: &str = r#"{"long_text": "truncate"}"#;
const REPLACE: &str = r#"{"invalid_utf8": "replace"}"#;
const SHANGHAI: &str = r#"{"time_zone": "+08:00"}"#;

pub const MYSQL_ALIKE: &[Case] = &[
    policy(
        "zero dates",
        ZERO_NULL,
        ("date", "date"),
        &[("'0000-00-00'", "NULL"), ("'2020-01-00'", "NULL"), ("'2020-10-10'", "2020-10-10")],
        2,
    ),
    policy(
        "text longer than its column",
        TRUNCATE,
        ("varchar(20)", "varchar(3)"),
        &[("'éüöä'", "éüö"), ("'abc'", "abc")],
        1,
    ),
    policy(
        "integers out of range",
        CLAMP,
        ("int", "tinyint unsigned"),
        &[("-1", "0"), ("256", "255"), ("7", "7")],
        2,
    ),
    Case {
        values: ZERO_NULL,
        ..fails(
            "a zero date into NOT NULL, where null is no way out",
            "date",
            "date NOT NULL CHECK (v > '0001-01-01')",
            &[("'2024-01-01'", ""), ("'0000-00-00'", "")],
        )
    },
];

pub const MYSQL_TO_POSTGRES: &[Case] = &[
    policy(
        "zero dates become NULL",
        ZERO_NULL,
        ("date", "date"),
        &[("'0000-00-00'", "NULL"), ("'2020-00-00'", "NULL"), ("'2020-01-01'", "2020-01-01")],
        2,
    ),
    policy(
        "zero dates become a day",
        ZERO_DAY,
        ("date NOT NULL", "date NOT NULL"),
        &[("'0000-00-00'", "1970-01-01"), ("'2020-01-01'", "2020-01-01")],
        1,
    ),
    policy(
        "zero date-times become a day",
        ZERO_DAY,
        ("datetime", "timestamp"),
        &[
            ("'0000-00-00 00:00:00'", "1970-01-01 00:00:00"),
            ("'2020-01-01 10:00:00'", "2020-01-01 10:00:00"),
        ],
        1,
    ),
    policy(
        "NUL in text is taken out",
        r#"{"nul": "strip"}"#,
        ("varchar(20)", "text"),
        &[("CONCAT('a', CHAR(0), 'b')", "ab"), ("'c'", "c")],
        1,
    ),
    policy(
        "NUL in text is replaced",
        r#"{"nul": "replace"}"#,
        ("varchar(20)", "text"),
        &[("CONCAT('a', CHAR(0), 'b')", "a\u{fffd}b")],
        1,
    ),
    policy(
        "BIGINT UNSIGNED into BIGINT",
        CLAMP,
        ("bigint unsigned", "bigint"),
        &[("18446744073709551615", "9223372036854775807"), ("1", "1")],
        1,
    ),
    policy(
        "integers out of range become NULL",
        RANGE_NULL,
        ("int", "smallint"),
        &[("40000", "NULL"), ("-40000", "NULL"), ("3", "3")],
        2,
    ),
    policy(
        "decimals out of range",
        CLAMP,
        ("decimal(20,2)", "numeric(5,2)"),
        &[("-1000", "-999.99"), ("999.99", "999.99")],
        1,
    ),
    policy(
        "TIME beyond a day becomes its end",
        r#"{"long_times": "clamp"}"#,
        ("time", "time"),
        &[("'838:59:59'", "23:59:59"), ("'-01:00:00'", "00:00:00"), ("'10:00:00'", "10:00:00")],
        2,
    ),
    policy(
        "TIME beyond a day becomes NULL",
        r#"{"long_times": "null"}"#,
        ("time", "time"),
        &[("'24:00:00'", "NULL"), ("'10:00:00'", "10:00:00")],
        1,
    ),
    policy(
        "text longer than its column",
        TRUNCATE,
        ("varchar(20)", "varchar(3)"),
        &[("'abcd'", "abc"), ("'ab'", "ab")],
        1,
    ),
    policy(
        "DATETIME at home in Shanghai",
        SHANGHAI,
        ("datetime", "timestamptz"),
        &[("'2024-01-01 07:30:00'", "2023-12-31 23:30:00+00"), ("NULL", "NULL")],
        1,
    )
    .read("v", "(v AT TIME ZONE 'UTC')::text || '+00'"),
    Case {
        outcome: Outcome::Equal,
        values: r#"{"tinyint1": "boolean"}"#,
        ..equal(
            "TINYINT(1) as a truth value",
            "tinyint(1)",
            &[("0", "false"), ("1", "true"), ("NULL", "NULL")],
        )
    },
];

pub const POSTGRES_TO_MYSQL: &[Case] = &[
    policy(
        "NaN and infinity of DOUBLE",
        NAN_NULL,
        ("double precision", "double"),
        &[("'NaN'", "NULL"), ("'-Infinity'", "NULL"), ("1", "1")],
        2,
    ),
    policy(
        "NaN of NUMERIC",
        NAN_NULL,
        ("numeric", "decimal(20,2)"),
        &[("'NaN'", "NULL"), ("1.5", "1.50")],
        1,
    ),
    policy(
        "a timestamp of infinity",
        NAN_NULL,
        ("timestamp", "datetime(6)"),
        &[("'infinity'", "NULL"), ("'2024-01-01'", "2024-01-01 00:00:00.000000")],
        1,
    ),
    policy(
        "TIMESTAMPTZ into DATETIME of Shanghai",
        SHANGHAI,
        ("timestamptz", "datetime"),
        &[("'2023-12-31 23:30:00+00'", "2024-01-01 07:30:00")],
        1,
    ),
    policy(
        "numbers out of range",
        RANGE_NULL,
        ("bigint", "int"),
        &[("2147483648", "NULL"), ("5", "5")],
        1,
    ),
    policy(
        "text longer than its column",
        TRUNCATE,
        ("text", "varchar(3)"),
        &[("'😀😀😀😀'", "😀😀😀")],
        1,
    ),
];

pub const SQLITE_TO_MYSQL: &[Case] = &[
    policy(
        "what is not UTF-8 is replaced",
        REPLACE,
        ("TEXT", "varchar(20)"),
        &[
            ("CAST(x'61ff62' AS TEXT)", "a\u{fffd}b"),
            ("CAST(x'e4b8' AS TEXT)", "\u{fffd}"),
            ("'é'", "é"),
        ],
        2,
    )
    .read("hex(v)", "v"),
    Case {
        values: REPLACE,
        ..fails(
            "a BLOB in a TEXT column, which is no text",
            "TEXT",
            "varchar(20)",
            &[("'a'", ""), ("x'ff'", "")],
        )
    },
];

pub const SQLITE_TO_POSTGRES: &[Case] = &[
    policy(
        "what is not UTF-8 is replaced",
        REPLACE,
        ("TEXT", "text"),
        &[("CAST(x'61ff62' AS TEXT)", "a\u{fffd}b"), ("'é'", "é"), ("NULL", "NULL")],
        1,
    )
    .read("hex(v)", "v"),
    policy(
        "NUL in text is taken out",
        r#"{"nul": "strip"}"#,
        ("TEXT", "text"),
        &[("'a' || char(0)", "a"), ("'b'", "b")],
        1,
    ),
    policy(
        "zero dates",
        ZERO_NULL,
        ("DATE", "date"),
        &[("'0000-00-00'", "NULL"), ("'2024-01-01'", "2024-01-01")],
        1,
    ),
];
