//! Random schemas, values and keys: 100,000 rows over each pair, and what the target then prints is what
//! the source prints, read here and compared row by row. `FIDELITY_SEED=7` repeats a schema.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::support::{ENGINES, Site, text};
use schema::Schema;

mod schema;
mod values;

const ROWS: usize = 100_000;
/// Rows a statement.
const CHUNK: usize = 2000;

/// A place with a source of random rows, and a task that copies it.
struct Table<'a> {
    site: &'a Site,
    schema: Schema,
    from: &'static str,
    to: &'static str,
}

/// Copies a random table, disturbs the target, and mends it by mode diff.
pub async fn a_table_of_any_shape(from: &'static str, to: &'static str) {
    let pair = ENGINES.iter().position(|&e| e == from).unwrap() * 3
        + ENGINES.iter().position(|&e| e == to).unwrap();
    // `make fidelity` goes on with others; what fails says how to repeat it.
    let seed: u64 = std::env::var("FIDELITY_SEED").map_or(1, |seed| seed.parse().unwrap());
    let said = format!("{from} → {to}, FIDELITY_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed * 9 + pair as u64);
    let mut site = Site::new("sqlite").await;
    site.embedded();
    let table = Table { site: &site, schema: Schema::any(&mut rng), from, to };
    table.fill(&mut rng).await;
    let params = format!(
        r#"{{"worker_num": {}, "read_batch": {}, "write_batch": {}}}"#,
        rng.random_range(1..6),
        rng.random_range(300..20_000),
        rng.random_range(50..2000)
    );
    site.task(5, (from, "source"), (to, "target"), &params).await;
    let copied = table.run(&["-id", "5", "--json"], &said);
    assert_eq!(copied["rows"], ROWS, "{said}, {}", table.schema);
    table.assert_equal(&said).await;

    let some = rng.random_range(2..97);
    let key = &table.schema.columns[0].name;
    let hit = match to {
        "postgres" => format!("mod(hashtext({key}::text), {some}) = 0"),
        "mysql" => format!("CRC32({key}) % {some} = 0"),
        _ => format!("rowid % {some} = 0"),
    };
    site.execute(to, &format!("DELETE FROM target WHERE {hit}")).await;
    let last = &table.schema.columns.last().unwrap().name;
    let hit = hit.replace("= 0", "= 1");
    site.execute(to, &format!("UPDATE target SET {last} = NULL WHERE {hit}")).await;
    table.run(&["-id", "5", "--mode", "diff", "--json"], &said);
    table.assert_equal(&said).await;
    site.remove().await;
}

impl Table<'_> {
    async fn fill(&self, rng: &mut StdRng) {
        let (site, schema) = (self.site, &self.schema);
        site.execute(self.from, &schema.create(self.from, "source")).await;
        site.execute(self.to, &schema.create(self.to, "target")).await;
        let mut numbers: Vec<usize> = (0..ROWS).collect();
        while !numbers.is_empty() {
            let chunk: Vec<_> = numbers.drain(..CHUNK.min(numbers.len())).collect();
            let rows: Vec<_> = chunk.iter().map(|&n| schema.row(self.from, n, rng)).collect();
            let insert = format!("INSERT INTO source VALUES {}", rows.join(","));
            site.execute(self.from, &insert).await;
        }
    }

    fn run(&self, arguments: &[&str], said: &str) -> Value {
        let output = self.site.goshift(arguments);
        assert!(output.status.success(), "{said}, {}: {}", self.schema, text(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(lines.lines().last().unwrap()).unwrap()
    }

    /// Row by row, as each engine prints them.
    async fn assert_equal(&self, said: &str) {
        let source = self.schema.read(self.site, self.from, "source").await;
        let target = self.schema.read(self.site, self.to, "target").await;
        assert_eq!(source.len(), target.len(), "{said}, {}", self.schema);
        let odd = source.iter().zip(&target).find(|(source, target)| source != target);
        assert_eq!(
            odd.map(|(source, _)| source),
            odd.map(|(_, target)| target),
            "{said}, {}",
            self.schema
        );
    }
}
