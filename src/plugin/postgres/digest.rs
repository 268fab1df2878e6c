//! Row hashes and their sums, computed by the server.

use sqlx::postgres::PgRow;

use super::connect::{Db, Lane};
use super::describe::get;
use super::sql;
use crate::error::{Context, Error, Result};
use crate::plugin::digest::{
    Buckets, Digest, DigestPlan, HashFunction, HashedRow, NULL_TEXT, Ordering, Print, SEPARATOR,
    push_name, wrapped,
};
use crate::plugin::{Bound, BoundValue, KeyRange, ReadPlan};
use crate::schema::{Column, LogicalType};

/// A collation's rules: its provider, its locale and the version of the library it is from.
const COLLATION: &str = "SELECT c.collprovider::text, \
    COALESCE(NULLIF(c.collcollate, ''), to_jsonb(c)->>'colliculocale', to_jsonb(c)->>'colllocale', ''), \
    COALESCE(pg_collation_actual_version(c.oid), '') \
    FROM pg_collation c WHERE c.collname = $1 ORDER BY c.oid LIMIT 1";
/// Those of the database, for columns that have no collation of their own.
const DEFAULT: &str = "SELECT COALESCE(to_jsonb(d)->>'datlocprovider', 'c'), \
    COALESCE(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale', d.datcollate), \
    COALESCE(to_jsonb(d)->>'datcollversion', '') \
    FROM pg_database d WHERE d.datname = current_database() AND $1 = ''";

/// How the server orders the split columns.
pub(super) async fn orderings(db: &Db, plan: &ReadPlan) -> Result<Vec<Ordering>> {
    use LogicalType as T;
    let mut lane = db.lane().await?;
    let mut orderings = Vec::new();
    for column in plan.split_columns() {
        orderings.push(match column.logical {
            T::Int(_) | T::Decimal { .. } | T::Float32 | T::Float64 => Ordering::Number,
            T::Date | T::DateTime(_) | T::TimestampTz(_) => Ordering::Time,
            T::Bytes(_) => Ordering::Bytes,
            T::Text(_) => of_text(&mut lane, column).await?,
            _ => Ordering::Named(format!("PostgreSQL {}", column.native)),
        });
    }
    lane.release();
    Ok(orderings)
}

async fn of_text(lane: &mut Lane, column: &Column) -> Result<Ordering> {
    // citext compares in lower case.
    if !column.native.starts_with("char") && column.native != "text" {
        return Ok(Ordering::Unknown);
    }
    let rows = match &column.collation {
        Some(name) => lane.look_up(COLLATION, name.as_str()).await?,
        None => lane.look_up(DEFAULT, "").await?,
    };
    let Some(row) = rows.first() else { return Ok(Ordering::Unknown) };
    let (provider, locale, version): (String, String, String) =
        (get(row, 0)?, get(row, 1)?, get(row, 2)?);
    let is_padded = column.native.starts_with("character(");
    Ok(match locale.as_str() {
        "C" | "POSIX" if !is_padded => Ordering::Bytes,
        _ => Ordering::Named(format!("PostgreSQL {provider} {locale} {version} {is_padded}")),
    })
}

/// Server, platform and encoding. A server's own hashes may change with its version.
const SERVER: &str = "SELECT version(), getdatabaseencoding()::text WHERE $1 = ''";

/// The hash functions; none for a database in another encoding, whose texts are not the bytes that
/// others hash.
pub(super) async fn hash_functions(db: &Db) -> Result<Vec<HashFunction>> {
    let mut lane = db.lane().await?;
    let rows = lane.look_up(SERVER, "").await?;
    lane.release();
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let (version, encoding): (String, String) = (get(row, 0)?, get(row, 1)?);
    Ok(match encoding.as_str() {
        "UTF8" => vec![HashFunction::Own(version), HashFunction::Sha256],
        _ => Vec::new(),
    })
}

/// What `concat_ws` prints of the column: NULL for NULL.
fn printed(column: &Column, print: Print) -> String {
    use LogicalType as T;
    let name = sql::ident(&column.name);
    match print {
        Print::Whole if column.logical == T::Bool => format!("{name}::int"),
        Print::Decimal(scale) => match column.logical {
            T::Decimal { scale: Some(own), .. } if own == scale => name,
            _ => format!("round({name}::numeric, {scale})"),
        },
        Print::Bytes => format!("encode({name}, 'hex')"),
        Print::Instant if matches!(column.logical, T::TimestampTz(_)) => {
            format!("({name} AT TIME ZONE 'UTC')")
        }
        Print::Uuid => format!("lower({name}::text)"),
        // Blanks at the end of a padded text are no part of it, which only the cast knows.
        Print::Own | Print::Text if column.native != "text" => format!("{name}::text"),
        _ => name,
    }
}

fn row_text<'a>(columns: impl Iterator<Item = (&'a Column, Print)>) -> String {
    let cell = |(column, print): (&Column, Print)| {
        let text = printed(column, print);
        match (print, column.nullable) {
            (Print::Text | Print::Own, false) => format!("octet_length({text}), {text}"),
            (Print::Text | Print::Own, true) => {
                format!("coalesce(octet_length({text})::text, '{NULL_TEXT}'), coalesce({text}, '')")
            }
            (_, true) => format!("coalesce({text}::text, '{NULL_TEXT}')"),
            (_, false) => text,
        }
    };
    let cells: Vec<_> = columns.map(cell).collect();
    format!("concat_ws('{SEPARATOR}', {})", cells.join(", "))
}

/// The hash of a text, as a bigint.
fn hash(function: &HashFunction, text: &str) -> String {
    match function {
        HashFunction::Own(_) => format!("hashtextextended({text} COLLATE \"C\", 0)"),
        HashFunction::Sha256 => format!("('x' || {})::bit(64)::bigint", digits(text, 8)),
    }
}

/// Hexadecimal digits of so many bytes of the text's SHA-256.
fn digits(text: &str, bytes: u32) -> String {
    format!("encode(substr(sha256(convert_to({text}, 'UTF8')), 1, {bytes}), 'hex')")
}

fn bucket(plan: &DigestPlan, buckets: u32) -> String {
    let mask = buckets - 1;
    if plan.by_number {
        let names: Vec<_> =
            plan.key_columns().map(|(c, _)| format!("{}::bigint", sql::ident(&c.name))).collect();
        return format!("(({}) & {mask})", names.join(" # "));
    }
    let key = row_text(plan.key_columns());
    format!("(('x' || {})::bit(16)::bigint & {mask})", digits(&key, 2))
}

/// Counts and sums up the rows of a range by buckets.
pub(super) async fn digest(
    db: &Db,
    plan: &DigestPlan,
    range: &KeyRange,
    buckets: u32,
) -> Result<Vec<Digest>> {
    let (bucket, groups) = match buckets {
        1 => ("0::bigint".to_owned(), ""),
        _ => (bucket(plan, buckets), " GROUP BY 1"),
    };
    let query = format!(
        "SELECT {bucket}, count(*), sum({})::text FROM {}{}{groups}",
        hash(&plan.hash, &row_text(plan.hashed_columns())),
        sql::table(&plan.schema().table),
        sql::shard_condition(&plan.read, range)
    );
    let mut digests = Vec::new();
    for row in fetch(db, plan, query).await? {
        let (bucket, rows): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
        let hash: Option<String> = get(&row, 2)?;
        if rows == 0 {
            // The only group of an empty range.
            continue;
        }
        let hash = hash.and_then(|hash| wrapped(&hash));
        let (bucket, hash) = u32::try_from(bucket).ok().zip(hash).ok_or_else(|| odd(plan))?;
        digests.push(Digest { bucket, rows: rows.unsigned_abs(), hash });
    }
    Ok(digests)
}

/// The hash of each row of some buckets of a range.
pub(super) async fn hashes(
    db: &Db,
    plan: &DigestPlan,
    range: &KeyRange,
    buckets: &Buckets,
) -> Result<Vec<HashedRow>> {
    let keys = plan.key_columns().map(|(column, print)| printed(column, print) + "::text");
    let keys: Vec<_> = keys.collect();
    let condition = sql::shard_condition(&plan.read, range);
    let and = if condition.is_empty() { " WHERE" } else { " AND" };
    let chosen: Vec<_> = buckets.chosen.iter().map(u32::to_string).collect();
    let query = format!(
        "SELECT {}, {} FROM {}{condition}{and} {} IN ({})",
        hash(&plan.hash, &row_text(plan.hashed_columns())),
        keys.join(", "),
        sql::table(&plan.schema().table),
        bucket(plan, buckets.count),
        chosen.join(", ")
    );
    fetch(db, plan, query).await?.iter().map(|row| hashed(plan, row)).collect()
}

fn hashed(plan: &DigestPlan, row: &PgRow) -> Result<HashedRow> {
    let hash: i64 = get(row, 0)?;
    let (mut key, mut name) = (Some(Vec::new()), Vec::new());
    for (position, (_, print)) in plan.key_columns().enumerate() {
        let cell: Option<String> = get(row, position + 1)?;
        push_name(&mut name, cell.as_ref().map(String::as_bytes));
        key = key.zip(cell).map(|(mut key, cell)| {
            key.push(match print {
                Print::Bytes => BoundValue::Hex(cell),
                _ => BoundValue::Text(cell),
            });
            key
        });
    }
    Ok(HashedRow { key: key.map(Bound), name, hash: hash as u64 })
}

async fn fetch(db: &Db, plan: &DigestPlan, query: String) -> Result<Vec<PgRow>> {
    let mut lane = db.lane().await?;
    let rows = lane.rows(query).await;
    let rows = rows.context(|| format!("comparing table {}", plan.schema().table))?;
    lane.release();
    Ok(rows)
}

fn odd(plan: &DigestPlan) -> Error {
    Error::internal(format!("comparing table {}: an odd answer", plan.schema().table))
}

/// A key's value by its canonical text.
pub(super) fn key_value(column: &Column, cell: &[u8]) -> BoundValue {
    match column.logical {
        LogicalType::Bytes(_) => {
            BoundValue::Hex(cell.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        _ => BoundValue::Text(String::from_utf8_lossy(cell).into_owned()),
    }
}
