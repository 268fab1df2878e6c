//! The modes that compare both sides, and the proof after a run.

use std::sync::Arc;

use futures::FutureExt;

use super::lanes::Done;
use super::settle::AllIn;
use super::{Route, Runner, Stage};
use crate::compare::whole::Outcome;
use crate::compare::{Comparing, Comparison, tells_rows_apart};
use crate::config::Side;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::plugin::{self, ReadPlan, Reader};
use crate::progress::Progress;
use crate::schema::Column;
use crate::task::{Mode, TaskMeta};

/// Rows that are named when the proof after a run fails.
const SHOWN: usize = 3;

/// What a comparing mode has done, in all attempts and at all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Rows that were missing or different.
    pub written: u64,
    /// Rows that only the target had.
    pub deleted: u64,
    /// Rows that only the target has, and that mode diff leaves there, as far as this worker has seen.
    pub kept: u64,
}

impl Runner {
    /// Both sides of a task, ready to be compared: by `diff_column` alone, if the task names one and
    /// `by_column`.
    ///
    /// # Errors
    /// What [`Comparing::prepare`] and the target's connection refuse.
    pub async fn comparison(
        &self,
        task: &TaskMeta,
        source: &Arc<dyn Reader>,
        plan: &Plan,
        by_column: bool,
    ) -> Result<Comparison> {
        let only = if by_column { diff_column(task, plan)? } else { None };
        Comparing { only, ..self.comparing(task, source, plan).await? }.prepare().await
    }

    async fn comparing<'a>(
        &self,
        task: &TaskMeta,
        source: &Arc<dyn Reader>,
        plan: &'a Plan,
    ) -> Result<Comparing<'a>> {
        let (from, to) = (plugin::find(&task.from.db_type)?, plugin::find(&task.to.db_type)?);
        let config = self.connection(Side::To, to.names(), &task.to)?;
        Ok(Comparing {
            read: &plan.read,
            write: &plan.write,
            source: Arc::clone(source),
            target: to.reader(&config, plan.lanes).await?,
            same_engine: from.name() == to.name(),
            only: None,
            buffer: self.settings.worker.lane_buffer,
        })
    }

    /// Compares every column of every row, and names the `first` rows that differ. `progress`
    /// hears of the rows that were compared.
    ///
    /// # Errors
    /// What either side's reader meets.
    pub async fn verify(
        &self,
        task: &TaskMeta,
        route: &Route,
        first: usize,
        progress: &Progress,
    ) -> Result<Outcome> {
        let (source, plan) = (&route.reader, &route.plan);
        if !tells_rows_apart(&plan.read, &plan.write) {
            return self.comparing(task, source, plan).await?.as_multisets().await;
        }
        self.comparison(task, source, plan, false).await?.whole(plan.lanes, first, progress).await
    }

    /// The proof that a task asks for after its run.
    pub(super) async fn prove(&self, task: &TaskMeta, route: &Route) -> Result<()> {
        if !task.params.verify {
            return Ok(());
        }
        let found = match task.mode {
            // The whole table, not only what this run has read.
            Mode::Cursor => {
                let task = TaskMeta { mode: Mode::Init, ..task.clone() };
                let mut whole = self.route(&task, Stage::Look).boxed().await?;
                // A snapshot's, if the run has one.
                whole.reader = Arc::clone(&route.reader);
                self.verify(&task, &whole, SHOWN, &Progress::default()).await?
            }
            _ => self.verify(task, route, SHOWN, &Progress::default()).await?,
        };
        if found.equal() {
            return Ok(());
        }
        let first: Vec<_> = found.first.iter().map(ToString::to_string).collect();
        Err(Error::permanent(format!(
            "{} is not like its source: {}; {}",
            route.plan.write.schema.table,
            found.summary(),
            first.join("; ")
        ))
        .with_remedy(format!(
            "does the source change meanwhile? `goshift verify -id {}` compares them again",
            task.id
        )))
    }

    /// What a comparing mode has left to do once every shard is in. Returns what it has done, for the
    /// operator.
    pub(super) async fn settle_differences(
        &self,
        all_in: &AllIn<'_>,
        unnoted: &[Done],
    ) -> Result<Option<Compared>> {
        let AllIn { claim, task, route, limits, .. } = *all_in;
        let Some(sync) = &route.sync else { return Ok(None) };
        let deleted = match task.mode {
            Mode::Mirror => {
                let allowed = task.params.max_delete;
                sync.delete_extra(route.way(), allowed, limits, route.plan.lanes).await?
            }
            Mode::Init | Mode::Diff | Mode::Cursor => 0,
        };
        if deleted > 0 {
            self.ledger.note_deleted(claim, deleted).await?;
        }
        let (written, deleted) = self.ledger.written_and_deleted(claim.run_id).await?;
        let unnoted: u64 = unnoted.iter().map(|(_, receipt)| receipt.written).sum();
        let kept = if task.mode == Mode::Mirror { 0 } else { sync.tally().extra };
        Ok(Some(Compared { written: written + unnoted, deleted, kept }))
    }
}

/// The positions of the task's `diff_column` among the columns that are copied.
fn diff_column(task: &TaskMeta, plan: &Plan) -> Result<Option<Vec<usize>>> {
    let (read, write) = (&plan.read, &plan.write);
    let named = &task.params.diff_column;
    let find = |(src, dest): (&String, &String)| {
        let mut pairs = read.read_columns().zip(write.target_columns());
        let is_it = |(from, to): (&Column, &Column)| {
            from.name.eq_ignore_ascii_case(src) && to.name.eq_ignore_ascii_case(dest)
        };
        pairs.position(is_it).ok_or_else(|| {
            Error::config(format!("params.diff_column: {src} is not copied to {dest}"))
                .with_remedy("name a column of the source and the one it is copied to")
        })
    };
    let found: Vec<_> = named.src.iter().zip(&named.dest).map(find).collect::<Result<_>>()?;
    Ok((!found.is_empty()).then_some(found))
}

/// The plan, cut at bounds that mean the same on both sides.
pub(super) fn cut_alike(read: &ReadPlan, comparison: &Comparison) -> ReadPlan {
    ReadPlan { split: comparison.cutting().split.clone(), ..read.clone() }
}
