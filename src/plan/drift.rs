//! Columns that the source has got since its target was made.

use std::sync::Arc;

use super::{Planner, columns};
use crate::error::{Error, Result};
use crate::plugin::NewTable;
use crate::schema::Schema;
use crate::task::Drift;

impl Planner<'_> {
    /// What the task wants with columns that only the source has.
    pub(super) async fn settle_drift(
        &self,
        source: &Schema,
        target: Arc<Schema>,
        chosen: Vec<(usize, String)>,
        dry: bool,
        notes: &mut Vec<String>,
    ) -> Result<(Arc<Schema>, Vec<(usize, String)>)> {
        let params = &self.task.params;
        let is_missing = |(_, name): &(usize, String)| target.position(name).is_none();
        let missing: Vec<_> = chosen.iter().filter(|column| is_missing(column)).cloned().collect();
        // What "columns" names is wanted.
        let drift = match params.drift {
            Drift::Ignore if params.columns.is_some() => Drift::Error,
            drift => drift,
        };
        if missing.is_empty() || drift == Drift::Error {
            return Ok((target, chosen));
        }
        let names: Vec<_> = missing.iter().map(|(_, name)| name.as_str()).collect();
        let names = names.join(", ");
        if drift == Drift::Ignore {
            notes.push(format!("{} lacks {names}: left out", target.table));
            let kept = chosen.iter().filter(|column| !is_missing(column)).cloned().collect();
            return Ok((target, kept));
        }
        notes.push(format!("{} lacks {names}: added", target.table));
        let mut columns = columns::new_columns(source, &missing, &[]);
        for column in &mut columns {
            (column.nullable, column.auto_increment, column.optional) = (true, false, true);
            // A default would also go into rows that no run has copied.
            column.default = None;
        }
        if dry {
            let columns = target.columns.iter().cloned().chain(columns).collect();
            return Ok((Arc::new(Schema { columns, ..(*target).clone() }), chosen));
        }
        let new = NewTable {
            engine: self.from_engine,
            columns,
            key: &[],
            late_key: false,
            indexes: Vec::new(),
            run_id: self.run_id,
            comment: None,
        };
        let added = self.writer.add_columns(&target.table, &new).await;
        let described = self.writer.describe(&target.table).await?;
        // Another process may have been faster.
        let described = described.filter(|d| missing.iter().all(|(_, n)| d.position(n).is_some()));
        match (described, added) {
            (Some(described), _) => Ok((described, chosen)),
            (None, Err(error)) => Err(error.with_remedy(
                "grant the right to alter the table, add the columns yourself, or set \"drift\": \"ignore\"",
            )),
            (None, Ok(())) => {
                Err(Error::internal(format!("{names} were added and are not to be seen")))
            }
        }
    }
}
