//! Transactions, markers and failures.

use super::*;
use crate::error::Kind;
use crate::plugin::NewTable;
use LogicalType as T;

const INT_TEXT: [LogicalType; 2] = [T::Int(64), T::Text(None)];

fn count(db: &Connection, table: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn upsert_updates_and_unsigned_keys_stay_exact() {
    let folder = Folder::new();
    let db = folder.sql("t.db", "");
    let writer = folder.writer("t.db").await;
    let column = |name: &str, logical: LogicalType| crate::schema::Column {
        name: name.into(),
        native: String::new(),
        nullable: logical != T::UInt(64),
        logical,
        generated: false,
        auto_increment: false,
        optional: false,
        collation: None,
        comment: None,
        default: None,
    };
    let columns = vec![column("k", T::UInt(64)), column("v", T::Text(Some(3)))];
    let new = NewTable {
        engine: "postgres",
        columns,
        key: &[0],
        late_key: false,
        indexes: Vec::new(),
        run_id: uuid::Uuid::nil(),
        comment: None,
    };
    writer.create(&table("t"), &new).await.unwrap();
    let schema = writer.describe(&table("t")).await.unwrap().unwrap();
    let plan = plan_of(&schema, &[T::UInt(64), T::Text(Some(3))], WriteMode::Upsert, &[0]);
    assert!(!writer.prepare(&plan).await.unwrap());
    for value in [&b"a"[..], b"b"] {
        let rows: [&[Option<&[u8]>]; 2] =
            [&[Some(&b"18446744073709551615"[..]), Some(value)], &[Some(b"7"), Some(value)]];
        writer.write(&plan, 0, input(&rows).await).await.unwrap();
    }
    let stored: String = db
        .query_row("SELECT group_concat(k || v || typeof(k)) FROM t", [], |row| row.get(0))
        .unwrap();
    assert_eq!(stored, "18446744073709551615btext,7btext");
    let only_key = WritePlan { columns: plan.columns[..1].to_vec(), ..plan };
    writer.write(&only_key, 1, input(&[&[Some(b"7")]]).await).await.unwrap();
    assert_eq!(count(&db, "t"), 2);
    let null: &[Option<&[u8]>] = &[None];
    let error = writer.write(&only_key, 2, input(&[null]).await).await.unwrap_err();
    assert!(error.to_string().contains("column k is a key and NULL"), "{error}");
}

#[tokio::test]
async fn a_marked_shard_is_written_once_a_run() {
    let folder = Folder::new();
    let db = folder.sql("t.db", "CREATE TABLE t (a INT, b TEXT)");
    let writer = folder.writer("t.db").await;
    let schema = writer.describe(&table("t")).await.unwrap().unwrap();
    let plan = plan_of(&schema, &INT_TEXT, WriteMode::Insert, &[]);
    assert!(!writer.prepare(&plan).await.unwrap());
    let row: &[Option<&[u8]>] = &[Some(b"1"), None];
    for attempt in 0..2 {
        let receipt = writer.write(&plan, 5, input(&[row, row]).await).await.unwrap();
        assert_eq!((receipt.rows, receipt.already_done), (2, attempt == 1));
    }
    assert_eq!(writer.count(&table("t")).await.unwrap(), 2);
    assert!(writer.prepare(&plan).await.unwrap());
    let other =
        WritePlan { run_id: Uuid::now_v7(), ..plan_of(&schema, &INT_TEXT, WriteMode::Insert, &[]) };
    assert!(!writer.prepare(&other).await.unwrap());
    writer.finish(&plan).await.unwrap();
    assert_eq!(count(&db, "goshift_marker"), 1, "kept for a week, for a worker that was paused");
}

#[tokio::test]
async fn a_reader_that_dies_rolls_back_and_frees_the_file() {
    let folder = Folder::new();
    let db = folder.sql("t.db", "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
    let writer = folder.writer("t.db").await;
    let schema = writer.describe(&table("t")).await.unwrap().unwrap();
    let plan = plan_of(&schema, &INT_TEXT, WriteMode::Upsert, &[0]);
    let (mut sender, receiver) = channel(BATCH_BYTES);
    let mut batch = Batch::new(2);
    batch.push(b"1");
    batch.push(b"x");
    let (done, ()) = tokio::join!(writer.write(&plan, 0, receiver), async {
        sender.send(Payload::Rows(batch)).await.unwrap();
        tokio::task::yield_now().await;
        drop(sender);
    });
    assert_eq!(done.unwrap_err().kind(), Kind::Cancelled);
    assert_eq!(count(&db, "t"), 0);
    let row: &[Option<&[u8]>] = &[Some(b"2"), None];
    assert_eq!(writer.write(&plan, 1, input(&[row]).await).await.unwrap().rows, 1);
}

/// The caller gives up while the thread waits for rows that may still come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_write_commits_nothing() {
    let folder = Folder::new();
    let db = folder.sql("t.db", "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
    let writer = folder.writer("t.db").await;
    let schema = writer.describe(&table("t")).await.unwrap().unwrap();
    let plan = plan_of(&schema, &INT_TEXT, WriteMode::Upsert, &[0]);
    let (mut sender, receiver) = channel(BATCH_BYTES);
    let row = |text: &[u8]| {
        let mut batch = Batch::new(2);
        batch.push(b"1");
        batch.push(text);
        Payload::Rows(batch)
    };
    // The second payload needs all of the channel, so it is sent once the thread has written
    // the first one.
    let sent = async {
        sender.send(row(b"x")).await.unwrap();
        sender.send(row(&[b'y'; BATCH_BYTES])).await.unwrap();
    };
    tokio::select! {
        _ = writer.write(&plan, 0, receiver) => panic!("no end was sent"),
        () = sent => {}
    }
    // Even a late end changes nothing; the sender may or may not see the thread's end first.
    drop(sender.finish().await);
    let next: &[Option<&[u8]>] = &[Some(b"2"), None];
    writer.write(&plan, 1, input(&[next]).await).await.unwrap();
    let keys: String = db.query_row("SELECT group_concat(a) FROM t", [], |r| r.get(0)).unwrap();
    assert_eq!(keys, "2");
}

#[tokio::test]
async fn constraints_name_the_row() {
    let folder = Folder::new();
    let db = folder.sql(
        "t.db",
        "CREATE TABLE parent (p INTEGER PRIMARY KEY);
         CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE NOT NULL, c INT REFERENCES parent);
         CREATE TABLE s (a INTEGER PRIMARY KEY, b INT) STRICT;
         CREATE VIEW v AS SELECT * FROM t;",
    );
    let writer = folder.writer("t.db").await;
    let schema = writer.describe(&table("t")).await.unwrap().unwrap();
    let types = [T::Int(64), T::Text(None), T::Int(64)];
    let plan = plan_of(&schema, &types, WriteMode::Upsert, &[0]);
    let ok: &[Option<&[u8]>] = &[Some(b"1"), Some(b"x"), None];
    for (row, part) in [
        ([Some(&b"2"[..]), Some(b"x"), None], "UNIQUE constraint failed: t.b"),
        ([Some(b"2"), None, None], "NOT NULL constraint failed: t.b"),
        ([Some(b"2"), Some(b"y"), Some(b"9")], "FOREIGN KEY constraint failed"),
    ] {
        let error = writer.write(&plan, 0, input(&[ok, &row]).await).await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.kind() == Kind::Permanent && error.remedy().is_some(), "{error}");
        assert!(error.to_string().contains("row a=2"), "{error}");
        assert_eq!(count(&db, "t"), 0, "rolled back");
    }
    let wrong = WritePlan { key: vec![2], ..plan };
    let error = writer.prepare(&wrong).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("unique index on (c)"), "{error}");
}

#[test]
fn a_lock_by_another_program_is_transient() {
    let folder = Folder::new();
    let db = folder.sql("t.db", "CREATE TABLE t (a INTEGER PRIMARY KEY); BEGIN IMMEDIATE");
    let quick = folder.sql("t.db", "");
    quick.busy_timeout(std::time::Duration::ZERO).unwrap();
    let error = quick.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    let error = super::super::error::sqlite(&folder.0, error);
    drop(db);
    assert!(error.is_transient() && error.remedy().is_some(), "{error}");
}
