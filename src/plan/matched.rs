//! Source and target side by side: which column goes where, and by which keys rows are told apart.

use std::sync::Arc;

use super::beside::Destination;
use super::{Planner, columns};
use crate::error::{Error, Result};
use crate::schema::{Pending, Schema, TableRef};
use crate::task::{Mode, WriteWish};

/// The two tables of a task, and how they belong together.
pub(super) struct Matched {
    pub source: Arc<Schema>,
    pub target: Arc<Schema>,
    /// Whether the target is missing and is going to be created.
    pub creates_target: bool,
    /// Whether the target has still to get the key that another run left out.
    pub lacks_key: bool,
    /// Whether this run adds the target's key once the rows are in.
    pub adds_key: bool,
    /// The table whose place the target takes at the end.
    pub swap: Option<TableRef>,
    /// The columns that are copied.
    pub pairs: Vec<columns::Pair>,
    /// What the source is split by, positions in its columns.
    pub split: Vec<usize>,
    /// What tells rows apart in the target, positions in `pairs`.
    pub key: Vec<usize>,
}

impl Matched {
    /// Whether rows of the source may share a key in the target.
    pub fn keys_may_collide(&self) -> bool {
        let Self { source, target, pairs, key, .. } = self;
        key.iter().any(|&k| target.columns[pairs[k].target].nullable)
            || !columns::key_is_unique_in_source(source, target, pairs, key)
    }
}

impl Planner<'_> {
    pub(super) async fn matched(&self, dry: bool, notes: &mut Vec<String>) -> Result<Matched> {
        let (source, mut found) = tokio::try_join!(self.source(), self.found_target())?;
        if self.swaps() && !dry {
            found = self.completed_for_swap(found, notes).await?;
        }
        let chosen = columns::chosen(&source, self.task)?;
        self.refuse_swap(found.as_deref()).await?;
        let (target, creates_target) = self.target(&source, found, &chosen, dry, notes).await?;
        let (target, chosen) = self.settle_drift(&source, target, chosen, dry, notes).await?;
        // Another run's key, which it did not come to add: it is planned for as if it were there.
        let is_another = |p: &Pending| p.run_id != self.run_id && !p.key.is_empty();
        let lacks_key = target.pending.as_ref().is_some_and(is_another);
        let target = if lacks_key { Arc::new(columns::completed(&target)) } else { target };
        if self.swaps() {
            // What is going to be refused must not leave a table behind.
            let all = self.task.params.columns.is_none();
            columns::required(&target, &columns::pair(&source, &target, &chosen, all)?)?;
        }
        let Destination { target, is_new: creates_target, swap } =
            self.destination((target, creates_target), dry, notes).await?;
        let pairs = columns::pair(&source, &target, &chosen, self.task.params.columns.is_none())?;
        if self.task.params.write_mode != Some(WriteWish::Update) {
            columns::required(&target, &pairs)?;
        }
        let split = self.split_key(&source)?;
        if split.is_empty() {
            notes.push(format!("{} has no key to split by: one lane copies it", source.table));
        }
        self.refuse_view(&source.table).await?;
        if !creates_target {
            self.refuse_followers(&target.table).await?;
            if self.empties() {
                self.note_emptying(&target, notes);
            }
        }
        let late_key = columns::pending_key(&target, &pairs);
        let adds_key = late_key.is_some();
        let key = late_key.unwrap_or_else(|| {
            columns::target_key(&source, &target, &pairs, self.task.params.target_key())
        });
        Ok(Matched { source, target, creates_target, lacks_key, adds_key, swap, pairs, split, key })
    }

    /// The split key: the task's own, else the source's.
    fn split_key(&self, source: &Schema) -> Result<Vec<usize>> {
        let params = &self.task.params;
        let names = params.split_by();
        let find = |name: &String, what: &str| {
            source.position(name).ok_or_else(|| {
                Error::config(format!("{} has no column \"{name}\" {what}", source.table))
                    .with_remedy(format!("its columns: {}", columns::all_names(source)))
            })
        };
        let mut split = match names.is_empty() {
            true => source.split_key().to_vec(),
            false => names.iter().map(|name| find(name, "to split by")).collect::<Result<_>>()?,
        };
        if self.task.mode == Mode::Cursor {
            // In the order of their changes, so that those that have not changed are not walked over.
            let by = find(&params.diff_column.src[0], "to be its diff_column")?;
            split.retain(|&column| column != by);
            split.insert(0, by);
        }
        Ok(split)
    }
}
