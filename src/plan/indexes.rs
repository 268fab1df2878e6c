//! The unique keys and indexes that a target gets of its source when it is created.

use super::Planner;
use crate::error::Result;
use crate::plugin::NewTable;
use crate::schema::{Index, Schema};

impl Planner<'_> {
    /// Gives a table that is going to be created the source's indexes, under its own columns. Notes those
    /// that it can't have.
    pub(super) async fn take_indexes(
        &self,
        source: &Schema,
        chosen: &[(usize, String)],
        new: &mut NewTable<'_>,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        if self.task.params.indexes == Some(false) {
            return Ok(());
        }
        let found = self.reader.indexes(source).await?;
        let mut without = found.special;
        let made: Vec<usize> = new.key.iter().map(|&position| chosen[position].0).collect();
        let primary = source.keys.iter().find(|key| key.primary && key.columns != made);
        without.extend(primary.map(|key| format!("primary key ({})", source.names(&key.columns))));
        for index in found.plain {
            let is_key = index.whole_columns().is_some_and(|columns| columns == made);
            let place = |column| chosen.iter().position(|(position, _)| *position == column);
            match index.moved(place).filter(|index| self.writer.fits_index(new, index)) {
                _ if is_key => {}
                Some(index) if new.indexes.iter().any(|other| index.is_served_by(other)) => {}
                Some(index) => new.indexes.push(index),
                None => without.push(named(source, &index)),
            }
        }
        if !without.is_empty() {
            notes.push(format!(
                "{} has keys and indexes that the target is created without: {}",
                source.table,
                without.join(", ")
            ));
        }
        Ok(())
    }
}

fn named(table: &Schema, index: &Index) -> String {
    let columns: Vec<_> = index.parts.iter().map(|part| part.column).collect();
    format!("{} ({})", index.name, table.names(&columns))
}
