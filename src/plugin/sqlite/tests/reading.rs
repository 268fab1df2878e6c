//! Ranges, cuts and values that don't fit.

use super::*;
use crate::error::Kind;
use crate::plugin::{Bound, BoundValue};

/// Cuts a table into shards of `size` rows and reads them all: first cells in reading order.
async fn walk(reader: &dyn Reader, plan: &ReadPlan) -> Vec<Vec<Option<String>>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let to = reader.cut(plan, after.as_ref(), plan.shard_rows).await.unwrap();
        let range = KeyRange::Between { after, to: to.clone() };
        let part = rows(reader, plan, &range).await.unwrap();
        assert!(to.is_none() || part.len() as u64 >= plan.shard_rows);
        found.extend(part);
        match to {
            Some(_) => after = to,
            None => break,
        }
    }
    found.extend(rows(reader, plan, &KeyRange::Nulls).await.unwrap());
    found
}

/// Every kind of key, cut at every size: each row exactly once.
#[tokio::test]
async fn shards_cover_each_row_once() {
    let folder = Folder::new();
    folder.sql(
        "t.db",
        "CREATE TABLE ints (k INTEGER PRIMARY KEY);
         INSERT INTO ints VALUES (-9223372036854775808), (-1), (0), (1), (2), (4611686018427387904),
             (9223372036854775807);
         CREATE TABLE nocase (k TEXT COLLATE NOCASE PRIMARY KEY);
         INSERT INTO nocase VALUES (''), ('a'), ('B'), ('c'), ('A '), ('é'), ('É'), ('😀'),
             ('it''s'), ('\\'), ('%'), ('10'), ('9'), (NULL), (NULL);
         CREATE TABLE pair (a INT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         INSERT INTO pair VALUES (1, 'a'), (1, 'b'), (1, 'c'), (1, 'd'), (2, 'a'), (3, 'z');
         CREATE TABLE nullable (a INT, b REAL, UNIQUE (a, b));
         INSERT INTO nullable VALUES (1, 1.5), (1, NULL), (NULL, 2), (NULL, NULL), (2, 1e300),
             (2, 9e999), (3, -1);
         CREATE TABLE bytes (k BLOB PRIMARY KEY);
         INSERT INTO bytes VALUES (x''), (x'00'), (x'0001'), (x'ff');
         CREATE TABLE dynamic (k PRIMARY KEY);
         INSERT INTO dynamic VALUES (1), (1.5), ('1'), ('a'), (2), (NULL);
         CREATE TABLE twice (k INT, v TEXT);
         INSERT INTO twice VALUES (1, 'a'), (1, 'b'), (1, 'c'), (2, 'd'), (NULL, 'e'), (2, 'f');
         CREATE VIEW seen AS SELECT k, v FROM twice;
         CREATE TABLE empty (k INTEGER PRIMARY KEY);",
    );
    let reader = folder.reader("t.db").await;
    for name in ["ints", "nocase", "pair", "nullable", "bytes", "dynamic", "twice", "seen", "empty"]
    {
        let schema = shape(&*reader, name).await;
        let split: &[usize] = match name {
            "pair" | "nullable" => &[0, 1],
            _ => &[0],
        };
        let mut plan = read_plan(&schema, split, WireFormat::Canonical);
        if name == "dynamic" || name == "bytes" {
            plan.format = WireFormat::SqliteValues;
        }
        let mut all = rows(&*reader, &plan, &KeyRange::All).await.unwrap();
        all.sort();
        for size in 1..=8 {
            plan.shard_rows = size;
            let mut found = walk(&*reader, &plan).await;
            found.sort();
            assert_eq!(found, all, "{name}, {size} rows a shard");
        }
    }
}

/// Wide rows make many pages of one shard; equal keys must not fall between two of them.
#[tokio::test]
async fn pages_go_on_where_they_stopped() {
    let folder = Folder::new();
    folder.sql(
        "t.db",
        "CREATE TABLE t (k INT, n INT, v TEXT);
         CREATE INDEX k ON t (k);
         CREATE TABLE w (k TEXT, n INT, v TEXT, PRIMARY KEY (n)) WITHOUT ROWID;
         CREATE TABLE shadowed (k INT, n INT, v TEXT, rowid, oid);
         CREATE TABLE hidden (k INT, n INT, v TEXT, rowid, oid, _rowid_);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500)
         INSERT INTO t SELECT n % 3, n, printf('%5000d', n) FROM n;
         INSERT INTO t SELECT NULL, n + 500, v FROM t WHERE n < 100;
         INSERT INTO w SELECT k, n, v FROM t;
         INSERT INTO shadowed (k, n, v) SELECT k, n, v FROM t;
         INSERT INTO hidden (k, n, v) SELECT k, n, v FROM t;
         CREATE VIEW seen AS SELECT * FROM t;",
    );
    let reader = folder.reader("t.db").await;
    for name in ["t", "w", "shadowed", "hidden", "seen"] {
        let schema = shape(&*reader, name).await;
        let plan = read_plan(&schema, &[0], WireFormat::Canonical);
        let open = KeyRange::Between { after: None, to: None };
        for (range, count) in [(KeyRange::All, 599), (open, 500), (KeyRange::Nulls, 99)] {
            let read = rows(&*reader, &plan, &range).await.unwrap();
            let numbers: std::collections::BTreeSet<_> =
                read.iter().map(|row| row[1].clone().unwrap()).collect();
            assert_eq!((read.len(), numbers.len()), (count, count), "{name} {range:?}");
        }
    }
}

#[tokio::test]
async fn a_filter_is_a_term_of_its_own() {
    let folder = Folder::new();
    folder
        .sql("t.db", "CREATE TABLE t (k INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)");
    let reader = folder.reader("t.db").await;
    let mut plan = read_plan(&shape(&*reader, "t").await, &[0], WireFormat::Canonical);
    plan.filter = Some("k = 1 OR k = 3 -- both".into());
    plan.shard_rows = 2;
    let bound = |n: i64| Bound(vec![BoundValue::Number(n.to_string())]);
    assert_eq!(reader.cut(&plan, None, plan.shard_rows).await.unwrap(), Some(bound(3)));
    let range = KeyRange::Between { after: Some(bound(1)), to: None };
    assert_eq!(rows(&*reader, &plan, &range).await.unwrap(), [[Some("3".to_owned())]]);
    plan.filter = Some("no_such = 1".into());
    let error = rows(&*reader, &plan, &range).await.unwrap_err();
    assert!(error.kind() == Kind::Permanent && error.to_string().contains("no_such"), "{error}");
}

/// A composite range must be looked up in the index, not filtered out of a scan.
#[test]
fn composite_ranges_use_the_index() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE t (a INT, b TEXT COLLATE NOCASE, v, PRIMARY KEY (a, b))")
        .unwrap();
    let plan: String = db
        .query_row(
            "EXPLAIN QUERY PLAN SELECT v FROM t WHERE (a, b) > (1, 'x') AND (a, b) <= (2, 'y')
             ORDER BY a, b",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("SEARCH") && plan.contains("(a,b)>(?,?) AND (a,b)<(?,?)"), "{plan}");
}

/// Whatever doesn't fit its column's type stops the shard and names the row.
#[tokio::test]
async fn misfits_are_refused_by_name() {
    let folder = Folder::new();
    let reader_of = async |declared: &str, value: &str| {
        folder.sql(
            "t.db",
            &format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, c {declared});
                 INSERT INTO t VALUES (1, NULL), (42, {value})"
            ),
        );
        let reader = folder.reader("t.db").await;
        let plan = read_plan(&shape(&*reader, "t").await, &[0], WireFormat::Canonical);
        rows(&*reader, &plan, &KeyRange::All).await
    };
    for (declared, value) in [
        ("INTEGER", "'abc'"),
        ("INTEGER", "1.5"),
        ("INTEGER", "''"),
        ("BOOLEAN", "2"),
        ("BOOLEAN", "'yes'"),
        ("DATE", "19000"),
        ("DATE", "2460000.5"),
        ("DATE", "'2024-01-01 12:00:00'"),
        ("DATETIME", "1700000000"),
        ("DATETIME", "'2024-01-01 12:00:00+02:00'"),
        ("DATETIME(3)", "'2024-01-01 12:00:00.1234'"),
        ("TIME", "''"),
        ("DECIMAL(10,2)", "1.005"),
        ("DECIMAL", "'1e5x'"),
        ("DOUBLE", "'abc'"),
        ("FLOAT4", "0.123456789012"),
        ("TEXT", "x'41'"),
        ("TEXT", "CAST(x'ff41' AS TEXT)"),
        ("BLOB", "'text'"),
        ("UUID", "'not-one'"),
        ("BIGINT UNSIGNED", "18446744073709551615"),
        ("JSON_TEXT", "x'00'"),
    ] {
        let error = reader_of(declared, value).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Permanent);
        let text = error.to_string();
        assert!(
            text.contains("table t, row id=42: column c holds") || text.contains("column c has"),
            "{declared} {value}: {text}"
        );
        assert!(error.remedy().is_some());
    }
    for (declared, value, cell) in [
        ("BOOLEAN", "'true'", "1"),
        ("BOOLEAN", "0", "0"),
        ("DECIMAL(10,2)", "12", "12"),
        ("DECIMAL(10,2)", "1.25", "1.25"),
        ("NUMERIC", "1e25", "10000000000000000000000000"),
        ("DOUBLE", "9e999", "Infinity"),
        ("DOUBLE", "-1e300", "-1e300"),
        ("DOUBLE", "0.1", "0.1"),
        ("FLOAT4", "0.1", "0.1"),
        ("DATETIME", "'2024-01-01T12:00:00Z'", "2024-01-01 12:00:00"),
        ("", "12", "12"),
        ("STRING", "007", "7"),
        ("JSON", "12", "12"),
        ("UUID", "'0190A5E0-0000-7000-8000-00000000000A'", "0190a5e0-0000-7000-8000-00000000000a"),
    ] {
        let read = reader_of(declared, value).await.unwrap();
        assert_eq!(read[1][1].as_deref(), Some(cell), "{declared} {value}");
    }
}

/// VACUUM numbers hidden rowids anew: a page can't go on behind one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vacuum_between_two_pages_is_noticed() {
    let folder = Folder::new();
    let db = folder.sql(
        "t.db",
        "CREATE TABLE t (v TEXT);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500)
         INSERT INTO t SELECT printf('%5000d', n) FROM n;
         DELETE FROM t WHERE rowid % 2;",
    );
    let reader = folder.reader("t.db").await;
    let plan = read_plan(&shape(&*reader, "t").await, &[], WireFormat::Canonical);
    let (sender, mut receiver) = channel(BATCH_BYTES);
    let read = async { reader.read(&plan, &KeyRange::All, sender).await };
    let take = async {
        receiver.next().await.unwrap();
        // The reader waits with its second page; its lock on the file is free.
        db.execute_batch("VACUUM").unwrap();
        while let Ok(Some(_)) = receiver.next().await {}
    };
    let (done, ()) = tokio::join!(read, take);
    let error = done.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("compacted"), "{error}");
}
