//! A table's indexes: what they are, and those that goshift adds to a table that it has created.

use super::connect::{Db, without_nul};
use super::describe::get;
use super::{Postgres, error, key, sql};
use crate::error::{Context, Result};
use crate::plugin::{NewTable, Plugin, not_added};
use crate::schema::{Index, IndexPart, Indexes, LogicalType, Schema, TableRef};

/// All indexes but the primary key, and whether they are of the kind that every engine has: ascending, on
/// whole columns by their own order and collation, for all rows, without further columns, and NULLs apart.
const INDEXES: &str = "SELECT c.relname::text, i.indisunique, \
    m.amname = 'btree' AND i.indisvalid AND i.indimmediate AND NOT i.indisexclusion \
    AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts \
    AND 0 = ALL (i.indoption::int2[]) \
    AND NOT COALESCE((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) \
    AND NOT EXISTS (SELECT FROM unnest(i.indclass::oid[]) o JOIN pg_opclass p ON p.oid = o \
    WHERE NOT p.opcdefault) \
    AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) k(number, used) \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
    WHERE a.attcollation <> k.used), \
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place) \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam \
    WHERE NOT i.indisprimary AND i.indrelid = to_regclass($1) ORDER BY c.relname";

/// See [`crate::plugin::Reader::indexes`].
pub(super) async fn find(db: &Db, schema: &Schema) -> Result<Indexes> {
    let table = &schema.table;
    let mut lane = db.lane().await?;
    let rows = lane.look_up(INDEXES, without_nul(sql::table(table))?).await;
    let rows = rows.context(|| format!("indexes of {table}"))?;
    lane.release();
    let mut indexes = Indexes::default();
    for row in rows {
        let (name, unique, is_plain): (String, bool, bool) =
            (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
        let columns: Vec<String> = get(&row, 3)?;
        let part =
            |column: &String| Some(IndexPart { column: schema.position(column)?, prefix: None });
        match columns.iter().map(part).collect::<Option<_>>().filter(|_| is_plain) {
            Some(parts) => indexes.plain.push(Index { name, unique, parts }),
            None => indexes.special.push(name),
        }
    }
    Ok(indexes)
}

/// Bytes of an index's columns that always fit in one, a third of a page
/// (<https://www.postgresql.org/docs/current/btree.html>).
const LONGEST_KEY: u32 = 2600;

/// Whether a new table could have the index, whatever comes to be in it. From another PostgreSQL it takes
/// what it took there.
pub(super) fn fits(new: &NewTable<'_>, index: &Index) -> bool {
    use LogicalType as T;
    let bytes = |part: &IndexPart| match new.columns[part.column].logical {
        T::Text(length) => length.map(|n| n.saturating_mul(4)),
        T::Bytes(length) => length,
        T::Json | T::Geometry | T::Other(_) => None,
        _ => Some(64),
    };
    let total =
        index.parts.iter().map(bytes).try_fold(0u32, |sum, part| Some(sum.saturating_add(part?)));
    let is_short = total.is_some_and(|total| total <= LONGEST_KEY);
    index.whole_columns().is_some() && (is_short || new.engine == Postgres.name())
}

/// Adds those that the table does not have yet, each by itself, and takes the note out of its comment.
/// Returns why some were not added, for people: rows are more than their indexes.
///
/// # Errors
/// What trying again may help against.
pub(super) async fn add(db: &Db, schema: &Schema, wanted: &[Index]) -> Result<Vec<String>> {
    let table = &schema.table;
    let mut notes = Vec::new();
    for index in wanted {
        crate::fault::point("index.before");
        let mut lane = db.lane().await?;
        match lane.execute(create(schema, index)).await {
            Ok(_) => {
                crate::fault::point("index.added");
                lane.release();
            }
            Err(error) if error.is_transient() => {
                return Err(error.context(format!("adding an index to {table}")));
            }
            Err(error) => {
                let is_shared = index.unique && error::is_duplicate(&error);
                let error = (!is_shared).then_some(&error);
                notes.push(not_added(table, &schema.columns, index, error));
            }
        }
    }
    match key::settle_comment(db, table).await {
        Err(error) if error.is_transient() => return Err(error),
        // Another login than the owner's.
        Err(error) => {
            notes.push(format!("the comment of {table} still names its indexes: {error}"))
        }
        Ok(()) => {}
    }
    Ok(notes)
}

/// Under its own name unless that is taken; without one the server finds it a name. Nothing if one is
/// there that serves: the lock lets whoever waited see what another process has done.
fn create(schema: &Schema, index: &Index) -> String {
    let table = sql::table(&schema.table);
    let unique = if index.unique { "UNIQUE " } else { "" };
    let columns: Vec<_> = index.parts.iter().map(|part| &schema.columns[part.column]).collect();
    let on = format!("ON {table} ({})", sql::names(columns.iter().copied()));
    let any = format!("CREATE {unique}INDEX {on};");
    let named = match index.name.is_empty() {
        true => any,
        false => {
            let full = TableRef { schema: schema.table.schema.clone(), name: index.name.clone() };
            format!(
                "IF to_regclass({}) IS NULL THEN CREATE {unique}INDEX {} {on}; ELSE {any} END IF;",
                sql::literal(&sql::table(&full)),
                sql::ident(&index.name)
            )
        }
    };
    let names: Vec<_> = columns.iter().map(|column| sql::literal(&column.name)).collect();
    let block = format!(
        "BEGIN IF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = {}::regclass AND i.indisvalid \
         AND i.indpred IS NULL AND (i.indisunique OR {}) AND ARRAY(SELECT a.attname::text \
         FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place) JOIN pg_attribute a \
         ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) = ARRAY[{}]) \
         THEN {named} END IF; END",
        sql::literal(&table),
        !index.unique,
        names.join(", ")
    );
    // A large index takes longer than a statement may elsewhere.
    format!(
        "BEGIN; SET LOCAL statement_timeout = 0; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; DO {}; \
         COMMIT",
        sql::literal(&block)
    )
}
