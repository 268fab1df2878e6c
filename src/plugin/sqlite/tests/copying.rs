//! Whole tables from reader to writer.

use super::*;

const MIXED: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c NUMERIC, d BLOB, e);
    INSERT INTO t VALUES
        (-9223372036854775808, 'plain', 1, 1.5, x'00ff', NULL),
        (0, 'nul' || char(0) || 'inside', 'text in an integer', 9007199254740993, 'text', 1),
        (7, CAST(x'ff41' AS TEXT), 2.5, 'text', 1.0, 'x'),
        (8, x'41', x'42', 1e300, -0.0, -0.0),
        (9223372036854775807, '', NULL, 9e999, zeroblob(3), '5');";

fn dump(db: &Connection, table: &str) -> Vec<String> {
    let mut query = db
        .prepare(&format!(
            "SELECT id || typeof(a) || hex(a) || typeof(b) || quote(b) || typeof(c) || quote(c)
                 || typeof(d) || quote(d) || typeof(e) || quote(e) FROM {table} ORDER BY id"
        ))
        .unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(|row| row.unwrap()).collect()
}

#[tokio::test]
async fn dynamic_types_survive_between_two_files() {
    let folder = Folder::new();
    let from = folder.sql("a.db", MIXED);
    let to = folder.sql("b.db", &MIXED[..MIXED.find("INSERT").unwrap()]);
    let (reader, writer) = (folder.reader("a.db").await, folder.writer("b.db").await);
    for _ in 0..2 {
        assert_eq!(copy(&*reader, "t", &*writer, "t", 2).await.unwrap(), 5);
        let source = dump(&from, "t");
        assert!(source.len() == 5 && dump(&to, "t") == source);
    }
    let zero: f64 = to.query_row("SELECT e FROM t WHERE id = 8", [], |r| r.get(0)).unwrap();
    assert!(zero.is_sign_negative());
}

/// STRICT has columns without affinity under a name that has one elsewhere.
#[tokio::test]
async fn any_in_a_strict_table_is_no_number() {
    let folder = Folder::new();
    let from = folder.sql("a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, a ANY) STRICT");
    from.execute_batch("INSERT INTO t VALUES (1, '007'), (2, 7), (3, 7.0), (4, '12')").unwrap();
    let (reader, writer) = (folder.reader("a.db").await, folder.writer("b.db").await);
    let columns = shape(&*reader, "t").await.columns.clone();
    let new = crate::plugin::NewTable {
        engine: "sqlite",
        columns,
        key: &[0],
        late_key: false,
        indexes: Vec::new(),
        run_id: uuid::Uuid::nil(),
        comment: None,
    };
    writer.create(&table("t"), &new).await.unwrap();
    copy(&*reader, "t", &*writer, "t", 1).await.unwrap();
    let all = "SELECT group_concat(quote(a)) FROM t";
    let copied: String = folder.sql("b.db", "").query_row(all, [], |row| row.get(0)).unwrap();
    assert_eq!(copied, "'007',7,7.0,'12'");
    folder.sql("c.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, a ANY)");
    let writer = folder.writer("c.db").await;
    let error = copy(&*reader, "t", &*writer, "t", 1).await.unwrap_err();
    assert!(error.to_string().contains("row id=1: column a"), "{error}");
}

#[tokio::test]
async fn other_affinities_get_canonical_cells() {
    let folder = Folder::new();
    let from = folder.sql("a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    folder.sql("b.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)");
    from.execute_batch("INSERT INTO t VALUES (1, '12'), (2, '007')").unwrap();
    let (reader, writer) = (folder.reader("a.db").await, folder.writer("b.db").await);
    assert_eq!(copy(&*reader, "t", &*writer, "t", 1).await.unwrap(), 2);
    from.execute_batch("INSERT INTO t VALUES (3, '1.5')").unwrap();
    let error = copy(&*reader, "t", &*writer, "t", 1).await.unwrap_err();
    assert!(error.to_string().contains("row id=3: column a"), "{error}");
}

const MANY: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE, v TEXT);
    CREATE TABLE copy (id INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE, v TEXT);
    CREATE TABLE keyless (id INT, k TEXT, v TEXT);
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
    INSERT INTO t SELECT n * 3, 'key' || n, hex(randomblob(100)) FROM n;
    INSERT INTO keyless SELECT * FROM t;";

fn same(db: &Connection, a: &str, b: &str) -> bool {
    let sql = format!(
        "SELECT NOT EXISTS (SELECT * FROM {a} EXCEPT SELECT * FROM {b})
            AND (SELECT count(*) FROM {a}) = (SELECT count(*) FROM {b})"
    );
    db.query_row(&sql, [], |row| row.get(0)).unwrap()
}

/// One lane reads and writes the same file: COMMIT must not wait for its own reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_lane_within_a_file() {
    within_a_file("DELETE", 1).await;
}

/// Several lanes: a reader whose writer waits for its turn must not hold up the COMMIT of the
/// lane that has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_lanes_within_a_file() {
    within_a_file("DELETE", 4).await;
    within_a_file("WAL", 4).await;
}

async fn within_a_file(journal: &str, lanes: usize) {
    let folder = Folder::new();
    let db = folder.sql("t.db", &format!("PRAGMA journal_mode = {journal}; {MANY}"));
    let (reader, writer) = (folder.reader("t.db").await, folder.writer("t.db").await);
    assert_eq!(copy(&*reader, "t", &*writer, "copy", lanes).await.unwrap(), 20_000);
    assert!(same(&db, "t", "copy"));
    db.execute_batch("DELETE FROM copy; CREATE TABLE second AS SELECT * FROM keyless LIMIT 0")
        .unwrap();
    assert_eq!(copy(&*reader, "keyless", &*writer, "second", lanes).await.unwrap(), 20_000);
    assert!(same(&db, "keyless", "second"));
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, journal.to_lowercase());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_lanes_take_turns_between_files() {
    let folder = Folder::new();
    folder.sql("a.db", MANY);
    let to = folder.sql("b.db", &MANY[..MANY.find("WITH").unwrap()]);
    let (reader, writer) = (folder.reader("a.db").await, folder.writer("b.db").await);
    // Two writers of one file, as two runs of one worker have them.
    let other = folder.writer("b.db").await;
    let (first, second) = tokio::join!(
        copy(&*reader, "t", &*writer, "t", 4),
        copy(&*reader, "t", &*other, "copy", 4)
    );
    assert_eq!((first.unwrap(), second.unwrap()), (20_000, 20_000));
    assert!(same(&to, "t", "copy"));
}
