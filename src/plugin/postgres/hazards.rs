//! What a person should know of a table before rows are read from it or written into it.

use super::connect::Db;
use super::describe::get;
use super::sql;
use crate::error::{Context, Result};
use crate::plugin::Hazard;
use crate::schema::TableRef;

/// See [`crate::plugin::Reader::has_index`].
pub(super) async fn has_index(db: &Db, table: &TableRef, column: &str) -> Result<bool> {
    let query = format!(
        "SELECT i.indexrelid::text, '' FROM pg_index i JOIN pg_attribute a \
         ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
         WHERE i.indrelid = {}::regclass AND i.indisvalid AND i.indpred IS NULL \
         AND a.attname = {} LIMIT 1",
        regclass(db, table),
        sql::literal(column)
    );
    Ok(!pairs(db, table, query).await?.is_empty())
}

/// See [`crate::plugin::Reader::is_view`].
pub(super) async fn is_view(db: &Db, table: &TableRef) -> Result<bool> {
    let query = format!(
        "SELECT relname::text, '' FROM pg_class WHERE oid = {}::regclass AND relkind = 'v'",
        regclass(db, table)
    );
    Ok(!pairs(db, table, query).await?.is_empty())
}

/// See [`crate::plugin::Writer::hazards`].
pub(super) async fn find(db: &Db, table: &TableRef) -> Result<Vec<Hazard>> {
    let class = regclass(db, table);
    // Bits 2 and 4 of the type: for INSERT, for UPDATE (pg_trigger.h).
    let triggers = format!(
        "SELECT tgname::text, '' FROM pg_trigger WHERE tgrelid = {class}::regclass \
         AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 20 <> 0 ORDER BY 1"
    );
    let keys = format!(
        "SELECT conname::text, confrelid::regclass::text FROM pg_constraint \
         WHERE conrelid = {class}::regclass AND contype = 'f' ORDER BY 1"
    );
    let triggers = pairs(db, table, triggers).await?;
    let keys = pairs(db, table, keys).await?;
    let triggers = triggers.into_iter().map(|(name, _)| Hazard::Trigger(name));
    Ok(triggers.chain(keys.into_iter().map(|(name, to)| Hazard::ForeignKey(name, to))).collect())
}

/// See [`crate::plugin::Writer::followers`].
pub(super) async fn followers(db: &Db, table: &TableRef) -> Result<Vec<String>> {
    let query = format!(
        "SELECT DISTINCT conrelid::regclass::text, '' FROM pg_constraint \
         WHERE confrelid = {}::regclass AND contype = 'f' AND confdeltype IN ('c', 'n', 'd') ORDER BY 1",
        regclass(db, table)
    );
    Ok(pairs(db, table, query).await?.into_iter().map(|(name, _)| name).collect())
}

fn regclass(db: &Db, table: &TableRef) -> String {
    sql::literal(&sql::table(&db.resolve(table)))
}

async fn pairs(db: &Db, table: &TableRef, query: String) -> Result<Vec<(String, String)>> {
    let mut lane = db.lane().await?;
    let rows = lane.rows(query).await.context(|| format!("looking at {table}"))?;
    lane.release();
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}
