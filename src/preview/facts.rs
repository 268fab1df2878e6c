//! What is read and written, and how.

use indicatif::HumanCount;

use super::Line;
use crate::plugin::path::WritePath;
use crate::plugin::{ByKey, ReadPlan, WriteMode, WritePlan};
use crate::run::Route;
use crate::task::{TaskMeta, WriteWish};

/// The facts, in the order of the work.
pub(super) fn lines(task: &TaskMeta, route: &Route) -> Vec<Line> {
    let (read, write) = (&route.plan.read, &route.plan.write);
    let create = if route.plan.creates_target { ", which is going to be created" } else { "" };
    let rows = read
        .schema
        .estimated_rows
        .map_or("unknown".to_owned(), |rows| HumanCount(rows).to_string());
    let mut lines = vec![
        Line::new(
            "from",
            format!("{} {} (about {rows} rows)", task.from.db_type, read.schema.table),
        ),
        Line::new("to", format!("{} {}{create}", task.to.db_type, write.schema.table)),
    ];
    lines.extend(read.filter.as_ref().map(|filter| Line::new("where", filter.trim())));
    lines.push(Line::new("split", split(read)));
    lines.push(Line::new("lanes", lanes(task, route)));
    lines.push(Line::new("reads", reads(route)));
    lines.extend(route.sync.as_ref().map(|sync| Line::new("compare", sync.how())));
    lines.push(Line::new("write", writes(task, write)));
    lines.extend(indexes(write).map(|indexes| Line::new("indexes", indexes)));
    lines.push(Line::new("path", path(write)));
    lines.push(Line::new("format", read.format.to_string()));
    lines
}

fn split(read: &ReadPlan) -> String {
    match read.split.as_slice() {
        [] => "no key: one shard".to_owned(),
        split => format!(
            "by ({}), shards of {} rows at first",
            read.schema.names(split),
            read.shard_rows
        ),
    }
}

fn lanes(task: &TaskMeta, route: &Route) -> String {
    let wanted = task.params.worker_num.filter(|&wanted| wanted > route.plan.all_lanes);
    let why = wanted.map(|wanted| format!(" of {wanted}: more would not be faster there"));
    format!("{}{}", route.plan.lanes, why.unwrap_or_default())
}

/// As of which moments the source is read, and why.
fn reads(route: &Route) -> String {
    match route.plan.snapshot {
        Some(way) => format!("consistency snapshot: {}", way.how),
        None => "consistency shard: each shard as of a moment of its own (\"consistency\": \
                 \"snapshot\" reads all as of one)"
            .to_owned(),
    }
}

fn writes(task: &TaskMeta, write: &WritePlan) -> String {
    let how = match write.mode {
        WriteMode::Insert if write.adds_key => {
            "insert, each shard once by a marker; the primary key when all rows are in".to_owned()
        }
        WriteMode::Insert => "insert, each shard once by a marker".to_owned(),
        WriteMode::Upsert => {
            let names: Vec<_> = write.key_columns().map(|column| column.name.as_str()).collect();
            let key = names.join(", ");
            match write.by_key {
                ByKey::Merge => format!("upsert by ({key})"),
                ByKey::Keep => "insert; rows whose key is there are kept".to_owned(),
                ByKey::Update => format!("update by ({key}); nothing is inserted"),
                ByKey::Replace => format!("replace whole rows by ({key})"),
            }
        }
    };
    let how = if write.empties { format!("empty the target once, then {how}") } else { how };
    match task.params.write_mode {
        Some(WriteWish::Swap) => format!("into a table beside it, then swap; {how}"),
        _ => how,
    }
}

/// What the target still has to get.
fn indexes(write: &WritePlan) -> Option<String> {
    let pending = write.schema.pending.as_ref()?;
    let named = pending.indexes.iter().map(|index| {
        let columns: Vec<_> = index.parts.iter().map(|part| part.column).collect();
        let unique = if index.unique { "unique " } else { "" };
        format!("{unique}({})", write.schema.names(&columns))
    });
    let named: Vec<_> = named.collect();
    (!named.is_empty()).then(|| format!("the source's: {}", named.join(", ")))
}

fn path(write: &WritePlan) -> String {
    let by = match write.path.now() {
        WritePath::Statements | WritePath::StagedStatements => {
            format!(", {} rows each", write.statement_rows)
        }
        _ => String::new(),
    };
    format!("{}{by}", write.path)
}
