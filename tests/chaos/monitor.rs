//! Looks into the ledger all through the disturbance: at no moment may a run be in a state in which
//! nobody would ever look for it again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::round::LEASE;
use crate::world::World;

const BETWEEN: Duration = Duration::from_millis(1500);
/// Nothing is submitted or tried again with a longer delay than this.
const LONGEST_DELAY_S: u64 = 60;

/// What was looked at.
#[derive(Default)]
pub struct Monitor {
    /// Looks that got an answer.
    pub looks: AtomicU32,
    told: Mutex<bool>,
}

/// Runs that no sweep would find: in their columns, not in how they came about.
pub fn forgotten(engine: &str) -> String {
    let later = |seconds: u64| match engine {
        "mysql" => format!("UTC_TIMESTAMP(6) + INTERVAL {seconds} SECOND"),
        _ => format!("clock_timestamp() + interval '{seconds} seconds'"),
    };
    format!(
        "SELECT run_id, state FROM goshift_run WHERE \
         (state = 'running' AND (lease_until IS NULL OR lease_until > {} OR worker IS NULL \
          OR active_task IS NULL OR active_task <> task_id)) \
         OR (state = 'submitted' AND (due_at IS NULL OR due_at > {delay} \
          OR pending_task IS NULL OR pending_task <> task_id)) \
         OR (state = 'retrying' AND (due_at IS NULL OR due_at > {delay} \
          OR active_task IS NULL OR active_task <> task_id)) \
         OR (state IN ('succeeded', 'failed', 'cancelled') \
          AND (active_task IS NOT NULL OR pending_task IS NOT NULL OR finished_at IS NULL)) \
         OR state NOT IN ('submitted', 'running', 'retrying', 'succeeded', 'failed', 'cancelled')",
        later(LEASE.as_secs() + 1),
        delay = later(LONGEST_DELAY_S),
    )
}

impl Monitor {
    /// Looks again and again. For ever.
    pub async fn watch(&self, world: &World) {
        let sql = forgotten(world.site.task_engine);
        loop {
            // A database that is away is no answer, and none is needed then.
            if let Ok(rows) = world.look(&sql).await {
                self.looks.fetch_add(1, Ordering::Relaxed);
                self.tell(world, &rows);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    fn tell(&self, world: &World, rows: &[Vec<String>]) {
        let mut told = self.told.lock().unwrap();
        if let (Some(row), false) = (rows.first(), *told) {
            *told = true;
            world.broken(format!(
                "run {} is {} and nobody would look for it ({} such runs)",
                row[0],
                row[1],
                rows.len()
            ));
        }
    }
}
