//! A table's shape from information_schema.

use std::sync::Arc;

use sqlx::mysql::MySqlRow;
use sqlx::{Executor, Row};

use super::connect::Database;
use super::default::{self, Printed};
use super::types::{self, Declared};
use crate::error::Result;
use crate::plugin::pending;
use crate::schema::{Column, Key, Schema, TableRef};

// The casts are for MySQL 8, which gives some of these columns binary types.
const COLUMNS: &str = "SELECT CAST(COLUMN_NAME AS CHAR), CAST(DATA_TYPE AS CHAR), \
     CAST(COLUMN_TYPE AS CHAR), CAST(IS_NULLABLE AS CHAR), \
     CAST(COLUMN_DEFAULT AS CHAR), CAST(EXTRA AS CHAR), CAST(COLLATION_NAME AS CHAR), \
     CAST(CHARACTER_MAXIMUM_LENGTH AS SIGNED), CAST(NUMERIC_PRECISION AS SIGNED), \
     CAST(NUMERIC_SCALE AS SIGNED), CAST(DATETIME_PRECISION AS SIGNED), \
     CAST(COLUMN_COMMENT AS CHAR), VERSION() LIKE '%MariaDB%' FROM information_schema.columns \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ORDINAL_POSITION";

// Prefix keys (SUB_PART) and functional keys (no column) don't identify a row by its columns.
const KEYS: &str = "SELECT CAST(INDEX_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR), \
     SUB_PART IS NOT NULL OR COLUMN_NAME IS NULL FROM information_schema.statistics \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND NON_UNIQUE = 0 \
     ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX";

// A view's comment is the word VIEW.
const ROWS: &str = "SELECT CAST(TABLE_ROWS AS SIGNED), IF(TABLE_TYPE = 'BASE TABLE', \
     CAST(TABLE_COMMENT AS CHAR), NULL) FROM information_schema.tables \
     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

/// Describes a table; `None` if it is missing.
pub(super) async fn describe(db: &Database, table: &TableRef) -> Result<Option<Arc<Schema>>> {
    let doing = format!("describing {table}");
    let mut lease = db.lease().await?;
    let mut fetched = Vec::with_capacity(3);
    for sql in [COLUMNS, KEYS, ROWS] {
        let query = sqlx::query(sql).bind(table.schema.as_deref()).bind(table.name.as_str());
        let rows = (&mut *lease).fetch_all(query).await;
        fetched.push(rows.map_err(|error| db.failure(&doing, error))?);
    }
    lease.keep();
    let read = || {
        let columns = fetched[0].iter().map(column).collect::<Result<Vec<_>, sqlx::Error>>()?;
        let keys = keys(&fetched[1], &columns)?;
        let (estimate, comment) = match fetched[2].first() {
            Some(row) => (row.try_get::<Option<i64>, _>(0)?, row.try_get(1)?),
            None => (None, None),
        };
        let comment = comment.filter(|text: &String| !text.is_empty());
        let has_primary = keys.iter().any(|key| key.primary);
        let (comment, pending) = pending::read(comment, &columns, has_primary);
        Ok::<_, sqlx::Error>(Schema {
            table: table.clone(),
            columns,
            keys,
            estimated_rows: estimate.and_then(|rows| u64::try_from(rows).ok()),
            pending,
            comment,
        })
    };
    let schema = read().map_err(|error| db.failure(&doing, error))?;
    Ok((!schema.columns.is_empty()).then(|| Arc::new(schema)))
}

fn column(row: &MySqlRow) -> Result<Column, sqlx::Error> {
    let data_type = row.try_get::<String, _>(1)?.to_lowercase();
    let native: String = row.try_get(2)?;
    let nullable = row.try_get::<String, _>(3)? == "YES";
    let text: Option<String> = row.try_get(4)?;
    let printed: String = row.try_get(5)?;
    let extra = printed.to_uppercase();
    let auto_increment = extra.contains("AUTO_INCREMENT");
    let logical = types::logical(&Declared {
        data_type: &data_type,
        column_type: &native,
        length: row.try_get(7)?,
        precision: row.try_get(8)?,
        scale: row.try_get(9)?,
        fraction: row.try_get(10)?,
    });
    // Not DEFAULT_GENERATED, which is a default by expression.
    let generated = ["VIRTUAL GENERATED", "STORED GENERATED", "PERSISTENT"]
        .iter()
        .any(|word| extra.contains(word));
    let is_mariadb = row.try_get::<i64, _>(12)? != 0;
    let default = Printed { text: text.as_deref(), extra: &printed, is_mariadb };
    let default = (!generated && !auto_increment).then(|| default::read(&default, &logical));
    Ok(Column {
        name: row.try_get(0)?,
        logical,
        native,
        nullable,
        generated,
        auto_increment,
        optional: nullable || text.is_some() || auto_increment,
        collation: row.try_get(6)?,
        comment: row.try_get::<Option<String>, _>(11)?.filter(|text| !text.is_empty()),
        default: default.flatten(),
    })
}

fn keys(rows: &[MySqlRow], columns: &[Column]) -> Result<Vec<Key>, sqlx::Error> {
    let mut keys: Vec<Key> = Vec::new();
    let mut partial: Vec<String> = Vec::new();
    for row in rows {
        let name: String = row.try_get(0)?;
        let position = row
            .try_get::<Option<String>, _>(1)?
            .and_then(|column| columns.iter().position(|c| c.name.eq_ignore_ascii_case(&column)));
        let Some(position) = position.filter(|_| row.try_get::<i64, _>(2).is_ok_and(|p| p == 0))
        else {
            partial.push(name);
            continue;
        };
        match keys.last_mut().filter(|key| key.name == name) {
            Some(key) => key.columns.push(position),
            None => {
                keys.push(Key { primary: name == "PRIMARY", name, columns: vec![position] });
            }
        }
    }
    keys.retain(|key| !partial.contains(&key.name));
    Ok(keys)
}
