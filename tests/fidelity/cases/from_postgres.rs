//! PostgreSQL → MySQL, → SQLite.

use crate::case::{Case, SAME, equal, fails, refused};

pub const TO_MYSQL: &[Case] = &[
    equal("BOOLEAN", "boolean", &[("true", "1"), ("false", "0"), ("NULL", "NULL")]),
    equal(
        "smallest and largest integers",
        "bigint",
        &[("-9223372036854775808", SAME), ("9223372036854775807", SAME)],
    ),
    equal(
        "NUMERIC(65,30)",
        "numeric(65,30)",
        &[("99999999999999999999999999999999999.999999999999999999999999999999", SAME)],
    ),
    equal(
        "NUMERIC without bounds",
        "numeric",
        &[("12345678901234567890.5", "12345678901234567890.500000000000000000000000000000")],
    ),
    equal(
        "DOUBLE PRECISION",
        "double precision",
        &[("0.1", "0.1"), ("1.7976931348623157e308", "1.7976931348623157e308")],
    ),
    equal("REAL", "real", &[("0.1", SAME), ("16777216", SAME)])
        .read("(v = 0.1::real)::int::text", "IF(ABS(v - 0.1) < 1e-8, 1, 0)"),
    equal("DATE", "date", &[("'1000-01-01'", "1000-01-01"), ("'9999-12-31'", "9999-12-31")]),
    equal(
        "TIMESTAMP",
        "timestamp",
        &[("'2024-03-31 02:30:00.123456'", "2024-03-31 02:30:00.123456")],
    ),
    equal("TIMESTAMPTZ is a moment", "timestamptz", &[("'2024-10-27 02:30:00.5+02'", SAME)])
        .read("to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", "CAST(v AS CHAR)"),
    equal(
        "TIME",
        "time",
        &[("'23:59:59.999999'", "23:59:59.999999"), ("'24:00:00'", "24:00:00.000000")],
    ),
    equal("INTERVAL as text", "interval", &[("'1 mon 2 days 03:00:00'", "1 mon 2 days 03:00:00")]),
    equal("UUID", "uuid", &[("'123e4567-e89b-12d3-a456-426614174000'", SAME)]),
    equal("BYTEA", "bytea", &[(r"'\x00ff5c27'", "00FF5C27"), ("''", "")])
        .read("upper(encode(v, 'hex'))", "HEX(v)"),
    equal("JSON as it is written", "json", &[(r#"'{"b":1,  "a":1.0}'"#, r#"{"b":1,  "a":1.0}"#)]),
    equal(
        "JSONB",
        "jsonb",
        &[(
            r#"'{"b":123456789012345678901234567890}'"#,
            r#"{"b": 123456789012345678901234567890}"#,
        )],
    ),
    equal(
        "an array with NULL and two dimensions",
        "int[]",
        &[("'{1,NULL,3}'", "{1,NULL,3}"), ("'{{1,2},{3,4}}'", "{{1,2},{3,4}}")],
    ),
    equal("INET, MACADDR", "inet", &[("'192.168.1.5/24'", "192.168.1.5/24")]),
    equal("CIDR", "cidr", &[("'10.0.0.0/8'", "10.0.0.0/8")]),
    equal("a range", "int4range", &[("'[1,5)'", "[1,5)")]),
    equal("an enum", "mood", &[("'b'", "b")]).after("CREATE TYPE mood AS ENUM ('b', 'a')", ""),
    equal("a domain", "small", &[("5", "5")])
        .after("CREATE DOMAIN small AS int CHECK (value < 10)", ""),
    equal("MONEY as text", "money", &[("'$1,234.50'", "$1,234.50")]),
    equal("BIT VARYING", "bit varying(10)", &[("B'101'", "101")]),
    equal("XML", "xml", &[("'<a>é</a>'", "<a>é</a>")]),
    equal("text over 64 KB", "text", &[("repeat('é', 100000)", SAME)])
        .read("encode(sha256(convert_to(v, 'UTF8')), 'hex')", "SHA2(v, 256)"),
    equal("trailing spaces and the empty string", "text", &[("'a  '", "[a  ]"), ("''", "[]")])
        .read("'[' || v || ']'", "CONCAT('[', v, ']')"),
    equal(
        "tab, newline, backslash, COPY's own marks",
        "text",
        &[(r"E'\t\n\r\\'", "090A0D5C"), (r"'\N'", "5C4E"), (r"'\.'", "5C2E")],
    )
    .read("upper(encode(convert_to(v, 'UTF8'), 'hex'))", "HEX(v)"),
    equal(
        "BYTEA above max_allowed_packet, by LOAD DATA",
        "bytea",
        &[("decode(repeat('00ff', 34000000), 'hex')", SAME)],
    )
    .read("encode(sha256(v), 'hex')", "SHA2(v, 256)"),
    equal("TIMETZ as text", "timetz", &[("'10:00:00+05:30'", SAME)]),
    equal("MACADDR as text", "macaddr", &[("'08:00:2b:01:02:03'", SAME)]),
    equal("a negative INTERVAL as text", "interval", &[("'-1 year 2 mons'", "-10 mons")]),
    equal("JSON null and NULL", "jsonb", &[("'null'", "null"), ("NULL", "NULL")]),
    equal("a composite as text", "pair", &[("'(1,\"a b\")'", SAME)])
        .after("CREATE TYPE pair AS (n int, t text)", ""),
    equal("CITEXT keeps its case", "public.citext", &[("'MiXed'", "MiXed")])
        .after(super::CITEXT, ""),
    equal("HSTORE as text", "public.hstore", &[(r#"'a=>1, "b c"=>NULL'"#, SAME)])
        .after(super::HSTORE, ""),
    equal("emoji, quotes, backslashes", "text", &[(r"'😀\''%'", r"😀\'%")]),
    equal("CHAR(n)", "char(5)", &[("'ab'", "ab")]).read("v::text", "v"),
    equal("BOOLEAN into BIT(1)", "boolean", &[("true", "1")])
        .into("bit(1)")
        .read("v::int::text", "v + 0"),
];

pub const TO_MYSQL_LOUD: &[Case] = &[
    fails("NUMERIC NaN", "numeric", "decimal(20,2)", &[("1", ""), ("'NaN'", "")]),
    fails("NUMERIC infinity", "numeric", "decimal(20,2)", &[("1", ""), ("'Infinity'", "")]),
    fails("DOUBLE NaN", "double precision", "double", &[("1", ""), ("'NaN'", "")]),
    fails("DOUBLE infinity", "double precision", "double", &[("1", ""), ("'-Infinity'", "")]),
    fails(
        "a timestamp of infinity",
        "timestamp",
        "datetime(6)",
        &[("'2024-01-01'", ""), ("'infinity'", "")],
    ),
    fails("a date of infinity", "date", "date", &[("'2024-01-01'", ""), ("'infinity'", "")]),
    fails(
        "a moment before Christ",
        "timestamptz",
        "datetime(6)",
        &[("'2024-01-01'", ""), ("'0044-03-15 12:00:00+00 BC'", "")],
    ),
    fails("REAL NaN", "real", "float", &[("1", ""), ("'NaN'", "")]),
    fails("a date before Christ", "date", "date", &[("'2024-01-01'", ""), ("'0044-03-15 BC'", "")]),
    fails(
        "a year beyond 9999",
        "timestamp",
        "datetime(6)",
        &[("'2024-01-01'", ""), ("'10000-01-01'", "")],
    ),
    fails(
        "TIMESTAMPTZ beyond what TIMESTAMP holds",
        "timestamptz",
        "timestamp(6)",
        &[("'2024-01-01'", ""), ("'2500-01-01'", "")],
    ),
    fails("text longer than its column", "text", "varchar(3)", &[("'abc'", ""), ("'abcd'", "")]),
    fails("text longer only by spaces", "text", "varchar(3)", &[("'abc'", ""), ("'abc '", "")]),
    fails("text longer than TEXT", "text", "text", &[("'a'", ""), ("repeat('x', 65536)", "")]),
    fails(
        "digits that would be rounded",
        "numeric",
        "decimal(20,2)",
        &[("1.25", ""), ("1.255", "")],
    ),
    fails("more digits than DECIMAL holds", "numeric", "decimal(65,0)", &[("1", ""), ("1e65", "")]),
    fails("an integer out of range", "bigint", "int", &[("1", ""), ("2147483648", "")]),
    fails(
        "an emoji into utf8mb3",
        "text",
        "varchar(20) CHARACTER SET utf8mb3",
        &[("'é'", ""), ("'😀'", "")],
    ),
    fails("NULL into NOT NULL", "int", "int NOT NULL", &[("1", ""), ("NULL", "")]),
    refused("TIMETZ into TIME", "timetz", "time(6)", &[("'10:00:00+02'", "")]),
    refused("INTERVAL into TIME", "interval", "time(6)", &[("'1 hour'", "")]),
    refused("BYTEA into TEXT", "bytea", "text", &[("'a'", "")]),
];

pub const TO_SQLITE: &[Case] = &[
    equal("BIGINT", "bigint", &[("-9223372036854775808", SAME), ("9007199254740993", SAME)]),
    equal("BOOLEAN", "boolean", &[("true", "1"), ("false", "0")]),
    equal(
        "NUMERIC",
        "numeric",
        &[("12345678901234567890.123456789", SAME), ("'NaN'", "NaN"), ("0.10", "0.10")],
    ),
    equal("DOUBLE PRECISION", "double precision", &[("0.1", "0.1"), ("-1.5e300", "-1.5e+300")]),
    equal(
        "TIMESTAMP",
        "timestamp",
        &[("'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.5"), ("'infinity'", "infinity")],
    ),
    equal("a date before Christ", "date", &[("'0044-03-15 BC'", "0044-03-15 BC")]),
    equal("UUID", "uuid", &[("'123e4567-e89b-12d3-a456-426614174000'", SAME)]),
    equal("BYTEA", "bytea", &[(r"'\x00ff'", "00FF")]).read("upper(encode(v, 'hex'))", "hex(v)"),
    equal("JSONB", "jsonb", &[(r#"'{"a": 1.0}'"#, r#"{"a": 1.0}"#)]),
    equal("an array", "text[]", &[(r#"'{"a b",NULL}'"#, r#"{"a b",NULL}"#)]),
    equal("TIME and 24:00", "time", &[("'24:00:00'", SAME), ("'00:00:00.000001'", SAME)]),
    equal("TIMETZ as text", "timetz", &[("'10:00:00+05:30'", SAME)]),
    equal("TIMESTAMPTZ in UTC", "timestamptz", &[("'2024-10-27 02:30:00.5+02'", SAME)])
        .read("(v AT TIME ZONE 'UTC')::text", "v"),
    equal("INTERVAL", "interval", &[("'-1 year 2 mons -3 days'", SAME)]),
    equal("MONEY as text", "money", &[("'$1,234.50'", "$1,234.50")]),
    equal("INET", "inet", &[("'::1/64'", SAME)]),
    equal("a range", "int4range", &[("'[1,5)'", SAME), ("'empty'", SAME)]),
    equal("BIT VARYING", "bit varying(10)", &[("B'0101'", SAME)]),
    equal("JSON as it is written", "json", &[(r#"'{"b":1,  "b":1.0}'"#, SAME)]),
    equal("CITEXT keeps its case", "public.citext", &[("'MiXed'", "MiXed")])
        .after(super::CITEXT, ""),
    equal("HSTORE as text", "public.hstore", &[(r#"'a=>1, "b c"=>NULL'"#, SAME)])
        .after(super::HSTORE, ""),
    equal("DOUBLE infinity", "double precision", &[("'-Infinity'", "-Inf")]),
    fails(
        "DOUBLE NaN, which SQLite makes NULL",
        "double precision",
        "DOUBLE",
        &[("1", ""), ("'NaN'", "")],
    ),
    equal(
        "text that looks like a number",
        "text",
        &[("'007'", "007"), ("''", ""), ("NULL", "NULL")],
    ),
];
