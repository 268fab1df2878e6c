//! A target whose own rows go when the source's come: the scene of truncate_insert and of swap.

use crate::support::{Site, text};

/// Rows of the source.
const ROWS: usize = 2000;

/// The type of a key.
pub fn id(engine: &str) -> &str {
    if engine == "sqlite" { "INTEGER" } else { "int" }
}

/// A source of (id, t), and a target with rows of its own, whose key is `key`.
pub async fn tables(from: &str, to: &str, key: &str) -> Site {
    let site = Site::new("sqlite").await;
    let rows: Vec<_> = (1..=ROWS).map(|n| format!("({n}, 'row {n}')")).collect();
    let source = format!(
        "CREATE TABLE source (id {} NOT NULL PRIMARY KEY, t varchar(20)); \
         INSERT INTO source VALUES {}",
        id(from),
        rows.join(",")
    );
    site.execute(from, &source).await;
    let target = format!(
        "CREATE TABLE target (id {} NOT NULL{key}, t varchar(20), note varchar(9)); \
         CREATE INDEX by_t ON target (t); \
         INSERT INTO target VALUES (7, 'old', 'own'), (5000, 'old', 'own'), (5001, 'old', 'own')",
        id(to)
    );
    site.execute(to, &target).await;
    site
}

/// Rows, distinct keys, and rows that are not the source's.
pub async fn found(site: &Site, to: &str) -> Vec<String> {
    let cast = if to == "mysql" { "CHAR" } else { "text" };
    let query = format!(
        "SELECT CAST(COUNT(*) AS {cast}), CAST(COUNT(DISTINCT id) AS {cast}), \
         CAST(COUNT(note) AS {cast}) FROM target"
    );
    site.rows(to, &query).await.remove(0)
}

/// It fails, says all of this, and has left the target as it was.
pub async fn refused(site: &Site, to: &str, code: i32, said: &[&str]) {
    let before = found(site, to).await;
    let run = site.goshift(&["-id", "5"]);
    assert_eq!(run.status.code(), Some(code), "{to}: {}", text(&run));
    for part in said {
        assert!(text(&run).contains(part), "{to}, {part}: {}", text(&run));
    }
    assert_eq!(found(site, to).await, before, "{to}: {}", text(&run));
}
