//! Copies a shard inside the server, by INSERT … SELECT: source and target are tables of one server, so
//! that no row has to leave it.

use mysql_async::prelude::Queryable;
use sqlx::{Executor, MySqlConnection, Row};

use super::connect::Database;
use super::load::Load;
use super::loader::LoadSession;
use super::statements::updates;
use super::{failure, sql};
use crate::batch::{BatchReceiver, Payload};
use crate::error::{Error, Result};
use crate::plugin::path::WritePath;
use crate::plugin::reuse::Connections;
use crate::plugin::{ColumnPair, Inside, KeyRange, ReadPlan, Receipt, WriteMode, WritePlan};
use crate::schema::TableRef;

/// Warnings that a value was changed on its way: out of range, truncated, invalid, NULL refused. Others
/// say something about the statement, as that VALUES is deprecated.
const CHANGES: &[u16] = &[1048, 1264, 1265, 1292, 1366, 1406, 1411];

/// Whether a row stays what it is without anybody looking at it: same types, same collations, and no
/// NULL where the target would put something else.
pub(super) fn keeps_values(pairs: &[ColumnPair<'_>]) -> bool {
    pairs.iter().all(|pair| {
        pair.from.native == pair.to.native
            && pair.from.collation == pair.to.collation
            && (pair.to.nullable || !pair.from.nullable)
    })
}

/// The shard's rows as a query for any session of the server.
pub(super) fn query(plan: &ReadPlan, range: &KeyRange, table: &TableRef) -> String {
    let columns: Vec<_> = plan.read_columns().map(|column| sql::name(&column.name)).collect();
    format!(
        "SELECT {} FROM {} AS goshift_source{}",
        columns.join(", "),
        sql::table(table),
        sql::range(plan, range)
    )
}

/// What tells a server from every other, though a proxy may stand before several.
const SERVER: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
     ('hostname', 'port', 'datadir', 'server_id', 'server_uuid')";
const KIND: &str = "SELECT CAST(TABLE_TYPE AS CHAR) FROM information_schema.tables \
     WHERE table_schema = ? AND table_name = ?";

/// The server that a connection ends at.
pub(super) async fn server(connection: &mut MySqlConnection) -> Result<String, sqlx::Error> {
    let rows = connection.fetch_all(sqlx::raw_sql(SERVER)).await?;
    let named = rows.iter().map(|row| {
        let text = |column| row.try_get_unchecked::<String, _>(column);
        Ok(format!("{}={}", text(0)?, text(1)?))
    });
    Ok(named.collect::<Result<Vec<_>, sqlx::Error>>()?.join(" "))
}

/// Where a table is, unless it is a view, which may show other rows to another login.
pub(super) async fn find(db: &Database, table: &TableRef) -> Result<Option<Inside>> {
    let failure = |error| db.failure(&format!("looking into {table}"), error);
    let mut lease = db.lease().await?;
    let query = sqlx::query(KIND).bind(table.schema.as_deref()).bind(table.name.as_str());
    let kind = (&mut *lease).fetch_optional(query).await.map_err(failure)?;
    let kind = kind.map(|row| row.try_get::<Option<String>, _>(0)).transpose().map_err(failure)?;
    let server = server(&mut lease).await.map_err(failure)?;
    lease.keep();
    if kind.flatten().is_none_or(|kind| kind.contains("VIEW")) {
        return Ok(None);
    }
    Ok(Some(Inside { server, table: table.clone() }))
}

/// Whether the table is on the target's server, and the target's login may read it.
pub(super) async fn can_read(
    connections: &Connections<LoadSession>,
    source: &Inside,
) -> Result<bool> {
    let mut lease = connections.lease().await?;
    let asked = async {
        let named: Vec<(String, String)> = lease.0.query(SERVER).await?;
        let named: Vec<_> = named.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if named.join(" ") != source.server {
            return Ok(false);
        }
        let probe = format!("SELECT 1 FROM {} LIMIT 0", sql::table(&source.table));
        lease.0.query_drop(probe).await.map(|()| true)
    };
    let answer: mysql_async::Result<bool> = asked.await;
    let answer = answer.map_err(|error| {
        Error::permanent(format!("asking for {}", source.table)).caused_by(error)
    })?;
    lease.keep();
    Ok(answer)
}

/// Writes a shard and returns after its COMMIT. Dropped before that, the connection is closed and
/// the server rolls back.
pub(super) async fn write_shard(
    db: &Database,
    connections: &Connections<LoadSession>,
    plan: &WritePlan,
    shard: u64,
    mut input: BatchReceiver,
) -> Result<Receipt> {
    let Some(Payload::Raw(query)) = input.next().await? else {
        return Err(Error::internal("rows came where a query was agreed on"));
    };
    let query =
        String::from_utf8(query.to_vec()).map_err(|_| Error::internal("a query is not UTF-8"))?;
    let lease = connections.lease().await?;
    let mut load = Load { db, plan, lease, receipt: Receipt::default() };
    let lock = load.begin(shard).await?;
    if plan.mode == WriteMode::Insert && !load.mark(shard).await? {
        let count = format!("SELECT COUNT(*) FROM ({query}) AS goshift");
        let rows: Option<u64> = match load.conn().query_first(count).await {
            Ok(rows) => rows,
            Err(error) => return Err(load.failure(error)),
        };
        load.receipt.rows = rows.unwrap_or(0);
        return load.already_done(&lock).await;
    }
    load.receipt.rows = insert(&mut load, &query).await?;
    // The shard's end has been waiting; it is let through only while the lease is good.
    if input.next().await?.is_some() {
        return Err(Error::internal("a shard has more than one query"));
    }
    crate::fault::point("shard.fenced");
    load.commit(&lock).await
}

/// Returns the rows that the query gave, all of which are in.
async fn insert(load: &mut Load<'_>, query: &str) -> Result<u64> {
    let plan = load.plan;
    let table = &plan.schema.table;
    let names: Vec<_> = plan.target_columns().map(|column| sql::name(&column.name)).collect();
    let merges = plan.path.now() == WritePath::InsideMerged;
    let tail = if merges { updates(plan, &names) } else { String::new() };
    let statement =
        format!("INSERT INTO {} ({}) {query}{tail}", sql::table(table), names.join(","));
    if let Err(error) = load.conn().query_drop(statement).await {
        if failure::is_duplicate(&error) && plan.mode == WriteMode::Upsert && !merges {
            plan.path.fall_back();
            return Err(Error::transient(format!(
                "{table} is not empty any more: rows are merged"
            )));
        }
        return Err(load.failure(error));
    }
    let conn = load.conn();
    let (written, warnings) = (conn.affected_rows(), conn.get_warnings());
    let info = conn.info().into_owned();
    let rows = records(&info).ok_or_else(|| {
        Error::internal(format!("{table}: the server did not say how many rows it copied"))
    })?;
    // A merge counts 1 for a row that was inserted or is the same, 2 for one that changed.
    if written < rows || (!merges && written > rows) {
        return Err(Error::permanent(format!(
            "copying into {table}: {rows} rows were read and {written} written"
        ))
        .with_remedy("look for triggers on the target that drop rows"));
    }
    if warnings > 0 {
        let said: Vec<(String, u16, String)> = match load.conn().query("SHOW WARNINGS").await {
            Ok(said) => said,
            Err(error) => return Err(load.failure(error)),
        };
        if let Some((_, code, _)) = said.iter().find(|(_, code, _)| CHANGES.contains(code)) {
            return Err(Error::permanent(format!(
                "copying into {table}: the server changed a value (warning {code})"
            ))
            .with_remedy("look for triggers on the target that change rows"));
        }
    }
    Ok(rows)
}

/// The number of rows in `Records: 3  Duplicates: 0  Warnings: 0`, in whatever language.
fn records(info: &str) -> Option<u64> {
    info.split_once(':')?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_how_many_rows_it_read() {
        assert_eq!(records("Records: 1500000  Duplicates: 2  Warnings: 0"), Some(1_500_000));
        assert_eq!(records("Datensätze: 3  Duplikate: 0  Warnungen: 0"), Some(3));
        assert_eq!(records(""), None);
    }
}
