//! Tests against real files.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use super::Sqlite;
use crate::batch::{BATCH_BYTES, Batch, Payload, WireFormat, channel};
use crate::config::connection::ConnectionConfig;
use crate::error::Result;
use crate::plan::check;
use crate::plugin::{
    ByKey, ColumnPair, KeyRange, Plugin, ReadPlan, Reader, Receipt, WriteColumn, WriteMode,
    WritePlan, Writer,
};
use crate::schema::{LogicalType, Schema, TableRef};

mod copying;
mod describing;
mod reading;
mod typing;
mod writing;

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("goshift-sqlite-{}", Uuid::now_v7()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn config(&self, file: &str) -> ConnectionConfig {
        ConnectionConfig {
            place: format!("from.sqlite.{file}"),
            path: Some(self.0.join(file).to_str().unwrap().to_owned()),
            ..Default::default()
        }
    }

    /// An ordinary connection to a file, with the statements run.
    fn sql(&self, file: &str, statements: &str) -> Connection {
        let connection = Connection::open(self.0.join(file)).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        connection.execute_batch(statements).unwrap();
        connection
    }

    async fn reader(&self, file: &str) -> Arc<dyn Reader> {
        Sqlite.reader(&self.config(file), 4).await.unwrap()
    }

    async fn writer(&self, file: &str) -> Arc<dyn Writer> {
        Sqlite.writer(&self.config(file), 4).await.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn table(name: &str) -> TableRef {
    TableRef { schema: None, name: name.to_owned() }
}

async fn shape(reader: &dyn Reader, name: &str) -> Arc<Schema> {
    reader.describe(&table(name)).await.unwrap().unwrap()
}

/// A plan that reads every column.
fn read_plan(schema: &Arc<Schema>, split: &[usize], format: WireFormat) -> ReadPlan {
    ReadPlan {
        schema: Arc::clone(schema),
        columns: (0..schema.columns.len()).collect(),
        split: split.to_vec(),
        filter: None,
        shard_rows: 1000,
        format,
        rules: Default::default(),
    }
}

/// A plan that writes all columns of `from` into those of the same name.
fn write_plan(from: &Schema, to: &Arc<Schema>, format: WireFormat) -> WritePlan {
    let columns: Vec<_> = from
        .columns
        .iter()
        .map(|column| {
            let target = to.position(&column.name).unwrap();
            let check = check::choose(&column.logical, &to.columns[target].logical).unwrap();
            WriteColumn { target, from: column.logical.clone(), same_native: false, check }
        })
        .collect();
    let key = to.split_key();
    let key: Vec<_> =
        key.iter().map(|k| columns.iter().position(|c| c.target == *k).unwrap()).collect();
    WritePlan {
        schema: Arc::clone(to),
        columns,
        mode: if key.is_empty() { WriteMode::Insert } else { WriteMode::Upsert },
        key,
        by_key: ByKey::Merge,
        adds_key: false,
        empties: false,
        swap: None,
        unique_rows: true,
        path: crate::plugin::path::ChosenPath::only(crate::plugin::path::WritePath::Statements),
        statement_rows: 500,
        format,
        run_id: Uuid::now_v7(),
    }
}

/// All cells of a shard as text.
async fn rows(
    reader: &dyn Reader,
    plan: &ReadPlan,
    range: &KeyRange,
) -> Result<Vec<Vec<Option<String>>>> {
    let (sender, mut receiver) = channel(BATCH_BYTES);
    let receive = async {
        let mut rows = Vec::new();
        while let Ok(Some(payload)) = receiver.next().await {
            let Payload::Rows(batch) = payload else { panic!("raw") };
            for row in 0..batch.rows() {
                let text = |cell: Option<&[u8]>| cell.map(|c| String::from_utf8_lossy(c).into());
                rows.push(batch.row(row).map(text).collect());
            }
        }
        rows
    };
    let (done, rows) = tokio::join!(reader.read(plan, range, sender), receive);
    done.map(|()| rows)
}

/// Copies one shard.
async fn shard(
    reader: &dyn Reader,
    read: &ReadPlan,
    range: &KeyRange,
    writer: &dyn Writer,
    write: &WritePlan,
    number: u64,
) -> Result<Receipt> {
    let (sender, receiver) = channel(BATCH_BYTES);
    let (done, receipt) =
        tokio::join!(reader.read(read, range, sender), writer.write(write, number, receiver));
    match (done, receipt) {
        (Err(error), _) if error.kind() != crate::error::Kind::Cancelled => Err(error),
        (_, receipt) => receipt,
    }
}

/// Copies a table by the shards that `cut` makes, in the format both sides like best.
async fn copy(
    reader: &dyn Reader,
    from: &str,
    writer: &dyn Writer,
    to: &str,
    lanes: usize,
) -> Result<u64> {
    let source = shape(reader, from).await;
    let target = writer.describe(&table(to)).await?.unwrap();
    let pairs: Vec<_> = source
        .columns
        .iter()
        .map(|c| ColumnPair { from: c, to: &target.columns[target.position(&c.name).unwrap()] })
        .collect();
    let accepted = writer.accepts(&pairs);
    let format = reader.offers(&pairs).into_iter().find(|f| accepted.contains(f)).unwrap();
    let read = read_plan(&source, source.split_key(), format);
    let write = write_plan(&source, &target, format);
    writer.prepare(&write).await?;
    let mut ranges = Vec::new();
    let mut after = None;
    if read.split.is_empty() {
        ranges.push(KeyRange::All);
    } else {
        while let Some(to) = reader.cut(&read, after.as_ref(), read.shard_rows).await? {
            ranges.push(KeyRange::Between { after, to: Some(to.clone()) });
            after = Some(to);
        }
        ranges.push(KeyRange::Between { after, to: None });
        ranges.push(KeyRange::Nulls);
    }
    let queue = std::sync::Mutex::new(ranges.into_iter().enumerate());
    let lane = || async {
        let mut rows = 0;
        loop {
            let next = queue.lock().unwrap().next();
            let Some((number, range)) = next else { return Ok::<u64, crate::error::Error>(rows) };
            rows += shard(reader, &read, &range, writer, &write, number as u64).await?.rows;
        }
    };
    let done = futures::future::try_join_all((0..lanes).map(|_| lane())).await?;
    writer.finish(&write).await?;
    Ok(done.into_iter().sum())
}

/// A shard's channel with these rows in it, ended.
async fn input(rows: &[&[Option<&[u8]>]]) -> crate::batch::BatchReceiver {
    let (mut sender, receiver) = channel(BATCH_BYTES);
    let mut batch = Batch::new(rows.first().map_or(1, |row| row.len()));
    for cell in rows.iter().flat_map(|row| row.iter()) {
        match cell {
            Some(cell) => batch.push(cell),
            None => batch.push_null(),
        }
    }
    sender.send(Payload::Rows(batch)).await.unwrap();
    sender.finish().await.unwrap();
    receiver
}

/// A plan that writes cells of these types into a table.
fn plan_of(to: &Arc<Schema>, from: &[LogicalType], mode: WriteMode, key: &[usize]) -> WritePlan {
    let columns = from.iter().enumerate().map(|(target, from)| WriteColumn {
        target,
        same_native: false,
        from: from.clone(),
        check: check::choose(from, &to.columns[target].logical).unwrap(),
    });
    WritePlan {
        schema: Arc::clone(to),
        columns: columns.collect(),
        key: key.to_vec(),
        mode,
        by_key: ByKey::Merge,
        adds_key: false,
        empties: false,
        swap: None,
        unique_rows: true,
        path: crate::plugin::path::ChosenPath::only(crate::plugin::path::WritePath::Statements),
        statement_rows: 500,
        format: WireFormat::Canonical,
        run_id: Uuid::now_v7(),
    }
}
