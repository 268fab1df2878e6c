//! Takes every row out of a target before its run's first shard.

use super::connect::{Db, Lane};
use super::load::{BEGIN, marker_table};
use super::{lock, sql, writer};
use crate::error::{Context, Result};
use crate::fence::Fence;
use crate::plugin::{WritePlan, not_emptied};

/// How long a TRUNCATE may wait for those who use the table: whoever comes after it waits behind it.
const LOCK_TIMEOUT: &str = "5s";

/// See [`crate::plugin::Writer::empty`].
pub(super) async fn empty(db: &Db, plan: &WritePlan, again: bool, fence: &Fence) -> Result<bool> {
    let mut lane = db.lane().await?;
    let emptied = in_transaction(&mut lane, plan, again, fence)
        .await
        .context(|| format!("emptying table {}", plan.schema.table))
        .map_err(|error| db.explain(error))?;
    lane.release();
    Ok(emptied)
}

async fn in_transaction(
    lane: &mut Lane,
    plan: &WritePlan,
    again: bool,
    fence: &Fence,
) -> Result<bool> {
    let table = &plan.schema.table;
    let (markers, run) = (marker_table(plan), plan.run_id);
    // With row_security off the server refuses what a policy would keep, instead of keeping it.
    let begin = format!("{BEGIN}; SET LOCAL row_security = off; {}", lock::take_table(table));
    lane.execute(begin).await?;
    if again {
        lane.execute(format!("DELETE FROM {markers} WHERE run_id = '{run}'")).await?;
    }
    let mark = format!(
        "INSERT INTO {markers} (run_id, shard) VALUES ('{run}', {}) ON CONFLICT DO NOTHING",
        plan.emptied_marker()
    );
    let is_first = lane.execute(mark).await? == 1;
    if is_first {
        lane.execute(take_out(&sql::table(table))).await?;
        let left = format!("SELECT EXISTS (SELECT FROM {})", sql::table(table));
        if writer::single(lane, left).await? {
            return Err(not_emptied(table));
        }
        fence.check()?;
        crate::fault::point("target.emptying");
    }
    lane.execute("COMMIT".to_owned()).await?;
    Ok(is_first)
}

/// TRUNCATE, which leaves nothing to be cleaned up, where it does the same as DELETE: where no foreign
/// key, trigger, policy or subscriber would notice the difference, and nobody uses the table for long.
fn take_out(table: &str) -> String {
    let class = format!("{}::regclass", sql::literal(table));
    // Bits 8 and 32 of a trigger's type: for DELETE, for TRUNCATE (pg_trigger.h).
    let block = format!(
        "BEGIN \
         IF EXISTS (SELECT FROM pg_class WHERE oid = {class} AND relkind = 'r' AND NOT relhassubclass \
           AND NOT relrowsecurity AND NOT relhasrules) \
         AND NOT EXISTS (SELECT FROM pg_constraint WHERE confrelid = {class} AND contype = 'f') \
         AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {class} AND NOT tgisinternal \
           AND tgtype & 40 <> 0) \
         AND NOT EXISTS (SELECT FROM pg_publication WHERE NOT pubtruncate) THEN \
         BEGIN SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; TRUNCATE {table}; RETURN; \
         EXCEPTION WHEN lock_not_available OR insufficient_privilege THEN NULL; END; \
         END IF; \
         DELETE FROM {table}; END"
    );
    format!("DO {}", sql::literal(&block))
}
