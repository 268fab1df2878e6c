//! PostgreSQL → PostgreSQL.

use crate::case::{Case, SAME, equal, fails, refused};

pub const EQUAL: &[Case] = &[
    equal(
        "smallest and largest integers",
        "bigint",
        &[("-9223372036854775808", SAME), ("9223372036854775807", SAME)],
    ),
    equal("SMALLINT", "smallint", &[("-32768", SAME)]),
    equal(
        "NUMERIC with NaN and infinities",
        "numeric",
        &[
            ("'NaN'", SAME),
            ("'Infinity'", SAME),
            ("'-Infinity'", SAME),
            ("1e1000", SAME),
            ("0.00", "0.00"),
        ],
    ),
    equal(
        "DOUBLE with NaN, infinity and -0",
        "double precision",
        &[("'NaN'", SAME), ("'-Infinity'", SAME), ("'-0'", SAME), ("4.9e-324", SAME)],
    ),
    equal("REAL", "real", &[("0.1", SAME), ("'Infinity'", SAME), ("1e-45", SAME)]),
    equal("BOOLEAN", "boolean", &[("true", SAME), ("NULL", SAME)]),
    equal(
        "text with every hard character",
        "text",
        &[
            ("E'\\t\\n\\\\\\r'", SAME),
            ("'\\N'", SAME),
            ("'\\.'", SAME),
            ("''", SAME),
            ("'😀'", SAME),
        ],
    ),
    equal("VARCHAR, CHAR and trailing spaces", "char(5)", &[("'a '", SAME)]).read(
        "'[' || v::bpchar || ']' || octet_length(v)",
        "'[' || v::bpchar || ']' || octet_length(v)",
    ),
    equal("a large TOAST value", "text", &[("repeat(md5('x'), 100000)", SAME)])
        .read("md5(v)", "md5(v)"),
    equal("BYTEA", "bytea", &[(r"'\x00ff'", SAME), ("''", SAME)]),
    equal(
        "DATE with infinity and BC",
        "date",
        &[("'infinity'", SAME), ("'4713-01-01 BC'", SAME), ("'5874897-12-31'", SAME)],
    ),
    equal(
        "TIMESTAMP with infinity and BC",
        "timestamp",
        &[
            ("'-infinity'", SAME),
            ("'4713-01-01 00:00:00 BC'", SAME),
            ("'294276-12-31 23:59:59.999999'", SAME),
        ],
    ),
    equal(
        "TIMESTAMPTZ",
        "timestamptz",
        &[("'2024-10-27 02:30:00.5+02'", SAME), ("'infinity'", SAME)],
    ),
    equal("TIME and 24:00", "time", &[("'24:00:00'", SAME), ("'00:00:00.000001'", SAME)]),
    equal("TIMETZ", "timetz", &[("'10:00:00+05:30'", SAME)]),
    equal("INTERVAL", "interval", &[("'-1 year 2 months -3 days 04:05:06.7'", SAME)]),
    equal("UUID", "uuid", &[("gen_random_uuid()", SAME)]),
    equal("JSON as it is written", "json", &[(r#"'{"b":1,  "b":1.0}'"#, SAME)]),
    equal("JSONB", "jsonb", &[(r#"'{"b":1.0, "a":null}'"#, SAME), ("'null'", SAME)]),
    equal(
        "arrays",
        "int[]",
        &[
            ("'{1,NULL,3}'", SAME),
            ("'[0:1]={1,2}'", SAME),
            ("'{}'", SAME),
            ("'{{1,2},{3,4}}'", SAME),
        ],
    ),
    equal("an array of text", "text[]", &[(r#"'{"a,b","\"",NULL,"NULL"}'"#, SAME)]),
    equal("INET", "inet", &[("'::1/64'", SAME)]),
    equal("CIDR", "cidr", &[("'10.0.0.0/8'", SAME)]),
    equal("MACADDR8", "macaddr8", &[("'08:00:2b:01:02:03:04:05'", SAME)]),
    equal("ranges", "tsrange", &[("'[2024-01-01,)'", SAME), ("'empty'", SAME)]),
    equal("a multirange", "int4multirange", &[("'{[1,3),[5,9)}'", SAME)]),
    equal("MONEY", "money", &[("'-$1,234.50'", SAME)]),
    equal("BIT and BIT VARYING", "bit varying", &[("B'10101'", SAME), ("B''", SAME)]),
    equal("XML", "xml", &[("'<a>é</a>'", SAME)]),
    equal("POINT, BOX, PATH, CIRCLE", "circle", &[("'<(1,2),3.5>'", SAME)]),
    equal("POINT", "point", &[("'(0.1,-2)'", SAME)]),
    equal("TSVECTOR", "tsvector", &[("'a:1 b:2A'::tsvector", SAME)]),
    equal("PG_LSN", "pg_lsn", &[("'16/B374D848'", SAME)]),
    equal("OID, NAME", "name", &[("'a name'", SAME)]),
    equal("an enum", "mood", &[("'b'", SAME)])
        .after("CREATE TYPE mood AS ENUM ('b', 'a')", "")
        .into("mood"),
    equal("a composite", "pair", &[("'(1,\"a b\")'", SAME)])
        .after("CREATE TYPE pair AS (n int, t text)", "")
        .into("pair"),
    equal("a domain", "small", &[("5", SAME)])
        .after("CREATE DOMAIN small AS int CHECK (value < 10)", "")
        .into("small"),
    equal("an ICU collation", "text COLLATE \"und-x-icu\"", &[("'é'", SAME)]),
    equal(
        "a generated column becomes a plain one",
        "int GENERATED ALWAYS AS (id * 2) STORED",
        &[("DEFAULT", "2"), ("DEFAULT", "4")],
    )
    .into("int"),
    equal(
        "a generated column on both sides",
        "int GENERATED ALWAYS AS (id * 2) STORED",
        &[("DEFAULT", "2"), ("DEFAULT", "4")],
    )
    .into("int GENERATED ALWAYS AS (id * 2) STORED"),
    equal(
        "an identity column",
        "int GENERATED ALWAYS AS IDENTITY",
        &[("DEFAULT", "1"), ("DEFAULT", "2")],
    )
    .into("int GENERATED ALWAYS AS IDENTITY"),
    equal("INTEGER into BIGINT", "integer", &[("-2147483648", SAME)]).into("bigint"),
    equal("VARCHAR into TEXT", "varchar(5)", &[("'abc'", SAME)]).into("text"),
    equal("digits that have room", "numeric(20,6)", &[("1.250000", "1.25")]).into("numeric(20,2)"),
];

pub const LOUD: &[Case] = &[
    fails("text longer than its column", "text", "varchar(3)", &[("'abc'", ""), ("'abcd'", "")]),
    fails("text longer only by spaces", "text", "varchar(3)", &[("'abc'", ""), ("'abc '", "")]),
    fails("an integer out of range", "bigint", "integer", &[("1", ""), ("2147483648", "")]),
    fails(
        "digits that would be rounded",
        "numeric",
        "numeric(20,2)",
        &[("1.25", ""), ("1.255", "")],
    ),
    fails("a number out of range", "numeric", "numeric(5,2)", &[("1", ""), ("1000", "")]),
    fails(
        "a fraction of a second that would be rounded",
        "timestamp",
        "timestamp(0)",
        &[("'2024-01-01'", ""), ("'2024-01-01 00:00:00.5'", "")],
    ),
    fails("NULL into NOT NULL", "int", "int NOT NULL", &[("1", ""), ("NULL", "")]),
    fails(
        "a value that a CHECK refuses",
        "int",
        "int CONSTRAINT small_v CHECK (v < 10)",
        &[("1", ""), ("10", "")],
    )
    .naming("small_v"),
    fails(
        "a double that REAL can't hold",
        "double precision",
        "real",
        &[("0.5", ""), ("0.123456789012", "")],
    ),
    refused("DOUBLE into INTEGER", "double precision", "integer", &[("1", "")]),
    refused("TIMESTAMP into DATE", "timestamp", "date", &[("'2024-01-01'", "")]),
];
