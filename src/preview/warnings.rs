//! What a person should know before the run, and may have to mend.

use crate::error::Result;
use crate::plugin::rights::Work;
use crate::run::Route;
use crate::task::{Mode, TaskMeta};

/// What is slow, or has effects beyond the table.
pub(super) async fn notes(route: &Route) -> Result<Vec<String>> {
    let (read, write) = (&route.plan.read, &route.plan.write);
    let mut notes = route.plan.notes.clone();
    if let Some(first) = read.split_columns().next()
        && !route.reader.has_index(&read.schema.table, &first.name).await?
    {
        notes.push(format!(
            "no index of {} begins with {}: finding a shard's end reads the table",
            read.schema.table, first.name
        ));
    }
    if !route.plan.creates_target {
        let hazards = route.writer.hazards(&write.schema.table).await?;
        notes.extend(hazards.iter().map(|hazard| format!("{}: {hazard}", write.schema.table)));
    }
    Ok(notes)
}

/// Rights that are missing.
pub(super) async fn lacks(task: &TaskMeta, route: &Route) -> Result<Vec<String>> {
    let (read, write) = (&route.plan.read, &route.plan.write);
    let work = Work {
        plan: write,
        creates_table: route.plan.creates_target,
        deletes: task.mode == Mode::Mirror,
    };
    let sides =
        [("source", route.reader.lacks(read).await?), ("target", route.writer.lacks(&work).await?)];
    let lacks = sides.into_iter().flat_map(|(side, lacks)| {
        lacks.into_iter().map(move |lack| format!("{side}: {lack} → {}", lack.remedy))
    });
    Ok(lacks.collect())
}
