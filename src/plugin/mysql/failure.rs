//! What a MySQL error means.

use sqlx::mysql::MySqlDatabaseError;

use crate::error::{Error, Kind};

/// Server errors after which a later attempt may succeed: too many connections, out of disk or
/// memory, shutdown, lock wait timeout, deadlock, lost connections, read-only during failover,
/// killed statements, statements that took too long, a cluster's node that is not ready. Numbers from the MySQL and MariaDB error references.
const PASSING: &[u16] = &[
    1020, 1021, 1037, 1038, 1040, 1041, 1047, 1053, 1077, 1078, 1079, 1114, 1129, 1135, 1152, 1158,
    1159, 1160, 1161, 1184, 1203, 1205, 1213, 1226, 1290, 1317, 1412, 1836, 1927, 1969, 3024, 3032,
    3100, 3101, 4031,
];

/// MariaDB's max_statement_time, MySQL's max_execution_time.
const STATEMENT_TIMEOUTS: &[u16] = &[1969, 3024];

/// What the server refuses because of one row's values: NULL, a key or a unique value that is there
/// already, a number out of range, what is truncated, cut off or not of the type, a foreign key, a
/// CHECK, text that is no JSON, a shape that can't be read.
const OF_A_ROW: &[u16] =
    &[1048, 1062, 1264, 1265, 1292, 1366, 1406, 1411, 1416, 1452, 1690, 3140, 3819, 4025, 4038];

/// Whether two transactions were in each other's way: deadlock, lock wait timeout.
pub(super) fn is_conflict(number: u16) -> bool {
    matches!(number, 1205 | 1213)
}

/// Whether a row's key is in the table already.
pub(super) fn is_duplicate(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Server(said) if said.code == 1062)
}

/// There is no such table.
pub(super) const NO_SUCH_TABLE: u16 = 1146;

/// There is no such column.
pub(super) const NO_SUCH_COLUMN: u16 = 1054;

/// Whether the login lacks a right: on a database, a table, a column, in general, on a routine.
pub(super) fn is_denied(number: u16) -> bool {
    matches!(number, 1044 | 1142 | 1143 | 1227 | 1370)
}

/// The server's number of an error.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// Whether the server gave a statement up because it took too long.
pub(super) fn is_statement_timeout(error: &sqlx::Error) -> bool {
    number(error).is_some_and(|number| STATEMENT_TIMEOUTS.contains(&number))
}

/// [`is_statement_timeout`] for the driver that loads.
pub(super) fn is_load_timeout(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Server(e) if STATEMENT_TIMEOUTS.contains(&e.code))
}

/// Maps an error that happened while `doing` something.
pub(super) fn classify(error: sqlx::Error, doing: &str, address: &str) -> Error {
    if let Some(number) = number(&error) {
        let said = error.as_database_error().map(|e| e.message().to_owned());
        return from_server(number, &said.unwrap_or_default(), doing, address, error);
    }
    let kind = match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Kind::Internal,
        sqlx::Error::Configuration(_) => Kind::Config,
        _ => return unreachable(doing, address).caused_by(error),
    };
    Error::new(kind, format!("MySQL {address}, {doing}")).caused_by(error)
}

/// [`classify`] for the driver that loads.
pub(super) fn of_load(error: mysql_async::Error, doing: &str, address: &str) -> Error {
    match error {
        mysql_async::Error::Server(said) => {
            from_server(said.code, &said.message.clone(), doing, address, said)
        }
        mysql_async::Error::Url(error) => {
            Error::config(format!("MySQL {address}, {doing}")).caused_by(error)
        }
        other => unreachable(doing, address).caused_by(other),
    }
}

/// Text that its source says is UTF-8, and is not.
pub(super) fn not_utf8(doing: &str) -> Error {
    Error::permanent(format!("{doing}: a text column holds bytes that are not UTF-8"))
        .about_a_row()
        .with_remedy("correct the source's text, or copy it into a binary column")
}

fn unreachable(doing: &str, address: &str) -> Error {
    Error::transient(format!("MySQL {address}, {doing}"))
        .with_remedy("is the server up, and are \"host\" and \"port\" right?")
}

fn from_server(
    number: u16,
    message: &str,
    doing: &str,
    address: &str,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let (kind, remedy) = match number {
        number if PASSING.contains(&number) => (Kind::Transient, None),
        1045 => (Kind::Permanent, Some("correct \"user\" and \"password\"")),
        number if is_denied(number) => {
            (Kind::Permanent, Some("grant the login that right: `goshift plan` has the statements"))
        }
        1049 => (Kind::Permanent, Some("create the database or correct \"db\"")),
        NO_SUCH_TABLE => (Kind::Permanent, Some("create the table or correct the task's table")),
        1062 => (
            Kind::Permanent,
            Some(
                "two rows have the same key in the target: compare its keys and collations with the source's",
            ),
        ),
        1264 | 1265 | 1366 | 1406 | 1292 | 1411 => {
            (Kind::Permanent, Some("widen the target's column, or correct the source's value"))
        }
        _ => (Kind::Permanent, None),
    };
    let error = match number {
        1292 | 1366 | 1411 => {
            Error::new(kind, format!("MySQL {address}, {doing}: {}", without_value(message)))
        }
        _ => Error::new(kind, format!("MySQL {address}, {doing}")).caused_by(cause),
    };
    let error = if OF_A_ROW.contains(&number) { error.about_a_row() } else { error };
    match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

/// The server quotes the row's value, which does not belong into a log: "Incorrect integer value: 'x'
/// for column `n` at row 1" without its middle.
fn without_value(message: &str) -> String {
    let Some(start) = message.find(": '") else { return message.to_owned() };
    let place = message.rfind("' for ").map_or("", |end| &message[end + 1..]);
    format!("{}{place}", &message[..start])
}

#[cfg(test)]
mod tests {
    use super::without_value;

    #[test]
    fn a_row_s_value_is_left_out_and_its_column_is_not() {
        let said = "Incorrect integer value: 'it's for sale' for column `d`.`t`.`n` at row 3";
        assert_eq!(without_value(said), "Incorrect integer value for column `d`.`t`.`n` at row 3");
        assert_eq!(
            without_value("Truncated incorrect DOUBLE value: 'x'"),
            "Truncated incorrect DOUBLE value"
        );
        assert_eq!(without_value("Data too long for column 'n'"), "Data too long for column 'n'");
    }
}
