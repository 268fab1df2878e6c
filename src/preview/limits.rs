//! The limits that apply to a task.

use std::time::Duration;

use super::Line;
use crate::config::connection::ConnectionConfig;
use crate::config::{Settings, Side};
use crate::error::Result;
use crate::plugin;
use crate::task::{Endpoint, TaskMeta};

/// Each limit with what it says.
pub(super) fn lines(settings: &Settings, task: &TaskMeta) -> Result<Vec<Line>> {
    let connection = |side, end: &Endpoint| {
        settings.connection(
            side,
            plugin::find(&end.db_type)?.names(),
            end.app.trim(),
            end.db.trim(),
        )
    };
    let from = connection(Side::From, &task.from)?;
    let to = connection(Side::To, &task.to)?;
    let mut lines = Vec::new();
    lines.extend(speed(task).map(|text| Line::new("speed", text)));
    for (side, config) in [("from", &from), ("to", &to)] {
        if let Some(timeout) = config.statement_timeout {
            let text = format!("{side}: {} a statement ({})", shown(timeout), config.place);
            lines.push(Line::new("timeout", text));
        }
    }
    for (index, config) in [&from, &to].into_iter().enumerate() {
        if let Some(max) = config.max_runs
            && (index == 0 || from.place != to.place)
        {
            lines.push(Line::new("runs", format!("at most {max} at once use {}", config.place)));
        }
    }
    lines.extend(bounds(&to).map(|text| Line::new("hold", text)));
    if !task.params.max_errors.is_none() {
        let text = format!("up to {} that the target refuses are left out", task.params.max_errors);
        lines.push(Line::new("errors", text));
    }
    let (retry, worker) = (&task.params.retry, &settings.worker);
    let waits: Vec<_> = retry.rungs(worker).iter().map(|rung| shown(*rung)).collect();
    let attempts = retry.max_attempts(worker);
    let waits = waits.join(", ");
    lines.push(Line::new("retry", format!("{attempts} attempts, waits of up to {waits}")));
    Ok(lines)
}

fn speed(task: &TaskMeta) -> Option<String> {
    let params = &task.params;
    let limits = [
        params.max_rows_per_second.map(|rows| format!("{rows} rows/s")),
        params.max_bytes_per_second.map(|bytes| format!("{bytes} bytes/s")),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    (!limits.is_empty()).then(|| format!("at most {} over the whole run", limits.join(" and ")))
}

/// What of the target holds a run back.
fn bounds(to: &ConnectionConfig) -> Option<String> {
    let over = [
        to.max_threads_running.map(|bound| format!("Threads_running is over {bound}")),
        to.max_active_sessions.map(|bound| format!("more than {bound} sessions are active")),
        to.max_replay_lag.map(|bound| format!("a replica is over {} behind", shown(bound))),
    ];
    let over: Vec<_> = over.into_iter().flatten().collect();
    (!over.is_empty()).then(|| format!("no new shard while {} ({})", over.join(" or "), to.place))
}

fn shown(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
