//! A random table, in each engine's words.

use std::fmt;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::values::{self, Kind};
use crate::support::{ENGINES, Site};

pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub nullable: bool,
}

/// Columns in the table's order; the first ones are the key.
pub struct Schema {
    pub columns: Vec<Column>,
    key: usize,
}

impl Schema {
    /// A key of one or two columns, and four to eight others; the last may be NULL.
    pub fn any(rng: &mut StdRng) -> Self {
        let key = rng.random_range(1..3);
        let mut kinds: Vec<Kind> = Kind::KEYS.to_vec();
        kinds.shuffle(rng);
        kinds.truncate(key);
        let others = rng.random_range(4..9);
        kinds.extend((0..others).map(|_| Kind::ALL[rng.random_range(0..Kind::ALL.len())]));
        let last = kinds.len() - 1;
        let column = |(at, kind): (usize, Kind)| Column {
            name: format!("c{at}"),
            kind,
            nullable: at >= key && (at == last || rng.random_bool(0.6)),
        };
        Self { columns: kinds.into_iter().enumerate().map(column).collect(), key }
    }

    fn key_names(&self) -> String {
        let names: Vec<_> = self.columns[..self.key].iter().map(|c| c.name.as_str()).collect();
        names.join(", ")
    }

    pub fn create(&self, engine: &str, table: &str) -> String {
        let at = ENGINES.iter().position(|&e| e == engine).unwrap();
        let columns = self.columns.iter().map(|column| {
            let not_null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{not_null}", column.name, column.kind.types()[at])
        });
        let columns: Vec<_> = columns.collect();
        format!("CREATE TABLE {table} ({}, PRIMARY KEY ({}))", columns.join(", "), self.key_names())
    }

    /// Row `n` as `(v, v, …)`. Keys are as many different ones.
    pub fn row(&self, engine: &str, n: usize, rng: &mut StdRng) -> String {
        let cells = self.columns.iter().enumerate().map(|(at, column)| {
            let value = match at {
                0 => values::key(column.kind, n),
                // The second key column need not tell rows apart, nor be spread.
                1 if self.key == 2 => values::key(column.kind, n % 7),
                _ if column.nullable && rng.random_bool(0.15) => return "NULL".to_owned(),
                _ => values::any(column.kind, rng),
            };
            values::literal(column.kind, engine, &value)
        });
        format!("({})", cells.collect::<Vec<_>>().join(","))
    }

    /// All rows in the order of their first column's text, each cell in a form that all engines share.
    pub async fn read(&self, site: &Site, engine: &str, table: &str) -> Vec<Vec<String>> {
        let cells = self.columns.iter().map(|c| values::expression(c.kind, engine, &c.name));
        let query = format!("SELECT {} FROM {table}", cells.collect::<Vec<_>>().join(", "));
        let mut rows = match engine {
            "sqlite" => sqlite_rows(&site.sqlite(), &query),
            _ => site.rows(engine, &query).await,
        };
        for row in &mut rows {
            for (cell, column) in row.iter_mut().zip(&self.columns) {
                values::settle(column.kind, cell);
            }
        }
        rows.sort_unstable();
        rows
    }
}

fn sqlite_rows(connection: &rusqlite::Connection, query: &str) -> Vec<Vec<String>> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare(query).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cell = |at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(n) => n.to_string(),
                ValueRef::Real(real) => format!("{real:?}"),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    String::from_utf8(text.to_vec()).unwrap()
                }
            })
        };
        (0..columns).map(cell).collect()
    });
    rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns.iter().map(|c| {
            let null = if c.nullable { "" } else { " NOT NULL" };
            format!("{} {:?}{null}", c.name, c.kind)
        });
        write!(f, "({}; key {})", columns.collect::<Vec<_>>().join(", "), self.key_names())
    }
}
