//! What an error of the task database means.

use sqlx::mysql::MySqlDatabaseError;

use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Kind};

/// An error while connecting: wrong credentials are the configuration's fault.
pub(super) fn connecting(error: sqlx::Error, config: &ConnectionConfig, address: &str) -> Error {
    let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
    let place = &config.place;
    let what = format!("can't connect to the task database {address}");
    match code.as_str() {
        // MySQL 1045 and 1044; PostgreSQL invalid_password and invalid_authorization.
        "28000" | "28P01" | "42000" | "42501" => Error::config(what).caused_by(error).with_remedy(
            format!("correct \"user\" and \"password\" of {place}, or grant the rights"),
        ),
        // PostgreSQL invalid_catalog_name; MySQL 1049 has SQLSTATE 42000, above.
        "3D000" => Error::config(what)
            .caused_by(error)
            .with_remedy(format!("create the database or correct \"db\" of {place}")),
        _ if matches!(error, sqlx::Error::Configuration(_)) => {
            Error::config(what).caused_by(error).with_remedy(format!("correct {place}"))
        }
        // SQLite's "unable to open database file".
        "14" => Error::config(what)
            .caused_by(error)
            .with_remedy(format!("create the folder or correct \"path\" of {place}")),
        _ => Error::transient(what)
            .caused_by(error)
            .with_remedy(format!("start it, or correct \"host\" and \"port\" of {place}")),
    }
}

/// An error in the middle of things. Whatever a database answers counts as passing: it was there
/// when this process started, and neither a run nor a message may be given up because the ledger
/// is read-only after a failover or lacks a right for a while.
pub(super) fn classify(error: sqlx::Error, doing: &str, address: &str) -> Error {
    let kind = match &error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::TypeNotFound { .. } => Kind::Internal,
        _ => Kind::Transient,
    };
    let remedy = match &error {
        sqlx::Error::Database(_) => {
            "run `goshift -cmd init-db` and check the rights of task_meta's user"
        }
        _ => "is the task database up?",
    };
    Error::new(kind, format!("task database {address}, {doing}"))
        .caused_by(error)
        .with_remedy(remedy)
}

/// A deadlock, a lock wait or a lost race for a unique key: trying again decides it.
pub(super) fn is_conflict(error: &sqlx::Error) -> bool {
    let Some(database) = error.as_database_error() else { return false };
    if database.is_unique_violation() {
        return true;
    }
    // 1205 lock wait timeout, 1213 deadlock, 1020 record changed since last read (MariaDB).
    if let Some(mysql) = database.try_downcast_ref::<MySqlDatabaseError>() {
        return [1205, 1213, 1020].contains(&mysql.number());
    }
    let code = database.code().unwrap_or_default();
    // PostgreSQL serialization failure, deadlock, lock not available; SQLite BUSY and LOCKED,
    // with their extended codes.
    ["40001", "40P01", "55P03", "5", "6", "261", "262", "517"].contains(&code.as_ref())
}
