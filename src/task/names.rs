//! Names of columns, as people write them in params.

use serde::{Deserialize, Deserializer};

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

/// `{"pk": …}`: the columns to split by.
pub(super) fn split_key<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Split {
        pk: Option<Names>,
    }
    Ok(Split::deserialize(deserializer)?.pk.map(Names::list).unwrap_or_default())
}
