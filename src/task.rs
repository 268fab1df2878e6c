//! A task: one row of `task_def_sync_manager`, and its params.

use std::num::NonZeroU64;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::keys::{self, KnownKeys, number_or_text};
use crate::error::{Context, Error, Result};

mod bad_rows;
mod consistency;
mod cursor;
mod deletion;
mod limits;
mod values;

pub use bad_rows::MaxErrors;
pub use consistency::Consistency;
pub use cursor::{CursorParams, Nulls, Overlap};
pub use deletion::MaxDelete;
pub use limits::Retry;
pub use values::{Limit, LongText, Missing, Nul, Tinyint1, ValueParams, ZeroDates};

/// How much of the table a run copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All of it; repeating it is safe.
    Init,
    /// The rows that are missing from the target or different there.
    Diff,
    /// The same, and rows that only the target has are deleted there.
    Mirror,
    /// The rows whose `diff_column` has reached the watermark of the task's last run.
    Cursor,
}

impl Mode {
    /// Reads a mode's name.
    ///
    /// # Errors
    /// Kind `Config` for an unknown one.
    pub fn parse(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "init" | "" => Ok(Mode::Init),
            "diff" => Ok(Mode::Diff),
            "mirror" => Ok(Mode::Mirror),
            "cursor" => Ok(Mode::Cursor),
            other => Err(Error::config(format!("unknown mode \"{other}\""))
                .with_remedy("use init, diff, mirror or cursor")),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Init => "init",
            Mode::Diff => "diff",
            Mode::Mirror => "mirror",
            Mode::Cursor => "cursor",
        }
    }

    /// Whether both sides are compared and only differences are written.
    pub fn compares(self) -> bool {
        matches!(self, Mode::Diff | Mode::Mirror)
    }
}

/// One end of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The business system.
    pub app: String,
    /// The engine's name.
    pub db_type: String,
    /// The database.
    pub db: String,
    /// The table.
    pub table: String,
}

/// A row of the task table, as it is stored.
#[derive(Debug, Clone, Default)]
pub struct TaskRow {
    /// Primary key.
    pub id: i64,
    /// Where to read.
    pub from: Endpoint,
    /// Where to write.
    pub to: Endpoint,
    /// Params, unchecked.
    pub params: String,
    /// 0 is offline.
    pub online: bool,
    /// What it is for.
    pub description: String,
    /// Last state written back.
    pub status: String,
    /// Who looks after it.
    pub owner: String,
}

/// A task that is ready to run: the row with one run's params and mode laid over it.
#[derive(Debug, Clone)]
pub struct TaskMeta {
    /// The task's number.
    pub id: i64,
    /// Where to read.
    pub from: Endpoint,
    /// Where to write.
    pub to: Endpoint,
    /// Checked params.
    pub params: Params,
    /// What to copy.
    pub mode: Mode,
}

/// How a task wants its rows written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteWish {
    /// Insert, or update the row with the same key.
    Upsert,
    /// Insert; a row whose key is there already is left as it is there.
    InsertIgnore,
    /// Update the row with the same key; insert nothing.
    Update,
    /// Replace the row with the same key as a whole, or insert one.
    Replace,
    /// Insert only, each shard once a run, whatever is there.
    Insert,
}

impl WriteWish {
    /// As it is written in params.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::InsertIgnore => "insert_ignore",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Insert => "insert",
        }
    }
}

/// What becomes of columns of the source that the target lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// The task is refused, and they are named.
    #[default]
    Error,
    /// They are added to the target, where they take NULL.
    AddColumns,
    /// They are left out, which the run says.
    Ignore,
}

/// A task's params.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Params {
    #[serde(deserialize_with = "split_key")]
    split: Vec<String>,
    pk: SourceAndTarget,
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
        "drift",
        "values",
    ];
}

/// A column's name in the source and in the target: `{"src": "id", "dest": "id"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceAndTarget {
    /// In the source.
    pub src: Vec<String>,
    /// In the target.
    pub dest: Vec<String>,
}

/// One name, several separated by commas, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    fn list(self) -> Vec<String> {
        match self {
            Names::One(text) => {
                text.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect()
            }
            Names::Many(list) => list,
        }
    }
}

impl<'de> Deserialize<'de> for SourceAndTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pair {
            src: Option<Names>,
            dest: Option<Names>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Pair(Pair),
            Names(Names),
        }
        let form = Form::deserialize(deserializer).map_err(|_| {
            serde::de::Error::custom("write {\"src\": \"id\", \"dest\": \"id\"} or a list of names")
        })?;
        let (src, dest) = match form {
            Form::Pair(pair) => (pair.src.map(Names::list), pair.dest.map(Names::list)),
            Form::Names(names) => (Some(names.list()), None),
        };
        let src = src.unwrap_or_default();
        let dest = dest.unwrap_or_else(|| src.clone());
        Ok(Self { src, dest })
    }
}

/// Unknown policies are refused by name.
fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ValueParams, D::Error> {
    let value = Value::deserialize(deserializer)?;
    keys::read("params.values", value).map_err(serde::de::Error::custom)
}

fn split_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Split {
        pk: Option<Names>,
    }
    Ok(Split::deserialize(deserializer)?.pk.map(Names::list).unwrap_or_default())
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

    fn read(map: Map<String, Value>) -> Result<Self> {
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

impl TaskRow {
    /// The task with one run's params and mode laid over it, all checked.
    ///
    /// # Errors
    /// Kind `Config`, naming the task and the key at fault.
    pub fn checked(&self, overrides: &Map<String, Value>, mode: Option<&str>) -> Result<TaskMeta> {
        self.check(overrides, mode).context(|| format!("task {}", self.id))
    }

    fn check(&self, overrides: &Map<String, Value>, mode: Option<&str>) -> Result<TaskMeta> {
        let mut map = Params::parse_object(&self.params)?;
        map.extend(overrides.iter().map(|(key, value)| (key.clone(), value.clone())));
        let params = Params::read(map)?;
        let mode = mode.filter(|mode| !mode.is_empty()).or(params.mode.as_deref());
        let mode = Mode::parse(mode.unwrap_or("init"))?;
        let wish = params.write_mode.filter(|wish| *wish != WriteWish::Upsert);
        if let Some(wish) = wish.filter(|_| mode != Mode::Init) {
            return Err(Error::config(format!(
                "mode {} updates or inserts rows by their key; write_mode \"{}\" is for mode init",
                mode.name(),
                wish.name()
            ))
            .with_remedy("take write_mode out of params, or use mode init"));
        }
        if mode == Mode::Cursor && params.diff_column.src.len() != 1 {
            return Err(Error::config(
                "mode cursor needs one diff_column: the column that tells when a row changed",
            )
            .with_remedy(
                "set \"diff_column\": {\"src\": \"update_time\"} in params, or use mode diff",
            ));
        }
        for (side, end) in [("from", &self.from), ("to", &self.to)] {
            let cells = [
                ("app", &end.app),
                ("db_type", &end.db_type),
                ("db", &end.db),
                ("table", &end.table),
            ];
            if let Some((name, _)) = cells.iter().find(|(_, value)| value.trim().is_empty()) {
                return Err(Error::config(format!("{side}_{name} is empty"))
                    .with_remedy("fill it in task_def_sync_manager"));
            }
            crate::plugin::find(&end.db_type).map_err(|e| e.context(format!("{side}_db_type")))?;
        }
        Ok(TaskMeta { id: self.id, from: self.from.clone(), to: self.to.clone(), params, mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(params: &str) -> TaskRow {
        let end = Endpoint {
            app: "a".into(),
            db_type: "mysql".into(),
            db: "b".into(),
            table: "t".into(),
        };
        TaskRow { id: 5, from: end.clone(), to: end, params: params.into(), ..Default::default() }
    }

    fn params(text: &str) -> Result<Params> {
        row(text).checked(&Map::new(), None).map(|task| task.params)
    }

    #[test]
    fn both_forms_of_the_seed_load() {
        // The first is copied from the user's text, unquoted keys and all.
        let first =
            params(r#"{"split":{"pk":["id"]},"worker_num":20,read_batch:5000,write_batch:500}"#)
                .unwrap();
        assert_eq!(first.split_by(), ["id"]);
        assert_eq!((first.read_batch, first.write_batch), (Some(5000), Some(500)));
        let second = params(
            "{\n\t\"pk\": {\n\t\t\"src\": \"id\",\n\t\t\"dest\": \"id2\"\n\t},\n\t\"diff_column\": \
             {\n\t\t\"src\": \"update_time\",\n\t\t\"dest\": \"update_time\"\n\t},\n\t\
             \"worker_num\": 20,\n\t\"read_batch\": 5000,\n\t\"write_batch\": 500\n}",
        )
        .unwrap();
        assert_eq!(second.split_by(), ["id"]);
        assert_eq!(second.target_key(), ["id2"]);
        assert_eq!(second.worker_num, Some(20));
    }

    #[test]
    fn a_run_s_own_params_win() {
        let overrides = Params::parse_object(r#"{"worker_num": 3}"#).unwrap();
        let task = row(r#"{"worker_num": 20, "read_batch": 7}"#).checked(&overrides, None).unwrap();
        assert_eq!((task.params.worker_num, task.params.read_batch), (Some(3), Some(7)));
    }

    #[test]
    fn malformed_params_name_the_task_and_the_key() {
        for (text, part) in [
            ("{\"worker_num\":", "not valid JSON"),
            ("[]", "object"),
            ("{\"worker_nun\": 3}", "worker_nun"),
            ("{\"worker_num\": \"many\"}", "many"),
            ("{\"worker_num\": -1}", "-1"),
            ("{\"worker_num\": 0}", "worker_num"),
            ("{\"split\": {\"pkk\": []}}", "pkk"),
            ("{\"mode\": \"dif\"}", "dif"),
            ("{\"mode\": \"diff\", \"write_mode\": \"insert\"}", "write_mode"),
            ("{\"max_delete\": \"some\"}", "max_delete"),
            ("{\"mode\": \"cursor\"}", "diff_column"),
            ("{\"mode\": \"cursor\", \"diff_column\": \"a,b\"}", "diff_column"),
            (
                "{\"mode\": \"cursor\", \"diff_column\": \"a\", \"write_mode\": \"insert\"}",
                "insert",
            ),
            ("{\"values\": {\"zero_date\": \"null\"}}", "zero_date"),
            ("{\"values\": {\"nul\": \"keep\"}}", "keep"),
            ("{\"cursor\": {\"overlap\": \"soon\"}}", "overlap"),
        ] {
            let error = params(text).unwrap_err();
            assert!(
                error.to_string().contains("task 5") && error.to_string().contains(part),
                "{error}"
            );
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn an_unknown_engine_is_named_with_the_known_ones() {
        let mut task = row("");
        task.to.db_type = "oracle".into();
        let error = task.checked(&Map::new(), None).unwrap_err();
        assert!(error.to_string().contains("to_db_type") && error.to_string().contains("oracle"));
        assert!(error.remedy().is_some_and(|r| r.contains("postgres")));
    }
}
