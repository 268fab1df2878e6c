//! How far a column has come.

use super::connect::Db;
use super::describe::get;
use super::sql;
use crate::error::{Context, Error, Result};
use crate::plugin::BoundValue;
use crate::plugin::window::Newest;
use crate::schema::{Column, LogicalType, TableRef};

/// See [`crate::plugin::Reader::newest`].
pub(super) async fn newest(db: &Db, table: &TableRef, column: &Column) -> Result<Newest> {
    let name = sql::ident(&column.name);
    let from = sql::table(table);
    // The session's zone is UTC. Without a fraction, which a column without one would round up.
    let clock = match column.logical {
        LogicalType::Date => Some("current_date"),
        LogicalType::DateTime(_) => Some("date_trunc('second', localtimestamp)"),
        LogicalType::TimestampTz(_) => Some("date_trunc('second', now())"),
        _ => None,
    };
    let highest = format!("max({name})");
    let reached = clock.map_or(highest.clone(), |clock| format!("least({highest}, {clock})"));
    let nulls = match column.nullable {
        true => format!("EXISTS (SELECT FROM {from} WHERE {name} IS NULL)"),
        false => "false".to_owned(),
    };
    // Alone least() would leave out the NULL of an empty table.
    let query = format!(
        "SELECT {highest}::text, CASE WHEN {highest} IS NOT NULL THEN {reached} END::text, \
         ({nulls})::text FROM {from}"
    );
    let mut lane = db.lane().await?;
    let rows = lane
        .rows(query)
        .await
        .context(|| format!("looking for the newest {} in {table}", column.name))?;
    lane.release();
    let row = rows.first().ok_or_else(|| Error::internal("an aggregate without a row"))?;
    Ok(Newest {
        highest: get::<Option<String>>(row, 0)?.map(BoundValue::Text),
        reached: get::<Option<String>>(row, 1)?.map(BoundValue::Text),
        has_nulls: get::<String>(row, 2)? == "true",
    })
}
