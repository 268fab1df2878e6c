//! Which row of a statement the server has refused.

use sqlx::mysql::MySqlDatabaseError;
use sqlx::{AssertSqlSafe, Executor};

use super::connect::Lease;
use super::statement::Statement;

/// Refusals that don't say which row it was: a duplicate key, a NULL, a constraint, a foreign key
/// (numbers from the MySQL and MariaDB error references).
const NAMELESS: &[u16] = &[1048, 1062, 1216, 1452, 3819, 4025];

/// The number of the row, counted from 1. What the server does not say is tried: the rows go again, one
/// by one, in the transaction that is going to be rolled back.
pub(super) async fn find(
    lease: &mut Lease,
    statement: &Statement,
    error: &sqlx::Error,
) -> Option<usize> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    if let Some(number) = number(error.message()) {
        return Some(number);
    }
    if !NAMELESS.contains(&error.number()) {
        return None;
    }
    for row in 1..=statement.rows() {
        let alone = String::from_utf8(statement.alone(row)).ok()?;
        if (&mut **lease).execute(sqlx::raw_sql(AssertSqlSafe(alone))).await.is_err() {
            return Some(row);
        }
    }
    None
}

/// Reads `… at row 3`.
fn number(message: &str) -> Option<usize> {
    message.rsplit_once(" at row ")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn the_server_counts_a_statement_s_rows() {
        assert_eq!(number("Data too long for column 'at row 9' at row 12"), Some(12));
        assert_eq!(number("Duplicate entry '1 at row x' for key 'PRIMARY'"), None);
    }
}
