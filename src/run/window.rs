//! Mode `cursor`: what a run reads, fixed at its start and the same for all who take part.

use std::sync::Arc;

use super::{Runner, Stage};
use crate::error::{Error, Result};
use crate::ledger::KeptWindow;
use crate::plan::Plan;
use crate::plugin::window::{Window, before};
use crate::plugin::{ReadPlan, Reader, WriteMode, Writer};
use crate::schema::{Column, LogicalType, Schema};
use crate::task::{Nulls, TaskMeta};

impl Runner {
    /// Narrows a plan down to the rows that the run reads. `scope` stands for the way they go: with
    /// another one the task begins again.
    ///
    /// # Errors
    /// Kind `Config` for a column that can't be gone by, and a target without a key.
    pub(super) async fn narrow(
        &self,
        task: &TaskMeta,
        at: Stage,
        plan: &mut Plan,
        (reader, writer): (&dyn Reader, &dyn Writer),
        scope: &str,
    ) -> Result<()> {
        if plan.write.mode == WriteMode::Insert && !plan.write.adds_key {
            return Err(Error::config(format!(
                "mode cursor reads some rows again, and {} has no key to tell them by",
                plan.write.schema.table
            ))
            .with_remedy("give the target a primary or unique key, or use mode init"));
        }
        let read = &plan.read;
        let column = &read.schema.columns[read.split[0]];
        check_type(column, read)?;
        let kept = match at {
            Stage::Look => None,
            _ => self.ledger.window(at.run_id()).await?,
        };
        let kept = match (at, kept) {
            (Stage::TakePart(run), None) => {
                return Err(Error::transient(format!("run {run} has not said what it reads yet")));
            }
            (Stage::TakePart(_), Some(kept)) => kept,
            (_, kept) => {
                // A target that was emptied, or is new, has nothing of what lies before a watermark.
                let has_rows =
                    !plan.creates_target && !writer.is_empty(&plan.write.schema.table).await?;
                match kept {
                    Some(kept) if has_rows || kept.window.from.is_none() => kept,
                    _ => self.fix(task, at, (read, column), reader, (scope, has_rows)).await?,
                }
            }
        };
        tracing::debug!(task = task.id, window = ?kept.window, "what the run reads");
        let mut filter = reader.within(column, &kept.window);
        if let Some(own) = &read.filter {
            // The line break ends a comment that the task's condition may end with.
            filter = format!("({own}\n) AND ({filter})");
        }
        let estimated_rows = read.schema.estimated_rows.filter(|_| kept.window.from.is_none());
        let schema = Arc::new(Schema { estimated_rows, ..(*read.schema).clone() });
        plan.read = Arc::new(ReadPlan { filter: Some(filter), schema, ..(**read).clone() });
        Ok(())
    }

    /// Looks at the source once and fixes what the run reads.
    async fn fix(
        &self,
        task: &TaskMeta,
        at: Stage,
        (read, column): (&ReadPlan, &Column),
        reader: &dyn Reader,
        (scope, has_rows): (&str, bool),
    ) -> Result<KeptWindow> {
        let table = &read.schema.table;
        let wishes = task.params.cursor;
        let newest = reader.newest(table, column).await?;
        if newest.has_nulls && wishes.nulls == Nulls::Error {
            return Err(Error::permanent(format!(
                "{table}.{} is NULL in some rows, which params.cursor.nulls does not allow",
                column.name
            ))
            .with_remedy("fill it in, or set \"nulls\" to \"copy\" or \"skip\""));
        }
        let reached = match has_rows {
            true => self.ledger.watermark(task.id, scope).await?,
            false => None,
        };
        let kept = KeptWindow {
            window: Window {
                from: reached.as_ref().map(|mark| before(mark, wishes.overlap)).transpose()?,
                to: newest.highest,
                nulls: newest.has_nulls && wishes.nulls == Nulls::Copy,
            },
            mark: newest.reached.or(reached),
        };
        if at != Stage::Look {
            self.ledger.keep_window(at.run_id(), task.id, scope, &kept).await?;
        }
        Ok(kept)
    }
}

/// Whether the source orders the column as time passes, and its values can be written as they are.
fn check_type(column: &Column, read: &ReadPlan) -> Result<()> {
    use LogicalType as T;
    match column.logical {
        T::Int(_) | T::UInt(_) | T::Decimal { .. } | T::Text(_) => Ok(()),
        T::Date | T::DateTime(_) | T::TimestampTz(_) => Ok(()),
        _ => Err(Error::config(format!(
            "mode cursor can't go by {}.{} ({})",
            read.schema.table, column.name, column.native
        ))
        .with_remedy("name a diff_column of times or whole numbers, or use mode diff")),
    }
}
