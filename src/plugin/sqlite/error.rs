//! SQLite's result codes as goshift's errors.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, Kind};

/// The error for a failed call on the file at `path`.
pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> Error {
    let (code, extended, message) = match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let message = message.unwrap_or_else(|| failure.to_string());
            (failure.code, failure.extended_code, message)
        }
        // Its own text would repeat the whole statement.
        rusqlite::Error::SqlInputError { error, msg, .. } => (error.code, error.extended_code, msg),
        other => (ErrorCode::Unknown, 0, other.to_string()),
    };
    let (kind, remedy) = meaning(code, extended);
    let error = Error::new(kind, format!("SQLite file {}: {message}", path.display()));
    let of_a_row = matches!(code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch);
    let error = if of_a_row { error.about_a_row() } else { error };
    match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

/// Kind and remedy by result code (<https://www.sqlite.org/rescode.html>).
fn meaning(code: ErrorCode, extended: i32) -> (Kind, Option<&'static str>) {
    use rusqlite::ffi;
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            Kind::Transient,
            Some("another program has held the file's lock for 30 seconds: let it finish"),
        ),
        ErrorCode::DiskFull => (Kind::Transient, Some("make room on the disk")),
        ErrorCode::SystemIoFailure
        | ErrorCode::SchemaChanged
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OutOfMemory => (Kind::Transient, None),
        ErrorCode::NotADatabase => (
            Kind::Config,
            Some("give the \"path\" of an SQLite database; an encrypted one can't be read"),
        ),
        ErrorCode::ReadOnly
            if matches!(
                extended,
                ffi::SQLITE_READONLY_ROLLBACK | ffi::SQLITE_READONLY_RECOVERY
            ) =>
        {
            (Kind::Permanent, Some("a program died while writing: open the file once with sqlite3"))
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => (
            Kind::Config,
            Some("let goshift's user read and write the file and its folder, or change \"path\""),
        ),
        ErrorCode::DatabaseCorrupt => {
            (Kind::Permanent, Some("check the file with PRAGMA integrity_check"))
        }
        ErrorCode::OperationInterrupted => (Kind::Cancelled, None),
        ErrorCode::ConstraintViolation => (Kind::Permanent, constraint(extended)),
        _ => (Kind::Permanent, None),
    }
}

fn constraint(extended: i32) -> Option<&'static str> {
    use rusqlite::ffi;
    Some(match extended {
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "copy the table it refers to first",
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            "another row of the target has the same value: remove it, or key the task by that column"
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => {
            "allow NULL in the target, or leave the row out by \"where\""
        }
        ffi::SQLITE_CONSTRAINT_DATATYPE => {
            "the target's column takes other types only: declare it to fit the source"
        }
        _ => return None,
    })
}
