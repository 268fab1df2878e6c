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
    equal("a BLOB above max_allowed_packet, by LOAD DATA", "BLOB", &[("zeroblob(68000000)", SAME)])
        .read("CAST(length(v) AS TEXT)", "LENGTH(v)"),
    equal("dates as text", "DATE", &[("'2024-01-01'", "2024-01-01")]),
    equal(
        "date-times as text",
        "DATETIME",
        &[("'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.500000")],
    ),
    equal("decimals as text", "TEXT", &[("'12345678901234567890.5'", "12345678901234567890.50")])
        .into("decimal(30,2)"),
    equal(
        "BOOLEAN of 0, 1 and their words",
        "BOOLEAN",
        &[("0", "0"), ("1", "1"), ("'true'", "1"), ("'false'", "0")],
    ),
    equal(
        "a column without a type, as text",
        "",
        &[("1", "1"), ("1.5", "1.5"), ("'x'", "x"), ("'01'", "01")],
    ),
    equal("DECIMAL, which SQLite keeps as REAL", "DECIMAL(10,2)", &[("'1.10'", "1.10")]),
    equal(
        "tab, newline, backslash",
        "TEXT",
        &[("char(9,10,13,92)", "090A0D5C"), (r"'\N'", "5C4E")],
    )
    .read("hex(v)", "HEX(v)"),
    fails("a BLOB in a column without a type", "", "longtext", &[("1", ""), ("x'31'", "")]),
    fails("a word in a BOOLEAN column", "BOOLEAN", "tinyint", &[("1", ""), ("'yes'", "")]),
    fails(
        "a Julian day in a DATETIME column",
        "DATETIME",
        "datetime(6)",
        &[("'2024-01-01'", ""), ("2460310.5", "")],
    ),
    fails(
        "unix seconds in a DATETIME column",
        "DATETIME",
        "datetime(6)",
        &[("'2024-01-01'", ""), ("1704067200", "")],
    ),
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
    equal(
        "BOOLEAN of 0, 1 and their words",
        "BOOLEAN",
        &[("0", "false"), ("1", "true"), ("'true'", "true"), ("'FALSE'", "false")],
    ),
    equal(
        "a column without a type, as text",
        "",
        &[("1", "1"), ("1.5", "1.5"), ("'x'", "x"), ("'01'", "01")],
    ),
    equal("DECIMAL, which SQLite keeps as REAL", "DECIMAL(10,2)", &[("'1.10'", "1.10")]),
    equal("unix seconds in an INTEGER column", "INTEGER", &[("1704067200", "1704067200")]),
    equal(
        "tab, newline, backslash, COPY's own marks",
        "TEXT",
        &[("char(9,10,13,92)", "090A0D5C"), (r"'\N'", "5C4E"), (r"'\.'", "5C2E")],
    )
    .read("hex(v)", "upper(encode(convert_to(v, 'UTF8'), 'hex'))"),
    fails("a BLOB in a TEXT column", "TEXT", "text", &[("'a'", ""), ("x'61'", "")]),
    fails("a BLOB in a column without a type", "", "text", &[("1", ""), ("x'31'", "")]),
    fails("a word in a BOOLEAN column", "BOOLEAN", "boolean", &[("1", ""), ("'yes'", "")]),
    fails(
        "a Julian day in a DATETIME column",
        "DATETIME",
        "timestamp",
        &[("'2024-01-01'", ""), ("2460310.5", "")],
    ),
    fails(
        "unix seconds in a DATETIME column",
        "DATETIME",
        "timestamp",
        &[("'2024-01-01'", ""), ("1704067200", "")],
    ),
    fails(
        "more digits than a declared DECIMAL",
        "DECIMAL(10,2)",
        "numeric(10,2)",
        &[("1.25", ""), ("1.255", "")],
    ),
    fails(
        "a number beyond 2^63, which SQLite keeps as REAL",
        "UNSIGNED BIG INT",
        "numeric(20)",
        &[("1", ""), ("18446744073709551615", "")],
    ),
    refused("INTEGER into DOUBLE PRECISION", "INTEGER", "double precision", &[("1", "")]),
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
    equal(
        "a BLOB and NUL in a TEXT column",
        "TEXT",
        &[("x'00ff'", SAME), ("'a' || char(0)", SAME)],
    )
    .read("typeof(v) || hex(v)", "typeof(v) || hex(v)"),
    equal("numbers beyond 2^53 in a REAL column", "REAL", &[("9007199254740993", SAME)])
        .read(KIND.0, KIND.1),
    fails("NULL into NOT NULL", "INTEGER", "INTEGER NOT NULL", &[("1", ""), ("NULL", "")]),
    fails(
        "a value that a CHECK refuses",
        "INTEGER",
        "INTEGER CHECK (v < 10)",
        &[("1", ""), ("10", "")],
    ),
];
