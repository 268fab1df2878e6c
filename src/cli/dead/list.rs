//! Showing dead runs and messages.

use serde_json::json;

use crate::cli::show::{self, Table, people};
use crate::config::Settings;
use crate::dead::{Chosen, beginning, name};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::queue::rabbitmq::DeadMessage;

/// Prints dead runs and messages.
pub(in crate::cli) async fn list(
    settings: &Settings,
    ledger: &Ledger,
    task: Option<i64>,
    limit: usize,
    json: bool,
) -> Result<()> {
    let chosen = Chosen::all(ledger, task, limit).await?;
    let (messages, hidden) = chosen.messages(settings, ledger).await?;
    let mut table = Table::new(&["#RUN", ">TASK", ">ATTEMPTS", "FAILED"]);
    for run in chosen.runs() {
        if json {
            show::line(
                &json!({"run_id": run.run_id, "message_id": null, "task_id": run.task_id,
                    "attempts": run.attempt, "failed_at": run.finished_at,
                    "reason": run.reason, "remedy": run.remedy.as_deref().unwrap_or_default()})
                .to_string(),
            )?;
        }
        table.row([
            run.run_id.to_string(),
            run.task_id.to_string(),
            run.attempt.to_string(),
            run.since.finished.map(people::ago).unwrap_or_default(),
        ]);
        table.explain(run.reason.as_deref(), run.remedy.as_deref());
    }
    if !json && !table.is_empty() {
        show::table(&table)?;
    }
    let mut table = Table::new(&["MESSAGE (no run)", ">TASK", ">ATTEMPTS"]);
    for message in &messages {
        if json {
            show::line(&to_json(message).to_string())?;
        }
        table.row([
            name(message),
            message.task_id.map(|id| id.to_string()).unwrap_or_default(),
            message.attempts.to_string(),
        ]);
        table.explain(Some(&message.reason), message.remedy.as_deref());
    }
    if !json && !table.is_empty() {
        show::table(&table)?;
    }
    if hidden > 0 {
        show::notice(&format!("{hidden} more message(s): see them with a larger --limit"));
    }
    if !json && chosen.runs().is_empty() && messages.is_empty() {
        show::notice("nothing is dead");
    }
    Ok(())
}

fn to_json(message: &DeadMessage) -> serde_json::Value {
    json!({"run_id": null, "message_id": name(message), "task_id": message.task_id,
        "attempts": message.attempts, "reason": message.reason,
        "remedy": message.remedy.as_deref().unwrap_or_default()})
}

/// One dead message: its headers, and the beginning of its body.
pub(in crate::cli) fn message_lines(message: &DeadMessage, json: bool) -> Vec<String> {
    let (body, more) = beginning(message);
    if json {
        let mut object = to_json(message);
        object["body"] = body.into();
        object["body_bytes"] = message.body.len().into();
        return vec![object.to_string()];
    }
    let width = show::width();
    let mut lines = vec![format!("message   {}  (it never became a run)", name(message))];
    let mut field = |title: &str, text: &str| {
        let text = people::plain(text);
        let wrapped = show::wrap(&text, "          ", width, usize::MAX);
        lines.extend(wrapped.iter().enumerate().map(|(number, line)| match number {
            0 => format!("{title:<10}{}", line.trim_start()),
            _ => line.clone(),
        }));
    };
    if let Some(task) = message.task_id {
        field("task", &task.to_string());
    }
    field("reason", &message.reason);
    if let Some(remedy) = &message.remedy {
        field("", &format!("→ {remedy}"));
    }
    let more = if more > 0 { format!(" … and {more} more bytes") } else { String::new() };
    field("body", &format!("{body}{more}"));
    lines
}
