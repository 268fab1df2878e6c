//! The indexes that a target gets of its source when it is created.

use super::Planner;
use crate::error::Result;
use crate::plugin::NewTable;
use crate::schema::{Index, Schema};
use crate::task::IndexWish;

impl Planner<'_> {
    /// Gives a table that is going to be created the source's indexes, under its own columns. Notes those
    /// that it can't have, and those that keep no rows apart there.
    pub(super) async fn take_indexes(
        &self,
        source: &Schema,
        chosen: &[(usize, String)],
        new: &mut NewTable<'_>,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let wish = self.task.params.indexes;
        if wish == IndexWish::Without {
            return Ok(());
        }
        let found = self.reader.indexes(source).await?;
        let made: Vec<usize> = new.key.iter().map(|&position| chosen[position].0).collect();
        let (mut without, mut plain) = (found.special, Vec::new());
        let primary = source.keys.iter().find(|key| key.primary && key.columns != made);
        without.extend(primary.map(|key| format!("primary key ({})", source.names(&key.columns))));
        for mut index in found.plain {
            if index.whole_columns().is_some_and(|columns| columns == made) {
                continue;
            }
            let was_unique = index.unique;
            index.unique &= wish == IndexWish::Unique && holds(source, &index);
            let place = |column| chosen.iter().position(|(position, _)| *position == column);
            match index.moved(place).filter(|index| self.writer.fits_index(new, index)) {
                None => without.push(named(source, &index)),
                Some(moved) => {
                    if was_unique && !index.unique {
                        plain.push(named(source, &index));
                    }
                    if !new.indexes.iter().any(|other| moved.is_served_by(other)) {
                        new.indexes.push(moved);
                    }
                }
            }
        }
        let table = &source.table;
        if !without.is_empty() {
            let without = without.join(", ");
            notes.push(format!(
                "{table} has keys and indexes that the target is created without: {without}"
            ));
        }
        if !plain.is_empty() {
            let plain = plain.join(", ");
            notes.push(format!(
                "{table} has unique keys that become plain indexes in the target: {plain}. Rows that \
                 the source no longer has would keep others out; \"indexes\": \"unique\" keeps them unique"
            ));
        }
        Ok(())
    }
}

/// Whether a unique index is one for all rows that are read: not over a parent of other tables. Of an
/// index on first letters nothing else is known.
fn holds(source: &Schema, index: &Index) -> bool {
    index.whole_columns().is_none_or(|columns| source.keys.iter().any(|key| key.columns == columns))
}

fn named(table: &Schema, index: &Index) -> String {
    let columns: Vec<_> = index.parts.iter().map(|part| part.column).collect();
    format!("{} ({})", index.name, table.names(&columns))
}
