//! The few places where the three task databases differ in SQL.
//!
//! The ledger's statements are written once, with `?` for values and tokens in braces:
//! `{now}`, `{now_plus}` (takes one value, milliseconds), `{at}` (takes one value, a UTC instant as
//! `2026-11-27 18:30:00.000`), `{now_text}` and `{text:column}` (RFC 3339 instants),
//! `{ms_until:column}` and `{bigint:expression}`. The database's clock is the only clock. `{paused}`
//! holds for a row of `goshift_run` that a pause keeps from starting.

use std::fmt::Write;
use std::time::Duration;

use crate::error::{Error, Result};

const PAUSED: &str = "EXISTS (SELECT 1 FROM goshift_pause WHERE scope = 'fleet' OR scope = \
     CASE WHEN goshift_run.priority <= 0 THEN 'queue:low' \
     WHEN goshift_run.priority = 1 THEN 'queue:normal' ELSE 'queue:high' END)";

/// The engine of the task database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// By a plugin's main name.
    ///
    /// # Errors
    /// Kind `Config` for an engine that can't hold the task table.
    pub fn by_name(name: &str) -> Result<Self> {
        match name {
            "mysql" => Ok(Self::Mysql),
            "postgres" => Ok(Self::Postgres),
            "sqlite" => Ok(Self::Sqlite),
            other => Err(Error::config(format!("task_meta.type \"{other}\" can't hold tasks"))
                .with_remedy("use mysql, postgres or sqlite")),
        }
    }

    /// The statement that opens a transaction which is going to write.
    pub fn begin(self) -> &'static str {
        match self {
            // SQLite must take the write lock at once: a reader can't become a writer behind
            // another writer's back.
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Mysql | Self::Postgres => "BEGIN",
        }
    }

    /// Session settings, run once a connection. The server ends a session that is silent within a
    /// transaction for longer than `patience`: a process that was paused there would hold its locks,
    /// and with them the run, until it wakes. (MySQL knows only a limit for all silence; the pool
    /// gives up idle connections before.)
    pub fn session(self, silence: Duration) -> String {
        match self {
            Self::Mysql => format!(
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
                 SET SESSION wait_timeout = {}",
                silence.as_secs().max(1)
            ),
            Self::Postgres => format!(
                "SET client_min_messages = warning; \
                 SET idle_in_transaction_session_timeout = {}",
                silence.as_millis()
            ),
            Self::Sqlite => "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 30000; \
                 PRAGMA synchronous = FULL"
                .to_owned(),
        }
    }

    /// The ledger's tables.
    pub fn ledger_ddl(self) -> &'static str {
        match self {
            Self::Mysql => include_str!("../../sql/mysql/ledger.sql"),
            Self::Postgres => include_str!("../../sql/postgres/ledger.sql"),
            Self::Sqlite => include_str!("../../sql/sqlite/ledger.sql"),
        }
    }

    /// The task table.
    pub fn task_ddl(self) -> &'static str {
        match self {
            Self::Mysql => include_str!("../../sql/mysql/task_def_sync_manager.sql"),
            Self::Postgres => include_str!("../../sql/postgres/task_def_sync_manager.sql"),
            Self::Sqlite => include_str!("../../sql/sqlite/task_def_sync_manager.sql"),
        }
    }

    /// Turns the common form of a statement into the engine's.
    pub fn sql(self, template: &str) -> String {
        let mut sql = String::with_capacity(template.len() + 128);
        let mut rest = template;
        let mut values = 0;
        while let Some(at) = rest.find(['?', '{']) {
            sql.push_str(&rest[..at]);
            if rest[at..].starts_with('?') {
                self.placeholder(&mut sql, &mut values);
                rest = &rest[at + 1..];
            } else {
                let end = rest[at..].find('}').map_or(rest.len(), |end| at + end);
                self.token(&mut sql, &rest[at + 1..end], &mut values);
                rest = rest.get(end + 1..).unwrap_or("");
            }
        }
        sql.push_str(rest);
        sql
    }

    fn placeholder(self, sql: &mut String, values: &mut usize) {
        *values += 1;
        match self {
            Self::Postgres => {
                // Writing to a String can't fail.
                write!(sql, "${values}").unwrap_or_default();
            }
            Self::Mysql | Self::Sqlite => sql.push('?'),
        }
    }

    fn token(self, sql: &mut String, token: &str, values: &mut usize) {
        let (name, argument) = token.split_once(':').unwrap_or((token, ""));
        let mut value = String::new();
        if matches!(name, "now_plus" | "at") {
            self.placeholder(&mut value, values);
        }
        let text = match (name, self) {
            ("now", Self::Mysql) => "UTC_TIMESTAMP(6)".into(),
            ("now", Self::Postgres) => "clock_timestamp()".into(),
            ("now", Self::Sqlite) => "strftime('%Y-%m-%d %H:%M:%f','now')".into(),
            ("now_plus", Self::Mysql) => {
                format!("TIMESTAMPADD(MICROSECOND, {value} * 1000, UTC_TIMESTAMP(6))")
            }
            ("now_plus", Self::Postgres) => {
                format!("(clock_timestamp() + {value} * interval '1 millisecond')")
            }
            ("now_plus", Self::Sqlite) => {
                format!("strftime('%Y-%m-%d %H:%M:%f','now', ({value} / 1000.0) || ' seconds')")
            }
            ("at", Self::Mysql) => format!("CAST({value} AS DATETIME(6))"),
            ("at", Self::Postgres) => format!("(CAST({value} AS timestamp) AT TIME ZONE 'UTC')"),
            ("at", Self::Sqlite) => value,
            ("text", Self::Mysql) => format!("DATE_FORMAT({argument}, '%Y-%m-%dT%H:%i:%s.%fZ')"),
            ("text", Self::Postgres) => format!(
                "to_char({argument} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
            ),
            ("text", Self::Sqlite) => format!("(replace({argument}, ' ', 'T') || 'Z')"),
            ("ms_until", Self::Mysql) => {
                format!("(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), {argument}) DIV 1000)")
            }
            ("ms_until", Self::Postgres) => {
                format!("CAST(extract(epoch FROM {argument} - clock_timestamp()) * 1000 AS bigint)")
            }
            ("ms_until", Self::Sqlite) => {
                format!("CAST((julianday({argument}) - julianday('now')) * 86400000 AS integer)")
            }
            ("bigint", Self::Mysql) => format!("CAST({argument} AS SIGNED)"),
            ("bigint", Self::Postgres) => format!("CAST({argument} AS bigint)"),
            ("bigint", Self::Sqlite) => format!("CAST({argument} AS integer)"),
            ("now_text", _) => self.sql(&format!("{{text:{}}}", self.sql("{now}"))),
            ("paused", _) => PAUSED.into(),
            _ => format!("{{{token}}}"),
        };
        sql.push_str(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_in_order_also_inside_tokens() {
        let sql =
            Dialect::Postgres.sql("UPDATE t SET a = ?, b = {now_plus} WHERE c < {now} AND d = ?");
        assert_eq!(
            sql,
            "UPDATE t SET a = $1, b = (clock_timestamp() + $2 * interval '1 millisecond') \
             WHERE c < clock_timestamp() AND d = $3"
        );
        assert!(Dialect::Mysql.sql("{bigint:SUM(x)}").contains("CAST(SUM(x) AS SIGNED)"));
    }
}
