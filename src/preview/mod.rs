//! What a run of a task would do, in words, with nothing written: for `goshift plan` and the REST API.

use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::config::Settings;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::metrics::WorkerMetrics;
use crate::plan::check::Check;
use crate::plugin::WriteColumn;
use crate::progress::Display;
use crate::room::Room;
use crate::run::{Ahead, Route, Runner, Stage};
use crate::schema::Column;
use crate::submit::Submitter;
use crate::task::TaskMeta;

mod facts;
mod limits;
mod warnings;

/// One fact about the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Line {
    /// What it is about, in a word: `from`, `write`, `retry`.
    pub heading: &'static str,
    /// What it says.
    pub text: String,
}

impl Line {
    fn new(heading: &'static str, text: impl Into<String>) -> Self {
        Self { heading, text: text.into() }
    }
}

/// A column's way from the source into the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ColumnWay {
    /// Its name in the source.
    pub source: String,
    /// Its type there, in the engine's words.
    pub source_type: String,
    /// Its name in the target.
    pub target: String,
    /// Its type there; empty if the table is going to be created.
    pub target_type: String,
    /// What every value must satisfy beyond what the target itself refuses.
    pub check: String,
    /// What happens to values that the target can't hold.
    pub policy: String,
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Preview {
    /// The task.
    pub task_id: i64,
    /// The mode it would run in.
    pub mode: &'static str,
    /// The facts, in the order of the work.
    pub lines: Vec<Line>,
    /// What a person should know before the run.
    pub notes: Vec<String>,
    /// Rights that are missing at the source or the target, each with what gives it.
    pub lacks: Vec<String>,
    /// The columns.
    pub columns: Vec<ColumnWay>,
}

impl Preview {
    /// Connects both ends of a task and looks at them.
    ///
    /// # Errors
    /// What would fail the run before its first row.
    pub async fn of(settings: &Arc<Settings>, ledger: &Ledger, task: &TaskMeta) -> Result<Self> {
        let (_, route) = Box::pin(look(settings, ledger, task)).await?;
        let mut lines = facts::lines(task, &route);
        lines.extend(limits::lines(settings, task)?);
        let statements = [("before", &task.params.pre_sql), ("after", &task.params.post_sql)];
        for (when, statements) in statements {
            lines.extend(
                statements.list().iter().map(|statement| Line::new(when, statement.as_str())),
            );
        }
        Ok(Self {
            task_id: task.id,
            mode: task.mode.name(),
            lines,
            notes: warnings::notes(&route).await?,
            lacks: warnings::lacks(task, &route).await?,
            columns: columns(&route),
        })
    }
}

/// A task's ends, connected; nothing is created.
///
/// # Errors
/// What would fail the run before its first row.
pub async fn look(
    settings: &Arc<Settings>,
    ledger: &Ledger,
    task: &TaskMeta,
) -> Result<(Runner, Route)> {
    let runner = Runner {
        settings: Arc::clone(settings),
        ledger: ledger.clone(),
        submitter: Submitter::open(settings, ledger.clone(), "goshift")?,
        display: Display::Quiet,
        drain: CancellationToken::new(),
        halt: CancellationToken::new(),
        ahead: Ahead::default(),
        room: Room::new(settings.worker.row_memory),
        metrics: WorkerMetrics::default(),
    };
    let route = Box::pin(runner.route(task, Stage::Look)).await;
    let route = route.map_err(|error| error.context(format!("task {}", task.id)))?;
    Ok((runner, route))
}

fn columns(route: &Route) -> Vec<ColumnWay> {
    let (read, write) = (&route.plan.read, &route.plan.write);
    let pairs = read.columns.iter().zip(read.read_columns()).zip(&write.columns);
    let way = |((position, from), column): ((&usize, &Column), &WriteColumn)| {
        let to = &write.schema.columns[column.target];
        ColumnWay {
            source: from.name.clone(),
            source_type: from.native.clone(),
            target: to.name.clone(),
            target_type: if route.plan.creates_target { String::new() } else { to.native.clone() },
            check: match column.check {
                Check::None => String::new(),
                check => format!("{check:?}"),
            },
            policy: read.rules.of(*position),
        }
    };
    pairs.map(way).collect()
}
