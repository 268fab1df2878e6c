//! Moments that sessions of other time zones have written: in the hour that comes twice in autumn, and in
//! the one that spring leaves out.

use super::case::{End::Equal, Table, created};

/// 02:30 in Berlin's summer and winter time, and what 02:30 of the missing hour stands for.
const MYSQL: &str = "SET SESSION time_zone = '+02:00'; \
     CREATE TABLE {s} (id int PRIMARY KEY, v timestamp(6) NULL); \
     INSERT INTO {s} VALUES (1, '2024-10-27 02:30:00'); SET SESSION time_zone = '+01:00'; \
     INSERT INTO {s} VALUES (2, '2024-10-27 02:30:00'), (3, '2024-03-31 02:30:00'); \
     SET SESSION time_zone = DEFAULT";
const POSTGRES: &str = "SET timezone = 'Europe/Berlin'; \
     CREATE TABLE {s} (id int PRIMARY KEY, v timestamptz); \
     INSERT INTO {s} VALUES (1, '2024-10-27 02:30:00+02'), (2, '2024-10-27 02:30:00+01'), \
     (3, '2024-03-31 02:30:00'); RESET timezone";
const MOMENTS: &[&str] = &["1 1729989000", "2 1729992600", "3 1711848600"];
const IN_MYSQL: &str = "SELECT id, TIMESTAMPDIFF(SECOND, '1970-01-01', CONVERT_TZ(v, @@session.time_zone, '+00:00')) \
     FROM {t} ORDER BY id";
const UTC_IN_MYSQL: &str = "SELECT id, TIMESTAMPDIFF(SECOND, '1970-01-01', v) FROM {t} ORDER BY id";
const IN_POSTGRES: &str =
    "SELECT id::text, extract(epoch FROM v)::bigint::text FROM {t} ORDER BY {t}.id";
const IN_SQLITE: &str = "SELECT id, strftime('%s', v) FROM {t} ORDER BY id";

pub const TABLES: &[Table] = &[
    created(
        "TIMESTAMP of sessions in other zones",
        &[("mysql", "mysql")],
        MYSQL,
        Equal(IN_MYSQL, MOMENTS),
    ),
    created(
        "TIMESTAMP of sessions in other zones",
        &[("mysql", "postgres")],
        MYSQL,
        Equal(IN_POSTGRES, MOMENTS),
    ),
    created(
        "TIMESTAMP of sessions in other zones",
        &[("mysql", "sqlite")],
        MYSQL,
        Equal(IN_SQLITE, MOMENTS),
    ),
    created(
        "TIMESTAMPTZ of sessions in other zones",
        &[("postgres", "postgres")],
        POSTGRES,
        Equal(IN_POSTGRES, MOMENTS),
    ),
    created(
        "TIMESTAMPTZ of sessions in other zones, DATETIME in UTC",
        &[("postgres", "mysql")],
        POSTGRES,
        Equal(UTC_IN_MYSQL, MOMENTS),
    ),
    created(
        "TIMESTAMPTZ of sessions in other zones into TIMESTAMP",
        &[("postgres", "mysql")],
        POSTGRES,
        Equal(IN_MYSQL, MOMENTS),
    )
    .into("CREATE TABLE {t} (id int PRIMARY KEY, v timestamp(6) NULL)"),
    created(
        "TIMESTAMPTZ of sessions in other zones",
        &[("postgres", "sqlite")],
        POSTGRES,
        Equal(IN_SQLITE, MOMENTS),
    ),
];
