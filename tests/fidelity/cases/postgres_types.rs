//! PostgreSQL → PostgreSQL: the built-in types that [`super::postgres_alike`] leaves out, and those of
//! extensions.

use crate::case::{Case, SAME, equal};

pub const EQUAL: &[Case] = &[
    equal("INTEGER", "integer", &[("-2147483648", SAME), ("2147483647", SAME)]),
    equal("VARCHAR", "varchar(5)", &[("'ab   '", SAME), ("''", SAME)]),
    equal("\"char\"", "\"char\"", &[("'x'", SAME), ("''", SAME)]),
    equal("NUMERIC with a negative scale", "numeric(5,-2)", &[("1234567", SAME)]),
    equal("MACADDR", "macaddr", &[("'08:00:2b:01:02:03'", SAME)]),
    equal("LINE", "line", &[("'{1,-2,3.5}'", SAME)]),
    equal("LSEG", "lseg", &[("'[(0,0),(1,1)]'", SAME)]),
    equal("BOX", "box", &[("'(1,1),(0,0)'", SAME)]),
    equal("PATH, open and closed", "path", &[("'[(0,0),(1,1)]'", SAME), ("'((0,0),(1,1))'", SAME)]),
    equal("POLYGON", "polygon", &[("'((0,0),(1,1),(2,0))'", SAME)]),
    equal("INT4RANGE", "int4range", &[("'[1,5)'", SAME), ("'(,)'", SAME)]),
    equal("INT8RANGE", "int8range", &[("'[1,9223372036854775807)'", SAME)]),
    equal("NUMRANGE", "numrange", &[("'(1.5,2.50]'", SAME)]),
    equal("DATERANGE", "daterange", &[("'[2024-01-01,infinity)'", SAME)]),
    equal("TSTZRANGE", "tstzrange", &[("'[2024-01-01 00:00:00+02,)'", SAME)]),
    equal("BIT(5)", "bit(5)", &[("B'00101'", SAME)]),
    equal("BIT VARYING(5)", "bit varying(5)", &[("B'101'", SAME), ("B''", SAME)]),
    equal("TSQUERY", "tsquery", &[("'a & !b:*'", SAME)]),
    equal("JSONPATH", "jsonpath", &[("'$.a[*] ? (@ > 1)'", SAME)]),
    equal("OID", "oid", &[("4294967295", SAME)]),
    equal("XID8", "xid8", &[("'18446744073709551615'", SAME)]),
    equal("PG_SNAPSHOT", "pg_snapshot", &[("'10:20:10,14,15'", SAME)]),
    equal("an array of NUMERIC", "numeric[]", &[("'{NaN,1.50,NULL}'", SAME)]),
    equal("an array of TIMESTAMPTZ", "timestamptz[]", &[("'{2024-01-01 00:00:00+02}'", SAME)]),
    equal("an array of BYTEA", "bytea[]", &[(r#"'{"\\\\x00ff"}'"#, SAME)]),
    equal("an array of an enum", "mood_list[]", &[("'{b,NULL}'", SAME)])
        .after("CREATE TYPE mood_list AS ENUM ('b', 'a')", "")
        .into("mood_list[]"),
    equal("CITEXT", "public.citext", &[("'MiXed'", SAME), ("''", SAME)]).after(super::CITEXT, ""),
    equal("HSTORE", "public.hstore", &[(r#"'a=>1, "b c"=>NULL'"#, SAME), ("''", SAME)])
        .after(super::HSTORE, ""),
];
