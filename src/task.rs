//! A task: one row of `task_def_sync_manager`, and its params.

use serde_json::{Map, Value};

use crate::error::{Context, Error, Result};

mod bad_rows;
mod consistency;
mod cursor;
mod deletion;
mod drift;
mod indexes;
mod limits;
mod mode;
mod names;
mod params;
mod statements;
mod values;
mod write_mode;

pub use bad_rows::MaxErrors;
pub use consistency::Consistency;
pub use cursor::{CursorParams, Nulls, Overlap};
pub use deletion::MaxDelete;
pub use drift::Drift;
pub use indexes::IndexWish;
pub use limits::Retry;
pub use mode::Mode;
pub use names::SourceAndTarget;
pub use params::Params;
pub use statements::Statements;
pub use values::{InvalidUtf8, Limit, LongText, Missing, Nul, Tinyint1, ValueParams, ZeroDates};
pub use write_mode::WriteWish;

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

impl TaskRow {
    /// The task with one run's params and mode laid over it, all checked.
    ///
    /// # Errors
    /// Kind `Config`, naming the task and the key at fault.
    pub fn checked(&self, overrides: &Map<String, Value>, mode: Option<&str>) -> Result<TaskMeta> {
        self.check(overrides, mode).context(|| format!("task {}", self.id))
    }

    fn check(&self, overrides: &Map<String, Value>, mode: Option<&str>) -> Result<TaskMeta> {
        refuse_statements(overrides)?;
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
        if let (
            Some(wish @ (WriteWish::TruncateInsert | WriteWish::Swap)),
            MaxDelete::AtMost { .. },
        ) = (wish, params.max_delete)
        {
            return Err(Error::config(format!(
                "write_mode \"{}\" takes every row out of the target, whatever max_delete says \
                 ({})",
                wish.name(),
                params.max_delete
            ))
            .with_remedy(
                "take max_delete out of params, or set it to \"all\", which lets an empty source \
                 empty the target",
            ));
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

/// The params that hold statements.
const STATEMENTS: [&str; 2] = ["pre_sql", "post_sql"];

/// Params of a run that does a part of its task's work again: the task's statements are not for it.
pub fn without_statements() -> Map<String, Value> {
    STATEMENTS.map(|key| (key.to_owned(), Value::Array(Vec::new()))).into_iter().collect()
}

/// Whoever may submit a run is not meant to run statements of their own; they may leave them out.
fn refuse_statements(overrides: &Map<String, Value>) -> Result<()> {
    let is_given = |key: &&str| {
        overrides.get(*key).is_some_and(|value| value.as_array().is_none_or(|all| !all.is_empty()))
    };
    match STATEMENTS.iter().find(|key| is_given(key)) {
        Some(key) => Err(Error::config(format!("{key} can't be given with a run"))
            .with_remedy("write it into the task's own params")),
        None => Ok(()),
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
    fn statements_come_from_the_task_alone() {
        let own = params(r#"{"pre_sql": " ANALYZE t; ", "post_sql": ["a", "b"]}"#).unwrap();
        assert_eq!(own.pre_sql.list(), ["ANALYZE t"]);
        assert_eq!(own.post_sql.list(), ["a", "b"]);
        let overrides = Params::parse_object(r#"{"post_sql": "DROP TABLE t"}"#).unwrap();
        let error = row("").checked(&overrides, None).unwrap_err();
        assert!(error.to_string().contains("post_sql can't be given with a run"), "{error}");
        let task = row(r#"{"pre_sql": "a"}"#).checked(&without_statements(), None).unwrap();
        assert!(task.params.pre_sql.list().is_empty());
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
            ("{\"write_mode\": \"truncate_insert\", \"max_delete\": 5}", "max_delete"),
            ("{\"mode\": \"mirror\", \"write_mode\": \"truncate_insert\"}", "truncate_insert"),
            ("{\"write_mode\": \"truncate\"}", "truncate"),
            ("{\"mode\": \"cursor\"}", "diff_column"),
            ("{\"mode\": \"cursor\", \"diff_column\": \"a,b\"}", "diff_column"),
            (
                "{\"mode\": \"cursor\", \"diff_column\": \"a\", \"write_mode\": \"insert\"}",
                "insert",
            ),
            ("{\"values\": {\"zero_date\": \"null\"}}", "zero_date"),
            ("{\"values\": {\"nul\": \"keep\"}}", "keep"),
            ("{\"cursor\": {\"overlap\": \"soon\"}}", "overlap"),
            ("{\"pre_sql\": [\"ANALYZE t\", \" ; \"]}", "empty"),
            ("{\"post_sql\": 3}", "list of statements"),
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
