//! Reads a table as of one moment: one connection exports its snapshot and holds it, every other
//! begins a transaction that reads by it.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::sync::Mutex;

use super::connect::{Db, Lane};
use super::describe::get;
use super::{error, sql};
use crate::error::{Context, Error, Result};
use crate::plugin::{SnapshotWay, snapshot_lost};
use crate::schema::TableRef;

/// How long the table may be locked by others before the attempt gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// What has answered within this time is alive without being asked.
const FRESH: Duration = Duration::from_secs(1);

/// A snapshot, and the connection whose open transaction keeps it importable.
pub(super) struct Hold {
    exporter: Mutex<Exporter>,
    id: String,
    table: String,
    place: String,
    patience: Duration,
}

struct Exporter {
    /// None once it was lost: a snapshot never comes back.
    lane: Option<Lane>,
    seen: Instant,
}

impl Hold {
    /// The statements by which a connection begins to read the snapshot. The table is locked at once,
    /// against what no snapshot sees (TRUNCATE, rewriting ALTER TABLE): if lanes asked for that lock
    /// only later, they would wait behind an ALTER TABLE that waits for the exporter.
    pub(super) fn join(&self, version: Option<u32>) -> String {
        let begin = begin(version);
        format!("{begin}SET TRANSACTION SNAPSHOT {}; {}", sql::literal(&self.id), lock(&self.table))
    }

    /// Why the server does not let a connection join.
    pub(super) fn refused(&self, error: Error) -> Error {
        match error.is_transient() {
            true => blocked(error, &self.table),
            // The server no longer knows the snapshot: its exporter is gone.
            false => snapshot_lost(&self.place).caused_by(error),
        }
    }

    /// [`Hold::prove`], unless that was done a moment ago.
    pub(super) async fn prove_lately(&self) -> Result<()> {
        self.ask(FRESH).await
    }

    /// Makes sure that the exporting transaction is still open.
    pub(super) async fn prove(&self) -> Result<()> {
        self.ask(Duration::ZERO).await
    }

    async fn ask(&self, fresh: Duration) -> Result<()> {
        let mut exporter = self.exporter.lock().await;
        let seen = exporter.seen;
        // Taken out, so that an answer nobody waits for any more counts as lost too.
        let Some(mut lane) = exporter.lane.take() else { return Err(snapshot_lost(&self.place)) };
        if seen.elapsed() >= fresh {
            let asking = lane.execute("SELECT 1".to_owned());
            match tokio::time::timeout(self.patience, asking).await {
                Ok(Ok(_)) => exporter.seen = Instant::now(),
                Ok(Err(error)) => return Err(snapshot_lost(&self.place).caused_by(error)),
                Err(_) => return Err(snapshot_lost(&self.place)),
            }
        }
        exporter.lane = Some(lane);
        Ok(())
    }
}

/// The lane that exports is never given back: its connection ends with the run.
async fn export(db: &Db, table: &str) -> Result<(Lane, String)> {
    let mut lane = db.lane().await?;
    let opening = format!(
        "{}SET LOCAL application_name = 'goshift snapshot'; {}",
        begin(lane.version()),
        lock(table)
    );
    // Locked before the snapshot is taken, with the first query.
    lane.execute(opening).await.map_err(|error| blocked(error, table))?;
    let rows = lane.rows("SELECT pg_export_snapshot()".to_owned()).await?;
    let id = rows.first().map(|row| get::<String>(row, 0)).transpose()?;
    let id = id.ok_or_else(|| Error::internal("PostgreSQL exported no snapshot"))?;
    Ok((lane, id))
}

/// Connects again, `lanes` + 1 times and once for the exporter, all to read one snapshot.
pub(super) async fn open(db: &Db, table: &TableRef, lanes: usize) -> Result<Db> {
    let config = db.config();
    let table = sql::table(&db.resolve(table));
    let held = Db::connect(config, lanes + 1).await?;
    let opening = async {
        let (lane, id) = export(&held, &table).await?;
        let exporter = Mutex::new(Exporter { lane: Some(lane), seen: Instant::now() });
        let (place, patience) = (config.place.clone(), config.timeout());
        let held = held.held(Hold { exporter, id, table, place, patience });
        let joined = try_join_all((0..=lanes).map(|_| held.lane())).await?;
        joined.into_iter().for_each(Lane::release);
        Ok(held)
    };
    opening.await.context(|| "taking a snapshot of the source")
}

/// How the table would be read, unless part of it is not under the server's snapshots.
pub(super) async fn way(db: &Db, table: &TableRef, lanes: usize) -> Result<SnapshotWay> {
    let mut lane = db.lane().await?;
    let rows = lane.rows(strangers(&sql::table(&db.resolve(table)))).await?;
    lane.release();
    if let Some(row) = rows.first() {
        let (name, kind): (String, String) = (get(row, 0)?, get(row, 1)?);
        return Err(Error::config(format!(
            "consistency \"snapshot\" can't be kept for {table}: {name}, which it reads, is a {kind}"
        ))
        .with_remedy(
            "copy it with \"consistency\": \"shard\", or copy the tables behind it instead",
        ));
    }
    Ok(SnapshotWay { how: "every lane reads by one exported snapshot", lanes })
}

/// Foreign tables, which are read in transactions of another server, and materialised views, whose
/// refresh no snapshot keeps out, among the table itself, its parts, and what a view is made of.
fn strangers(table: &str) -> String {
    format!(
        "WITH RECURSIVE part(oid) AS (SELECT {}::regclass::oid \
         UNION SELECT more.oid FROM part, LATERAL (\
           SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = part.oid \
           UNION ALL SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d \
             ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid \
             AND d.refclassid = 'pg_class'::regclass WHERE r.ev_class = part.oid) more) \
         SELECT c.oid::regclass::text, CASE c.relkind WHEN 'f' THEN 'foreign table' \
           ELSE 'materialized view' END \
         FROM part JOIN pg_class c ON c.oid = part.oid WHERE c.relkind IN ('f', 'm') LIMIT 1",
        sql::literal(table)
    )
}

/// Servers since 17 can bound a whole transaction, which must not end a run.
fn begin(version: Option<u32>) -> String {
    let unbounded = match version {
        Some(17_00_00..) => "SET transaction_timeout = 0; ",
        _ => "",
    };
    format!("{unbounded}BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ")
}

fn lock(table: &str) -> String {
    format!(
        "SET LOCAL lock_timeout = {}; LOCK TABLE {table} IN ACCESS SHARE MODE; \
         SET LOCAL lock_timeout = 0",
        PATIENCE.as_millis()
    )
}

fn blocked(error: Error, table: &str) -> Error {
    if !error::is_blocked(&error) {
        return error;
    }
    Error::transient(format!("{table} was locked for {} s", PATIENCE.as_secs()))
        .caused_by(error)
        .with_remedy(
            "something changes the table itself (ALTER TABLE, TRUNCATE, VACUUM FULL), or waits to: \
             look for it in pg_locks",
        )
}
