//! How a PostgreSQL server is: active sessions, and how far its replicas are behind.

use super::connect::Db;
use super::describe::get;
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Result};

/// A role without the right sees of other users' sessions, and of replicas, no more than that they
/// are there: both figures would be too low.
const ASK: &str = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), \
     (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
      AND backend_type = 'client backend' AND pid <> pg_backend_pid()), \
     (SELECT COALESCE(max(extract(epoch FROM replay_lag)), 0)::float8 FROM pg_stat_replication)";

/// Whether there is a bound to look at.
pub(super) fn has_bounds(config: &ConnectionConfig) -> bool {
    config.max_active_sessions.is_some() || config.max_replay_lag.is_some()
}

/// Which bound the server is over.
pub(super) async fn ask(db: &Db) -> Result<Option<String>> {
    let mut lane = db.lane().await?;
    let rows = lane.rows(ASK.to_owned()).await?;
    lane.release();
    let row = rows.first().ok_or_else(|| Error::internal("no answer to how the server is"))?;
    let config = db.config();
    if !get::<bool>(row, 0)? {
        return Err(Error::permanent(format!(
            "{}: the user may not see the server's sessions and replicas",
            config.place
        ))
        .with_remedy("GRANT pg_monitor TO the user"));
    }
    let sessions: i64 = get(row, 1)?;
    let lag: f64 = get(row, 2)?;
    if let Some(bound) = config.max_active_sessions
        && sessions.unsigned_abs() > bound
    {
        return Ok(Some(format!("{sessions} sessions are active, the bound is {bound}")));
    }
    if let Some(bound) = config.max_replay_lag
        && lag > bound.as_secs_f64()
    {
        let bound = humantime::format_duration(bound);
        return Ok(Some(format!("a replica is {lag:.1} s behind, the bound is {bound}")));
    }
    Ok(None)
}
