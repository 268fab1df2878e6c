//! The event: the JSON body that any AMQP client may publish to start a task.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::keys;
use crate::error::{Error, Result};

/// Which of the three queues a run waits in.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// After everything else.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    /// Its name in events and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
        }
    }

    /// As the ledger stores it: larger is more urgent.
    pub fn rank(self) -> i32 {
        match self {
            Priority::Low => 0,
            Priority::Normal => 1,
            Priority::High => 2,
        }
    }

    /// From the ledger's number.
    pub fn from_rank(rank: i32) -> Self {
        match rank {
            ..=0 => Priority::Low,
            1 => Priority::Normal,
            _ => Priority::High,
        }
    }
}

/// A request to run a task. Only `task_id` is needed; a credential is never in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The row in `task_def_sync_manager`.
    pub task_id: i64,
    /// The run this event wakes; without one the worker enters a new run into the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// The run's mode, before `"mode"` in params.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Params of this run only, laid over the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Map<String, Value>>,
    /// Its queue.
    #[serde(default)]
    pub priority: Priority,
    /// Not before this instant, RFC 3339 in UTC (`2026-01-31T12:00:00Z`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Two submissions with the same key are one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    /// Who asked, for the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_by: Option<String>,
    /// The W3C trace context of the run: a header of the message, no part of its body.
    #[serde(skip)]
    pub traceparent: Option<String>,
}

/// Characters that the ledger keeps of who asked.
const MAX_SUBMITTER: usize = 190;

const KEYS: &[&str] =
    &["task_id", "run_id", "mode", "params", "priority", "not_before", "dedup_key", "submitted_by"];

impl Event {
    /// The wake-up for a run that is in the ledger already.
    pub fn wake(task_id: i64, run_id: Uuid, priority: Priority) -> Self {
        Self { run_id: Some(run_id), priority, ..Self::for_task(task_id) }
    }

    /// A bare request for a task.
    pub fn for_task(task_id: i64) -> Self {
        Self {
            task_id,
            run_id: None,
            mode: None,
            params: None,
            priority: Priority::Normal,
            not_before: None,
            dedup_key: None,
            submitted_by: None,
            traceparent: None,
        }
    }

    /// The same in this trace.
    #[must_use]
    pub fn in_trace(self, traceparent: Option<&str>) -> Self {
        Self { traceparent: traceparent.map(str::to_owned), ..self }
    }

    /// Reads a message body.
    ///
    /// # Errors
    /// Kind `Permanent` with a sentence on what is wrong with it: the message goes to the dead
    /// queue.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let remedy = "send a JSON object such as {\"task_id\": 5}";
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            Error::permanent("the event is not JSON").caused_by(error).with_remedy(remedy)
        })?;
        let Value::Object(map) = &value else {
            return Err(Error::permanent("the event is not a JSON object").with_remedy(remedy));
        };
        if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let unknown = keys::unknown("the event", key, KEYS);
            return Err(Error::permanent(unknown.to_string())
                .with_remedy(unknown.remedy().unwrap_or(remedy)));
        }
        let event = Self::deserialize(&value).map_err(|error| {
            Error::permanent(format!("the event is malformed: {error}")).with_remedy(remedy)
        })?;
        event.check_texts().map_err(|error| error.with_remedy(remedy))?;
        Ok(event)
    }

    /// What the ledger's columns can't hold must not look like a sick ledger.
    fn check_texts(&self) -> Result<()> {
        let texts = [("submitted_by", &self.submitted_by), ("dedup_key", &self.dedup_key)];
        for (name, text) in texts {
            let Some(text) = text else { continue };
            if text.contains('\0') {
                return Err(Error::permanent(format!("the event's {name} holds a NUL")));
            }
            if name == "submitted_by" && text.chars().count() > MAX_SUBMITTER {
                let what = format!("the event's {name} has more than {MAX_SUBMITTER} characters");
                return Err(Error::permanent(what));
            }
        }
        Ok(())
    }

    /// The message body.
    pub fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_event_is_enough() {
        assert_eq!(Event::parse(br#"{"task_id": 5}"#).unwrap(), Event::for_task(5));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (body, part) in [
            (&b"hello"[..], "not JSON"),
            (b"[1]", "not a JSON object"),
            (b"{}", "task_id"),
            (br#"{"task_id": "x"}"#, "malformed"),
            (br#"{"task_id": 5, "run": 1}"#, "unknown key"),
            (br#"{"task_id": 5, "submitted_by": "a\u0000b"}"#, "NUL"),
        ] {
            let error = Event::parse(body).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.remedy().is_some());
        }
    }

    #[test]
    fn a_body_reads_back() {
        let mut event = Event::wake(7, Uuid::now_v7(), Priority::High);
        event.params = serde_json::from_str(r#"{"worker_num": 3}"#).ok();
        assert_eq!(Event::parse(&event.body()).unwrap(), event);
    }
}
