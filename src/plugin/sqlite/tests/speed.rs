//! Rows a second, for whoever changes a hot loop:
//! `cargo test --release --lib sqlite -- --ignored --nocapture speed`.

use std::time::Instant;

use super::*;

const SHAPE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, mail VARCHAR(100),
    amount DOUBLE, at DATETIME);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seconds and asserts nothing about time"]
async fn speed() {
    const ROWS: u64 = 1_000_000;
    let folder = Folder::new();
    folder.sql(
        "a.db",
        &format!(
            "{SHAPE} WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
             INSERT INTO t SELECT n, 'customer number ' || n, 'mail' || n || '@example.com', n / 7.0,
                 datetime(1600000000 + n, 'unixepoch') FROM n"
        ),
    );
    folder.sql("b.db", SHAPE);
    folder.sql("c.db", SHAPE);
    let reader = folder.reader("a.db").await;
    let report = |what: &str, (start, cpu): (Instant, f64)| {
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        eprintln!("{what}: {seconds:.2} s, {:.0} rows/s, {cpu:.2} s of CPU", ROWS as f64 / seconds);
    };
    for format in [WireFormat::Canonical, WireFormat::SqliteValues] {
        let plan = read_plan(&shape(&*reader, "t").await, &[0], format);
        let (sender, mut receiver) = channel(8 << 20);
        let start = (Instant::now(), cpu_seconds());
        let drain = async { while let Ok(Some(_)) = receiver.next().await {} };
        tokio::join!(reader.read(&plan, &KeyRange::All, sender), drain).0.unwrap();
        report(&format!("read {format:?}"), start);
        let target = if format == WireFormat::Canonical { "b.db" } else { "c.db" };
        let writer = folder.writer(target).await;
        let schema = writer.describe(&table("t")).await.unwrap().unwrap();
        let write = write_plan(&plan.schema, &schema, format);
        for again in ["insert", "update"] {
            let start = (Instant::now(), cpu_seconds());
            shard(&*reader, &plan, &KeyRange::All, &*writer, &write, 0).await.unwrap();
            report(&format!("copy {format:?}, one shard, {again}"), start);
        }
    }
    folder.sql("d.db", SHAPE);
    let writer = folder.writer("d.db").await;
    let mut plan = read_plan(&shape(&*reader, "t").await, &[0], WireFormat::Canonical);
    plan.shard_rows = 5000;
    let start = (Instant::now(), cpu_seconds());
    let mut after = None;
    while let Some(to) = reader.cut(&plan, after.as_ref()).await.unwrap() {
        after = Some(to);
    }
    report("cut into shards of 5000", start);
    let start = (Instant::now(), cpu_seconds());
    copy(&*reader, "t", &*writer, "t", 4).await.unwrap();
    report("cut and copy, 4 lanes, shards of 1000", start);
}

/// CPU time of this process so far, where /proc tells: the wall clock of a shared machine lies.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
