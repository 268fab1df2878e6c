//! Environment variables as values of the configuration.
//!
//! A string that is the name of a set variable is replaced by it. `${NAME}` and
//! `${NAME:-default}` work too. Variables come from the process, then from `<ENV>.env` beside the
//! configuration, so that secrets can live in a file of their own.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};

/// Where variables are looked up.
#[derive(Default)]
pub struct Environment {
    enabled: bool,
    file: HashMap<String, String>,
    file_name: String,
}

impl Environment {
    /// The process's variables and those of `file`, if it exists. Not `enabled`
    /// (`-UsedEnv=false`): every string stays as it is written.
    ///
    /// # Errors
    /// Kind `Config` when the file can't be read or has a line that is not `NAME=value`.
    pub fn load(enabled: bool, file: &Path) -> Result<Self> {
        let file_name = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) if enabled => text,
            Ok(_) => String::new(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(Error::config(format!("can't read {file_name}")).caused_by(error));
            }
        };
        Ok(Self { enabled, file: parse(&text, &file_name)?, file_name })
    }

    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.file.get(name).cloned())
    }

    /// Replaces variables in every string below `value`.
    ///
    /// # Errors
    /// Kind `Config`, naming the place, when a value looks like a variable's name and is not set.
    pub fn resolve(&self, place: &str, value: &Value) -> Result<Value> {
        if !self.enabled {
            return Ok(value.clone());
        }
        Ok(match value {
            Value::String(text) => Value::String(self.resolve_text(place, text)?),
            Value::Array(items) => Value::Array(
                items.iter().map(|item| self.resolve(place, item)).collect::<Result<_>>()?,
            ),
            Value::Object(map) => {
                let entry = |(key, item): (&String, &Value)| {
                    Ok((key.clone(), self.resolve(&format!("{place}.{key}"), item)?))
                };
                Value::Object(map.iter().map(entry).collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    fn resolve_text(&self, place: &str, text: &str) -> Result<String> {
        if let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            return self
                .get(name)
                .filter(|value| default.is_none() || !value.is_empty())
                .or_else(|| default.map(str::to_owned))
                .ok_or_else(|| self.unset(place, name));
        }
        match self.get(text) {
            Some(value) if !text.is_empty() => Ok(value),
            _ if looks_like_variable(text) => Err(self.unset(place, text)),
            _ => Ok(text.to_owned()),
        }
    }

    fn unset(&self, place: &str, name: &str) -> Error {
        Error::config(format!("{place} names the environment variable {name}, which is not set"))
            .with_remedy(format!(
                "export {name}=…, or put it into {}, or pass -UsedEnv=false to take values as written",
                self.file_name
            ))
    }
}

/// Capital letters, digits and at least one underscore, as in `LOCAL_DW_MYSQL_Z_ETL_HOST`.
fn looks_like_variable(text: &str) -> bool {
    text.contains('_')
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn parse(text: &str, file_name: &str) -> Result<HashMap<String, String>> {
    let mut variables = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or_else(|| {
            Error::config(format!("{file_name}, line {}: not NAME=value", number + 1))
        })?;
        let quoted = ['"', '\''].iter().find_map(|&quote| {
            value.trim().strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote))
        });
        variables.insert(name.trim().to_owned(), quoted.unwrap_or(value.trim()).to_owned());
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environment(text: &str) -> Environment {
        Environment {
            enabled: true,
            file: parse(text, "local.env").unwrap(),
            file_name: "local.env".into(),
        }
    }

    #[test]
    fn names_of_set_variables_are_replaced_at_any_depth() {
        let env = environment("# a comment\nexport GOSHIFT_T_HOST=\"db1\"\nGOSHIFT_T_PORT=3307\n");
        let value = json!({"host": "GOSHIFT_T_HOST", "port": "${GOSHIFT_T_PORT:-3306}",
            "list": ["GOSHIFT_T_HOST", "plain"], "other": "${GOSHIFT_T_NONE:-x}", "n": 1});
        assert_eq!(
            env.resolve("from", &value).unwrap(),
            json!({"host": "db1", "port": "3307", "list": ["db1", "plain"], "other": "x", "n": 1})
        );
    }

    #[test]
    fn an_unset_variable_is_an_error_with_its_place() {
        let error = environment("")
            .resolve("from.mysql.a_b", &json!({"host": "GOSHIFT_T_UNSET"}))
            .unwrap_err();
        assert!(error.to_string().contains("from.mysql.a_b.host"), "{error}");
        assert!(error.remedy().is_some_and(|r| r.contains("GOSHIFT_T_UNSET")));
    }

    #[test]
    fn without_the_environment_values_are_taken_as_written() {
        let env = Environment::default();
        let value = json!("GOSHIFT_T_UNSET");
        assert_eq!(env.resolve("x", &value).unwrap(), value);
    }
}
