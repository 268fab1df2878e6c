//! SQLite, as a source.

use crate::case::{Case, SAME, equal, fails, refused};

pub const TO_MYSQL: &[Case] = &[
    equal(
        "INTEGER",
        "INTEGER",
        &[("-9223372036854775808", SAME), ("9007199254740993", SAME), ("NULL", "NULL")],
    ),
    equal("REAL", "REAL", &[("0.1", "0.1"), ("-2.5", "-2.5")]),
    equal("TEXT", "TEXT", &[("'😀'", "😀"), ("''", ""), ("'a  '", "a  ")]),
    equal("NUL in text", "TEXT", &[("'a' || char(0) || 'b'", "610062")]).read("hex(v)", "HEX(v)"),
    equal("BLOB", "BLOB", &[("x'00ff'", "00FF"), ("x''", "")]).read("hex(v)", "HEX(v)"),
    equal("dates as text", "DATE", &[("'2024-01-01'", "2024-01-01")]),
    equal(
        "date-times as text",
        "DATETIME",
        &[("'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.500000")],
    ),
    equal("decimals as text", "TEXT", &[("'12345678901234567890.5'", "12345678901234567890.50")])
        .into("decimal(30,2)"),
    equal("BOOLEAN of 0 and 1", "BOOLEAN", &[("0", "0"), ("1", "1")]),
    fails("text in an INTEGER column", "INTEGER", "bigint", &[("1", ""), ("'many'", "")]),
    fails("REAL in an INTEGER column", "INTEGER", "bigint", &[("1", ""), ("1.5", "")]),
    fails("a BLOB in a TEXT column", "TEXT", "varchar(20)", &[("'a'", ""), ("x'ff'", "")]),
    fails(
        "text that is not UTF-8",
        "TEXT",
        "varchar(20)",
        &[("'a'", ""), ("CAST(x'ff' AS TEXT)", "")],
    ),
    fails("text longer than its column", "TEXT", "varchar(3)", &[("'abc'", ""), ("'abcd'", "")]),
    fails("infinity", "REAL", "double", &[("1", ""), ("9e999", "")]),
    fails("text that is no date", "DATE", "date", &[("'2024-01-01'", ""), ("'soon'", "")]),
    refused("BLOB into TEXT", "BLOB", "text", &[("x'00'", "")]),
];

pub const TO_POSTGRES: &[Case] = &[
    equal(
        "INTEGER",
        "INTEGER",
        &[("-9223372036854775808", SAME), ("9007199254740993", SAME), ("NULL", "NULL")],
    ),
    equal("REAL with infinity", "REAL", &[("0.1", "0.1"), ("9e999", "Infinity")]),
    equal("TEXT", "TEXT", &[("'😀'", "😀"), ("''", ""), ("'\\N'", "\\N")]),
    equal("BLOB", "BLOB", &[("x'00ff'", "00FF"), ("x''", "")])
        .read("hex(v)", "upper(encode(v, 'hex'))"),
    equal("dates as text", "DATE", &[("'2024-01-01'", "2024-01-01")]),
    equal(
        "date-times as text",
        "DATETIME",
        &[("'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.5")],
    ),
    equal("BOOLEAN of 0 and 1", "BOOLEAN", &[("0", "false"), ("1", "true")]),
    equal("INTEGER into NUMERIC", "INTEGER", &[("5", "5")]).into("numeric"),
    fails("text in an INTEGER column", "INTEGER", "bigint", &[("1", ""), ("'many'", "")]),
    fails("REAL in an INTEGER column", "INTEGER", "bigint", &[("1", ""), ("1.5", "")]),
    fails("NUL in text", "TEXT", "text", &[("'a'", ""), ("'a' || char(0)", "")]),
    fails("text that is not UTF-8", "TEXT", "text", &[("'a'", ""), ("CAST(x'ff' AS TEXT)", "")]),
    fails("a truth value of 2", "BOOLEAN", "boolean", &[("1", ""), ("2", "")]),
    fails("text longer than its column", "TEXT", "varchar(3)", &[("'abc'", ""), ("'abcd'", "")]),
    fails("a number out of range", "INTEGER", "smallint", &[("1", ""), ("40000", "")]),
    refused("BLOB into TEXT", "BLOB", "text", &[("x'00'", "")]),
];

const KIND: (&str, &str) = ("typeof(v) || ' ' || quote(v)", "typeof(v) || ' ' || quote(v)");

pub const ALIKE: &[Case] = &[
    equal("INTEGER", "INTEGER", &[("-9223372036854775808", SAME), ("9223372036854775807", SAME)])
        .read(KIND.0, KIND.1),
    equal(
        "text and REAL in an INTEGER column",
        "INTEGER",
        &[("'many'", SAME), ("1.5", SAME), ("x'00'", SAME), ("NULL", SAME)],
    )
    .read(KIND.0, KIND.1),
    equal(
        "a column without a type",
        "",
        &[("1", SAME), ("1.0", SAME), ("'1'", SAME), ("x'31'", SAME)],
    )
    .read(KIND.0, KIND.1),
    equal("REAL with infinity and -0", "REAL", &[("9e999", SAME), ("-0.0", SAME), ("0.1", SAME)])
        .read(KIND.0, KIND.1),
    equal("numbers in a TEXT column", "TEXT", &[("1", SAME), ("'007'", SAME)]).read(KIND.0, KIND.1),
    equal("text that is not UTF-8", "TEXT", &[("CAST(x'ff00' AS TEXT)", SAME)])
        .read("hex(v)", "hex(v)"),
    equal(
        "NUMERIC affinity",
        "NUMERIC",
        &[("'1.0'", SAME), ("'1e400'", SAME), ("'9007199254740993'", SAME)],
    )
    .read(KIND.0, KIND.1),
    equal(
        "dates as text, julian and unix",
        "DATETIME",
        &[("'2024-01-01'", SAME), ("2460310.5", SAME), ("1704067200", SAME)],
    )
    .read(KIND.0, KIND.1),
    equal("BOOLEAN of anything", "BOOLEAN", &[("0", SAME), ("'true'", SAME), ("2", SAME)])
        .read(KIND.0, KIND.1),
    fails("NULL into NOT NULL", "INTEGER", "INTEGER NOT NULL", &[("1", ""), ("NULL", "")]),
    fails(
        "a value that a CHECK refuses",
        "INTEGER",
        "INTEGER CHECK (v < 10)",
        &[("1", ""), ("10", "")],
    ),
];
