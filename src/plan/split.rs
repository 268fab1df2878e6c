//! Cuts a table into shards, lazily: the database picks every bound.

use crate::error::Result;
use crate::plugin::{Bound, KeyRange, ReadPlan, Reader};

/// Where a walk over a table's key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Nothing is cut yet.
    Start,
    /// The NULL shard is cut, no range is.
    AfterNulls,
    /// The last range ended here.
    After(Bound),
    /// Everything is cut.
    End,
}

impl Cursor {
    /// The place behind a range that was cut earlier.
    pub fn behind(range: &KeyRange) -> Self {
        match range {
            KeyRange::All | KeyRange::Keys(_) | KeyRange::Between { to: None, .. } => Cursor::End,
            KeyRange::Nulls => Cursor::AfterNulls,
            KeyRange::Between { to: Some(to), .. } => Cursor::After(to.clone()),
        }
    }

    /// Cuts the next shard of so many rows and moves on. `None` at the end.
    ///
    /// # Errors
    /// What the reader's query meets; the list is never cut short in silence.
    pub async fn next(
        &mut self,
        reader: &dyn Reader,
        plan: &ReadPlan,
        rows: u64,
    ) -> Result<Option<KeyRange>> {
        let after = match self {
            Cursor::End => return Ok(None),
            Cursor::Start if plan.split.is_empty() => {
                *self = Cursor::End;
                return Ok(Some(KeyRange::All));
            }
            // Rows without a key value are in no range; they go first, so that the open last
            // range stays the last shard.
            Cursor::Start if plan.split_columns().any(|column| column.nullable) => {
                *self = Cursor::AfterNulls;
                return Ok(Some(KeyRange::Nulls));
            }
            Cursor::Start | Cursor::AfterNulls => None,
            Cursor::After(bound) => Some(bound.clone()),
        };
        let to = reader.cut(plan, after.as_ref(), rows).await?;
        let range = KeyRange::Between { after, to };
        *self = Cursor::behind(&range);
        Ok(Some(range))
    }
}
