//! Which rights the login lacks, as the server's own functions know them.

use super::connect::Db;
use super::describe::get;
use super::load::marker_table;
use super::{error, sql};
use crate::error::{Context, Error, Result};
use crate::plugin::path::WritePath;
use crate::plugin::rights::{Lack, Work};
use crate::plugin::{ByKey, ReadPlan, WritePlan};
use crate::schema::{Column, TableRef};

/// A right, what it is on for people and for GRANT, and the expression that is true if it is there.
type Need = (&'static str, String, String, String);

/// See [`crate::plugin::Reader::lacks`].
pub(super) async fn of_reader(db: &Db, plan: &ReadPlan) -> Result<Vec<Lack>> {
    let table = db.resolve(&plan.schema.table);
    lacking(db, vec![on_columns(&table, "SELECT", plan.read_columns())]).await
}

/// See [`crate::plugin::Writer::lacks`].
pub(super) async fn of_writer(db: &Db, work: &Work<'_>) -> Result<Vec<Lack>> {
    let plan = work.plan;
    let table = db.resolve(&plan.schema.table);
    let mut needs = Vec::new();
    if work.creates_table {
        needs.push(on_schema(&table));
    } else {
        needs.push(on_columns(&table, "SELECT", plan.target_columns()));
        if work.inserts() {
            needs.push(on_columns(&table, "INSERT", plan.target_columns()));
        }
        if work.updates() && plan.by_key != ByKey::Keep && plan.other_columns().next().is_some() {
            needs.push(on_columns(&table, "UPDATE", plan.other_columns()));
        }
        if work.deletes() {
            needs.push(on_table(&sql::table(&table), &table.to_string(), "DELETE"));
        }
        needs.extend(sequences(&table, plan));
    }
    if plan.path.may_be(WritePath::Staged) {
        let may = "has_database_privilege(current_database(), 'TEMPORARY')".to_owned();
        let name = "DATABASE ' || quote_ident(current_database()) || '".to_owned();
        needs.push(("TEMPORARY", "the database".to_owned(), name, may));
    }
    if work.marks() {
        let name = marker_table(plan);
        let (right, on, object, may) = on_schema(&table);
        let class = format!("to_regclass({})", sql::literal(&name));
        needs.push((right, on, object, format!("{class} IS NOT NULL OR {may}")));
        for right in ["SELECT", "INSERT", "DELETE"] {
            needs.push(on_table(&name, "goshift_marker", right));
        }
    }
    lacking(db, needs).await
}

/// What creating that table needs.
pub(super) async fn to_create(db: &Db, table: &TableRef) -> Result<Vec<Lack>> {
    lacking(db, vec![on_schema(&db.resolve(table))]).await
}

/// What looking into that table needs.
pub(super) async fn to_look(db: &Db, table: &TableRef) -> Result<Vec<Lack>> {
    lacking(db, vec![on_table(&sql::table(table), &table.to_string(), "SELECT")]).await
}

fn on_columns<'a>(
    table: &TableRef,
    right: &'static str,
    columns: impl Iterator<Item = &'a Column>,
) -> Need {
    let name = sql::table(table);
    let columns: Vec<_> = columns.map(|column| sql::literal(&column.name)).collect();
    // Whoever has it on the table has it on each column. One that is not there is going to be added by
    // the table's owner, who has every right.
    let may = format!(
        "(SELECT COALESCE(bool_and(has_column_privilege(attrelid, attnum, '{right}')), true) \
         FROM pg_attribute WHERE attrelid = {}::regclass AND attname IN ({}) AND NOT attisdropped)",
        sql::literal(&name),
        columns.join(", ")
    );
    (right, format!("table {table}"), quoted(&name), may)
}

/// A table that may be missing still: then whoever creates it has every right.
fn on_table(name: &str, shown: &str, right: &'static str) -> Need {
    let class = format!("to_regclass({})", sql::literal(name));
    let may = format!("{class} IS NULL OR has_table_privilege({class}, '{right}')");
    (right, format!("table {shown}"), quoted(name), may)
}

fn on_schema(table: &TableRef) -> Need {
    let schema = match &table.schema {
        Some(schema) => sql::literal(schema),
        None => "current_schema()".to_owned(),
    };
    let shown = table
        .schema
        .as_deref()
        .map_or("the current schema".to_owned(), |schema| format!("schema {schema}"));
    let may = format!("has_schema_privilege({schema}, 'CREATE')");
    ("CREATE", shown, format!("SCHEMA ' || quote_ident({schema}) || '"), may)
}

/// Sequences are moved past the rows that were copied.
fn sequences(table: &TableRef, plan: &WritePlan) -> Vec<Need> {
    let counting = plan.target_columns().filter(|column| column.auto_increment);
    counting
        .map(|column| {
            let sequence = format!(
                "pg_get_serial_sequence({}, {})",
                sql::literal(&sql::table(table)),
                sql::literal(&column.name)
            );
            let may = format!("{sequence} IS NULL OR has_sequence_privilege({sequence}, 'UPDATE')");
            let on = format!("the sequence of {table}.{}", column.name);
            ("UPDATE", on, format!("SEQUENCE ' || {sequence} || '"), may)
        })
        .collect()
}

/// A name inside of a string literal.
fn quoted(name: &str) -> String {
    name.replace('\'', "''")
}

async fn lacking(db: &Db, needs: Vec<Need>) -> Result<Vec<Lack>> {
    let rows = needs.iter().enumerate().map(|(at, (right, _, object, may))| {
        format!(
            "SELECT {at}::int4, 'GRANT {right} ON {object} TO ' || quote_ident(current_user) \
             WHERE NOT ({may})"
        )
    });
    let query = rows.collect::<Vec<_>>().join(" UNION ALL ");
    let mut lane = db.lane().await?;
    let found = lane.rows(query).await.context(|| "asking for rights")?;
    lane.release();
    let lack = |row| {
        let at: i32 = get(row, 0)?;
        let (right, on, ..) = needs
            .get(at as usize)
            .ok_or_else(|| Error::internal("a right was answered that was not asked for"))?;
        Ok(Lack { right: (*right).to_owned(), on: on.clone(), remedy: get(row, 1)? })
    };
    found.iter().map(lack).collect()
}

/// Adds to the refusal of a right which one it is: the server names the table only. `lacks` is asked
/// only then.
pub(super) async fn named(error: Error, lacks: impl Future<Output = Result<Vec<Lack>>>) -> Error {
    if !error::is_denied(&error) {
        return error;
    }
    match lacks.await {
        Ok(lacks) if !lacks.is_empty() => {
            let rights: Vec<_> = lacks.iter().map(ToString::to_string).collect();
            let remedies: Vec<_> = lacks.iter().map(|lack| lack.remedy.as_str()).collect();
            Error::permanent(format!("{error}: the login lacks {}", rights.join(", ")))
                .with_remedy(remedies.join("; "))
        }
        // What the server has said is true all the same.
        _ => error,
    }
}
