//! Row hashes and their sums, computed by the server.

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::connect::Database;
use super::{hash, sql};
use crate::error::{Error, Result};
use crate::plugin::digest::{Buckets, Digest, DigestPlan, HashedRow, Ordering, Print, wrapped};
use crate::plugin::{Bound, BoundValue, KeyRange};
use crate::schema::{Column, LogicalType};

/// The most digits behind the point that a CAST takes in every version.
const MAX_SCALE: u16 = 30;

/// Whether the server prints a column in this way.
pub(super) fn prints(column: &Column, print: Print) -> bool {
    use LogicalType as T;
    match print {
        Print::Decimal(scale) => scale <= MAX_SCALE,
        Print::Bits(_) => matches!(column.logical, T::Bit { .. }),
        // A TEXT column may hold a UUID in any spelling.
        Print::Uuid => matches!(column.logical, T::Uuid | T::Text(_)),
        _ => true,
    }
}

/// How the server orders a column's values.
pub(super) fn ordering(column: &Column) -> Ordering {
    use LogicalType as T;
    match column.logical {
        T::Int(_) | T::UInt(_) | T::Decimal { .. } | T::Float32 | T::Float64 | T::Year => {
            Ordering::Number
        }
        T::Date | T::DateTime(_) | T::TimestampTz(_) => Ordering::Time,
        T::Bytes(_) => Ordering::Bytes,
        T::Text(_) => match column.collation.as_deref() {
            // Their order is that of the code points, which is that of UTF-8's bytes.
            Some("utf8mb4_nopad_bin" | "utf8mb4_0900_bin") => Ordering::Bytes,
            Some(collation) => Ordering::Named(format!("MySQL {collation}")),
            None => Ordering::Unknown,
        },
        // By the number of the label, or by inner forms.
        _ => Ordering::Named(format!("MySQL {}", column.native)),
    }
}

/// A key's value by its canonical text.
pub(super) fn key_value(column: &Column, cell: &[u8]) -> BoundValue {
    use LogicalType as T;
    let text = || String::from_utf8_lossy(cell).into_owned();
    match column.logical {
        T::Int(_) | T::UInt(_) | T::Decimal { .. } | T::Float32 | T::Float64 | T::Year => {
            BoundValue::Number(text())
        }
        T::Bit { .. } => {
            let number = cell.iter().try_fold(0_u64, |number, digit| match digit {
                b'0' | b'1' => Some(number << 1 | u64::from(digit - b'0')),
                _ => None,
            });
            number.map_or_else(|| BoundValue::Text(text()), |n| BoundValue::Number(n.to_string()))
        }
        T::Bytes(_) | T::Geometry => {
            let mut digits = Vec::new();
            sql::push_digits(&mut digits, cell);
            BoundValue::Hex(String::from_utf8_lossy(&digits).into_owned())
        }
        _ => BoundValue::Text(text()),
    }
}

/// The column's text, which is NULL for NULL.
pub(super) fn printed(column: &Column, print: Print) -> String {
    use LogicalType as T;
    let name = sql::name(&column.name);
    let is_utf8mb4 = column.collation.as_ref().is_some_and(|c| c.starts_with("utf8mb4"));
    match print {
        Print::Whole if column.native.contains("zerofill") || column.logical == T::Year => {
            format!("{name}+0")
        }
        Print::Decimal(scale) => match column.logical {
            T::Decimal { scale: Some(own), .. } if own == scale => name,
            _ => format!("CAST({name} AS DECIMAL(65,{scale}))"),
        },
        Print::Text if !is_utf8mb4 => format!("CONVERT({name} USING utf8mb4)"),
        Print::Bytes => format!("LOWER(HEX({name}))"),
        Print::Instant | Print::Time => match column.logical {
            T::DateTime(0) | T::TimestampTz(0) | T::Time(0) => name,
            _ => format!("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {name}))"),
        },
        Print::Uuid => format!("LOWER({name})"),
        Print::Bits(length) => format!("LPAD(BIN({name}+0),{length},'0')"),
        Print::Own => match column.logical {
            // As a double it is printed exactly.
            T::Float32 => format!("{name}+0e0"),
            T::Geometry | T::Bytes(_) => format!("HEX({name})"),
            T::Bit { .. } => format!("BIN({name}+0)"),
            // Types with a form of their own turn what stands beside them into one of theirs, or NULL.
            T::Other(_) => format!("CAST({name} AS CHAR)"),
            _ => name,
        },
        Print::Whole | Print::Text | Print::Date => name,
    }
}

/// Counts and sums up the rows of a range by buckets; `None` if one of them is too long.
pub(super) async fn digest(
    db: &Database,
    plan: &DigestPlan,
    range: &KeyRange,
    buckets: u32,
) -> Result<Option<Vec<Digest>>> {
    // Groups take a temporary table, which costs the server as much as a third of all hashing.
    let (bucket, groups) = match buckets {
        1 => ("0".to_owned(), ""),
        _ => (hash::bucket(plan, buckets), " GROUP BY 1 ORDER BY NULL"),
    };
    let query = format!(
        "SELECT {bucket}, COUNT(*), SUM({}) FROM {}{}{groups}",
        hash::of_row(plan, db.max_packet()),
        sql::table(&plan.schema().table),
        sql::range(&plan.read, range)
    );
    let rows = fetch(db, plan, query).await?;
    let mut digests = Vec::with_capacity(rows.len());
    for row in &rows {
        let texts = (0..3).map(|column| row.try_get_unchecked::<Option<String>, _>(column));
        let texts: Vec<_> =
            texts.collect::<Result<_, _>>().map_err(|error| db.failure(&doing(plan), error))?;
        let (bucket, rows, hash) = match texts.as_slice() {
            // The only group of an empty range.
            [Some(_), Some(rows), None] if rows == "0" => continue,
            [Some(bucket), Some(rows), Some(hash)] => (bucket, rows, hash),
            _ => return Err(odd(plan)),
        };
        if hash::is_too_long(hash) {
            return Ok(None);
        }
        let (bucket, rows) = bucket.parse().ok().zip(rows.parse().ok()).ok_or_else(|| odd(plan))?;
        digests.push(Digest { bucket, rows, hash: wrapped(hash).ok_or_else(|| odd(plan))? });
    }
    Ok(Some(digests))
}

/// The hash of each row of some buckets of a range.
pub(super) async fn hashes(
    db: &Database,
    plan: &DigestPlan,
    range: &KeyRange,
    buckets: &Buckets,
) -> Result<Vec<HashedRow>> {
    let keys: Vec<_> = plan.key_columns().map(|(column, print)| printed(column, print)).collect();
    let condition = sql::range(&plan.read, range);
    let and = if condition.is_empty() { " WHERE" } else { " AND" };
    let chosen: Vec<_> = buckets.chosen.iter().map(u32::to_string).collect();
    let query = format!(
        "SELECT {}, {} FROM {}{condition}{and} {} IN ({})",
        hash::of_row(plan, db.max_packet()),
        keys.join(", "),
        sql::table(&plan.schema().table),
        hash::bucket(plan, buckets.count),
        chosen.join(",")
    );
    let rows = fetch(db, plan, query).await?;
    let hashed = rows.iter().map(|row| hashed(plan, row));
    hashed.collect::<Result<_, _>>().map_err(|error| db.failure(&doing(plan), error))
}

fn hashed(plan: &DigestPlan, row: &MySqlRow) -> Result<HashedRow, sqlx::Error> {
    let hash = row.try_get_unchecked::<Option<String>, _>(0)?;
    let hash = hash.and_then(|hash| hash.parse().ok());
    let hash = hash.ok_or_else(|| sqlx::Error::Protocol("a hash is not a number".into()))?;
    let (mut key, mut name) = (Some(Vec::new()), Vec::new());
    for (position, (column, print)) in plan.key_columns().enumerate() {
        let cell = row.try_get_unchecked::<Option<&[u8]>, _>(position + 1)?;
        crate::plugin::digest::push_name(&mut name, cell);
        key = key.zip(cell).map(|(mut key, cell)| {
            key.push(match print {
                Print::Bytes => BoundValue::Hex(String::from_utf8_lossy(cell).into_owned()),
                _ => key_value(column, cell),
            });
            key
        });
    }
    Ok(HashedRow { key: key.map(Bound), name, hash })
}

async fn fetch(db: &Database, plan: &DigestPlan, query: String) -> Result<Vec<MySqlRow>> {
    let mut lease = db.lease().await?;
    let rows = (&mut *lease)
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(query)))
        .await
        .map_err(|error| db.failure(&doing(plan), error))?;
    lease.keep();
    Ok(rows)
}

fn odd(plan: &DigestPlan) -> Error {
    Error::internal(format!("{}: an odd answer", doing(plan)))
}

fn doing(plan: &DigestPlan) -> String {
    format!("comparing {}", plan.schema().table)
}
