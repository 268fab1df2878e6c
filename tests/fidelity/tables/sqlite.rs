//! SQLite's kinds of tables, both ways.

use super::case::{
    End::{Equal, Fails},
    Table, created,
};

const OTHERS: &[(&str, &str)] = &[("sqlite", "mysql"), ("sqlite", "sqlite")];
const INTO: &[(&str, &str)] = &[("mysql", "sqlite"), ("postgres", "sqlite"), ("sqlite", "sqlite")];
const PLAIN: &str = "CREATE TABLE {s} (id int NOT NULL PRIMARY KEY, n int, t varchar(20)); \
     INSERT INTO {s} VALUES (-2, 5, 'a'), (3, NULL, NULL)";
const NO_ROWID: &str = "CREATE TABLE {s} (a TEXT NOT NULL, b INTEGER NOT NULL, v TEXT, \
     PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO {s} VALUES ('x', -1, 'a'), ('x', 2, 'b'), ('', 0, NULL)";
const STRICT: &str = "CREATE TABLE {s} (id INTEGER PRIMARY KEY, n INT, r REAL, t TEXT, b BLOB) STRICT; \
     INSERT INTO {s} VALUES (1, 9007199254740993, 0.5, 'é', x'61'), (2, NULL, NULL, NULL, NULL)";
const NEGATIVE: &str = "CREATE TABLE {s} (id INTEGER PRIMARY KEY, v TEXT); \
     INSERT INTO {s} VALUES (-9223372036854775808, 'a'), (-1, 'b'), (0, 'c'), (9223372036854775807, 'd')";
const NEGATIVE_ROWS: &[&str] = &["-9223372036854775808 a", "-1 b", "0 c", "9223372036854775807 d"];
const HIDDEN: &str = "CREATE TABLE {s} (v TEXT); \
     INSERT INTO {s} (rowid, v) VALUES (-9223372036854775808, 'a'), (-1, 'b'), (5, 'b')";
const SMALL: &str = r#"{"read_batch": 1, "worker_num": 3}"#;

pub const TABLES: &[Table] = &[
    created(
        "a BLOB whose statement would be above max_allowed_packet, by upsert",
        &[("sqlite", "mysql")],
        "CREATE TABLE {s} (id INTEGER PRIMARY KEY, b BLOB, t TEXT); \
         INSERT INTO {s} VALUES (1, x'00', 'a'), (2, zeroblob(40000000), 'b')",
        Fails(&["{t}", "id=2", "column b", "max_allowed_packet"], "1"),
    )
    .into(
        "CREATE TABLE {t} (id bigint PRIMARY KEY, b longblob, t text); \
         INSERT INTO {t} VALUES (1, '', 'old')",
    ),
    created(
        "WITHOUT ROWID",
        OTHERS,
        NO_ROWID,
        Equal("SELECT a, b, v FROM {t} ORDER BY a, b", &[" 0 NULL", "x -1 a", "x 2 b"]),
    )
    .with(SMALL),
    created(
        "WITHOUT ROWID",
        &[("sqlite", "postgres")],
        NO_ROWID,
        Equal("SELECT a, b::text, v FROM {t} ORDER BY a, b", &[" 0 NULL", "x -1 a", "x 2 b"]),
    )
    .with(SMALL),
    created(
        "into WITHOUT ROWID",
        INTO,
        PLAIN,
        Equal("SELECT id, n, t FROM {t} ORDER BY id", &["-2 5 a", "3 NULL NULL"]),
    )
    .into(
        "CREATE TABLE {t} (id INT4 NOT NULL PRIMARY KEY, n INT4, t VARCHAR(20)) WITHOUT ROWID; \
         INSERT INTO {t} VALUES (3, 1, 'old')",
    ),
    created(
        "STRICT",
        OTHERS,
        STRICT,
        Equal("SELECT id, n, t, b FROM {t} ORDER BY id", &[
            "1 9007199254740993 é a",
            "2 NULL NULL NULL",
        ]),
    ),
    created(
        "STRICT",
        &[("sqlite", "postgres")],
        STRICT,
        Equal("SELECT id::text, n::text, r::text, t, encode(b, 'hex') FROM {t} ORDER BY {t}.id", &[
            "1 9007199254740993 0.5 é 61",
            "2 NULL NULL NULL NULL",
        ]),
    ),
    created(
        "into STRICT",
        INTO,
        PLAIN,
        Equal("SELECT id, typeof(n), n, t FROM {t} ORDER BY id", &[
            "-2 integer 5 a",
            "3 null NULL NULL",
        ]),
    )
    .into("CREATE TABLE {t} (id INTEGER PRIMARY KEY, n INT, t TEXT) STRICT"),
    created(
        "ANY of a STRICT table",
        &[("sqlite", "sqlite")],
        "CREATE TABLE {s} (id INTEGER PRIMARY KEY, v ANY) STRICT; \
         INSERT INTO {s} VALUES (1, 1), (2, '1'), (3, 1.0), (4, x'31')",
        Equal("SELECT id, typeof(v), quote(v) FROM {t} ORDER BY id", &[
            "1 integer 1",
            "2 text '1'",
            "3 real 1.0",
            "4 blob X'31'",
        ]),
    ),
    created(
        "text in an INTEGER column into STRICT",
        &[("sqlite", "sqlite")],
        "CREATE TABLE {s} (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO {s} VALUES (1, 1), (2, 'many')",
        Fails(&["{t}", "id=2", "{t}.v"], "0"),
    )
    .into("CREATE TABLE {t} (id INTEGER PRIMARY KEY, v INTEGER) STRICT"),
    created(
        "negative and extreme rowids",
        OTHERS,
        NEGATIVE,
        Equal("SELECT id, v FROM {t} ORDER BY id", NEGATIVE_ROWS),
    )
    .with(SMALL),
    created(
        "negative and extreme rowids",
        &[("sqlite", "postgres")],
        NEGATIVE,
        Equal("SELECT id::text, v FROM {t} ORDER BY {t}.id", NEGATIVE_ROWS),
    )
    .with(SMALL),
    created(
        "into negative and extreme rowids",
        &[("mysql", "sqlite"), ("postgres", "sqlite")],
        "CREATE TABLE {s} (id bigint NOT NULL PRIMARY KEY, v varchar(9)); INSERT INTO {s} VALUES \
         (-9223372036854775808, 'a'), (-1, 'b'), (0, 'c'), (9223372036854775807, 'd')",
        Equal("SELECT id, v FROM {t} ORDER BY id", NEGATIVE_ROWS),
    )
    .into("CREATE TABLE {t} (id INTEGER PRIMARY KEY, v TEXT)"),
    created(
        "hidden rowids, which are no data",
        OTHERS,
        HIDDEN,
        Equal("SELECT v FROM {t} ORDER BY v", &["a", "b", "b"]),
    ),
    created(
        "hidden rowids, which are no data",
        &[("sqlite", "postgres")],
        HIDDEN,
        Equal("SELECT v FROM {t} ORDER BY v", &["a", "b", "b"]),
    ),
    created(
        "columns that are named like the rowid",
        OTHERS,
        "CREATE TABLE {s} (rowid TEXT, _rowid_ TEXT, oid TEXT); INSERT INTO {s} VALUES ('a', 'b', 'c'), ('d', 'e', 'f')",
        Equal("SELECT rowid, _rowid_, oid FROM {t} ORDER BY 1", &["a b c", "d e f"]),
    ),
    created(
        "INTEGER PRIMARY KEY DESC, which is no rowid",
        OTHERS,
        "CREATE TABLE {s} (id INTEGER PRIMARY KEY DESC, v TEXT); INSERT INTO {s} VALUES (-1, 'a'), (2, 'b')",
        Equal("SELECT id, v FROM {t} ORDER BY id", &["-1 a", "2 b"]),
    )
    .with(SMALL),
];
