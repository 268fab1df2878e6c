//! MySQL → MySQL.

use crate::case::{Case, SAME, equal, fails, refused};

const BYTES: (&str, &str) = ("HEX(v)", "HEX(v)");

pub const EQUAL: &[Case] = &[
    equal(
        "TINYINT(1) beyond 0 and 1",
        "tinyint(1)",
        &[("-128", "-128"), ("2", "2"), ("127", "127"), ("NULL", "NULL")],
    ),
    equal(
        "smallest and largest integers",
        "bigint",
        &[("-9223372036854775808", SAME), ("9223372036854775807", SAME)],
    ),
    equal("TINYINT UNSIGNED", "tinyint unsigned", &[("0", "0"), ("255", "255")]),
    equal("SMALLINT UNSIGNED", "smallint unsigned", &[("65535", "65535")]),
    equal("MEDIUMINT UNSIGNED", "mediumint unsigned", &[("16777215", "16777215")]),
    equal("INT UNSIGNED", "int unsigned", &[("4294967295", "4294967295")]),
    equal(
        "BIGINT UNSIGNED",
        "bigint unsigned",
        &[("18446744073709551615", "18446744073709551615")],
    ),
    equal("INT UNSIGNED ZEROFILL", "int(8) unsigned zerofill", &[("42", SAME)]),
    equal("BIT(1)", "bit(1)", &[("b'0'", "0"), ("b'1'", "1")]).read(BYTES.0, BYTES.1),
    equal("BIT(64)", "bit(64)", &[("0xFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF"), ("0", "0")])
        .read(BYTES.0, BYTES.1),
    equal(
        "DECIMAL(65,30)",
        "decimal(65,30)",
        &[
            ("99999999999999999999999999999999999.999999999999999999999999999999", SAME),
            ("-99999999999999999999999999999999999.999999999999999999999999999999", SAME),
            ("0.000000000000000000000000000001", SAME),
        ],
    ),
    equal(
        "DOUBLE at its ends",
        "double",
        &[
            ("1.7976931348623157e308", SAME),
            ("2.2250738585072014e-308", SAME),
            ("0.1", SAME),
            ("-0e0", SAME),
        ],
    )
    .read("CONCAT(v, ' ', v + 0e0)", "CONCAT(v, ' ', v + 0e0)"),
    equal(
        "FLOAT",
        "float",
        &[("0.1", SAME), ("3.4028234e38", SAME), ("1.17549435e-38", SAME), ("16777216", SAME)],
    )
    .read("v + 0e0", "v + 0e0"),
    equal("YEAR", "year", &[("0", "0000"), ("1901", "1901"), ("2155", "2155")]),
    equal(
        "zero and partly zero dates",
        "date",
        &[
            ("'0000-00-00'", "0000-00-00"),
            ("'2020-00-00'", "2020-00-00"),
            ("'2020-01-00'", "2020-01-00"),
        ],
    ),
    equal("zero DATETIME", "datetime", &[("'0000-00-00 00:00:00'", "0000-00-00 00:00:00")]),
    equal(
        "last DATETIME(6)",
        "datetime(6)",
        &[("'9999-12-31 23:59:59.999999'", SAME), ("'1000-01-01 00:00:00'", SAME)],
    ),
    equal(
        "TIMESTAMP(6) around a clock change",
        "timestamp(6) NULL",
        &[
            ("'2024-03-31 02:30:00.123456'", SAME),
            ("'2024-10-27 02:30:00'", SAME),
            ("'1970-01-01 00:00:01'", SAME),
            ("'2038-01-19 03:14:07'", SAME),
        ],
    )
    .read("UNIX_TIMESTAMP(v)", "UNIX_TIMESTAMP(v)"),
    equal("zero TIMESTAMP", "timestamp NULL", &[("0", "0000-00-00 00:00:00")]),
    equal(
        "TIME(6) at its ends",
        "time(6)",
        &[("'-838:59:59'", SAME), ("'838:59:59'", SAME), ("'-00:00:00.000001'", SAME)],
    ),
    equal(
        "CHAR with trailing spaces",
        "char(8) COLLATE utf8mb4_nopad_bin",
        &[("'a '", SAME), ("''", SAME)],
    )
    .read("CONCAT('[', v, ']')", "CONCAT('[', v, ']')"),
    equal(
        "VARCHAR with trailing spaces",
        "varchar(8)",
        &[("'a  '", "[a  ]"), ("''", "[]"), ("' '", "[ ]")],
    )
    .read("CONCAT('[', v, ']')", "CONCAT('[', v, ']')"),
    equal("the empty string and NULL", "varchar(8)", &[("''", ""), ("NULL", "NULL")]),
    equal("emoji and other 4-byte characters", "varchar(20)", &[("'😀𝄞'", "😀𝄞"), ("'é́'", "é́")]),
    equal(
        "NUL and control characters in text",
        "varchar(20)",
        &[("CONCAT('a', CHAR(0), 'b')", "610062"), ("CHAR(9,10,13,26,92)", "090A0D1A5C")],
    )
    .read(BYTES.0, BYTES.1),
    equal(
        "quotes, backslashes, percent signs",
        "varchar(20)",
        &[(r#"'\'\"\\%_'"#, SAME), (r"'\\N'", r"\N"), (r"'\\.'", r"\.")],
    ),
    equal("a gbk column", "varchar(20) CHARACTER SET gbk", &[("'中文'", "中文"), (r"'\\'", r"\")]),
    equal("a latin1 column", "varchar(20) CHARACTER SET latin1", &[("'é€ÿ'", "é€ÿ")]),
    equal("a utf8mb3 column", "varchar(20) CHARACTER SET utf8mb3", &[("'中é'", "中é")]),
    equal("a gbk column into utf8mb4", "varchar(20) CHARACTER SET gbk", &[("'中文'", "中文")])
        .into("varchar(20) CHARACTER SET utf8mb4"),
    equal("LONGTEXT of a megabyte", "longtext", &[("REPEAT('é', 500000)", SAME)])
        .read("SHA2(v, 256)", "SHA2(v, 256)"),
    equal(
        "BINARY with trailing zeros",
        "binary(4)",
        &[("x'0100'", "01000000"), ("x'00000000'", "00000000")],
    )
    .read(BYTES.0, BYTES.1),
    equal(
        "VARBINARY with any byte",
        "varbinary(8)",
        &[("x'00ff5c27220a'", "00FF5C27220A"), ("x''", "")],
    )
    .read(BYTES.0, BYTES.1),
    equal(
        "BLOB of 0 bytes and of 16 MB",
        "longblob",
        &[("x''", SAME), ("REPEAT(x'00ff', 8000000)", SAME)],
    )
    .read("SHA2(v, 256)", "SHA2(v, 256)"),
    equal(
        "JSON",
        "json",
        &[
            (r#"'{"big": 123456789012345678901234567890, "one": 1.0}'"#, SAME),
            ("'null'", "null"),
            ("NULL", "NULL"),
            (r#"'["\\u0000", "\\ud83d\\ude00"]'"#, SAME),
        ],
    ),
    equal(
        "ENUM with an empty member",
        "enum('b','a','')",
        &[("'a'", SAME), ("''", SAME), ("NULL", SAME)],
    )
    .read("CONCAT(v + 0, v)", "CONCAT(v + 0, v)"),
    equal("ENUM in another order", "enum('a','b')", &[("'a'", "a"), ("'b'", "b")])
        .into("enum('b','a')"),
    equal(
        "SET, empty and full",
        "set('a','b','c')",
        &[("''", "0"), ("'a,c'", "5"), ("'a,b,c'", "7")],
    )
    .read("v + 0", "v + 0"),
    equal(
        "GEOMETRY with its SRID",
        "geometry",
        &[
            ("ST_GeomFromText('POINT(1 2)', 4326)", SAME),
            ("ST_GeomFromText('LINESTRING(0 0, 1 1)')", SAME),
        ],
    )
    .read("CONCAT(ST_SRID(v), ST_AsText(v))", "CONCAT(ST_SRID(v), ST_AsText(v))"),
    equal("MariaDB UUID", "uuid", &[("'123e4567-e89b-12d3-a456-426614174000'", SAME)]),
    equal("MariaDB INET6", "inet6", &[("'2001:db8::1'", SAME), ("'::ffff:1.2.3.4'", SAME)]),
    equal(
        "a virtual generated column becomes a plain one",
        "int AS (id * 2) VIRTUAL",
        &[("DEFAULT", "2"), ("DEFAULT", "4")],
    )
    .into("int"),
    equal("an INVISIBLE column", "int INVISIBLE", &[("7", "7")]).into("int"),
    equal("DEFAULT and CHECK in the target", "int", &[("5", "5"), ("NULL", "NULL")])
        .into("int DEFAULT 9 CHECK (v < 10)"),
    equal("a narrower column that has room", "varchar(20)", &[("'abc'", "abc")]).into("varchar(3)"),
    equal("INT into BIGINT", "int", &[("-2147483648", SAME)]).into("bigint"),
    equal("DECIMAL with room for its digits", "decimal(20,6)", &[("1.250000", "1.25")])
        .into("decimal(10,2)"),
    equal(
        "DATETIME(6) whose fraction has room",
        "datetime(6)",
        &[("'2024-01-01 00:00:00.120000'", "2024-01-01 00:00:00.12")],
    )
    .into("datetime(2)"),
];

pub const LOUD: &[Case] = &[
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
        "TEXT longer than its column",
        "longtext",
        "tinytext",
        &[("'a'", ""), ("REPEAT('x', 256)", "")],
    ),
    fails(
        "bytes longer than their column",
        "varbinary(20)",
        "varbinary(3)",
        &[("'abc'", ""), ("'abcd'", "")],
    ),
    fails("an integer out of range", "int", "tinyint", &[("127", ""), ("128", "")]),
    fails("a negative number into UNSIGNED", "int", "int unsigned", &[("1", ""), ("-1", "")]),
    fails(
        "BIGINT UNSIGNED beyond BIGINT",
        "bigint unsigned",
        "bigint",
        &[("1", ""), ("9223372036854775808", "")],
    ),
    fails("a decimal out of range", "decimal(20,2)", "decimal(5,2)", &[("1", ""), ("1000", "")]),
    fails(
        "digits that would be rounded",
        "decimal(20,6)",
        "decimal(20,2)",
        &[("1.25", ""), ("1.255", "")],
    ),
    fails(
        "a fraction of a second that would be rounded",
        "datetime(6)",
        "datetime",
        &[("'2024-01-01'", ""), ("'2024-01-01 00:00:00.5'", "")],
    ),
    fails(
        "a double that FLOAT can't hold",
        "double",
        "float",
        &[("0.5", ""), ("0.123456789012", "")],
    ),
    fails(
        "a character that latin1 lacks",
        "varchar(20)",
        "varchar(20) CHARACTER SET latin1",
        &[("'é'", ""), ("'中'", "")],
    ),
    fails(
        "an emoji into utf8mb3",
        "varchar(20)",
        "varchar(20) CHARACTER SET utf8mb3",
        &[("'é'", ""), ("'😀'", "")],
    ),
    fails(
        "a value that an ENUM lacks",
        "varchar(20)",
        "enum('a','b')",
        &[("'a'", ""), ("'c'", "")],
    ),
    fails("ENUM's error value", "enum('b','a')", "enum('b','a')", &[("'a'", ""), ("0", "")]),
    fails(
        "ENUM's error value beside an empty member",
        "enum('b','')",
        "enum('b','')",
        &[("''", ""), ("0", "")],
    ),
    fails("NULL into NOT NULL", "int", "int NOT NULL", &[("1", ""), ("NULL", "")]),
    fails("a value that a CHECK refuses", "int", "int CHECK (v < 10)", &[("1", ""), ("10", "")]),
    fails("text that is no number", "varchar(20)", "int", &[("'1'", ""), ("'1x'", "")]),
    refused("DOUBLE into INT", "double", "int", &[("1", "")]),
    refused("BLOB into TEXT", "blob", "text", &[("'a'", "")]),
    refused("DATETIME into DATE", "datetime", "date", &[("'2024-01-01'", "")]),
];
