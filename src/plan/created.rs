//! What a target that goshift creates does not have of its source, for the person who looks at the plan.

use super::Planner;
use crate::plugin::NewTable;
use crate::schema::{Column, Meaning, Schema};

/// The most characters of a default that are shown.
const SHOWN: usize = 80;

impl Planner<'_> {
    /// Notes what the target's engine has no counterpart of, before it is created.
    pub(super) fn note_left_out(&self, new: &NewTable<'_>, dry: bool, notes: &mut Vec<String>) {
        let (from, to) = (self.from_engine, self.to_engine);
        for column in &new.columns {
            let Some(default) = &column.default else { continue };
            let shown = shown(&default.sql);
            if self.writer.default_of(from, column).is_none() {
                notes.push(format!("column {} is created without its {shown}", column.name));
            } else if default.on_update && from != to {
                notes.push(format!(
                    "column {} is created without its ON UPDATE: what updates a row there has to set it",
                    column.name
                ));
            } else if dry && default.meaning == Meaning::Expression {
                notes.push(format!(
                    "column {} keeps its {shown}, if the target has all that it calls",
                    column.name
                ));
            }
        }
    }

    /// Notes what the target's server did not take.
    pub(super) fn note_refused(&self, new: &[Column], created: &Schema, notes: &mut Vec<String>) {
        for column in new {
            let Some(made) = created.position(&column.name).map(|at| &created.columns[at]) else {
                continue;
            };
            if let Some(default) = &column.default
                && made.default.is_none()
                && self.writer.default_of(self.from_engine, column).is_some()
            {
                notes.push(format!(
                    "column {} was created without its {}, which the target does not take",
                    column.name,
                    shown(&default.sql)
                ));
            }
            if column.auto_increment && !made.auto_increment {
                notes.push(format!(
                    "column {} counts up by itself in the source, and not in the target",
                    column.name
                ));
            }
        }
    }
}

/// A clause on one line that is not too long.
fn shown(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > SHOWN {
        true => line.chars().take(SHOWN - 1).chain(['…']).collect(),
        false => line,
    }
}
