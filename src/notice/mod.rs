//! Notices: people are told when runs fail, recover, start late or take long.
//!
//! What is to be told stands in the ledger, written with the change of state that it is about.
//! Servers and workers send it: each notice is taken by one of them, and tried again until every
//! channel has it. A process that dies after sending and before writing that down makes a second one:
//! receivers know them by their id.

use serde_json::{Value, json};

use crate::config::notices::{Language, NoticeKind};
use crate::ledger::{OpenNotice, RunRow};
use crate::task::{Endpoint, TaskRow};

mod deliver;
mod dingtalk;
mod http;
mod slack;
mod text;
mod webhook;

pub use deliver::deliver;

/// What is told.
#[derive(Debug, Clone)]
struct Message {
    /// The same for each try.
    id: String,
    kind: NoticeKind,
    at: String,
    run: RunRow,
    /// None if it was deleted since.
    task: Option<TaskRow>,
    /// The run's page.
    link: Option<String>,
}

impl Message {
    fn new(notice: &OpenNotice, run: RunRow, task: Option<TaskRow>, page: Option<&str>) -> Self {
        let run_id = notice.run_id;
        Self {
            id: format!("{run_id}.{}", notice.kind.name()),
            kind: notice.kind,
            at: notice.at.clone(),
            run,
            task,
            link: page.map(|page| format!("{}/#/runs/{run_id}", page.trim_end_matches('/'))),
        }
    }

    /// For programs.
    fn json(&self) -> Value {
        let end = |end: &Endpoint| json!({"app": end.app, "db_type": end.db_type, "db": end.db, "table": end.table});
        let task = self.task.as_ref().map(|task| {
            json!({"id": task.id, "from": end(&task.from), "to": end(&task.to),
                   "description": task.description, "owner": task.owner})
        });
        json!({"id": self.id, "kind": self.kind.name(), "at": self.at,
               "title": text::title(self, Language::En), "task": task, "run": self.run,
               "link": self.link})
    }
}
