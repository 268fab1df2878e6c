//! A table beside the target, which takes its place once all rows are in (`write_mode` swap).

use std::sync::Arc;

use super::Planner;
use crate::error::{Error, Result};
use crate::plugin::beside;
use crate::schema::{Pending, Schema, TableRef};
use crate::task::WriteWish;

/// What a run writes into.
pub(super) struct Destination {
    /// The table that gets the rows.
    pub target: Arc<Schema>,
    /// Whether it is missing, or was only now created.
    pub is_new: bool,
    /// The table whose place it takes at the end.
    pub swap: Option<TableRef>,
}

impl Planner<'_> {
    /// Whether rows are loaded beside the target. Not for a few rows of an earlier run that are tried
    /// again.
    pub(super) fn swaps(&self) -> bool {
        let params = &self.task.params;
        params.write_mode == Some(WriteWish::Swap) && params.replay.is_none()
    }

    /// Where the rows go: into the target, or, for a run that swaps, into a table that is made like it.
    /// One that is only looked at is planned as if the target took them.
    pub(super) async fn destination(
        &self,
        (target, is_new): (Arc<Schema>, bool),
        dry: bool,
        notes: &mut Vec<String>,
    ) -> Result<Destination> {
        if !self.swaps() {
            return Ok(Destination { target, is_new, swap: None });
        }
        let name = target.table.clone();
        let table = beside(&name, self.run_id);
        if dry && !self.goes_on {
            notes.push(format!(
                "rows are loaded into a table beside {name} (its name and _goshift_), which takes its \
                 place in one step when all are in; until then readers see the old rows"
            ));
            return Ok(Destination { target, is_new, swap: None });
        }
        let found = self.writer.describe(&table).await?;
        let (target, is_new) = match found {
            Some(found) => (found, false),
            None if dry => (Arc::new(Schema { table, ..(*target).clone() }), true),
            None => {
                self.writer.create_like(&table, &name).await?;
                let made = self.writer.describe(&table).await?;
                let made = made.ok_or_else(|| {
                    Error::internal(format!("{table} was created and is not to be seen"))
                })?;
                (made, true)
            }
        };
        Ok(Destination { target, is_new, swap: Some(name) })
    }

    /// The target with the indexes that it still lacks since its creation: the table that takes its place
    /// is made like it.
    pub(super) async fn completed_for_swap(
        &self,
        found: Option<Arc<Schema>>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Arc<Schema>>> {
        match &found {
            Some(schema) if schema.pending.as_ref().is_some_and(|p| p.key.is_empty()) => {
                notes.extend(self.writer.add_pending(&schema.table).await?);
                self.writer.describe(&schema.table).await
            }
            _ => Ok(found),
        }
    }

    /// Refuses a target, be it there or missing, whose place no other table can take.
    pub(super) async fn refuse_swap(&self, found: Option<&Schema>) -> Result<()> {
        if !self.swaps() {
            return Ok(());
        }
        let name = TableRef::parse(&self.task.to.table);
        let table = found.map_or(&name, |found| &found.table);
        let mut obstacles = self.writer.swap_obstacles(table).await?;
        let lacks_key = |p: &Pending| !p.key.is_empty();
        if found.and_then(|found| found.pending.as_ref()).is_some_and(lacks_key) {
            obstacles.push("its primary key, which another run has still to add".to_owned());
        }
        if obstacles.is_empty() {
            return Ok(());
        }
        Err(Error::permanent(format!(
            "write_mode \"swap\" can't put another table in the place of {table}: {}",
            obstacles.join(", ")
        ))
        .with_remedy(
            "use write_mode \"truncate_insert\", or mode mirror, which keep the table itself",
        ))
    }
}
