//! What a MySQL error means.

use sqlx::mysql::MySqlDatabaseError;

use crate::error::{Error, Kind};

/// Server errors after which a later attempt may succeed: too many connections, out of disk or
/// memory, shutdown, lock wait timeout, deadlock, lost connections, read-only during failover,
/// killed statements, statements that took too long. Numbers from the MySQL and MariaDB error references.
const PASSING: &[u16] = &[
    1020, 1021, 1037, 1038, 1040, 1041, 1053, 1077, 1078, 1079, 1114, 1129, 1152, 1158, 1159, 1160,
    1161, 1184, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 1969, 3024, 4031,
];

/// MariaDB's max_statement_time, MySQL's max_execution_time.
const STATEMENT_TIMEOUTS: &[u16] = &[1969, 3024];

/// The server's number of an error.
fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// Whether the server gave a statement up because it took too long.
pub(super) fn is_statement_timeout(error: &sqlx::Error) -> bool {
    number(error).is_some_and(|number| STATEMENT_TIMEOUTS.contains(&number))
}

/// Maps an error that happened while `doing` something.
pub(super) fn classify(error: sqlx::Error, doing: &str, address: &str) -> Error {
    let (kind, remedy) = match number(&error) {
        Some(number) if PASSING.contains(&number) => (Kind::Transient, None),
        Some(1044 | 1045 | 1142 | 1143 | 1227 | 1370) => {
            (Kind::Permanent, Some("correct \"user\" and \"password\", or grant the rights"))
        }
        Some(1049) => (Kind::Permanent, Some("create the database or correct \"db\"")),
        Some(1146) => (Kind::Permanent, Some("create the table or correct the task's table")),
        Some(1062) => (
            Kind::Permanent,
            Some(
                "two rows have the same key in the target: compare its keys and collations with the source's",
            ),
        ),
        Some(1264 | 1265 | 1366 | 1406 | 1292 | 1411) => {
            (Kind::Permanent, Some("widen the target's column, or correct the source's value"))
        }
        Some(_) => (Kind::Permanent, None),
        None => match &error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => (Kind::Internal, None),
            sqlx::Error::Configuration(_) => (Kind::Config, None),
            _ => (Kind::Transient, Some("is the server up, and are \"host\" and \"port\" right?")),
        },
    };
    let error = Error::new(kind, format!("MySQL {address}, {doing}")).caused_by(error);
    match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}
