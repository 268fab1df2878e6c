//! Statements of the task's own that are run at the target before and after its rows.

use serde::{Deserialize, Deserializer};

/// `"pre_sql": "ANALYZE t"`, or a list of statements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements(Vec<String>);

impl Statements {
    /// In their order; none is empty.
    pub fn list(&self) -> &[String] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Statements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(String),
            Many(Vec<String>),
        }
        let form = Form::deserialize(deserializer)
            .map_err(|_| serde::de::Error::custom("write a statement, or a list of statements"))?;
        let list = match form {
            Form::One(statement) => vec![statement],
            Form::Many(list) => list,
        };
        let list: Vec<_> = list
            .iter()
            .map(|statement| statement.trim().trim_end_matches(';').trim_end().to_owned())
            .collect();
        if list.iter().any(|statement| statement.is_empty() || statement.contains('\0')) {
            return Err(serde::de::Error::custom("a statement is empty, or has a NUL in it"));
        }
        Ok(Self(list))
    }
}
