//! The note in the comment of a table that goshift has created: which key and indexes it still lacks,
//! and whose they are, so that they can be added after a crash too.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schema::{Column, Index, IndexPart, Pending};

/// How such a comment begins.
pub(super) const PREFIX: &str = "goshift adds keys and indexes when the rows are in: ";

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    run: Uuid,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    key: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    indexes: Vec<NotedIndex>,
    /// The table's own comment, which takes the note's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NotedIndex {
    name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unique: bool,
    /// Each column, and how much of it.
    on: Vec<(String, Option<u32>)>,
}

/// The comment of a table that lacks `pending`; `comment` is its own.
pub(super) fn note(pending: &Pending, columns: &[Column], comment: Option<&str>) -> String {
    let name = |&column: &usize| columns[column].name.clone();
    let index = |index: &Index| NotedIndex {
        name: index.name.clone(),
        unique: index.unique,
        on: index.parts.iter().map(|part| (name(&part.column), part.prefix)).collect(),
    };
    let note = Note {
        run: pending.run_id,
        key: pending.key.iter().map(name).collect(),
        indexes: pending.indexes.iter().map(index).collect(),
        comment: comment.map(str::to_owned),
    };
    // Names, numbers and a UUID always have a JSON form.
    format!("{PREFIX}{}", serde_json::to_string(&note).unwrap_or_default())
}

/// A table's comment, taken apart: its own, and what the table still lacks. What is no longer a note as
/// it was written belongs to nobody, and is not the table's own either.
pub(super) fn read(
    comment: Option<String>,
    columns: &[Column],
    has_primary: bool,
) -> (Option<String>, Option<Pending>) {
    let Some(noted) = comment.as_deref().and_then(|text| text.strip_prefix(PREFIX)) else {
        return (comment, None);
    };
    let Ok(note) = serde_json::from_str::<Note>(noted) else { return (None, None) };
    let position = |name: &String| columns.iter().position(|column| column.name == *name);
    let key: Option<Vec<usize>> = note.key.iter().map(position).collect();
    // A column of an index may have been dropped since, and the index with it.
    let index = |index: NotedIndex| {
        let part = |(name, prefix): &(String, _)| {
            Some(IndexPart { column: position(name)?, prefix: *prefix })
        };
        let parts = index.on.iter().map(part).collect::<Option<_>>()?;
        Some(Index { name: index.name, unique: index.unique, parts })
    };
    let pending = Pending {
        run_id: note.run,
        key: key.filter(|_| !has_primary).unwrap_or_default(),
        indexes: note.indexes.into_iter().filter_map(index).collect(),
    };
    (note.comment, Some(pending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::LogicalType;

    fn column(name: &str) -> Column {
        Column {
            name: name.to_owned(),
            logical: LogicalType::Int(64),
            native: "bigint".to_owned(),
            nullable: false,
            generated: false,
            auto_increment: false,
            optional: false,
            collation: None,
            comment: None,
            default: None,
        }
    }

    #[test]
    fn a_comment_says_what_is_missing() {
        let columns = ["a\"b", "c", "d"].map(column);
        let part = |column, prefix| IndexPart { column, prefix };
        let index = |parts| Index { name: "i".to_owned(), unique: true, parts };
        let indexes = vec![index(vec![part(1, Some(20)), part(0, None)])];
        let pending = Pending { run_id: Uuid::from_u128(7), key: vec![2, 0], indexes };
        let note = note(&pending, &columns, Some("own"));
        let own = Some("own".to_owned());
        let again = |columns: &[Column], has| read(Some(note.clone()), columns, has);
        assert_eq!(again(&columns, false), (own.clone(), Some(pending.clone())));
        let without_key = Pending { key: Vec::new(), ..pending.clone() };
        assert_eq!(again(&columns, true), (own.clone(), Some(without_key)), "it is there by now");
        let gone = Pending { key: Vec::new(), ..pending };
        assert_eq!(again(&columns[..2], false), (own, Some(gone)), "a column of the key is gone");
        let other = Some("orders of the shop".to_owned());
        assert_eq!(read(other.clone(), &columns, false), (other, None));
        assert_eq!(read(Some(format!("{PREFIX}edited")), &columns, false), (None, None));
    }
}
