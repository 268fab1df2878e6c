//! How far a column has come.

use sqlx::{AssertSqlSafe, Executor};

use super::connect::Database;
use super::reader::bytes;
use super::sql;
use crate::error::{Error, Result};
use crate::plugin::window::Newest;
use crate::schema::{Column, LogicalType, TableRef};

/// See [`crate::plugin::Reader::newest`].
pub(super) async fn newest(db: &Database, table: &TableRef, column: &Column) -> Result<Newest> {
    let name = sql::name(&column.name);
    let from = sql::table(table);
    // The session's zone is UTC, so is what NOW says. It has no fraction, which a column without
    // one would round up.
    let clock = match column.logical {
        LogicalType::Date => Some("CURDATE()"),
        LogicalType::DateTime(_) | LogicalType::TimestampTz(_) => Some("NOW()"),
        _ => None,
    };
    let highest = format!("MAX({name})");
    let reached = clock.map_or(highest.clone(), |clock| format!("LEAST({highest}, {clock})"));
    let nulls = match column.nullable {
        true => format!("EXISTS (SELECT 1 FROM {from} WHERE {name} IS NULL)"),
        false => "0".to_owned(),
    };
    let query = format!("SELECT {highest}, {reached}, {nulls} FROM {from}");
    let doing = format!("looking for the newest {} in {table}", column.name);
    let mut lease = db.lease().await?;
    let row = (&mut *lease)
        .fetch_one(sqlx::raw_sql(AssertSqlSafe(query)))
        .await
        .map_err(|error| db.failure(&doing, error))?;
    lease.keep();
    let text = |position: usize| {
        let cell = bytes(&row, position).map_err(|error| db.failure(&doing, error))?;
        let text = cell.map(|cell| String::from_utf8(cell.to_vec()));
        text.transpose().map_err(|_| Error::permanent(format!("{doing}: it is not text")))
    };
    Ok(Newest {
        highest: text(0)?.map(|text| sql::key_value(column, text)),
        reached: text(1)?.map(|text| sql::key_value(column, text)),
        has_nulls: text(2)?.as_deref() == Some("1"),
    })
}
