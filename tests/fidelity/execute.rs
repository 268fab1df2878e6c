//! Runs the cases of a pair and looks at what has become of them.

use crate::case::{Case, Outcome, SAME};
use crate::cases;
use crate::support::{Site, text};

/// NULL, as it is printed here.
const NULL: &str = "NULL";

/// Runs every case of a pair; all that went wrong is said at once.
pub async fn every_case_of(from: &'static str, to: &'static str) {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    let mut wrong = Vec::new();
    let cases = cases::of(from, to);
    assert!(!cases.is_empty(), "{from} → {to} has no case");
    for (number, case) in cases.iter().enumerate() {
        let place = Place { site: &site, from, to, id: number as i64 + 1 };
        if let Err(what) = place.run(case).await {
            wrong.push(format!("{from} → {to}, {}: {what}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    site.remove().await;
}

struct Place<'a> {
    site: &'a Site,
    from: &'static str,
    to: &'static str,
    id: i64,
}

impl Place<'_> {
    fn source(&self) -> String {
        format!("source_{}", self.id)
    }

    fn target(&self) -> String {
        format!("target_{}", self.id)
    }

    async fn run(&self, case: &Case) -> Result<(), String> {
        self.prepare(case).await;
        let output = self.site.goshift(&["-id", &self.id.to_string()]);
        let said = text(&output);
        match case.outcome {
            Outcome::Equal if !output.status.success() => Err(said),
            Outcome::Equal => self.compare(case).await,
            Outcome::Policy(_) if !output.status.success() => Err(said),
            Outcome::Policy(count) => {
                self.compare(case).await?;
                let counted = count == 0 || said.contains(&format!("column v: {count} values"));
                if !counted {
                    return Err(format!("the count {count} is not said: {said}"));
                }
                let verified = self.site.goshift(&["verify", "-id", &self.id.to_string()]);
                if verified.status.success() { Ok(()) } else { Err(text(&verified)) }
            }
            _ if output.status.success() => {
                let (_, read) = self.reads(case);
                Err(format!("it succeeded: {:?}", self.values(self.to, &self.target(), read).await))
            }
            Outcome::Refused => named(&said, &[case.names]),
            Outcome::Fails => {
                // What the source's own engine finds wrong is its table's.
                let table = [self.target(), self.source()];
                let table = table.iter().find(|table| said.contains(*table));
                let table = table.ok_or_else(|| format!("no table is named: {said}"))?;
                named(&said, &[table, case.names, &format!("id={}", case.rows.len())])?;
                let left = self.values(self.to, &self.target(), "'a row'").await;
                if left.is_empty() { Ok(()) } else { Err(format!("{} rows are in", left.len())) }
            }
        }
    }

    async fn prepare(&self, case: &Case) {
        let (source, target) = (self.source(), self.target());
        let key = |engine: &str| if engine == "sqlite" { "INTEGER" } else { "int" };
        let create = |engine: &str, table: &str, column: &str| {
            format!("CREATE TABLE {table} (id {} NOT NULL PRIMARY KEY, v {column})", key(engine))
        };
        self.execute(self.from, case.before.0).await;
        self.execute(self.from, &create(self.from, &source, case.from)).await;
        for (number, (literal, _)) in case.rows.iter().enumerate() {
            let row = format!("INSERT INTO {source} (id, v) VALUES ({}, {literal})", number + 1);
            self.execute(self.from, &row).await;
        }
        self.execute(self.to, case.before.1).await;
        if let Some(column) = case.to {
            self.execute(self.to, &create(self.to, &target, column)).await;
        }
        let params = match case.values {
            "" => String::new(),
            values => format!(r#"{{"values": {values}}}"#),
        };
        self.site.task(self.id, (self.from, &source), (self.to, &target), &params).await;
    }

    /// Without MySQL's strictness: a source may hold what its server took long ago.
    async fn execute(&self, engine: &str, sql: &str) {
        match engine {
            _ if sql.is_empty() => {}
            "mysql" => {
                let lax = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'";
                let strict = "SET SESSION sql_mode = DEFAULT";
                self.site.my(&format!("{lax}; {sql}; {strict}")).await;
            }
            _ => self.site.execute(engine, sql).await,
        }
    }

    fn reads(&self, case: &Case) -> (&'static str, &'static str) {
        let usual = |engine: &str| match engine {
            "mysql" => "CAST(v AS CHAR)",
            "postgres" => "v::text",
            _ => "CAST(v AS TEXT)",
        };
        case.read.unwrap_or((usual(self.from), usual(self.to)))
    }

    async fn values(&self, engine: &str, table: &str, read: &str) -> Vec<String> {
        let query = format!("SELECT COALESCE({read}, '{NULL}') FROM {table} ORDER BY id");
        if engine != "sqlite" {
            return self.site.rows(engine, &query).await.into_iter().flatten().collect();
        }
        let connection = self.site.sqlite();
        let mut statement = connection.prepare(&query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    async fn compare(&self, case: &Case) -> Result<(), String> {
        let (source, target) = self.reads(case);
        let source = self.values(self.from, &self.source(), source).await;
        let target = self.values(self.to, &self.target(), target).await;
        if target.len() != case.rows.len() {
            return Err(format!("{} of {} rows", target.len(), case.rows.len()));
        }
        let wanted = case.rows.iter().zip(&source).map(|((_, wanted), source)| match *wanted {
            SAME => source.as_str(),
            text => text,
        });
        let odd: Vec<_> = wanted
            .zip(&target)
            .filter(|(wanted, found)| wanted != found)
            .map(|(wanted, found)| format!("{found:?} instead of {wanted:?}"))
            .collect();
        if odd.is_empty() { Ok(()) } else { Err(odd.join(", ")) }
    }
}

fn named(said: &str, parts: &[&str]) -> Result<(), String> {
    let has = |part: &&&str| {
        // A name stands alone: not inside a word.
        let words = said.split(|c: char| !(c.is_alphanumeric() || "_=".contains(c)));
        words.into_iter().any(|word| word == **part)
    };
    match parts.iter().find(|part| !has(part)) {
        None => Ok(()),
        Some(part) => Err(format!("{part} is not named: {said}")),
    }
}
