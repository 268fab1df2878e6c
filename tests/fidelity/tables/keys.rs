//! Keys that one engine tells apart and another does not.

use super::case::{
    End::{Equal, Fails},
    Table, created,
};

const CI: &str = "CREATE TABLE {s} (k varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci \
     PRIMARY KEY, v int); INSERT INTO {s} VALUES ('Abc', 1), ('b', 2)";
const CASES: &str = "CREATE TABLE {s} (k varchar(20) NOT NULL PRIMARY KEY, v int); \
     INSERT INTO {s} VALUES ('abc', 1), ('Abc', 2)";
const BLANKS: &str = "CREATE TABLE {s} (k varchar(20) NOT NULL PRIMARY KEY, v int); \
     INSERT INTO {s} VALUES ('a', 1), ('a ', 2)";
const ROWS: &str = "SELECT k, v FROM {t} ORDER BY v";
const PG_ROWS: &str = "SELECT k, v::text FROM {t} ORDER BY v";
const PREFIXED: &str = "CREATE TABLE {t} (k text NOT NULL, v int, UNIQUE KEY (k(2)))";

pub const TABLES: &[Table] = &[
    created(
        "a key without case into one with",
        &[("mysql", "sqlite")],
        CI,
        Equal(ROWS, &["Abc 1", "b 2"]),
    ),
    created(
        "a key without case into one with, of PostgreSQL",
        &[("mysql", "postgres")],
        CI,
        Equal(PG_ROWS, &["Abc 1", "b 2"]),
    ),
    created(
        "keys that differ by case, created",
        &[("postgres", "mysql"), ("sqlite", "mysql")],
        CASES,
        Equal(ROWS, &["abc 1", "Abc 2"]),
    ),
    created(
        "keys that differ by case into a key without",
        &[("postgres", "mysql"), ("sqlite", "mysql")],
        CASES,
        Fails(&["{t}", "share the key (k)"], "1"),
    )
    .into("CREATE TABLE {t} (k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v int)"),
    created(
        "keys that differ by case into a key without, rows only added",
        &[("postgres", "mysql"), ("sqlite", "mysql")],
        CASES,
        Fails(&["{t}", "bc' for key 'PRIMARY'"], "0"),
    )
    .into("CREATE TABLE {t} (k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v int)")
    .with(r#"{"write_mode": "insert"}"#),
    created(
        "keys that differ by case into NOCASE",
        &[("postgres", "sqlite"), ("sqlite", "sqlite")],
        CASES,
        Fails(&["{t}", "share the key (k)"], "1"),
    )
    .into("CREATE TABLE {t} (k TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, v INT4)"),
    created(
        "keys that differ by a trailing space, created",
        &[("postgres", "mysql"), ("sqlite", "mysql")],
        BLANKS,
        Equal("SELECT CONCAT('[', k, ']'), v FROM {t} ORDER BY v", &["[a] 1", "[a ] 2"]),
    ),
    created(
        "keys that differ by a trailing space into a padding key",
        &[("postgres", "mysql"), ("sqlite", "mysql")],
        BLANKS,
        Fails(&["{t}", "share the key (k)"], "1"),
    )
    .into("CREATE TABLE {t} (k varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, v int)"),
    created(
        "a text key without a length",
        &[("postgres", "mysql"), ("sqlite", "mysql")],
        "CREATE TABLE {s} (k text NOT NULL PRIMARY KEY, v int); INSERT INTO {s} VALUES ('é', 1), ('', 2)",
        Equal(ROWS, &["é 1", " 2"]),
    ),
    created(
        "a text key longer than MySQL's index takes",
        &[("postgres", "mysql")],
        "CREATE TABLE {s} (k text NOT NULL PRIMARY KEY, v int); \
         INSERT INTO {s} VALUES ('a', 1), (repeat('x', 701), 2)",
        Fails(&["{t}", "k=xxx", "'k'"], "0"),
    ),
    created(
        "a key on a text's beginning tells no rows apart",
        &[("mysql", "postgres")],
        "CREATE TABLE {s} (k text NOT NULL, v int, PRIMARY KEY (k(2))); \
         INSERT INTO {s} VALUES ('ab', 1), ('cd', 2)",
        Equal(PG_ROWS, &["ab 1", "cd 2"]),
    ),
    created(
        "texts with one beginning into a key on it",
        &[("postgres", "mysql")],
        "CREATE TABLE {s} (k text NOT NULL PRIMARY KEY, v int); INSERT INTO {s} VALUES ('abc', 1), ('abd', 2)",
        Fails(&["{t}", "Duplicate entry 'ab' for key 'k'"], "0"),
    )
    .into(PREFIXED),
    created(
        "a policy leaves keys as they are",
        &[("sqlite", "postgres"), ("sqlite", "mysql")],
        "CREATE TABLE {s} (id INTEGER NOT NULL, k TEXT NOT NULL, PRIMARY KEY (id, k)); \
         INSERT INTO {s} VALUES (1, 'a'), (2, CAST(x'ff' AS TEXT))",
        Fails(&["{s}", "column k", "id=2", "not UTF-8"], "0"),
    )
    .with(r#"{"values": {"invalid_utf8": "replace"}}"#),
];
