//! Whether, and how, a run reads its source as of one moment.

use super::Planner;
use crate::error::{Error, Result};
use crate::plugin::SnapshotWay;
use crate::schema::TableRef;
use crate::task::Consistency;

impl Planner<'_> {
    /// How the source is read as of one moment, if the task asks for that. There may be fewer `lanes`
    /// then.
    ///
    /// # Errors
    /// Where the engine can't, or starting over after a failure would double rows: by `keyless`, a
    /// target without a key.
    pub(super) async fn snapshot(
        &self,
        table: &TableRef,
        lanes: &mut usize,
        keyless: bool,
        notes: &mut Vec<String>,
    ) -> Result<Option<SnapshotWay>> {
        if self.task.params.consistency == Consistency::Shard {
            return Ok(None);
        }
        if keyless {
            // A snapshot ends with its process. Markers tell which shards are in, but those were cut
            // and read as of another moment.
            return Err(Error::config(format!(
                "consistency \"snapshot\" starts over after a failure, which would double rows in {}: \
                 they are inserted there without a key to tell them by",
                self.task.to.table
            ))
            .with_remedy(
                "give the target a primary or unique key and leave out write_mode \"insert\", or \
                 set \"consistency\": \"shard\"",
            ));
        }
        let way = self.reader.snapshot_way(table, *lanes).await?;
        if way.lanes < *lanes {
            notes.push(format!("a snapshot of {table} can't be shared: {} lane(s)", way.lanes));
            *lanes = way.lanes;
        }
        Ok(Some(way))
    }
}
