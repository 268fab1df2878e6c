//! What a person should know of a table before rows are read from it or written into it.

use sqlx::{Executor, Row};

use super::connect::Database;
use crate::error::Result;
use crate::plugin::Hazard;
use crate::schema::TableRef;

const INDEXED: &str = "SELECT CAST(INDEX_NAME AS CHAR), '' FROM information_schema.statistics \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND SEQ_IN_INDEX = 1 \
     AND COLUMN_NAME = ? LIMIT 1";

const TRIGGERS: &str = "SELECT CAST(TRIGGER_NAME AS CHAR), '' FROM information_schema.triggers \
     WHERE EVENT_OBJECT_SCHEMA = COALESCE(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? \
     AND EVENT_MANIPULATION IN ('INSERT', 'UPDATE') ORDER BY 1";

const FOREIGN_KEYS: &str = "SELECT CAST(CONSTRAINT_NAME AS CHAR), \
     CAST(REFERENCED_TABLE_NAME AS CHAR) FROM information_schema.referential_constraints \
     WHERE CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? ORDER BY 1";

const FOLLOWERS: &str = "SELECT DISTINCT CAST(TABLE_NAME AS CHAR), '' \
     FROM information_schema.referential_constraints \
     WHERE UNIQUE_CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND REFERENCED_TABLE_NAME = ? \
     AND DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') ORDER BY 1";

const VIEW: &str = "SELECT CAST(TABLE_NAME AS CHAR), '' FROM information_schema.tables \
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND TABLE_TYPE LIKE '%VIEW%'";

/// See [`crate::plugin::Reader::is_view`].
pub(super) async fn is_view(db: &Database, table: &TableRef) -> Result<bool> {
    Ok(!pairs(db, VIEW, table, None).await?.is_empty())
}

/// See [`crate::plugin::Writer::followers`].
pub(super) async fn followers(db: &Database, table: &TableRef) -> Result<Vec<String>> {
    Ok(pairs(db, FOLLOWERS, table, None).await?.into_iter().map(|(name, _)| name).collect())
}

/// See [`crate::plugin::Reader::has_index`].
pub(super) async fn has_index(db: &Database, table: &TableRef, column: &str) -> Result<bool> {
    Ok(!pairs(db, INDEXED, table, Some(column)).await?.is_empty())
}

/// See [`crate::plugin::Writer::hazards`].
pub(super) async fn find(db: &Database, table: &TableRef) -> Result<Vec<Hazard>> {
    let triggers = pairs(db, TRIGGERS, table, None).await?;
    let keys = pairs(db, FOREIGN_KEYS, table, None).await?;
    let triggers = triggers.into_iter().map(|(name, _)| Hazard::Trigger(name));
    Ok(triggers.chain(keys.into_iter().map(|(name, to)| Hazard::ForeignKey(name, to))).collect())
}

async fn pairs(
    db: &Database,
    sql: &'static str,
    table: &TableRef,
    column: Option<&str>,
) -> Result<Vec<(String, String)>> {
    let doing = format!("looking at {table}");
    let mut query = sqlx::query(sql).bind(table.schema.as_deref()).bind(table.name.as_str());
    if let Some(column) = column {
        query = query.bind(column);
    }
    let mut lease = db.lease().await?;
    let rows = (&mut *lease).fetch_all(query).await;
    let rows = rows.map_err(|error| db.failure(&doing, error))?;
    lease.keep();
    let read = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    read.collect::<Result<_, sqlx::Error>>().map_err(|error| db.failure(&doing, error))
}
