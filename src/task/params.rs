//! Everything that a task's params may say.

use std::num::NonZeroU64;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Consistency, CursorParams, Drift, IndexWish, MaxDelete, MaxErrors, Retry, SourceAndTarget,
    Statements, ValueParams, WriteWish, limits, names,
};
use crate::config::keys::{self, KnownKeys, number_or_text};
use crate::error::{Error, Result};

/// A task's params.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Params {
    #[serde(deserialize_with = "names::split_key")]
    pub(super) split: Vec<String>,
    pub(super) pk: SourceAndTarget,
    /// Column that tells when a row changed, for incremental modes.
    pub diff_column: SourceAndTarget,
    /// Parallel lanes.
    #[serde(deserialize_with = "number_or_text")]
    pub worker_num: Option<usize>,
    /// Workers that may share a run; as many as there are lanes without.
    #[serde(deserialize_with = "number_or_text")]
    pub participants: Option<u64>,
    /// Rows a shard reads.
    #[serde(deserialize_with = "number_or_text")]
    pub read_batch: Option<u64>,
    /// Rows a write statement takes.
    #[serde(deserialize_with = "number_or_text")]
    pub write_batch: Option<usize>,
    /// Source column → target column; only these are copied. Without: all, by name.
    pub columns: Option<Map<String, Value>>,
    /// A condition in the source's SQL.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// How rows get into the target; upsert by the target's key without.
    pub write_mode: Option<WriteWish>,
    /// The run's mode.
    pub mode: Option<String>,
    /// Rows a second, over all lanes and all workers that share a run.
    #[serde(deserialize_with = "limits::rows")]
    pub max_rows_per_second: Option<NonZeroU64>,
    /// Bytes a second, likewise.
    #[serde(deserialize_with = "limits::bytes")]
    pub max_bytes_per_second: Option<NonZeroU64>,
    /// How often a run is tried, and after which waits.
    #[serde(deserialize_with = "limits::retry")]
    pub retry: Retry,
    /// How many rows mode mirror may delete.
    pub max_delete: MaxDelete,
    /// How many rows may be left out because the target refuses them.
    pub max_errors: MaxErrors,
    /// The run whose rejected rows are tried again, and nothing else; set by `goshift rejected replay`.
    pub replay: Option<Uuid>,
    /// Whether both sides are compared once all rows are in; a difference fails the run.
    pub verify: bool,
    /// How mode cursor picks its rows.
    pub cursor: CursorParams,
    /// As of which moments the source is read.
    pub consistency: Consistency,
    /// Run at the target before the first row, once a run.
    pub pre_sql: Statements,
    /// Run at the target after the last row, once a run.
    pub post_sql: Statements,
    /// Which of the source's indexes a target gets that is created.
    pub indexes: IndexWish,
    /// What becomes of columns that only the source has.
    pub drift: Drift,
    /// What becomes of values that the target can't hold.
    #[serde(deserialize_with = "values")]
    pub values: ValueParams,
}

impl KnownKeys for Params {
    const KEYS: &'static [&'static str] = &[
        "split",
        "pk",
        "diff_column",
        "worker_num",
        "participants",
        "read_batch",
        "write_batch",
        "columns",
        "where",
        "write_mode",
        "mode",
        "max_rows_per_second",
        "max_bytes_per_second",
        "retry",
        "max_delete",
        "max_errors",
        "replay",
        "verify",
        "cursor",
        "consistency",
        "pre_sql",
        "post_sql",
        "indexes",
        "drift",
        "values",
    ];
}

/// Unknown policies are refused by name.
fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ValueParams, D::Error> {
    let value = Value::deserialize(deserializer)?;
    keys::read("params.values", value).map_err(serde::de::Error::custom)
}

impl Params {
    /// Reads params: JSON, or JSON as people write it by hand (JSON5). Empty text is no params.
    ///
    /// # Errors
    /// Kind `Config`, with what is wrong and where.
    pub fn parse_object(text: &str) -> Result<Map<String, Value>> {
        if text.trim().is_empty() {
            return Ok(Map::new());
        }
        let value = match serde_json::from_str::<Value>(text) {
            Ok(value) => value,
            Err(strict) => json5::from_str::<Value>(text).map_err(|_| {
                Error::config("params is not valid JSON").caused_by(strict).with_remedy(
                    "write params as in {\"split\":{\"pk\":[\"id\"]},\"worker_num\":20}",
                )
            })?,
        };
        match value {
            Value::Object(map) => Ok(map),
            _ => Err(Error::config("params must be an object {…}")),
        }
    }

    /// Checked params.
    ///
    /// # Errors
    /// Kind `Config`, naming the key at fault.
    pub(super) fn read(map: Map<String, Value>) -> Result<Self> {
        limits::check(&map)?;
        let params: Self = keys::read("params", Value::Object(map))?;
        let zero = [
            ("worker_num", params.worker_num == Some(0)),
            ("participants", params.participants == Some(0)),
            ("read_batch", params.read_batch == Some(0)),
            ("write_batch", params.write_batch == Some(0)),
        ];
        match zero.iter().find(|(_, is_zero)| *is_zero) {
            Some((key, _)) => Err(Error::config(format!("params.{key} must be at least 1"))),
            None => Ok(params),
        }
    }

    /// The source columns to split by, if the task names any.
    pub fn split_by(&self) -> &[String] {
        if self.split.is_empty() { &self.pk.src } else { &self.split }
    }

    /// The target columns that identify a row, if the task names any.
    pub fn target_key(&self) -> &[String] {
        &self.pk.dest
    }
}
