//! Declared types, affinity and what becomes of values.

use super::super::types::{Affinity, declared, logical};
use super::*;
use crate::plugin::NewTable;
use crate::schema::Column;

fn column(name: &str, logical: LogicalType) -> Column {
    Column {
        name: name.into(),
        native: logical.to_string(),
        logical,
        nullable: true,
        generated: false,
        auto_increment: false,
        optional: true,
        collation: None,
        comment: None,
        default: None,
    }
}

fn all_types() -> Vec<(LogicalType, &'static str)> {
    use LogicalType as T;
    let decimal = |precision, scale| T::Decimal { precision, scale };
    let bit = |length, varying| T::Bit { length, varying };
    let mut types: Vec<_> = [8, 16, 24, 32, 64].map(|n| (T::Int(n), "-120")).into();
    types.extend([8, 16, 24, 32].map(|n| (T::UInt(n), "250")));
    types.extend([
        (T::UInt(64), "18446744073709551615"),
        (T::Bool, "1"),
        (decimal(Some(65), Some(30)), "-12345678901234567890.100000000000000000000000000000"),
        (decimal(Some(38), Some(0)), "12345678901234567890123456789012345678"),
        (decimal(None, None), "NaN"),
        (T::Float32, "0.1"),
        (T::Float64, "1.7976931348623157e308"),
        (T::Text(Some(10)), "0012"),
        (T::Text(None), "1e5"),
        (T::Date, "0000-00-00"),
        (T::Time(6), "-838:59:59.000001"),
        (T::DateTime(3), "9999-12-31 23:59:59.999"),
        (T::TimestampTz(6), "2024-03-31 01:30:00.123456"),
        (T::Year, "2155"),
        (T::Interval, "1 year 2 mons -03:00:00"),
        (T::Json, "123.0"),
        (T::Uuid, "0190a5e0-0000-7000-8000-000000000001"),
        (bit(Some(8), false), "00000101"),
        (bit(None, true), "1"),
        (bit(Some(64), true), "0"),
        (T::Bytes(None), "\u{0}raw"),
        (T::Bytes(Some(16)), "123"),
    ]);
    types
}

#[test]
fn own_names_are_read_back_as_the_same_type() {
    for (wanted, _) in all_types() {
        assert_eq!(logical(&declared(&wanted)), wanted, "{}", declared(&wanted));
    }
}

#[test]
fn names_of_others() {
    use LogicalType as T;
    for (name, wanted) in [
        ("INTEGER", T::Int(64)),
        ("int", T::Int(64)),
        ("BIGINT(20)", T::Int(64)),
        ("int(10) unsigned", T::UInt(32)),
        ("UNSIGNED BIG INT", T::UInt(64)),
        ("FLOAT", T::Float64),
        ("double precision", T::Float64),
        ("NUMERIC", T::Decimal { precision: None, scale: None }),
        ("DECIMAL(10)", T::Decimal { precision: Some(10), scale: Some(0) }),
        ("decimal(10, 2)", T::Decimal { precision: Some(10), scale: Some(2) }),
        ("NVARCHAR(160)", T::Text(Some(160))),
        ("", T::Text(None)),
        ("TIMESTAMP", T::DateTime(6)),
        ("timestamp(3) with time zone", T::TimestampTz(3)),
        ("STRING", T::Other("STRING".into())),
        ("varbinary(16)", T::Bytes(Some(16))),
        ("BIT", T::Bool),
    ] {
        assert_eq!(logical(name), wanted, "{name}");
    }
}

/// Asks SQLite itself what it does to text, integers and doubles in a column.
#[test]
fn affinity_agrees_with_sqlite() {
    let db = Connection::open_in_memory().unwrap();
    let others = ["INTERVAL", "STRING", "DATETIME", "", "JSON", "FLOAT", "CHARINT", "XBLOBREAL"];
    let own: Vec<_> = all_types().iter().map(|(logical, _)| declared(logical)).collect();
    for name in own.iter().map(String::as_str).chain(others) {
        db.execute_batch(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (c {name})")).unwrap();
        db.execute_batch("INSERT INTO t VALUES ('12'), (7), (1.5)").unwrap();
        let mut classes = db.prepare("SELECT typeof(c) FROM t ORDER BY rowid").unwrap();
        let classes: Vec<String> =
            classes.query_map([], |row| row.get(0)).unwrap().map(|c| c.unwrap()).collect();
        let wanted = match Affinity::of(name) {
            Affinity::Integer | Affinity::Numeric => ["integer", "integer", "real"],
            Affinity::Real => ["real", "real", "real"],
            Affinity::Text => ["text", "text", "text"],
            Affinity::Blob => ["text", "integer", "real"],
        };
        assert_eq!(classes, wanted, "{name}");
    }
}

/// Canonical cells of every type go in by the writer and come out of the reader unchanged.
#[tokio::test]
async fn every_type_comes_back_as_it_was() {
    let folder = Folder::new();
    let writer = folder.writer("t.db").await;
    let types = all_types();
    let names: Vec<_> = (0..types.len()).map(|n| format!("c{n}")).collect();
    let mut columns = vec![column("id", LogicalType::Int(64))];
    columns
        .extend(names.iter().zip(&types).map(|(name, (logical, _))| column(name, logical.clone())));
    let new = NewTable {
        engine: "mysql",
        columns: columns.clone(),
        key: &[0],
        late_key: false,
        indexes: Vec::new(),
        run_id: uuid::Uuid::nil(),
        comment: None,
    };
    writer.create(&table("t"), &new).await.unwrap();
    writer.create(&table("t"), &new).await.unwrap();
    assert!(writer.is_empty(&table("t")).await.unwrap());

    let schema = writer.describe(&table("t")).await.unwrap().unwrap();
    let from: Vec<_> = columns.iter().map(|c| c.logical.clone()).collect();
    let plan = plan_of(&schema, &from, WriteMode::Upsert, &[0]);
    let mut full: Vec<Option<&[u8]>> = vec![Some(b"1")];
    full.extend(types.iter().map(|(_, value)| Some(value.as_bytes())));
    let mut empty: Vec<Option<&[u8]>> = vec![None; full.len()];
    empty[0] = Some(b"-9223372036854775808");
    let receipt = writer.write(&plan, 0, input(&[&full, &empty]).await).await.unwrap();
    assert_eq!(receipt.rows, 2);

    let reader = folder.reader("t.db").await;
    let schema = shape(&*reader, "t").await;
    let kinds: Vec<_> = schema.columns.iter().map(|c| c.logical.clone()).collect();
    assert_eq!(kinds, from);
    let plan = read_plan(&schema, &[0], WireFormat::Canonical);
    let read = rows(&*reader, &plan, &KeyRange::All).await.unwrap();
    let text = |row: &[Option<&[u8]>]| -> Vec<_> {
        row.iter().map(|c| c.map(|c| String::from_utf8(c.to_vec()).unwrap())).collect()
    };
    assert_eq!(read, [text(&empty), text(&full)]);
}

/// What SQLite would change on the way in stops the shard and names the row.
#[tokio::test]
async fn what_affinity_would_change_is_refused() {
    use LogicalType as T;
    let folder = Folder::new();
    let decimal = || T::Decimal { precision: None, scale: None };
    for (declared, from, cell, message) in [
        ("INTEGER", T::UInt(64), "9223372036854775808", "no 64-bit integer"),
        ("NUMERIC", decimal(), "1234567890.1234567", "15 digits"),
        ("REAL", decimal(), "1", "decimal can't"),
        ("DOUBLE", T::Float64, "NaN", "NaN"),
        ("STRING", T::Text(None), "007", "as a number"),
        ("STRING", T::Text(None), "\u{b}-.5e1 ", "as a number"),
        ("NUMERIC", decimal(), "NaN", "15 digits"),
        ("DATE", T::Text(None), "2024", "as a number"),
        ("BOOLEAN", T::Int(8), "2", "neither true nor false"),
        ("JSON", T::Json, "1.0", "as a number"),
    ] {
        let db = folder.sql("t.db", "DROP TABLE IF EXISTS t");
        db.execute_batch(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, c {declared})"))
            .unwrap();
        let writer = folder.writer("t.db").await;
        let schema = writer.describe(&table("t")).await.unwrap().unwrap();
        if let Err(refused) = check::choose(&from, &schema.columns[1].logical) {
            assert!(refused.contains(message), "{refused}");
            continue;
        }
        let plan = plan_of(&schema, &[T::Int(64), from], WriteMode::Upsert, &[0]);
        let row: &[Option<&[u8]>] = &[Some(b"7"), Some(cell.as_bytes())];
        let error = writer.write(&plan, 0, input(&[row]).await).await.unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Permanent);
        let text = error.to_string();
        assert!(
            text.contains("id=7") && text.contains("column c") && text.contains(message),
            "{text}"
        );
        assert!(error.remedy().is_some() && writer.is_empty(&table("t")).await.unwrap());
    }
}

/// The facts about SQLite that `bind` leans on.
#[test]
fn sqlite_itself_changes_these() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE t (real DOUBLE, none, num NUMERIC)").unwrap();
    db.execute("INSERT INTO t VALUES (?1, ?1, ?2)", rusqlite::params![-0.0, "1234567890.1234567"])
        .unwrap();
    let read: (f64, f64, f64) =
        db.query_row("SELECT * FROM t", [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
    assert!(read.0.is_sign_positive(), "a column of REAL affinity loses the sign of 0");
    assert!(read.1.is_sign_negative(), "one without affinity keeps it");
    assert_eq!(read.2, 1234567890.1234567);
}
