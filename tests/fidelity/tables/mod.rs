//! Cases that a whole table is needed for: its keys, its names, what else is attached to it, and what
//! an application does with it afterwards.

mod case;
mod identities;
mod keys;
mod names;
mod postgres;
mod sqlite;
mod targets;
mod zones;

pub use case::{End, Table};

use crate::support::{Site, text};

/// All of them.
pub fn all() -> Vec<Table> {
    [
        identities::TABLES,
        keys::TABLES,
        names::TABLES,
        postgres::TABLES,
        sqlite::TABLES,
        targets::TABLES,
        zones::TABLES,
    ]
    .concat()
}

/// Runs those whose source is of this engine; all that went wrong is said at once.
pub async fn every_table_of(from: &str) {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    let mut wrong = Vec::new();
    let mut task = 0;
    for table in all() {
        for pair in table.pairs.iter().filter(|pair| pair.0 == from) {
            task += 1;
            if let Err(what) = Run::of(&site, &table, *pair, task).check().await {
                wrong.push(format!("{} → {}, {}: {what}", pair.0, pair.1, table.name));
            }
        }
    }
    assert!(task > 0, "{from} has no case");
    assert!(wrong.is_empty(), "{} of {task}:\n{}", wrong.len(), wrong.join("\n"));
    site.remove().await;
}

/// A case between two engines.
struct Run<'a> {
    site: &'a Site,
    table: &'a Table,
    from: &'static str,
    to: &'static str,
    task: i64,
    source: String,
    target: String,
}

impl<'a> Run<'a> {
    fn of(
        site: &'a Site,
        table: &'a Table,
        (from, to): (&'static str, &'static str),
        task: i64,
    ) -> Self {
        let (source, target) = (format!("source_{task}"), format!("target_{task}"));
        Self { site, table, from, to, task, source, target }
    }

    /// Quoted for the engine, with the tables' names.
    fn sql(&self, engine: &str, sql: &str) -> String {
        let sql = sql.replace("{s}", &self.source).replace("{t}", &self.target);
        if engine == "mysql" { sql.replace('"', "`") } else { sql }
    }

    async fn execute(&self, engine: &str, sql: &str) {
        if !sql.is_empty() {
            self.site.execute(engine, &self.sql(engine, sql)).await;
        }
    }

    async fn rows(&self, query: &str) -> Vec<String> {
        let rows = self.site.rows(self.to, &self.sql(self.to, query)).await;
        rows.iter().map(|cells| cells.join(" ")).collect()
    }

    /// Rows of the target, none if it is not there.
    async fn held(&self) -> String {
        let named = match self.to {
            "mysql" => {
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = '{t}'"
            }
            "postgres" => "SELECT relname::text FROM pg_class WHERE oid = to_regclass('{t}')",
            _ => "SELECT name FROM sqlite_schema WHERE name = '{t}'",
        };
        if self.rows(named).await.is_empty() {
            return "0".to_owned();
        }
        let cast = if self.to == "mysql" { "CHAR" } else { "text" };
        self.rows(&format!("SELECT CAST(count(*) AS {cast}) FROM {{t}}")).await.concat()
    }

    fn all_said(&self, said: &str, parts: &[&str]) -> Result<(), String> {
        let parts = parts.iter().map(|part| self.sql("", part));
        match parts.into_iter().find(|part| !said.contains(part)) {
            None => Ok(()),
            Some(part) => Err(format!("{part:?} is not said: {said}")),
        }
    }

    async fn check(&self) -> Result<(), String> {
        let Table { source, target, params, then, end, .. } = self.table;
        self.execute(self.from, source).await;
        self.execute(self.to, target).await;
        self.site.task(self.task, (self.from, &self.source), (self.to, &self.target), params).await;
        let before = self.held().await;
        let task = self.task.to_string();
        let output = self.site.goshift(&["-id", &task]);
        let said = text(&output);
        match end {
            End::Equal(..) if !output.status.success() => Err(said),
            End::Equal(query, expected) => {
                let verified = self.site.goshift(&["verify", "-id", &task]);
                if !verified.status.success() {
                    return Err(text(&verified));
                }
                self.execute(self.to, then).await;
                same(self.rows(query).await, expected)
            }
            _ if output.status.success() => Err(format!("it succeeded: {said}")),
            End::Refused(parts) => {
                self.all_said(&said, parts)?;
                same(vec![self.held().await], &[&before])
            }
            End::Fails(parts, left) => {
                self.all_said(&said, parts)?;
                same(vec![self.held().await], &[left])
            }
        }
    }
}

fn same(found: Vec<String>, expected: &[&str]) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}
