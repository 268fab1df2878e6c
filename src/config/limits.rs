//! Limits of the connections: how many runs may use one at once.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Settings, Side};
use crate::error::{Error, Result};
use crate::plugin;

/// Every limit that a connection may have.
pub(super) const ALL: &[&str] = &[
    "statement_timeout",
    "max_runs",
    "max_threads_running",
    "max_active_sessions",
    "max_replay_lag",
    "replica",
];

/// A connection with a limit of runs, as one side of a task finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitedConnection {
    /// The task's side.
    pub side: Side,
    /// The engine's main name.
    pub engine: &'static str,
    /// `<app>_<db>`.
    pub key: String,
    /// The entry it finds, which may be the other side's: `from.mysql.app_db`.
    pub place: String,
    /// Runs that may use the entry at once.
    pub max_runs: u32,
}

impl Settings {
    /// Every connection with a limit of runs. Nothing else of an entry is resolved: a machine needs
    /// only the secrets of the databases it uses.
    ///
    /// # Errors
    /// Kind `Config` for a limit that is not a number from 1, or an unset variable.
    pub fn run_limits(&self) -> Result<Vec<LimitedConnection>> {
        let mut ends = BTreeSet::new();
        for (_, engine, key) in self.connections() {
            ends.insert((plugin::find(&engine)?.name(), key));
        }
        let mut limited = Vec::new();
        for side in [Side::From, Side::To] {
            for (engine, key) in &ends {
                let names = plugin::find(engine)?.names();
                let Some((place, entry)) = self.entry(side, names, key) else { continue };
                let Some(value) = entry.get("max_runs") else { continue };
                if let Some(max_runs) = self.max_runs(&place, value)? {
                    limited.push(LimitedConnection {
                        side,
                        engine,
                        key: key.clone(),
                        place,
                        max_runs,
                    });
                }
            }
        }
        Ok(limited)
    }

    fn max_runs(&self, place: &str, value: &Value) -> Result<Option<u32>> {
        let place = format!("{place}.max_runs");
        let value = self.environment.resolve(&place, value)?;
        let read: Option<NonZeroU32> = super::keys::number_or_text(value).map_err(|error| {
            Error::config(format!("{place}: {error}")).with_remedy("write a whole number from 1")
        })?;
        Ok(read.map(NonZeroU32::get))
    }
}

/// Reads a duration that may be left out.
pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(value) => super::sections::duration(value).map(Some).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment::Environment;
    use serde_json::json;

    fn settings(root: Value) -> Settings {
        Settings::from_value(root, Environment::default(), "etc/test.json".into()).unwrap()
    }

    #[test]
    fn a_limit_is_found_where_the_connection_is() {
        let settings = settings(json!({
            "from": {"mariadb": {"a_b": {"max_runs": "3"}}, "postgres": {"a_b": {}}},
            "to": {"postgres": {"c_d": {"max_runs": 2}}},
        }));
        let found: Vec<_> = settings
            .run_limits()
            .unwrap()
            .into_iter()
            .map(|l| (l.side, l.engine, l.key, l.place, l.max_runs))
            .collect();
        let entry = |side, engine, key: &str, place: &str, max| {
            (side, engine, key.to_owned(), place.to_owned(), max)
        };
        assert_eq!(
            found,
            [
                entry(Side::From, "mysql", "a_b", "from.mariadb.a_b", 3),
                entry(Side::From, "postgres", "c_d", "to.postgres.c_d", 2),
                entry(Side::To, "mysql", "a_b", "from.mariadb.a_b", 3),
                entry(Side::To, "postgres", "c_d", "to.postgres.c_d", 2),
            ]
        );
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        for value in [json!(0), json!("many"), json!(-1)] {
            let error = settings(json!({"from": {"mysql": {"a_b": {"max_runs": value}}}}))
                .run_limits()
                .unwrap_err();
            assert!(error.to_string().contains("from.mysql.a_b.max_runs"), "{error}");
        }
        let error = settings(json!({"task_meta": {"max_runs": 3}})).task_meta().unwrap_err();
        assert!(error.to_string().contains("max_runs"), "{error}");
    }
}
