//! One side of a comparison: the rows of a range with their hashes, by the server or streamed.

use std::sync::Arc;

use super::form::{Form, hash_row};
use crate::batch::{self, BatchReceiver, Payload, WireFormat};
use crate::checksum::checksum;
use crate::error::{Error, Result};
use crate::plugin::digest::{DigestPlan, HashedRow, push_name};
use crate::plugin::{Bound, KeyRange, ReadPlan, Reader};

/// Some of a table's rows, by a hash of their key: for tables that can't be cut at the same bounds.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Which part.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Part {
    fn has(self, name: &[u8]) -> bool {
        self.of <= 1 || checksum(name) as u64 % self.of == self.number
    }
}

/// One side.
pub(super) struct Side {
    pub(super) reader: Arc<dyn Reader>,
    pub(super) plan: DigestPlan,
    /// Every column that is copied, positions in the schema.
    pub(super) columns: Vec<usize>,
}

/// How both sides are read when servers can't hash their rows alike.
pub(super) struct Streaming {
    pub(super) format: WireFormat,
    /// Of the key's columns, then of the hashed ones.
    pub(super) forms: Vec<Form>,
    pub(super) buffer: usize,
}

impl Side {
    /// The rows of a part of a range with their hashes, which are read and hashed here.
    pub(super) async fn streamed(
        &self,
        range: &KeyRange,
        streaming: &Streaming,
        part: Part,
    ) -> Result<Vec<HashedRow>> {
        let keys = self.plan.key.len();
        let columns = self.plan.key.iter().chain(&self.plan.read.columns).copied().collect();
        let plan = ReadPlan { columns, format: streaming.format, ..self.plan.read.clone() };
        let (sender, receiver) = batch::channel(streaming.buffer);
        let sender = sender.under(&plan);
        let collecting = self.collect(receiver, streaming, keys, part);
        let (read, rows) = tokio::join!(self.reader.read(&plan, range, sender), collecting);
        match (read, rows) {
            (Ok(()), rows) => rows,
            // Whoever stopped taking rows says why.
            (Err(read), Err(rows)) if read.kind() == crate::error::Kind::Cancelled => Err(rows),
            (Err(read), _) => Err(read),
        }
    }

    async fn collect(
        &self,
        mut receiver: BatchReceiver,
        streaming: &Streaming,
        keys: usize,
        part: Part,
    ) -> Result<Vec<HashedRow>> {
        let (key_forms, forms) = streaming.forms.split_at(keys);
        let (mut rows, mut scratch, mut cell_form) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(payload) = receiver.next().await? {
            let Payload::Rows(batch) = payload else {
                return Err(Error::internal("a reader sent a format that was not asked for"));
            };
            for row in 0..batch.rows() {
                let mut name = Vec::new();
                for (column, form) in key_forms.iter().enumerate() {
                    let cell = batch.cell(row, column).map(|cell| {
                        cell_form.clear();
                        form.push(&mut cell_form, cell);
                        cell_form.as_slice()
                    });
                    push_name(&mut name, cell);
                }
                if !part.has(&name) {
                    continue;
                }
                let hash = hash_row(&batch, row, keys, forms, &mut scratch) as u64;
                let values = (0..keys).map(|column| {
                    let key = &self.plan.schema().columns[self.plan.key[column]];
                    let cell = batch.cell(row, column)?;
                    Some(self.reader.key_value(key, cell, streaming.format))
                });
                rows.push(HashedRow { key: values.collect::<Option<_>>().map(Bound), name, hash });
            }
        }
        Ok(rows)
    }

    /// A plan that reads rows by their keys.
    pub(super) fn by_key(&self, format: WireFormat) -> ReadPlan {
        ReadPlan { format, ..self.plan.by_key(self.columns.clone()) }
    }
}
