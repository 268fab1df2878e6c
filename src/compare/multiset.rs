//! Compares tables without a key: both are streamed, each row is hashed in a form that does not
//! depend on the engine, and the hashes are added up, so that order does not matter and nothing is
//! held in memory.

use std::sync::Arc;

use super::form::{Form, hash_row};
use super::whole::Outcome;
use super::{Comparing, Sum};
use crate::batch::{self, BatchReceiver, Payload, WireFormat};
use crate::error::{Error, Result};
use crate::plan::rules::Rules;
use crate::plugin::{KeyRange, ReadPlan, Reader};

impl Comparing<'_> {
    /// Rows and sums of both sides.
    ///
    /// # Errors
    /// What either side's reader meets.
    pub async fn as_multisets(self) -> Result<Outcome> {
        let (read, write, format) = (self.read, self.write, self.format());
        let forms = (0..read.columns.len()).map(|position| self.form(position, format));
        let forms: Arc<[Form]> = forms.collect();
        let plan = |schema, columns, filter, rules| ReadPlan {
            schema,
            columns,
            split: Vec::new(),
            filter,
            shard_rows: read.shard_rows,
            format,
            rules,
        };
        let targets = write.columns.iter().map(|column| column.target).collect();
        let source = plan(
            Arc::clone(&read.schema),
            read.columns.clone(),
            read.filter.clone(),
            read.rules.clone(),
        );
        let target = plan(Arc::clone(&write.schema), targets, None, Rules::default());
        let (source, target) = tokio::try_join!(
            side(self.source, source, Arc::clone(&forms), self.buffer),
            side(self.target, target, forms, self.buffer)
        )?;
        Ok(Outcome { source, target, ..Outcome::default() })
    }

    /// What both sides send to be compared here.
    pub(super) fn format(&self) -> WireFormat {
        match self.read.format {
            // Values of any type may stand in any column: they are compared with their types.
            WireFormat::SqliteValues => WireFormat::SqliteValues,
            WireFormat::Canonical
            | WireFormat::PostgresBinary
            | WireFormat::PostgresText
            | WireFormat::ServerSide => WireFormat::Canonical,
        }
    }

    /// The form of a copied column.
    pub(super) fn form(&self, position: usize, format: WireFormat) -> Form {
        let (from, to) = self.pair(position);
        match format {
            WireFormat::SqliteValues => Form::Plain,
            _ => Form::choose(&from.logical, &to.logical),
        }
    }
}

async fn side(
    reader: Arc<dyn Reader>,
    plan: ReadPlan,
    forms: Arc<[Form]>,
    buffer: usize,
) -> Result<Sum> {
    let (sender, receiver) = batch::channel(buffer);
    let sender = sender.under(&plan);
    // Hashing on a task of its own, so that both cores work.
    let hashing = tokio::spawn(sum_up(receiver, forms));
    reader.read(&plan, &KeyRange::All, sender).await?;
    hashing.await.map_err(|error| Error::internal("hashing stopped").caused_by(error))?
}

async fn sum_up(mut receiver: BatchReceiver, forms: Arc<[Form]>) -> Result<Sum> {
    let mut sum = Sum::default();
    let mut scratch = Vec::new();
    while let Some(payload) = receiver.next().await? {
        let Payload::Rows(batch) = payload else {
            return Err(Error::internal("a reader sent a format that was not asked for"));
        };
        for row in 0..batch.rows() {
            let hash = hash_row(&batch, row, 0, &forms, &mut scratch) as u64;
            sum.hash = sum.hash.wrapping_add(hash);
        }
        sum.rows += batch.rows() as u64;
    }
    Ok(sum)
}
