//! MySQL → PostgreSQL, → SQLite.

use crate::case::{Case, SAME, equal, fails, refused};

const HEX: (&str, &str) = ("HEX(v)", "upper(encode(v, 'hex'))");

pub const TO_POSTGRES: &[Case] = &[
    equal(
        "TINYINT(1) beyond 0 and 1",
        "tinyint(1)",
        &[("-128", "-128"), ("2", "2"), ("NULL", "NULL")],
    ),
    equal("INT UNSIGNED", "int unsigned", &[("4294967295", "4294967295 bigint")])
        .read("v", "v || ' ' || pg_typeof(v)"),
    equal(
        "BIGINT UNSIGNED",
        "bigint unsigned",
        &[("18446744073709551615", "18446744073709551615"), ("0", "0")],
    ),
    equal(
        "smallest and largest integers",
        "bigint",
        &[("-9223372036854775808", SAME), ("9223372036854775807", SAME)],
    ),
    equal(
        "DECIMAL(65,30)",
        "decimal(65,30)",
        &[("99999999999999999999999999999999999.999999999999999999999999999999", SAME)],
    ),
    equal(
        "DOUBLE",
        "double",
        &[
            ("0.1", "0.1"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("-1e-300", "-1e-300"),
        ],
    ),
    equal("FLOAT", "float", &[("0.1", "0.1"), ("16777216", "1.6777216e+07")]),
    equal("BIT(1)", "bit(1)", &[("b'1'", "1"), ("b'0'", "0")]),
    equal("BIT(10)", "bit(10)", &[("b'1000000001'", "1000000001"), ("1", "0000000001")]),
    equal("YEAR", "year", &[("2155", "2155"), ("1901", "1901")]),
    equal("DATE", "date", &[("'1000-01-01'", "1000-01-01"), ("'9999-12-31'", "9999-12-31")]),
    equal(
        "DATETIME(6)",
        "datetime(6)",
        &[
            ("'9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999"),
            ("'2024-03-31 02:30:00'", "2024-03-31 02:30:00"),
        ],
    ),
    equal("TIMESTAMP(6) is a moment", "timestamp(6) NULL", &[("'2024-10-27 02:30:00.5'", SAME)])
        .read("UNIX_TIMESTAMP(v)", "extract(epoch FROM v)::text"),
    equal(
        "TIME within a day",
        "time(6)",
        &[("'23:59:59.999999'", "23:59:59.999999"), ("'00:00:00'", "00:00:00")],
    )
    .into("time"),
    equal(
        "TIME beyond a day",
        "time",
        &[("'838:59:59'", "838:59:59"), ("'-100:00:01'", "-100:00:01")],
    )
    .into("interval"),
    equal(
        "text with tab, newline, backslash",
        "varchar(20)",
        &[("CHAR(9,10,13,92)", "090A0D5C"), (r"'\\N'", "5C4E"), (r"'\\.'", "5C2E"), ("''", "")],
    )
    .read("HEX(v)", "upper(encode(convert_to(v, 'UTF8'), 'hex'))"),
    equal("emoji", "varchar(20)", &[("'😀'", "😀"), ("' a '", " a ")]),
    equal("a gbk column", "varchar(20) CHARACTER SET gbk", &[("'中文'", "中文")]),
    equal("the empty string and NULL", "text", &[("''", ""), ("NULL", "NULL")]),
    equal("BLOB with any byte", "blob", &[("x'00ff5c27'", "00FF5C27"), ("x''", "")])
        .read(HEX.0, HEX.1),
    equal("BINARY with trailing zeros", "binary(4)", &[("x'0100'", "01000000")]).read(HEX.0, HEX.1),
    equal(
        "JSON",
        "json",
        &[(
            r#"'{"a": [1.0, null, "é"], "big": 123456789012345678901234567890}'"#,
            r#"{"a": [1.0, null, "é"], "big": 123456789012345678901234567890}"#,
        )],
    )
    .into("jsonb"),
    equal("JSON as it is written", "json", &[(r#"'{"b":1,  "a":2}'"#, r#"{"b":1,  "a":2}"#)])
        .into("json"),
    equal("JSON with \\u0000 as it is written", "json", &[(r#"'"a\\u0000"'"#, r#""a\u0000""#)])
        .into("json"),
    equal("ENUM", "enum('b','a')", &[("'a'", "a"), ("NULL", "NULL")]),
    equal("ENUM's error value, which prints as ''", "enum('b','a')", &[("0", ""), ("'b'", "b")]),
    equal("SET", "set('a','b')", &[("'b,a'", "a,b"), ("''", "")]),
    equal("MariaDB UUID", "uuid", &[("'123e4567-e89b-12d3-a456-426614174000'", SAME)]),
    equal("MariaDB INET6 into TEXT", "inet6", &[("'2001:db8::1'", SAME)]).into("text"),
    equal("CHAR, whose trailing spaces MySQL drops", "char(8)", &[("'a '", "a"), ("''", "")]),
    equal("a latin1 column", "varchar(20) CHARACTER SET latin1", &[("'é€ÿ'", "é€ÿ")]),
    equal("a utf8mb3 column", "varchar(20) CHARACTER SET utf8mb3", &[("'中é'", "中é")]),
    equal("YEAR 0", "year", &[("0", "0")]),
    equal("BIT(64)", "bit(64)", &[("0xF000000000000001", "F000000000000001")])
        .read("HEX(v)", "upper(to_hex(v::bit(64)::bigint))"),
    equal("BLOB of 16 MB", "longblob", &[("REPEAT(x'00ff', 8000000)", SAME), ("x''", SAME)])
        .read("SHA2(v, 256)", "encode(sha256(v), 'hex')"),
    equal("INT into NUMERIC", "int", &[("-5", "-5")]).into("numeric"),
    equal("TINYINT(1) of 0 and 1 into BOOLEAN", "tinyint(1)", &[("0", "false"), ("1", "true")])
        .into("boolean"),
];

pub const TO_POSTGRES_LOUD: &[Case] = &[
    fails("a zero date", "date", "date", &[("'2024-01-01'", ""), ("'0000-00-00'", "")]),
    fails(
        "a zero date into NOT NULL",
        "date",
        "date NOT NULL",
        &[("'2024-01-01'", ""), ("'0000-00-00'", "")],
    ),
    fails("a partly zero date", "date", "date", &[("'2024-01-01'", ""), ("'2020-00-00'", "")]),
    fails(
        "a zero DATETIME",
        "datetime",
        "timestamp",
        &[("'2024-01-01'", ""), ("'0000-00-00 00:00:00'", "")],
    ),
    fails("NUL in text", "varchar(20)", "text", &[("'a'", ""), ("CONCAT('a', CHAR(0))", "")]),
    fails("TIME beyond a day", "time", "time", &[("'10:00:00'", ""), ("'838:59:59'", "")]),
    fails("a negative TIME", "time", "time", &[("'10:00:00'", ""), ("'-01:00:00'", "")]),
    fails(
        "BIGINT UNSIGNED beyond BIGINT",
        "bigint unsigned",
        "bigint",
        &[("1", ""), ("9223372036854775808", "")],
    ),
    fails(
        "text longer than its column",
        "varchar(20)",
        "varchar(3)",
        &[("'abc'", ""), ("'abcd'", "")],
    ),
    fails(
        "text longer only by spaces",
        "varchar(20)",
        "varchar(3)",
        &[("'abc'", ""), ("'abc '", "")],
    ),
    fails(
        "digits that would be rounded",
        "decimal(20,6)",
        "numeric(20,2)",
        &[("1.25", ""), ("1.255", "")],
    ),
    fails("an integer out of range", "int", "smallint", &[("1", ""), ("40000", "")]),
    fails("TINYINT(1) of 2 into BOOLEAN", "tinyint(1)", "boolean", &[("1", ""), ("2", "")]),
    fails("NULL into NOT NULL", "int", "int NOT NULL", &[("1", ""), ("NULL", "")]),
    fails("JSON with \\u0000 into JSONB", "json", "jsonb", &[("'1'", ""), (r#"'"\\u0000"'"#, "")]),
    fails("text that is no date", "varchar(20)", "date", &[("'2024-01-01'", ""), ("'soon'", "")]),
    refused("BLOB into TEXT", "blob", "text", &[("'a'", "")]),
    refused("DOUBLE into INTEGER", "double", "integer", &[("1", "")]),
    refused("MariaDB INET6 into INET", "inet6", "inet", &[("'::1'", "")]),
    refused("GEOMETRY into TEXT", "geometry", "text", &[("ST_GeomFromText('POINT(1 2)')", "")]),
];

pub const TO_SQLITE: &[Case] = &[
    equal("BIGINT", "bigint", &[("-9223372036854775808", SAME), ("9007199254740993", SAME)]),
    equal(
        "BIGINT UNSIGNED",
        "bigint unsigned",
        &[("18446744073709551615", SAME), ("9223372036854775808", SAME)],
    ),
    equal(
        "DECIMAL",
        "decimal(65,30)",
        &[
            ("99999999999999999999999999999999999.999999999999999999999999999999", SAME),
            ("0.100000000000000000000000000000", SAME),
        ],
    ),
    equal("DOUBLE", "double", &[("0.1", "0.1"), ("-1.5e300", "-1.5e+300")]),
    equal("zero dates", "date", &[("'0000-00-00'", "0000-00-00"), ("'2020-00-00'", "2020-00-00")]),
    equal(
        "DATETIME(6)",
        "datetime(6)",
        &[("'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.500000")],
    ),
    equal("TIME beyond a day", "time", &[("'-838:59:59'", "-838:59:59")]),
    equal(
        "emoji, the empty string, NULL",
        "varchar(20)",
        &[("'😀'", "😀"), ("''", ""), ("NULL", "NULL")],
    ),
    equal("NUL in text", "varchar(20)", &[("CONCAT('a', CHAR(0), 'b')", "610062")])
        .read("HEX(v)", "hex(v)"),
    equal("bytes", "varbinary(20)", &[("x'00ff'", "00FF"), ("x''", "")]).read("HEX(v)", "hex(v)"),
    equal("text that looks like a number", "varchar(20)", &[("'007'", "007"), ("'1e5'", "1e5")]),
    equal("JSON", "json", &[(r#"'{"a": 1.0}'"#, r#"{"a": 1.0}"#)]),
    equal("TINYINT(1)", "tinyint(1)", &[("2", "2"), ("-1", "-1")]),
    equal("ENUM, SET", "set('a','b')", &[("'b,a'", "a,b"), ("''", "")]),
    equal("YEAR", "year", &[("2155", "2155"), ("1901", "1901")]),
    equal("BIT(64)", "bit(64)", &[("1", SAME)]).read("LPAD(BIN(v), 64, '0')", "v"),
    equal("MariaDB UUID", "uuid", &[("'123e4567-e89b-12d3-a456-426614174000'", SAME)]),
    equal(
        "TIMESTAMP is a moment, in UTC",
        "timestamp(6) NULL",
        &[("'2024-10-27 02:30:00.5'", SAME)],
    )
    .read("CONVERT_TZ(v, @@time_zone, '+00:00')", "CAST(v AS TEXT)"),
    equal("FLOAT", "float", &[("0.1", "0.1"), ("-2.5", "-2.5")]),
    refused("BLOB into TEXT", "blob", "TEXT", &[("'a'", "")]),
];
