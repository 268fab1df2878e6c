//! One table in the place of another, by RENAME TABLE, which is atomic.
//!
//! It commits by itself, so that no marker can go with it: until that is written, the old table, by the
//! name that it has then, says that the run has renamed both.

use sqlx::{AssertSqlSafe, Executor, Row};
use uuid::Uuid;

use super::connect::{Database, Lease};
use super::{create, lock, sql};
use crate::error::Result;
use crate::fence::Fence;
use crate::plugin::{WritePlan, beside, marker_of, old};
use crate::schema::TableRef;

/// How long the rename may wait for those who use the target, in seconds.
const PATIENCE: u32 = 60;

/// What would be lost with the table, or stay with the old one; views and grants go by its name.
const OBSTACLES: &str = "SELECT CONCAT('it is of the type ', CAST(TABLE_TYPE AS CHAR)) \
     FROM information_schema.tables \
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND TABLE_TYPE <> 'BASE TABLE' \
     UNION ALL SELECT CONCAT('its engine ', CAST(t.ENGINE AS CHAR), ' has no transactions') \
     FROM information_schema.tables t JOIN information_schema.engines e ON e.ENGINE = t.ENGINE \
     WHERE t.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND t.TABLE_NAME = ? AND e.TRANSACTIONS <> 'YES' \
     UNION ALL SELECT CONCAT('trigger ', CAST(TRIGGER_NAME AS CHAR)) FROM information_schema.triggers \
     WHERE EVENT_OBJECT_SCHEMA = COALESCE(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? \
     UNION ALL SELECT CONCAT('foreign key ', CAST(CONSTRAINT_NAME AS CHAR)) \
     FROM information_schema.referential_constraints \
     WHERE CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? \
     UNION ALL SELECT CONCAT('foreign key ', CAST(CONSTRAINT_NAME AS CHAR), ' of ', \
     CAST(TABLE_NAME AS CHAR)) FROM information_schema.referential_constraints \
     WHERE UNIQUE_CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND REFERENCED_TABLE_NAME = ?";

const COUNTER: &str = "SELECT CAST(AUTO_INCREMENT AS SIGNED) FROM information_schema.tables \
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?";

const THERE: &str = "SELECT 1 FROM information_schema.tables \
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?";

/// See [`crate::plugin::Writer::swap_obstacles`].
pub(super) async fn obstacles(db: &Database, table: &TableRef) -> Result<Vec<String>> {
    let failure = |error| db.failure(&format!("looking at {table}"), error);
    let mut query = sqlx::query(OBSTACLES);
    for _ in 0..5 {
        query = query.bind(table.schema.as_deref()).bind(table.name.as_str());
    }
    let mut lease = db.lease().await?;
    let rows = (&mut *lease).fetch_all(query).await.map_err(failure)?;
    lease.keep();
    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failure)
}

/// See [`crate::plugin::Writer::create_like`].
pub(super) async fn create_like(db: &Database, new: &TableRef, table: &TableRef) -> Result<()> {
    let doing = format!("creating {new}");
    let failure = |error| db.failure(&doing, error);
    let (name, like) = (sql::table(new), sql::table(table));
    let query = sqlx::query(COUNTER).bind(table.schema.as_deref()).bind(table.name.as_str());
    let mut lease = db.lease().await?;
    let row = (&mut *lease).fetch_optional(query).await.map_err(failure)?;
    let counter = row.map(|row| row.try_get::<Option<i64>, _>(0)).transpose().map_err(failure)?;
    let counter =
        counter.flatten().map(|next| format!("; ALTER TABLE {name} AUTO_INCREMENT = {next}"));
    let create =
        format!("CREATE TABLE IF NOT EXISTS {name} LIKE {like}{}", counter.unwrap_or_default());
    (&mut *lease).execute(sqlx::raw_sql(AssertSqlSafe(create))).await.map_err(failure)?;
    lease.keep();
    Ok(())
}

/// See [`crate::plugin::Writer::swap`].
pub(super) async fn swap(
    db: &Database,
    plan: &WritePlan,
    target: &TableRef,
    fence: &Fence,
) -> Result<()> {
    let doing = format!("putting {} in the place of {target}", plan.schema.table);
    let (new, table) = (sql::table(&plan.schema.table), sql::table(target));
    let gone = sql::table(&old(target, plan.run_id));
    let lock = lock::of_table(db.config.db.as_deref(), target);
    let mut lease = db.lease().await?;
    let begin = format!(
        "SET SESSION wait_timeout = 20, lock_wait_timeout = {PATIENCE}; SELECT GET_LOCK('{lock}', 0)"
    );
    let rows = (&mut *lease).fetch_all(sqlx::raw_sql(AssertSqlSafe(begin))).await;
    if !rows.and_then(|rows| lock::got(&rows)).map_err(|error| db.failure(&doing, error))? {
        lock::take_over(db, &mut lease, &lock).await?;
    }
    fence.check()?;
    crate::fault::point("swap.fenced");
    run(db, &mut lease, &doing, format!("RENAME TABLE {table} TO {gone}, {new} TO {table}"))
        .await?;
    crate::fault::point("swap.renamed");
    run(db, &mut lease, &doing, settled(target, plan.run_id)).await?;
    let end = format!("DO RELEASE_LOCK('{lock}'); SET SESSION lock_wait_timeout = DEFAULT");
    run(db, &mut lease, &doing, end).await?;
    lease.keep();
    Ok(())
}

/// See [`crate::plugin::Writer::settle_swap`].
pub(super) async fn settle(db: &Database, target: &TableRef, run_id: Uuid) -> Result<bool> {
    let (markers, number) = marker(target, run_id);
    let doing = format!("looking how far {target} was replaced");
    db.execute(&doing, create::marker(&markers)).await?;
    let mut lease = db.lease().await?;
    // Whoever may still be about to rename is ended first.
    let lock = lock::of_table(db.config.db.as_deref(), target);
    lock::end_holders(db, &mut lease, std::slice::from_ref(&lock)).await?;
    let marked = format!("SELECT 1 FROM {markers} WHERE run_id = '{run_id}' AND shard = {number}");
    let marked = (&mut *lease).fetch_optional(sqlx::raw_sql(AssertSqlSafe(marked))).await;
    let mut is_done = marked.map_err(|error| db.failure(&doing, error))?.is_some();
    if !is_done {
        let gone = old(target, run_id);
        let query = sqlx::query(THERE).bind(gone.schema.as_deref()).bind(gone.name.as_str());
        let there = (&mut *lease).fetch_optional(query).await;
        is_done = there.map_err(|error| db.failure(&doing, error))?.is_some();
    }
    if is_done {
        run(db, &mut lease, &doing, settled(target, run_id)).await?;
    }
    lease.keep();
    Ok(is_done)
}

/// The statements that end a swap: as long as the marker is missing, the old table says that it was done.
fn settled(target: &TableRef, run_id: Uuid) -> String {
    let (markers, number) = marker(target, run_id);
    format!(
        "INSERT IGNORE INTO {markers} (run_id, shard) VALUES ('{run_id}', {number}); \
         DROP TABLE IF EXISTS {}",
        sql::table(&old(target, run_id))
    )
}

async fn run(db: &Database, lease: &mut Lease, doing: &str, statements: String) -> Result<()> {
    let done = (&mut **lease).execute(sqlx::raw_sql(AssertSqlSafe(statements))).await;
    done.map(drop).map_err(|error| db.failure(doing, error))
}

/// The marker table beside the target, and the number there.
fn marker(target: &TableRef, run_id: Uuid) -> (String, i64) {
    let name = TableRef { schema: target.schema.clone(), name: "goshift_marker".to_owned() };
    (sql::table(&name), marker_of(&beside(target, run_id), "swap"))
}
