//! What a table's storage engine promises.

use sqlx::{Executor, Row};

use super::connect::Database;
use crate::error::Result;
use crate::schema::TableRef;

const ENGINE: &str = "SELECT CAST(e.TRANSACTIONS AS CHAR) FROM information_schema.tables t \
     JOIN information_schema.engines e ON e.ENGINE = t.ENGINE \
     WHERE t.table_schema = COALESCE(?, DATABASE()) AND t.table_name = ?";

/// Whether the table can be rolled back; so can one that is still to be created.
pub(super) async fn keeps_transactions(db: &Database, table: &TableRef) -> Result<bool> {
    let doing = format!("looking into {table}");
    let mut lease = db.lease().await?;
    let query = sqlx::query(ENGINE).bind(table.schema.as_deref()).bind(table.name.as_str());
    let answer = (&mut *lease)
        .fetch_optional(query)
        .await
        .and_then(|row| row.map(|row| row.try_get::<Option<String>, _>(0)).transpose())
        .map_err(|error| db.failure(&doing, error))?;
    lease.keep();
    Ok(answer.flatten().is_none_or(|transactions| transactions == "YES"))
}
