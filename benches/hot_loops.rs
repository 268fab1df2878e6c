//! What happens to every cell on its way: `cargo bench --features bench`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench that can't go on fails")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use goshift::batch::{Batch, WireFormat};
use goshift::plan::check;
use goshift::plugin::path::{ChosenPath, WritePath};
use goshift::plugin::{ByKey, WriteColumn, WriteMode, WritePlan, mysql, postgres};
use goshift::schema::{Column, LogicalType, Schema, TableRef};
use uuid::Uuid;

const ROWS: usize = 1000;

/// The columns of TPC-H's orders, each with a cell.
fn cells() -> Vec<(LogicalType, &'static str)> {
    vec![
        (LogicalType::Int(32), "1234567"),
        (LogicalType::Int(32), "98765"),
        (LogicalType::Text(Some(1)), "O"),
        (LogicalType::Decimal { precision: Some(15), scale: Some(2) }, "173665.47"),
        (LogicalType::Date, "1996-01-02"),
        (LogicalType::Text(Some(15)), "5-LOW"),
        (LogicalType::Text(Some(15)), "Clerk#000000951"),
        (LogicalType::Int(32), "0"),
        (LogicalType::Text(Some(79)), "nstructions sleep furiously \\ among\tthe 'quick' ideas"),
    ]
}

fn plan() -> WritePlan {
    let column = |(place, (logical, _)): (usize, (LogicalType, &str))| Column {
        name: format!("c{place}"),
        native: logical.to_string(),
        logical,
        nullable: place > 0,
        generated: false,
        auto_increment: false,
        optional: false,
        collation: Some("utf8mb4_bin".to_owned()),
        comment: None,
    };
    let columns: Vec<_> = cells().into_iter().enumerate().map(column).collect();
    let write = |(target, column): (usize, &Column)| WriteColumn {
        target,
        from: column.logical.clone(),
        same_native: true,
        check: check::choose(&column.logical, &column.logical).unwrap(),
    };
    WritePlan {
        columns: columns.iter().enumerate().map(write).collect(),
        schema: Arc::new(Schema {
            table: TableRef::parse("orders"),
            columns,
            keys: Vec::new(),
            estimated_rows: None,
            pending_key: None,
        }),
        key: vec![0],
        mode: WriteMode::Upsert,
        adds_key: false,
        empties: false,
        swap: None,
        unique_rows: true,
        path: ChosenPath::only(WritePath::Statements),
        statement_rows: 500,
        format: WireFormat::Canonical,
        run_id: Uuid::nil(),
    }
}

fn batch() -> Batch {
    let cells = cells();
    let mut batch = Batch::new(cells.len());
    for _ in 0..ROWS {
        cells.iter().for_each(|(_, cell)| batch.push(cell.as_bytes()));
    }
    batch
}

/// The batch as COPY's text.
fn copy_text() -> Vec<u8> {
    let cells: Vec<_> = cells().iter().map(|(_, cell)| cell.replace('\\', "\\\\")).collect();
    let line = cells.iter().map(|cell| cell.replace('\t', "\\t")).collect::<Vec<_>>().join("\t");
    format!("{line}\n").repeat(ROWS).into_bytes()
}

/// The batch as a binary COPY stream, every field as its text.
fn copy_binary() -> Vec<u8> {
    let mut stream = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for _ in 0..ROWS {
        stream.extend((cells().len() as i16).to_be_bytes());
        for (_, cell) in cells() {
            stream.extend((cell.len() as i32).to_be_bytes());
            stream.extend(cell.as_bytes());
        }
    }
    stream.extend(b"\xff\xff");
    stream
}

fn loops(criterion: &mut Criterion) {
    let (plan, rows, text, binary) = (plan(), batch(), copy_text(), copy_binary());
    let bytes = rows.bytes() as u64;
    let mut group = criterion.benchmark_group("orders, 1,000 rows");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("build a batch", |b| b.iter(batch));
    let mut out = Vec::new();
    group.bench_function("batch to LOAD DATA", |b| {
        b.iter(|| {
            out.clear();
            mysql::hot::lines(&plan, black_box(&rows), &mut out).unwrap();
        });
    });
    group.bench_function("batch to INSERT", |b| {
        b.iter(|| {
            out.clear();
            mysql::hot::rows(&plan, black_box(&rows), &mut out).unwrap();
        });
    });
    group.bench_function("batch to COPY text", |b| {
        b.iter(|| postgres::hot::lines(&plan, black_box(&rows)).unwrap());
    });
    group.bench_function("COPY text to batches", |b| {
        b.iter(|| postgres::hot::decode(plan.columns.len(), black_box(&text)).unwrap());
    });
    group.bench_function("count a binary COPY", |b| {
        b.iter(|| postgres::hot::count(black_box(&binary)).unwrap());
    });
    group.finish();

    let mut group = criterion.benchmark_group("escape 64 KiB");
    group.throughput(Throughput::Bytes(64 * 1024));
    for (name, text) in [("plain", "a".repeat(65_536)), ("quotes", "it's \\ so ".repeat(6554))] {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                mysql::hot::literal(&mut out, black_box(text.as_bytes()));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, loops);
criterion_main!(benches);
