//! Tables as the catalogs describe them.

use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connect::{Db, Lane, without_nul};
use super::{default, error, sql, types};
use crate::error::{Context, Result};
use crate::plugin::pending;
use crate::schema::{Column, Key, Schema, TableRef};

/// Tables, partitioned tables, views, foreign tables and materialized views. A partitioned table
/// has no estimate of its own. The last columns: whether tables inherit from it, so that it is read with
/// their rows; not TimescaleDB's chunks, over which a key holds. And whether it is another server's.
const TABLE: &str = "SELECT c.oid::bigint, n.nspname::text, c.relname::text, \
    CASE c.relkind WHEN 'v' THEN NULL WHEN 'p' THEN (SELECT sum(GREATEST(l.reltuples, 0)) \
    FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid WHERE p.isleaf) \
    ELSE c.reltuples END::float8, obj_description(c.oid, 'pg_class'), \
    c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid \
    JOIN pg_namespace m ON m.oid = k.relnamespace \
    WHERE i.inhparent = c.oid AND m.nspname <> '_timescaledb_internal'), c.relkind = 'f' \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND c.oid = to_regclass($1)";

/// One row a column. A domain is followed down to its base type, whose modifier is that of the
/// domain next to it.
const COLUMNS: &str = "SELECT a.attnum::int4, a.attname::text, \
    format_type(a.atttypid, a.atttypmod), \
    b.typname::text, b.typtype::text, b.modifier, format_type(b.oid, b.modifier), \
    a.attnotnull, a.attgenerated <> '', a.attidentity <> '' OR (a.attgenerated = '' \
    AND COALESCE(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false)), a.atthasdef, \
    NULLIF(l.collname::text, 'default'), col_description(a.attrelid, a.attnum), \
    CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END \
    FROM pg_attribute a \
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    LEFT JOIN pg_collation l ON l.oid = a.attcollation \
    CROSS JOIN LATERAL (WITH RECURSIVE chain AS ( \
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS modifier \
    FROM pg_type t WHERE t.oid = a.atttypid UNION ALL \
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, chain.typtypmod \
    FROM chain JOIN pg_type t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd') \
    SELECT * FROM chain WHERE typtype <> 'd') b \
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = $1::oid \
    ORDER BY a.attnum";

/// Columns whose NOT NULL was never validated, which PostgreSQL knows from 18 on. Not a part of the query
/// above: to look into one more catalog costs every new session time.
const UNPROVEN: &str = "SELECT unnest(conkey)::int4 FROM pg_constraint \
    WHERE contype = 'n' AND NOT convalidated AND conrelid = $1::oid";
const FIRST_WITH_UNPROVEN: u32 = 180_000;

/// Keys that hold at every moment and for every row: not deferrable, not partial, no expressions.
const KEYS: &str = "SELECT c.relname::text, i.indisprimary, \
    (SELECT array_agg(k.attnum::int4 ORDER BY k.place) FROM \
    unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) WHERE k.place <= i.indnkeyatts) \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE i.indisunique AND i.indimmediate AND i.indisvalid AND NOT i.indisexclusion \
    AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indrelid = $1::oid \
    ORDER BY i.indisprimary DESC, i.indnkeyatts, c.relname";

impl Db {
    /// The table's shape under its full name, so that a search path can't change its meaning
    /// later; `None` if there is no such table.
    pub(super) async fn describe(&self, table: &TableRef) -> Result<Option<Arc<Schema>>> {
        let mut lane = self.lane().await?;
        let wanted = self.resolve(table);
        let schema = describe(&mut lane, &wanted).await.context(|| format!("table {wanted}"))?;
        lane.release();
        Ok(schema.map(Arc::new))
    }
}

async fn describe(lane: &mut Lane, table: &TableRef) -> Result<Option<Schema>> {
    let rows = lane.look_up(TABLE, without_nul(sql::table(table))?).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let oid: i64 = get(row, 0)?;
    let found = TableRef { schema: Some(get(row, 1)?), name: get(row, 2)? };
    // The server cuts a name that is too long, and finds another table by the rest.
    if found.name != table.name {
        return Ok(None);
    }
    let table = found;
    let (estimate, comment): (Option<f64>, Option<String>) = (get(row, 3)?, get(row, 4)?);
    let (is_parent, is_foreign): (bool, bool) = (get(row, 5)?, get(row, 6)?);

    let mut numbers = Vec::new();
    let mut columns = Vec::new();
    for row in lane.look_up(COLUMNS, oid).await? {
        numbers.push(get::<i32>(&row, 0)?);
        let column = column(&row)?;
        // A child may have dropped what its parent promises, and nobody checks another server's rows.
        let nullable = column.nullable || is_parent || is_foreign;
        columns.push(Column { nullable, ..column });
    }
    if lane.server_version() >= FIRST_WITH_UNPROVEN {
        for row in lane.look_up(UNPROVEN, oid).await? {
            let number: i32 = get(&row, 0)?;
            if let Some(position) = numbers.iter().position(|&n| n == number) {
                columns[position].nullable = true;
            }
        }
    }
    let mut keys = Vec::new();
    // A parent's keys hold for its own rows only, and its children's are read and found with them.
    let held = if is_parent { Vec::new() } else { lane.look_up(KEYS, oid).await? };
    for row in held {
        let attributes: Vec<i32> = get(&row, 2)?;
        let positions = attributes.iter().map(|a| numbers.iter().position(|n| n == a));
        // A key over a system column has no position.
        if let Some(columns) = positions.collect() {
            keys.push(Key { name: get(&row, 0)?, columns, primary: get(&row, 1)? });
        }
    }
    // −1 is "never analyzed".
    let estimated_rows = estimate.filter(|&rows| rows >= 0.0).map(|rows| rows as u64);
    let has_primary = keys.iter().any(|key| key.primary);
    let (comment, pending) = pending::read(comment, &columns, has_primary);
    Ok(Some(Schema { table, columns, keys, estimated_rows, pending, comment }))
}

fn column(row: &PgRow) -> Result<Column> {
    let (base, kind): (String, String) = (get(row, 3)?, get(row, 4)?);
    let (modifier, base_native): (i32, String) = (get(row, 5)?, get(row, 6)?);
    let (not_null, has_default): (bool, bool) = (get(row, 7)?, get(row, 10)?);
    let auto_increment: bool = get(row, 9)?;
    let logical = types::logical(&base, &kind, modifier, &base_native);
    let default = get::<Option<String>>(row, 13)?.filter(|_| !auto_increment);
    Ok(Column {
        name: get(row, 1)?,
        default: default.and_then(|text| default::read(&text, &logical)),
        logical,
        native: get(row, 2)?,
        nullable: !not_null,
        generated: get(row, 8)?,
        auto_increment,
        optional: !not_null || has_default || auto_increment,
        collation: get(row, 11)?,
        comment: get(row, 12)?,
    })
}

/// A value of a catalog query.
pub(super) fn get<'r, T>(row: &'r PgRow, index: usize) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(index).map_err(|cause| {
        error::from_sqlx(cause).context(format!("column {} of a catalog query", index + 1))
    })
}
