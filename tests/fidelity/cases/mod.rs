//! The matrix, as data.

use crate::case::Case;

mod from_mysql;
mod from_postgres;
mod from_sqlite;
mod mysql_alike;
mod policies;
mod postgres_alike;
mod postgres_types;

/// An extension is one for its whole database: tests that run beside each other take turns.
pub const CITEXT: &str =
    "SELECT pg_advisory_xact_lock(7); CREATE EXTENSION IF NOT EXISTS citext SCHEMA public";
pub const HSTORE: &str =
    "SELECT pg_advisory_xact_lock(7); CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public";

/// The cases of a pair.
pub fn of(from: &str, to: &str) -> Vec<Case> {
    let cases: &[&[Case]] = match (from, to) {
        ("mysql", "mysql") => &[mysql_alike::EQUAL, policies::MYSQL_ALIKE, mysql_alike::LOUD],
        ("mysql", "postgres") => {
            &[from_mysql::TO_POSTGRES, policies::MYSQL_TO_POSTGRES, from_mysql::TO_POSTGRES_LOUD]
        }
        ("mysql", "sqlite") => &[from_mysql::TO_SQLITE],
        ("postgres", "mysql") => {
            &[from_postgres::TO_MYSQL, policies::POSTGRES_TO_MYSQL, from_postgres::TO_MYSQL_LOUD]
        }
        ("postgres", "postgres") => {
            &[postgres_alike::EQUAL, postgres_types::EQUAL, postgres_alike::LOUD]
        }
        ("postgres", "sqlite") => &[from_postgres::TO_SQLITE],
        ("sqlite", "mysql") => &[from_sqlite::TO_MYSQL, policies::SQLITE_TO_MYSQL],
        ("sqlite", "postgres") => &[from_sqlite::TO_POSTGRES, policies::SQLITE_TO_POSTGRES],
        ("sqlite", "sqlite") => &[from_sqlite::ALIKE],
        _ => &[],
    };
    cases.concat()
}
