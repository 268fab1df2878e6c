//! A target that is emptied before the run's first shard is recorded.

use super::{Route, Runner};
use crate::error::{Error, Result};
use crate::fence::Fence;
use crate::task::{MaxDelete, TaskMeta, WriteWish};

impl Runner {
    /// Takes every row out of the target, once a run; with `again` once more, for shards that begin
    /// again.
    ///
    /// # Errors
    /// Kind `Permanent` where the source has no row to put in their place, unless the task allows that.
    pub(super) async fn empty(
        &self,
        task: &TaskMeta,
        route: &Route,
        again: bool,
        fence: &Fence,
    ) -> Result<()> {
        let plan = &route.plan;
        let table = &plan.write.schema.table;
        // Rows that another table is going to replace count as well.
        let target = plan.write.swap.as_ref().unwrap_or(table);
        let wish = task.params.write_mode.map_or("", WriteWish::name);
        if task.params.max_delete != MaxDelete::All
            && !route.writer.is_empty(target).await?
            && !route.reader.has_rows(&plan.read).await?
        {
            let source = &plan.read.schema.table;
            let which =
                if plan.read.filter.is_some() { "no row that is to be copied" } else { "no row" };
            return Err(Error::permanent(format!(
                "{source} has {which}: write_mode \"{wish}\" would only empty {target}"
            ))
            .with_remedy(
                "look whether the source is the right one; if the target is to be emptied, set \
                 \"max_delete\": \"all\" in params",
            ));
        }
        if route.writer.empty(&plan.write, again, fence).await? && plan.write.swap.is_none() {
            tracing::info!(task = task.id, "{table} was emptied");
        }
        crate::fault::point("target.emptied");
        Ok(())
    }
}
