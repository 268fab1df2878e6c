//! Shapes, connections and errors about them.

use super::*;
use crate::error::Kind;
use crate::plugin::NewTable;

#[tokio::test]
async fn keys_and_nullability() {
    let folder = Folder::new();
    folder.sql(
        "t.db",
        "CREATE TABLE alias (id INTEGER PRIMARY KEY, a TEXT NOT NULL DEFAULT 'x', b, UNIQUE (a));
         CREATE TABLE quirk (k TEXT PRIMARY KEY, v INT);
         CREATE TABLE backwards (id INTEGER PRIMARY KEY DESC);
         CREATE TABLE clustered (a TEXT COLLATE NOCASE, b INT, c INT, PRIMARY KEY (b, a))
             WITHOUT ROWID;
         CREATE TABLE indexes (a TEXT COLLATE NOCASE NOT NULL, b INT, c INT);
         CREATE UNIQUE INDEX good ON indexes (b, a);
         CREATE UNIQUE INDEX partial ON indexes (b) WHERE c > 0;
         CREATE UNIQUE INDEX expression ON indexes (b + 1);
         CREATE UNIQUE INDEX foreign_collation ON indexes (a COLLATE BINARY);
         CREATE TABLE computed (a INT, b INT AS (a + 1), c INT AS (a + 2) STORED);
         CREATE TABLE strict (a ANY, b INT NOT NULL) STRICT;
         CREATE VIEW seen AS SELECT a, b, b + 1 AS next FROM clustered;
         INSERT INTO alias (id, a) VALUES (-5, 'a'), (10, 'b');",
    );
    let reader = folder.reader("t.db").await;
    assert!(reader.describe(&table("absent")).await.unwrap().is_none());

    let alias = shape(&*reader, "ALIAS").await;
    assert_eq!(alias.table.name, "alias");
    assert_eq!(alias.keys.iter().map(|k| k.columns.clone()).collect::<Vec<_>>(), [[0], [1]]);
    let id = &alias.columns[0];
    assert!(id.auto_increment && id.optional && !id.nullable);
    assert!(alias.columns[1].optional && !alias.columns[1].nullable);
    assert_eq!(alias.estimated_rows, Some(16));

    let quirk = shape(&*reader, "quirk").await;
    assert!(quirk.columns[0].nullable && quirk.keys[0].primary);
    assert!(!shape(&*reader, "backwards").await.columns[0].auto_increment);

    let clustered = shape(&*reader, "clustered").await;
    assert_eq!(clustered.split_key(), [1, 0]);
    assert!(!clustered.columns[0].nullable && clustered.columns[2].nullable);
    assert_eq!(clustered.columns[0].collation.as_deref(), Some("NOCASE"));

    let indexes = shape(&*reader, "indexes").await;
    assert_eq!(indexes.keys.iter().map(|k| k.name.as_str()).collect::<Vec<_>>(), ["good"]);
    assert!(indexes.split_key().is_empty(), "b may be NULL");

    let computed = shape(&*reader, "computed").await;
    let generated: Vec<_> = computed.columns.iter().map(|c| c.generated).collect();
    assert_eq!(generated, [false, true, true]);
    assert_eq!(shape(&*reader, "strict").await.columns[0].logical, LogicalType::Text(None));
    let seen = reader.describe(&TableRef::parse("main.seen")).await.unwrap().unwrap();
    assert!(seen.keys.is_empty() && seen.columns[1].logical == LogicalType::Int(64));
}

#[tokio::test]
async fn names_are_quoted() {
    let folder = Folder::new();
    let name = "a \"b\".c'; --";
    let quoted = super::super::sql::quote(name);
    folder.sql("t.db", &format!("CREATE TABLE {quoted} (\"order\" INTEGER PRIMARY KEY, {quoted})"));
    let reader = folder.reader("t.db").await;
    let schema = reader.describe(&TableRef::parse(name)).await.unwrap().unwrap();
    assert_eq!(schema.columns[1].name, name);
    let writer = folder.writer("t.db").await;
    assert!(writer.is_empty(&schema.table).await.unwrap());
    assert_eq!(
        copy(&*reader, &schema.table.name, &*writer, &schema.table.name, 1).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn a_table_of_the_same_engine_keeps_its_declarations() {
    let folder = Folder::new();
    folder.sql(
        "a.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(10) NOT NULL, b \"odd, type\", c \"NOT NULL\",
             d DECIMAL(10, 2), e DOUBLE PRECISION, f \"INT(10) UNSIGNED\", g INT UNSIGNED, h);
         CREATE TABLE u (k TEXT COLLATE NOCASE PRIMARY KEY, id INT)",
    );
    let (reader, writer) = (folder.reader("a.db").await, folder.writer("b.db").await);
    for name in ["t", "u"] {
        let source = shape(&*reader, name).await;
        let new = NewTable {
            engine: "sqlite",
            columns: source.columns.clone(),
            key: &[0],
            late_key: false,
            indexes: Vec::new(),
            run_id: uuid::Uuid::nil(),
            comment: None,
        };
        writer.create(&table(name), &new).await.unwrap();
        let target = writer.describe(&table(name)).await.unwrap().unwrap();
        assert_eq!(source.columns, target.columns);
        assert_eq!(source.keys[0], target.keys[0]);
    }
}

#[tokio::test]
async fn connection_errors_say_what_to_do() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("text.db"), "not a database, but long enough to be looked at")
        .unwrap();
    for (file, write, part) in [
        ("absent.db", false, "no SQLite file"),
        ("text.db", false, "not a database"),
        ("text.db", true, "not a database"),
        ("absent/t.db", true, "no folder"),
        (".", true, "unable to open"),
    ] {
        let config = folder.config(file);
        let error = if write {
            Sqlite.writer(&config, 1).await.err().unwrap()
        } else {
            Sqlite.reader(&config, 1).await.err().unwrap()
        };
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.remedy().is_some());
    }
    let nothing = ConnectionConfig { place: "to.sqlite.x".into(), ..Default::default() };
    assert!(Sqlite.writer(&nothing, 1).await.err().unwrap().to_string().contains("\"path\""));
}
