//! Writes one shard: one transaction on one connection.

use sqlx::postgres::{PgConnection, PgCopyIn};

use super::connect::{Db, Lane, Stage};
use super::encode::Encoder;
use super::tuples::Tuples;
use super::{error, lock, sql, types};
use crate::batch::{BatchReceiver, Payload, WireFormat};
use crate::error::{Error, Result};
use crate::plugin::path::WritePath;
use crate::plugin::{ByKey, Receipt, WriteMode, WritePlan};

/// A process that is paused between two statements would keep its row locks: the server ends such
/// a transaction. In the middle of a COPY only the statement's own limit does, which is far beyond
/// what a COPY takes, unless the connection has a shorter one.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
     SET LOCAL idle_in_transaction_session_timeout = '20s'; \
     DO 'BEGIN IF current_setting(''statement_timeout'') = ''0'' THEN \
     PERFORM set_config(''statement_timeout'', ''1h'', true); END IF; END'";
/// Encoded bytes that are worth a message to the server.
const CHUNK_BYTES: usize = 64 * 1024;

/// The largest message.
const MAX_CHUNK_BYTES: usize = 1024 * 1024;

/// Bytes after which a COPY is ended and another begun in the same transaction. The driver sees
/// the server's complaint only at the end of a COPY, and the rows' keys are kept until then.
const STATEMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Writes a shard and returns after its COMMIT. On an error, and when it is dropped, the lane is
/// closed, which ends the COPY and rolls back.
pub(super) async fn write_shard(
    db: &Db,
    plan: &WritePlan,
    shard: u64,
    mut input: BatchReceiver,
) -> Result<Receipt> {
    let mut lane = db.lane().await?;
    let stage = stage(plan);
    let path = plan.path.now();
    let receipt = match (plan.mode, path) {
        (WriteMode::Insert, _) => {
            insert(&mut lane, plan, &stage, shard, &mut input).await.map_err(|error| {
                if plan.adds_key && error::is_duplicate(&error) {
                    let table = &plan.schema.table;
                    return Error::transient(format!("another run has added the key of {table}"));
                }
                error
            })?
        }
        (_, WritePath::Direct) => direct(&mut lane, plan, shard, &mut input).await?,
        _ => upsert(&mut lane, plan, &stage, shard, &mut input).await?,
    };
    if receipt.already_done {
        lane.execute("ROLLBACK".to_owned()).await?;
        lane.release();
        return Ok(receipt);
    }
    crate::fault::point("shard.before_commit");
    lane.execute("COMMIT".to_owned()).await?;
    if plan.mode == WriteMode::Upsert && path == WritePath::Staged {
        lane.keep_stage(stage);
    }
    lane.release();
    Ok(receipt)
}

/// Straight into a target that was empty. A row that is there all the same, be it of another
/// writer or of this shard's own first try, is found by the target's key: then the run goes by the
/// stage, which updates.
async fn direct(
    lane: &mut Lane,
    plan: &WritePlan,
    shard: u64,
    input: &mut BatchReceiver,
) -> Result<Receipt> {
    lane.execute(begin(plan, shard)).await?;
    let table = sql::table(&plan.schema.table);
    let copied = copy(lane, plan, &table, input).await.map_err(|error| {
        if error::is_duplicate(&error) && plan.path.fall_back() {
            return Error::transient(format!("{table} is not empty any more"));
        }
        error
    })?;
    crate::fault::point("shard.fenced");
    Ok(copied)
}

/// Goes through a temporary table of this connection, since COPY can't update.
async fn upsert(
    lane: &mut Lane,
    plan: &WritePlan,
    stage: &Stage,
    shard: u64,
    input: &mut BatchReceiver,
) -> Result<Receipt> {
    let name = stage.name();
    let mut begin = begin(plan, shard);
    if !lane.has_stage(stage) {
        begin = format!("{begin}; {}", create(stage));
    }
    lane.execute(begin).await?;
    let receipt = copy(lane, plan, &name, input).await?;
    crate::fault::point("shard.fenced");
    // Rows that share a key must meet in the merge, which refuses them. A row that is replaced may differ
    // where it is not written.
    let leaves_out = plan.unique_rows && plan.by_key != ByKey::Replace;
    let unchanged = if leaves_out { lane.execute(leave_out(plan, &name)).await? } else { 0 };
    if plan.by_key == ByKey::Replace {
        lane.execute(take_out(plan, &name)).await?;
    }
    let affected = unchanged + lane.execute(merge(plan, &name)).await?;
    let counts_all = match plan.by_key {
        // DO NOTHING leaves out rows that are there already.
        ByKey::Merge => plan.key.len() < plan.columns.len(),
        ByKey::Replace => true,
        ByKey::Keep | ByKey::Update => false,
    };
    if affected != receipt.rows && counts_all {
        return Err(lost_rows(receipt.rows, affected));
    }
    Ok(receipt)
}

/// Begins a shard's transaction, behind its lock.
pub(super) fn begin(plan: &WritePlan, shard: u64) -> String {
    format!("{BEGIN}; {}", lock::take(plan.run_id, shard))
}

/// Straight into the target, behind the shard's marker. If the marker is there already the rows are
/// only counted, by a temporary table: nobody knows how many raw bytes hold. A marker that another
/// transaction has not yet committed is waited for.
async fn insert(
    lane: &mut Lane,
    plan: &WritePlan,
    stage: &Stage,
    shard: u64,
    input: &mut BatchReceiver,
) -> Result<Receipt> {
    let mark = format!(
        "{}; INSERT INTO {} (run_id, shard) VALUES ('{}', {shard}) ON CONFLICT DO NOTHING",
        begin(plan, shard),
        marker_table(plan),
        plan.run_id
    );
    if lane.execute(mark).await? == 0 {
        lane.execute(create(stage)).await?;
        let counted = copy(lane, plan, &stage.name(), input).await?;
        return Ok(Receipt { already_done: true, ..counted });
    }
    copy(lane, plan, &sql::table(&plan.schema.table), input).await
}

/// Copies everything that is received into a table with the plan's columns.
async fn copy(
    lane: &mut Lane,
    plan: &WritePlan,
    table: &str,
    input: &mut BatchReceiver,
) -> Result<Receipt> {
    let columns = sql::names(plan.target_columns());
    match plan.format {
        WireFormat::Canonical => {
            let statement = format!("COPY {table} ({columns}) FROM STDIN");
            copy_rows(lane, plan, &statement, input).await
        }
        WireFormat::PostgresBinary => {
            let statement = format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)");
            copy_raw(lane, plan, &statement, input).await
        }
        WireFormat::PostgresText | WireFormat::SqliteValues | WireFormat::ServerSide => {
            Err(Error::internal("PostgreSQL was sent what it does not accept"))
        }
    }
}

async fn copy_rows(
    lane: &mut Lane,
    plan: &WritePlan,
    statement: &str,
    input: &mut BatchReceiver,
) -> Result<Receipt> {
    let mut encoder = Encoder::new(plan);
    let mut receipt = Receipt::default();
    let mut more = true;
    while more {
        let mut copy = lane.copy_in(statement).await?;
        let limit = receipt.bytes + STATEMENT_BYTES;
        while receipt.bytes < limit {
            let Some(payload) = input.next().await? else {
                more = false;
                break;
            };
            let Payload::Rows(batch) = payload else {
                return Err(Error::internal("raw bytes came where rows were agreed on"));
            };
            for row in 0..batch.rows() {
                encoder.push(&batch, row)?;
                if encoder.buffer.len() >= CHUNK_BYTES {
                    send(&mut copy, &mut encoder.buffer).await?;
                }
            }
            receipt.bytes += batch.bytes() as u64;
            if input.is_paced() {
                send(&mut copy, &mut encoder.buffer).await?;
            }
        }
        send(&mut copy, &mut encoder.buffer).await?;
        let stored = copy.finish().await.map_err(|error| {
            let line = error::copy_line(&error);
            let mapped = error::from_sqlx(error);
            line.map(|line| encoder.describe_line(line)).into_iter().fold(mapped, Error::context)
        })?;
        let sent = encoder.restart();
        if stored != sent {
            return Err(lost_rows(sent, stored));
        }
        receipt.rows += sent;
    }
    Ok(receipt)
}

async fn send(copy: &mut PgCopyIn<&mut PgConnection>, buffer: &mut Vec<u8>) -> Result<()> {
    for chunk in buffer.chunks(MAX_CHUNK_BYTES) {
        copy.send(chunk).await.map_err(error::from_sqlx)?;
    }
    buffer.clear();
    // A single large row must not stay in memory for the rest of the shard.
    buffer.shrink_to(MAX_CHUNK_BYTES);
    Ok(())
}

async fn copy_raw(
    lane: &mut Lane,
    plan: &WritePlan,
    statement: &str,
    input: &mut BatchReceiver,
) -> Result<Receipt> {
    let mut receipt = Receipt::default();
    let mut tuples = Tuples::new();
    let mut copy = lane.copy_in(statement).await?;
    while let Some(payload) = input.next().await? {
        let Payload::Raw(bytes) = payload else {
            return Err(Error::internal("rows came where raw bytes were agreed on"));
        };
        receipt.bytes += bytes.len() as u64;
        tuples.feed(&bytes)?;
        for chunk in bytes.chunks(MAX_CHUNK_BYTES) {
            copy.send(chunk).await.map_err(error::from_sqlx)?;
        }
    }
    let stored = copy.finish().await.map_err(|error| {
        let row = error::failing_row(&error, plan)
            .or_else(|| error::copy_line(&error).map(|line| format!("row {line} of the shard")));
        row.into_iter().fold(error::from_sqlx(error), Error::context)
    })?;
    receipt.rows = tuples.rows()?;
    if stored != receipt.rows {
        return Err(lost_rows(receipt.rows, stored));
    }
    Ok(receipt)
}

fn lost_rows(sent: u64, stored: u64) -> Error {
    Error::permanent(format!("{sent} rows were sent and PostgreSQL stored {stored}")).with_remedy(
        "look for a trigger or a rule on the target table that drops or redirects rows, and \
         disable it for the run",
    )
}

/// The marker table, in the target's schema.
pub(super) fn marker_table(plan: &WritePlan) -> String {
    sql::table(&crate::schema::TableRef {
        schema: plan.schema.table.schema.clone(),
        name: "goshift_marker".to_owned(),
    })
}

/// The stage has the target's types and NOT NULLs, so that COPY can tell the row at fault.
fn stage(plan: &WritePlan) -> Stage {
    let columns: Vec<_> = plan
        .target_columns()
        .map(|column| {
            let not_null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{not_null}", sql::ident(&column.name), column.native)
        })
        .collect();
    Stage {
        columns: columns.join(", "),
        lasts: plan.target_columns().all(|column| types::has_stable_binary_form(&column.native)),
    }
}

fn create(stage: &Stage) -> String {
    format!(
        "CREATE TEMP TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS",
        stage.name(),
        stage.columns
    )
}

/// Takes the rows out of the stage that the target has already, to the last bit: an update would
/// write each of them again. `*=` compares images (PostgreSQL manual, 9.24.6), where `=` would take
/// 1.0 for 1.00. The stage has no statistics: without the settings a small target would be read as a
/// whole for each shard.
fn leave_out(plan: &WritePlan, stage: &str) -> String {
    let each = |of: &str| {
        let names =
            plan.target_columns().map(|column| format!("{of}.{}", sql::ident(&column.name)));
        names.collect::<Vec<_>>().join(", ")
    };
    format!(
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
         DELETE FROM {stage} s USING {} t WHERE {} AND ROW({})::record *= ROW({})::record",
        sql::table(&plan.schema.table),
        same_key(plan),
        each("t"),
        each("s")
    )
}

/// Whether row `t` of the target has the key of row `s` of the stage.
fn same_key(plan: &WritePlan) -> String {
    let joined =
        plan.key_columns().map(|column| format!("t.{0} = s.{0}", sql::ident(&column.name)));
    joined.collect::<Vec<_>>().join(" AND ")
}

/// Takes the rows that are going to be replaced out of the target.
fn take_out(plan: &WritePlan, stage: &str) -> String {
    let table = sql::table(&plan.schema.table);
    format!(
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
         DELETE FROM {table} t USING {stage} s WHERE {}",
        same_key(plan)
    )
}

/// Changes the rows that are there.
fn update(plan: &WritePlan, stage: &str) -> String {
    let set = plan.other_columns().map(|column| format!("{0} = s.{0}", sql::ident(&column.name)));
    format!(
        "UPDATE {} t SET {} FROM {stage} s WHERE {}",
        sql::table(&plan.schema.table),
        set.collect::<Vec<_>>().join(", "),
        same_key(plan)
    )
}

/// Rows go in by key order: two transactions that meet take their locks in the same order.
fn merge(plan: &WritePlan, stage: &str) -> String {
    if plan.by_key == ByKey::Update {
        return update(plan, stage);
    }
    let columns = sql::names(plan.target_columns());
    let key = sql::names(plan.key_columns());
    let overriding = if plan.target_columns().any(|column| column.auto_increment) {
        " OVERRIDING SYSTEM VALUE"
    } else {
        ""
    };
    let rest: Vec<_> = plan
        .other_columns()
        .map(|column| format!("{0} = EXCLUDED.{0}", sql::ident(&column.name)))
        .collect();
    let conflict = match plan.by_key {
        // They were taken out: what is in the way now is another row.
        ByKey::Replace => String::new(),
        ByKey::Merge if !rest.is_empty() => {
            format!(" ON CONFLICT ({key}) DO UPDATE SET {}", rest.join(", "))
        }
        _ => format!(" ON CONFLICT ({key}) DO NOTHING"),
    };
    format!(
        "INSERT INTO {} ({columns}){overriding} SELECT {columns} FROM {stage} \
         ORDER BY {key}{conflict}",
        sql::table(&plan.schema.table)
    )
}
