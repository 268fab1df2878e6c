//! Driver and server errors in goshift's terms.
//!
//! A server's text is shown only where it can't hold a row's values: messages about bad input
//! quote the input, and some details print the whole row.

use sqlx::postgres::PgDatabaseError;

use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Kind};
use crate::plugin::WritePlan;
use crate::schema::LogicalType;

/// How a NOT NULL violation names the table of [`super::load`].
const OF_STAGE: &str = " of relation \"goshift_stage_";

/// An error from a connection that was in use.
pub(super) fn from_sqlx(error: sqlx::Error) -> Error {
    let remedy = general_remedy(&error).map(str::to_owned);
    with_remedy(bare(error), remedy)
}

/// An error while connecting: what a person can change is named by its place.
pub(super) fn connecting(config: &ConnectionConfig, error: sqlx::Error) -> Error {
    let remedy = connecting_remedy(&config.place, &error)
        .or_else(|| general_remedy(&error).map(str::to_owned));
    with_remedy(bare(error), remedy).context(format!(
        "{} ({})",
        config.place,
        config.address(super::connect::DEFAULT_PORT)
    ))
}

fn with_remedy(error: Error, remedy: Option<String>) -> Error {
    remedy.into_iter().fold(error, Error::with_remedy)
}

fn connecting_remedy(place: &str, error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Io(_) => {
            Some(format!("check \"host\" and \"port\" in {place} and that the server runs"))
        }
        sqlx::Error::Tls(_) => Some(format!("check the \"tls\" entries in {place}")),
        sqlx::Error::Database(server) => match server.code().as_deref() {
            Some("3D000") => Some(format!("create the database, or correct \"db\" in {place}")),
            Some(code) if code.starts_with("28") => Some(format!(
                "check \"user\" and \"password\" in {place}, and the server's pg_hba.conf"
            )),
            _ => None,
        },
        _ => None,
    }
}

fn general_remedy(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Database(server) => remedy_for(server.code()?.as_ref()),
        sqlx::Error::Io(_) => Some("check that the server runs and can be reached"),
        sqlx::Error::PoolTimedOut => Some(
            "check that the server runs and allows enough connections, or raise \
             \"connect_timeout\"",
        ),
        _ => None,
    }
}

fn bare(error: sqlx::Error) -> Error {
    use sqlx::Error as E;
    match error {
        E::Database(server) => match server.try_downcast_ref::<PgDatabaseError>() {
            Some(server) => from_server(server),
            None => Error::permanent("PostgreSQL reported an unknown error"),
        },
        E::Io(io) => Error::transient("the connection to PostgreSQL failed").caused_by(io),
        E::Protocol(text) => Error::transient(format!("PostgreSQL broke off mid-sentence: {text}")),
        E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
            Error::transient("no connection to PostgreSQL could be had in time")
        }
        E::Tls(cause) => {
            Error::permanent("no encrypted connection to PostgreSQL is possible").caused_by(cause)
        }
        E::Configuration(cause) => {
            Error::config("the connection's settings are wrong").caused_by(cause)
        }
        other => Error::internal("PostgreSQL's answer was not understood").caused_by(other),
    }
}

fn from_server(server: &PgDatabaseError) -> Error {
    let code = server.code();
    let mut text = format!("PostgreSQL: {} [{code}]", shown_message(code, server.message()));
    if let Some(detail) = server.detail().filter(|_| detail_is_harmless(code)) {
        text.push_str(": ");
        text.push_str(detail);
    }
    let column = copy_place(server.r#where()).and_then(|(_, column)| column);
    let names = [
        ("table", server.table()),
        ("column", server.column().or(column)),
        ("constraint", server.constraint()),
    ];
    for (what, name) in names {
        if let Some(name) = name.filter(|name| !text.contains(&format!("\"{name}\""))) {
            text.push_str(&format!(", {what} {name}"));
        }
    }
    let error = Error::new(kind_of(code), text);
    // Data exceptions and violated constraints: PostgreSQL manual, appendix A.
    if matches!(code.get(..2), Some("22" | "23")) { error.about_a_row() } else { error }
}

/// Whether the server cancelled the statement: it took too long, or an administrator asked for it.
pub(super) fn is_cancelled(error: &Error) -> bool {
    error.to_string().contains(" [57014]")
}

/// Whether a lock was not to be had in time.
pub(super) fn is_blocked(error: &Error) -> bool {
    error.to_string().contains(" [55P03]")
}

/// Whether a row's key is in the table already.
pub(super) fn is_duplicate(error: &Error) -> bool {
    error.to_string().contains(" [23505]")
}

/// Whether the login lacks a right.
pub(super) fn is_denied(error: &Error) -> bool {
    error.to_string().contains(" [42501]")
}

/// What a SQLSTATE means for the run (PostgreSQL manual, appendix A).
fn kind_of(code: &str) -> Kind {
    match code {
        // serialization failure, deadlock, lock not available, object in use, cancelled by an
        // administrator or a timeout, idle transaction ended, snapshot too old
        "40001" | "40P01" | "55P03" | "55006" | "57014" | "25P03" | "25006" | "72000" => {
            Kind::Transient
        }
        "57P04" => Kind::Permanent, // the database was dropped
        _ => match code.get(..2) {
            // connection, resources (disk full, memory, too many connections), shutdown, I/O
            Some("08" | "53" | "57" | "58") => Kind::Transient,
            _ => Kind::Permanent,
        },
    }
}

fn remedy_for(code: &str) -> Option<&'static str> {
    Some(match code {
        "21000" => {
            "two source rows of this shard have the same target key: choose a key that is unique \
             at the source, or remove the duplicates"
        }
        "25006" => "connect to the primary server: this one is read-only",
        "28000" | "28P01" => "check the user and the password",
        "3D000" => "create the database or correct its name",
        "3F000" => "create the schema in the target database: CREATE SCHEMA …",
        "42501" => "grant the login the right it lacks: `goshift plan` has the statements",
        "42704" => "create the type or the extension in the target database, or create the table",
        "42P10" => "add a unique index on exactly the key columns of the target table",
        "53100" => "free disk space on the database server",
        "53300" => "raise max_connections on the server, or use fewer lanes",
        "22P02" | "22003" | "22007" | "22008" | "22001" | "22021" => {
            "correct the value at the source, or widen the target column"
        }
        _ if code.starts_with("23") => {
            "correct the row at the source, or change the target's constraint"
        }
        _ if code.starts_with("42") => "check the names in the task against the database",
        _ => return None,
    })
}

/// Bad-input messages (class 22) quote the input: everything between the outer quotes goes.
/// 22021 quotes no more than the encoding's name. A temporary table of ours means nothing to the
/// reader.
fn shown_message(code: &str, message: &str) -> String {
    if let Some((before, rest)) = message.split_once(OF_STAGE)
        && let Some((_, after)) = rest.split_once('"')
    {
        return format!("{before}{after}");
    }
    let quoted = message.find('"').zip(message.rfind('"')).filter(|(first, last)| first < last);
    match quoted {
        Some((first, last)) if code.starts_with("22") && code != "22021" => {
            format!("{}\"…\"{}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}

/// Details of key violations hold the key and no more; those of 23502, 23514 and class 22 hold
/// rows and values.
fn detail_is_harmless(code: &str) -> bool {
    matches!(code, "23505" | "23503")
        || matches!(code.get(..2), Some("28" | "3D" | "42" | "53" | "55" | "57" | "0A"))
}

/// The line of the COPY input that the server complains about, counted from 1. Known only when
/// the server speaks English.
pub(super) fn copy_line(error: &sqlx::Error) -> Option<usize> {
    let server = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    copy_place(server.r#where()).map(|(line, _)| line)
}

/// The key of the row that a constraint has refused, as far as the server's detail says it for sure:
/// values that may hold a comma can't be told from several. Nothing else of the row is shown.
pub(super) fn failing_row(error: &sqlx::Error, plan: &WritePlan) -> Option<String> {
    let server = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let mut rest = server.detail()?.strip_prefix("Failing row contains (")?;
    let key = plan.key.iter().map(|&k| plan.columns[k].target);
    let last = key.max()?;
    let mut values = Vec::with_capacity(last + 1);
    for column in &plan.schema.columns[..=last] {
        use LogicalType as T;
        let is_plain = matches!(
            column.logical,
            T::Bool
                | T::Int(_)
                | T::Decimal { .. }
                | T::Uuid
                | T::Date
                | T::DateTime(_)
                | T::TimestampTz(_)
        );
        let end = rest.find([',', ')']).filter(|_| is_plain)?;
        values.push(&rest[..end]);
        rest = rest[end..].trim_start_matches([',', ' ']);
    }
    let cells = plan.columns.iter().map(|column| values.get(column.target).map(|v| v.as_bytes()));
    Some(plan.describe_row(cells))
}

/// Reads `COPY name, line 5, column x: "…"`, which may stand below the place in a JSON text.
fn copy_place(context: Option<&str>) -> Option<(usize, Option<&str>)> {
    let copy = context?.lines().find(|line| line.starts_with("COPY "))?;
    let (_, rest) = copy.split_once(", line ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let line = rest[..digits].parse().ok()?;
    let column = rest[digits..]
        .strip_prefix(", column ")
        .map(|rest| rest.split_once(": ").map_or(rest, |(name, _)| name));
    Some((line, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_become_kinds() {
        for code in ["08006", "57P01", "53300", "53100", "40001", "40P01", "55P03", "57014"] {
            assert_eq!(kind_of(code), Kind::Transient, "{code}");
        }
        for code in ["28P01", "3D000", "42P01", "42703", "22P02", "23505", "57P04"] {
            assert_eq!(kind_of(code), Kind::Permanent, "{code}");
        }
    }

    #[test]
    fn values_do_not_show() {
        let message = "invalid input syntax for type integer: \"a \"secret\" value\"";
        assert_eq!(shown_message("22P02", message), "invalid input syntax for type integer: \"…\"");
        let message = "invalid byte sequence for encoding \"UTF8\": 0xff";
        assert_eq!(shown_message("22021", message), message);
        let message = "null value in column \"t\" of relation \"goshift_stage_0\" violates x";
        assert_eq!(shown_message("23502", message), "null value in column \"t\" violates x");
        assert!(detail_is_harmless("23505") && !detail_is_harmless("23502"));
    }

    #[test]
    fn the_line_of_a_copy_is_found() {
        assert_eq!(
            copy_place(Some("COPY t, line 12, column a b: \"x, line 7\"")),
            Some((12, Some("a b")))
        );
        let json = "JSON data, line 1: \"…\nCOPY t, line 4, column v: \"x\"";
        assert_eq!(copy_place(Some(json)), Some((4, Some("v"))));
        assert_eq!(copy_place(Some("COPY t, line 3: \"1\tx\"")), Some((3, None)));
        assert_eq!(copy_place(Some("SQL statement \"…\"")), None);
    }
}
