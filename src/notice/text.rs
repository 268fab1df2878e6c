//! What people read.

use super::Message;
use crate::config::notices::{Language, NoticeKind};
use crate::task::Endpoint;

/// What happened, in a line.
pub(super) fn title(message: &Message, language: Language) -> String {
    let task = message.run.task_id;
    match (language, message.kind) {
        (Language::En, NoticeKind::Failed) => format!("goshift: task {task} has failed"),
        (Language::En, NoticeKind::Recovered) => format!("goshift: task {task} succeeds again"),
        (Language::En, NoticeKind::Late) => format!("goshift: task {task} waits for a worker"),
        (Language::En, NoticeKind::Long) => format!("goshift: task {task} takes long"),
        (Language::Zh, NoticeKind::Failed) => format!("goshift：任务 {task} 失败"),
        (Language::Zh, NoticeKind::Recovered) => format!("goshift：任务 {task} 已恢复"),
        (Language::Zh, NoticeKind::Late) => format!("goshift：任务 {task} 迟迟未开始"),
        (Language::Zh, NoticeKind::Long) => format!("goshift：任务 {task} 运行时间过长"),
    }
}

/// More of it: a heading and its text each.
pub(super) fn facts(message: &Message, language: Language) -> Vec<(&'static str, String)> {
    let run = &message.run;
    let heading = |en, zh| match language {
        Language::En => en,
        Language::Zh => zh,
    };
    let mut facts = Vec::new();
    if let Some(task) = &message.task {
        facts.push((heading("Tables", "表"), format!("{} → {}", end(&task.from), end(&task.to))));
        if !task.description.is_empty() {
            facts.push((heading("Description", "描述"), task.description.clone()));
        }
        if !task.owner.is_empty() {
            facts.push((heading("Owner", "负责人"), task.owner.clone()));
        }
    }
    facts.push((heading("Run", "运行"), format!("{} ({})", run.run_id, run.state)));
    facts.push((heading("Time", "时间"), message.at.clone()));
    // What a run said before it succeeded is of no use.
    if message.kind != NoticeKind::Recovered {
        facts.extend(run.reason.clone().map(|reason| (heading("Reason", "原因"), reason)));
        facts.extend(run.remedy.clone().map(|remedy| (heading("What to do", "处理建议"), remedy)));
    }
    facts
}

fn end(end: &Endpoint) -> String {
    format!("{} {}_{}.{}", end.db_type, end.app, end.db, end.table)
}
