//! Numbers that the target gives out: after a load the next one is free.

use super::case::{End::Equal, Table, created};

const MYSQL: &str = "CREATE TABLE {s} (id int AUTO_INCREMENT PRIMARY KEY, v varchar(9)); \
     INSERT INTO {s} VALUES (1, 'a'), (7, 'b')";
const POSTGRES: &str = "CREATE TABLE {s} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v varchar(9)); \
     INSERT INTO {s} OVERRIDING SYSTEM VALUE VALUES (1, 'a'), (7, 'b')";
const SQLITE: &str = "CREATE TABLE {s} (id INTEGER PRIMARY KEY AUTOINCREMENT, v VARCHAR(9)); \
     INSERT INTO {s} VALUES (1, 'a'), (7, 'b')";
const ZERO: &str = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; \
     CREATE TABLE {s} (id int AUTO_INCREMENT PRIMARY KEY, v varchar(9)); \
     INSERT INTO {s} VALUES (0, 'zero'), (7, 'b'); SET SESSION sql_mode = DEFAULT";
const APPLICATION: &str = "INSERT INTO {t} (v) VALUES ('new')";
const ROWS: &str = "SELECT id, v FROM {t} ORDER BY id";
const PG_ROWS: &str = "SELECT id::text, v FROM {t} ORDER BY {t}.id";
const NEXT: &[&str] = &["1 a", "7 b", "8 new"];

pub const TABLES: &[Table] = &[
    created(
        "an insert after the load, AUTO_INCREMENT",
        &[("mysql", "mysql"), ("mysql", "sqlite")],
        MYSQL,
        Equal(ROWS, NEXT),
    )
    .then(APPLICATION),
    created(
        "an insert after the load, identity",
        &[("mysql", "postgres")],
        MYSQL,
        Equal(PG_ROWS, NEXT),
    )
    .then(APPLICATION),
    created(
        "an insert after the load, identity of SQLite's INTEGER PRIMARY KEY",
        &[("sqlite", "postgres")],
        SQLITE,
        Equal(PG_ROWS, NEXT),
    )
    .then(APPLICATION),
    created(
        "an insert after the load, INTEGER PRIMARY KEY",
        &[("sqlite", "sqlite")],
        SQLITE,
        Equal(ROWS, NEXT),
    )
    .then(APPLICATION),
    created(
        "an insert after the load, AUTOINCREMENT",
        &[("sqlite", "sqlite")],
        SQLITE,
        Equal(ROWS, NEXT),
    )
    .into("CREATE TABLE {t} (id INTEGER PRIMARY KEY AUTOINCREMENT, v VARCHAR(9))")
    .then(APPLICATION),
    created(
        "an insert after the load, created identity",
        &[("postgres", "postgres")],
        POSTGRES,
        Equal(PG_ROWS, NEXT),
    )
    .then(APPLICATION),
    created(
        "an insert after the load, GENERATED ALWAYS AS IDENTITY",
        &[("postgres", "postgres")],
        POSTGRES,
        Equal(PG_ROWS, NEXT),
    )
    .into("CREATE TABLE {t} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v varchar(9))")
    .then(APPLICATION),
    created(
        "an insert after mode diff, serial",
        &[("postgres", "postgres")],
        POSTGRES,
        Equal(PG_ROWS, NEXT),
    )
    .into("CREATE TABLE {t} (id serial PRIMARY KEY, v varchar(9)); INSERT INTO {t} (v) VALUES ('old')")
    .with(r#"{"mode": "diff"}"#)
    .then(APPLICATION),
    created(
        "an insert after the load, a sequence that the column does not own",
        &[("mysql", "postgres")],
        MYSQL,
        Equal(PG_ROWS, NEXT),
    )
    .into(
        "CREATE SEQUENCE {t}_numbers; \
         CREATE TABLE {t} (id int DEFAULT nextval('{t}_numbers') PRIMARY KEY, v varchar(9))",
    )
    .then(APPLICATION),
    created(
        "an insert after the load, AUTO_INCREMENT of another engine's numbers",
        &[("postgres", "mysql")],
        POSTGRES,
        Equal(ROWS, NEXT),
    )
    .into("CREATE TABLE {t} (id int AUTO_INCREMENT PRIMARY KEY, v varchar(9))")
    .then(APPLICATION),
    created(
        "0 in an AUTO_INCREMENT column",
        &[("mysql", "mysql"), ("mysql", "sqlite")],
        ZERO,
        Equal(ROWS, &["0 zero", "7 b"]),
    ),
    created(
        "0 in an AUTO_INCREMENT column, by upsert",
        &[("mysql", "mysql")],
        ZERO,
        Equal(ROWS, &["0 zero", "7 b"]),
    )
    .into(
        "CREATE TABLE {t} (id int AUTO_INCREMENT PRIMARY KEY, v varchar(9)); \
         INSERT INTO {t} VALUES (7, 'old')",
    ),
    created(
        "0 in an AUTO_INCREMENT column, an identity",
        &[("mysql", "postgres")],
        ZERO,
        Equal(PG_ROWS, &["0 zero", "7 b"]),
    ),
];
