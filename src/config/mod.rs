//! The configuration: `<ENV>.json`, laid over `db_global.json`.
//!
//! Keys and shapes are checked when it is loaded, before anything connects. Environment variables
//! in `from`, `to` and `queue` are resolved when that entry is first needed, so that a machine
//! needs only the secrets of the databases it uses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::task::ValueParams;
use connection::ConnectionConfig;
use environment::Environment;
use keys::KnownKeys;
use notices::NoticeSettings;
use sections::{LogSettings, QueueKind, QueueSettings, WorkerSettings};
use server::ServerSettings;
use telemetry::TelemetrySettings;

pub mod connection;
pub mod environment;
pub mod keys;
pub mod limits;
pub mod notices;
pub mod sections;
pub mod server;
pub mod telemetry;

/// Which side of a task a connection serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `from`: read.
    From,
    /// `to`: written.
    To,
}

impl Side {
    fn key(self) -> &'static str {
        match self {
            Side::From => "from",
            Side::To => "to",
        }
    }

    fn other(self) -> Self {
        match self {
            Side::From => Side::To,
            Side::To => Side::From,
        }
    }
}

/// Everything that is configured.
pub struct Settings {
    root: Map<String, Value>,
    environment: Environment,
    /// The file it came from, for messages.
    pub file: PathBuf,
    /// How workers behave.
    pub worker: WorkerSettings,
    /// Where logs go.
    pub log: LogSettings,
    /// What becomes of values that a target can't hold, where a task says nothing.
    pub values: ValueParams,
}

struct Root;

impl KnownKeys for Root {
    const KEYS: &'static [&'static str] = &[
        "task_meta",
        "from",
        "to",
        "queue",
        "worker",
        "server",
        "notices",
        "roboter",
        "log",
        "telemetry",
        "values",
    ];
}

impl Settings {
    /// Loads `<folder>/<env>.json`, over `<folder>/db_global.json` if that exists.
    ///
    /// # Errors
    /// Kind `Config`, naming the file and the key at fault.
    pub fn load(folder: &Path, env: &str, use_environment: bool) -> Result<Self> {
        let file = folder.join(format!("{env}.json"));
        if !file.is_file() {
            return Err(Error::config(format!("no configuration file {}", file.display()))
                .with_remedy("name its folder with -c and its prefix with -e"));
        }
        let global = folder.join("db_global.json");
        let mut sources = config::Config::builder();
        for path in [global, file.clone()] {
            let required = path == file;
            sources = sources.add_source(
                config::File::from(path).format(config::FileFormat::Json).required(required),
            );
        }
        let root = sources
            .build()
            .and_then(config::Config::try_deserialize::<Value>)
            .map_err(|error| Error::config("can't read the configuration").caused_by(error))?;
        let environment = Environment::load(use_environment, &folder.join(format!("{env}.env")))?;
        Self::from_value(root, environment, file)
    }

    fn from_value(root: Value, environment: Environment, file: PathBuf) -> Result<Self> {
        let place = file.display().to_string();
        let Value::Object(root) = root else {
            return Err(Error::config(format!("{place} must be an object {{…}}")));
        };
        keys::check::<Root>(&place, &root)?;
        check_connections(&root)?;
        if let Some(Value::Object(map)) = root.get("queue") {
            keys::check::<QueueSettings>("queue", map)?;
        }
        let section = |name: &str| {
            let value = root.get(name).cloned().unwrap_or(Value::Object(Map::new()));
            environment.resolve(name, &value)
        };
        let worker = keys::read::<WorkerSettings>("worker", section("worker")?)?;
        worker.check()?;
        let log = keys::read::<LogSettings>("log", section("log")?)?;
        let values = keys::read::<ValueParams>("values", section("values")?)?;
        Ok(Self { root, environment, file, worker, log, values })
    }

    /// How `goshift-server` is reached. Only that binary needs its variables to be set.
    ///
    /// # Errors
    /// Kind `Config` for a malformed entry or an unset variable.
    pub fn server(&self) -> Result<ServerSettings> {
        let value = self.root.get("server").cloned().unwrap_or(Value::Object(Map::new()));
        keys::read("server", self.environment.resolve("server", &value)?)
    }

    /// Where spans go.
    ///
    /// # Errors
    /// Kind `Config` for a malformed entry or an unset variable.
    pub fn telemetry(&self) -> Result<TelemetrySettings> {
        let value = self.root.get("telemetry").cloned().unwrap_or(Value::Object(Map::new()));
        keys::read("telemetry", self.environment.resolve("telemetry", &value)?)
    }

    /// Whom to tell when runs fail. Only binaries that send need its variables to be set.
    ///
    /// # Errors
    /// Kind `Config` for a malformed entry or an unset variable.
    pub fn notices(&self) -> Result<NoticeSettings> {
        let section = |name: &str| {
            self.root.get(name).map(|value| self.environment.resolve(name, value)).transpose()
        };
        let notices = section("notices")?.unwrap_or_else(|| Value::Object(Map::new()));
        NoticeSettings::read(notices, section("roboter")?)
    }

    /// Whether anybody is to be told when runs fail, and after what time again. No variable is looked at.
    ///
    /// # Errors
    /// Kind `Config` for a malformed entry.
    pub fn reminder(&self) -> Result<Option<Duration>> {
        let notices = self.root.get("notices");
        let has_channels = notices
            .and_then(|notices| notices.get("channels")?.as_array())
            .is_some_and(|channels| !channels.is_empty());
        if !has_channels && !self.root.contains_key("roboter") {
            return Ok(None);
        }
        let told = notices.and_then(|notices| notices.get("remind_after")).cloned();
        let only = told.map(|after| Map::from_iter([("remind_after".to_owned(), after)]));
        let only: NoticeSettings = keys::read("notices", Value::Object(only.unwrap_or_default()))?;
        Ok(Some(only.remind_after))
    }

    /// The task database: its engine's name and its connection.
    ///
    /// # Errors
    /// Kind `Config` for a missing or malformed entry or an unset variable.
    pub fn task_meta(&self) -> Result<(String, ConnectionConfig)> {
        let Some(value) = self.root.get("task_meta") else {
            return Err(Error::config(format!("{} has no \"task_meta\"", self.file.display()))
                .with_remedy(
                    "add the connection of the database that holds task_def_sync_manager",
                ));
        };
        let Value::Object(mut map) = self.environment.resolve("task_meta", value)? else {
            return Err(Error::config("task_meta must be an object {…}"));
        };
        let engine = match map.remove("type") {
            None => "mysql".to_owned(),
            Some(Value::String(engine)) => engine,
            Some(other) => {
                return Err(Error::config(format!("task_meta.type: {other} is not a text")));
            }
        };
        let config = self.connection_at("task_meta", Value::Object(map))?;
        config.refuse(limits::ALL, "on the task database")?;
        Ok((engine, config))
    }

    /// The connection of `<app>_<db>` on one side, falling back to the other side's entry of the
    /// same key. `names` are the engine's accepted spellings.
    ///
    /// # Errors
    /// Kind `Config` when neither side has it, or a variable in it is not set.
    pub fn connection(
        &self,
        side: Side,
        names: &[&str],
        app: &str,
        db: &str,
    ) -> Result<ConnectionConfig> {
        let key = format!("{app}_{db}");
        if let Some((place, entry)) = self.entry(side, names, &key) {
            let resolved = self.environment.resolve(&place, entry)?;
            let mut config = self.connection_at(&place, resolved)?;
            if config.db.is_none() && config.path.is_none() {
                config.db = Some(db.to_owned());
            }
            return Ok(config);
        }
        let wanted = format!("{}.{}.{key}", side.key(), names.first().unwrap_or(&""));
        Err(Error::config(format!("{} has no connection {wanted}", self.file.display()))
            .with_remedy(format!("add {wanted}, or correct the task's app and db")))
    }

    /// The entry that a side finds for a key, and where it stands.
    fn entry(&self, side: Side, names: &[&str], key: &str) -> Option<(String, &Value)> {
        let sections = [side.key(), side.other().key()];
        let places = sections.iter().flat_map(|section| names.iter().map(move |n| (section, n)));
        places.into_iter().find_map(|(section, name)| {
            let entry = self.root.get(*section)?.get(name)?.get(key)?;
            Some((format!("{section}.{name}.{key}"), entry))
        })
    }

    fn connection_at(&self, place: &str, value: Value) -> Result<ConnectionConfig> {
        let mut config: ConnectionConfig = keys::read(place, value)?;
        config.place = place.to_owned();
        Ok(config)
    }

    /// Every configured connection as (side, engine, key), for `check`.
    pub fn connections(&self) -> Vec<(Side, String, String)> {
        let mut all = Vec::new();
        for side in [Side::From, Side::To] {
            let engines = self.root.get(side.key()).and_then(Value::as_object);
            for (engine, entries) in engines.into_iter().flatten() {
                let keys = entries.as_object().into_iter().flat_map(Map::keys);
                all.extend(keys.map(|key| (side, engine.clone(), key.clone())));
            }
        }
        all
    }

    /// One of [`Settings::connections`], resolved.
    ///
    /// # Errors
    /// As [`Settings::connection`].
    pub fn connection_by_key(
        &self,
        side: Side,
        engine: &str,
        key: &str,
    ) -> Result<ConnectionConfig> {
        let place = format!("{}.{engine}.{key}", side.key());
        let entry = self.root.get(side.key()).and_then(|s| s.get(engine)).and_then(|s| s.get(key));
        let entry = entry.ok_or_else(|| Error::config(format!("there is no {place}")))?;
        self.connection_at(&place, self.environment.resolve(&place, entry)?)
    }

    /// The queue.
    ///
    /// # Errors
    /// Kind `Config` for a malformed section, an unset variable or a broker without a URL.
    pub fn queue(&self) -> Result<QueueSettings> {
        let Some(value) = self.root.get("queue") else { return Ok(QueueSettings::default()) };
        let queue: QueueSettings = keys::read("queue", self.environment.resolve("queue", value)?)?;
        if queue.kind == QueueKind::Rabbitmq && queue.url.expose().is_empty() {
            return Err(Error::config("queue has no \"url\"")
                .with_remedy("add \"url\": \"amqp://user:password@host:5672/%2f\""));
        }
        Ok(queue)
    }
}

fn check_connections(root: &Map<String, Value>) -> Result<()> {
    for section in ["from", "to"] {
        let Some(value) = root.get(section) else { continue };
        let Value::Object(engines) = value else {
            return Err(Error::config(format!("{section} must be an object {{…}}")));
        };
        for (engine, entries) in engines {
            crate::plugin::find(engine).map_err(|error| error.context(section))?;
            let Value::Object(entries) = entries else {
                return Err(Error::config(format!("{section}.{engine} must be an object {{…}}")));
            };
            for (key, entry) in entries {
                let place = format!("{section}.{engine}.{key}");
                let Value::Object(entry) = entry else {
                    return Err(Error::config(format!("{place} must be an object {{…}}")));
                };
                keys::check::<ConnectionConfig>(&place, entry)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(root: Value) -> Result<Settings> {
        Settings::from_value(root, Environment::default(), "etc/test.json".into())
    }

    #[test]
    fn each_side_falls_back_to_the_other() {
        let settings =
            settings(json!({"from": {"mysql": {"a_b": {"host": "h", "port": "3307"}}}})).unwrap();
        let config = settings.connection(Side::To, &["mysql"], "a", "b").unwrap();
        assert_eq!((config.place.as_str(), config.port), ("from.mysql.a_b", Some(3307)));
        assert_eq!(config.db.as_deref(), Some("b"));
        let error = settings.connection(Side::To, &["mysql"], "a", "c").unwrap_err();
        assert!(error.to_string().contains("to.mysql.a_c"), "{error}");
    }

    #[test]
    fn unknown_keys_are_refused_with_a_suggestion() {
        for (root, hint) in [
            (json!({"task_metta": {}}), "task_meta"),
            (json!({"from": {"mysql": {"a_b": {"hots": "h"}}}}), "host"),
            (json!({"worker": {"leese": "3s"}}), "lease"),
            (json!({"queue": {"typ": "embedded"}}), "type"),
            (json!({"to": {"mysqll": {}}}), "mysql"),
        ] {
            let error = settings(root).err().unwrap();
            assert_eq!(error.exit_code(), 2);
            assert!(error.remedy().unwrap_or_default().contains(hint), "{error:?}");
        }
    }

    #[test]
    fn durations_are_written_as_people_write_them() {
        let settings =
            settings(json!({"worker": {"lease": "5s", "retry_ladder": ["200ms", 2]}})).unwrap();
        assert_eq!(settings.worker.lease.as_millis(), 5000);
        assert_eq!(settings.worker.retry_ladder[1].as_millis(), 2000);
    }
}
