//! The task's own statements, before its first row and after its last.

use super::{KEY_PATIENCE, Runner, bounded};
use crate::error::{Context, Result};
use crate::fence::Fence;
use crate::ledger::Claim;
use crate::plan;
use crate::plugin::Writer;
use crate::plugin::step::{Step, StepName};
use crate::task::TaskMeta;

impl Runner {
    /// Runs `pre_sql`, unless an earlier attempt has. Before the plan, which may depend on it, but not
    /// for a source that there is nothing to copy from.
    pub(super) async fn begin(&self, claim: &Claim, task: &TaskMeta, fence: &Fence) -> Result<()> {
        if task.params.pre_sql.list().is_empty() {
            return Ok(());
        }
        let (reader, writer) = self.ends(task).await?;
        plan::check_source(reader.as_ref(), task).await?;
        self.step(claim, task, writer.as_ref(), (StepName::PreSql, fence)).await
    }

    /// Runs the task's statements for this step, unless an earlier attempt has.
    pub(super) async fn step(
        &self,
        claim: &Claim,
        task: &TaskMeta,
        writer: &dyn Writer,
        (name, fence): (StepName, &Fence),
    ) -> Result<()> {
        let statements = match name {
            StepName::PreSql => task.params.pre_sql.list(),
            StepName::PostSql => task.params.post_sql.list(),
        };
        if statements.is_empty() {
            return Ok(());
        }
        let step = Step {
            run_id: claim.run_id,
            name,
            statements: statements.to_vec(),
            fence: fence.clone(),
        };
        let patience = self.settings.worker.stall * KEY_PATIENCE;
        let ran = bounded(patience, name.as_str(), writer.run_once(&step)).await;
        let ran = ran.context(|| "target")?;
        let what = if ran { "done" } else { "done by an earlier attempt" };
        tracing::info!(run = %claim.run_id, "{}: {what}", name.as_str());
        Ok(())
    }
}
