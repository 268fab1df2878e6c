//! Modes `diff` and `mirror`: only rows that differ are written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, TryStreamExt};

use super::{Comparison, Differences, Look, Portion};
use crate::copy::{self, Limits, Way};
use crate::error::{Error, Result};
use crate::plugin::digest::HashedRow;
use crate::plugin::{Bound, KeyRange, ReadPlan, Receipt};
use crate::room::Stay;
use crate::task::MaxDelete;

/// Rows that are asked for by their keys at once.
const KEYS_AT_ONCE: usize = 2_000;
/// A shard is copied as a whole when one row in so many differs, and there are more than
/// [`KEYS_AT_ONCE`] of them.
const MOSTLY: u64 = 3;
/// How often a question that met a broken connection is asked again.
const TRIES: u32 = 3;
/// How many times the usual patience a table takes that can't be cut.
const WHOLE: u32 = 16;

/// Makes the target like the source, shard by shard.
pub struct Sync {
    comparison: Comparison,
    by_key: ReadPlan,
    tally: Mutex<Tally>,
}

/// What a run has found and done so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Rows compared, of the source.
    pub source: u64,
    /// Rows compared, of the target.
    pub target: u64,
    /// Rows that were missing or different, and were written.
    pub written: u64,
    /// Rows that only the target has.
    pub extra: u64,
    /// The shards that have such rows.
    extra_in: Vec<(u64, KeyRange)>,
}

impl Sync {
    /// Of a comparison, for rows on the way that the run's plan has for them.
    pub fn new(comparison: Comparison, read: &ReadPlan) -> Self {
        let by_key = comparison.by_key(read.format);
        Self { comparison, by_key, tally: Mutex::default() }
    }

    /// How both sides are compared, in words for people.
    pub fn how(&self) -> &'static str {
        self.comparison.how()
    }

    /// What was found and done.
    pub fn tally(&self) -> Tally {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the rows of a shard that are missing from the target or different there. The receipt
    /// has the rows compared and the bytes copied.
    ///
    /// # Errors
    /// The readers' and the writer's.
    pub async fn shard(
        &self,
        way: Way<'_>,
        (number, range): (u64, &KeyRange),
        limits: &Limits,
        stay: Arc<Stay>,
    ) -> Result<Receipt> {
        let look = self.asked(limits, || self.comparison.look(range).boxed()).await?;
        let (receipt, tally) = if look.all_missing {
            let receipt = copy::shard(way, (number, range), limits, stay).await?;
            let tally = Tally { written: receipt.rows, ..Tally::default() };
            (receipt, tally)
        } else {
            self.portions(way, (number, range), look, limits, stay).await?
        };
        let mut all = self.lock();
        all.source += receipt.rows;
        all.target += tally.target;
        all.written += tally.written;
        all.extra += tally.extra;
        if tally.extra > 0 {
            all.extra_in.push((number, range.clone()));
        }
        Ok(Receipt { written: tally.written, ..receipt })
    }

    async fn portions(
        &self,
        way: Way<'_>,
        shard: (u64, &KeyRange),
        look: Look,
        limits: &Limits,
        stay: Arc<Stay>,
    ) -> Result<(Receipt, Tally)> {
        let mut receipt = Receipt { rows: look.source.rows, ..Receipt::default() };
        let mut tally = Tally { target: look.target.rows, ..Tally::default() };
        let mut stay = Some(stay);
        let is_whole = look.portions.len() == 1;
        for portion in &look.portions {
            let found = self.differences(shard.1, portion, limits).await?;
            receipt.rows += found.source.rows;
            tally.target += found.target.rows;
            tally.extra += found.extra.len() as u64;
            let wanted: Vec<_> = found.missing.iter().chain(found.changed()).collect();
            tally.written += wanted.len() as u64;
            let many = wanted.len() > KEYS_AT_ONCE && wanted.len() as u64 > receipt.rows / MOSTLY;
            let copied = match is_whole && many {
                true => copy::shard(way, shard, limits, taken(&mut stay, limits).await).await?,
                false => self.by_key(way, shard.0, &wanted, limits, &mut stay).await?,
            };
            tally.written -= copied.rejected.len() as u64;
            receipt.bytes += copied.bytes;
            receipt.rejected.extend(copied.rejected);
        }
        if let Some(stay) = stay {
            stay.leave();
        }
        Ok((receipt, tally))
    }

    /// Copies rows by their keys.
    async fn by_key(
        &self,
        way: Way<'_>,
        number: u64,
        rows: &[&HashedRow],
        limits: &Limits,
        stay: &mut Option<Arc<Stay>>,
    ) -> Result<Receipt> {
        let mut receipt = Receipt::default();
        for rows in rows.chunks(KEYS_AT_ONCE) {
            let range = KeyRange::Keys(keys(rows.iter().copied())?);
            let way = Way { read: &self.by_key, ..way };
            let stay = taken(stay, limits).await;
            let copied = copy::shard(way, (number, &range), limits, stay).await?;
            receipt.add(copied);
        }
        Ok(receipt)
    }

    /// Deletes the rows that only the target has, once every shard is in. What the source has got
    /// meanwhile is kept: each shard that had such rows is compared again. Returns how many there
    /// were.
    ///
    /// # Errors
    /// Kind `Permanent` if there are more than the task allows: then nothing is deleted.
    pub async fn delete_extra(
        &self,
        way: Way<'_>,
        allowed: MaxDelete,
        limits: &Limits,
        lanes: usize,
    ) -> Result<u64> {
        let tally = self.tally();
        if tally.extra == 0 {
            return Ok(0);
        }
        guard(&tally, allowed, way)?;
        let (mut deleting, mut sum) = (FuturesUnordered::new(), 0);
        let mut shards = tally.extra_in.into_iter();
        loop {
            let shard = if deleting.len() < lanes.max(1) { shards.next() } else { None };
            if let Some(shard) = shard {
                deleting.push(self.delete_in(way, shard, limits).boxed());
                continue;
            }
            match deleting.try_next().await? {
                Some(deleted) => sum += deleted,
                None => return Ok(sum),
            }
        }
    }

    async fn delete_in(
        &self,
        way: Way<'_>,
        (number, range): (u64, KeyRange),
        limits: &Limits,
    ) -> Result<u64> {
        let range = &range;
        let look = self.asked(limits, || self.comparison.look(range).boxed()).await?;
        let mut deleted = 0;
        for portion in &look.portions {
            let found = self.differences(range, portion, limits).await?;
            for rows in found.extra.chunks(KEYS_AT_ONCE) {
                let keys = keys(rows.iter())?;
                deleted += self
                    .asked(limits, || way.writer.delete(way.write, number, &keys, &limits.fence))
                    .await?;
            }
        }
        Ok(deleted)
    }

    async fn differences(
        &self,
        range: &KeyRange,
        portion: &Portion,
        limits: &Limits,
    ) -> Result<Differences> {
        self.asked(limits, || self.comparison.differences(range, portion).boxed()).await
    }

    /// An answer, in spite of a connection that breaks, but not waited for without end.
    async fn asked<'a, T>(
        &self,
        limits: &Limits,
        ask: impl Fn() -> BoxFuture<'a, Result<T>> + Send,
    ) -> Result<T> {
        let patience = if self.comparison.is_ordered { limits.stall } else { limits.stall * WHOLE };
        let mut tries = 0;
        loop {
            match tokio::time::timeout(patience, ask()).await {
                Ok(Err(error)) if error.is_transient() && tries < TRIES => {
                    tries += 1;
                    tracing::warn!(%error, "comparing again");
                    tokio::time::sleep(Duration::from_millis(100) * tries).await;
                }
                Ok(answer) => return answer,
                Err(_) => {
                    return Err(Error::transient(format!(
                        "comparing: no answer within {patience:?}"
                    ))
                    .with_remedy("raise worker.stall if the databases are only slow"));
                }
            }
        }
    }
}

/// The room that a lane came with, then one of its own for each further copy.
async fn taken(stay: &mut Option<Arc<Stay>>, limits: &Limits) -> Arc<Stay> {
    match stay.take() {
        Some(stay) => stay,
        None => limits.room.enter(0).await,
    }
}

fn keys<'a>(rows: impl Iterator<Item = &'a HashedRow>) -> Result<Vec<Bound>> {
    rows.map(|row| row.key.clone()).collect::<Option<_>>().ok_or_else(|| {
        Error::permanent("a row has NULL in the column that the rows are told apart by")
            .with_remedy("choose a key without NULL in params.pk")
    })
}

/// Refuses to delete more than the task allows, and to empty a target when the source is empty.
fn guard(tally: &Tally, allowed: MaxDelete, way: Way<'_>) -> Result<()> {
    let (extra, target) = (tally.extra, &way.write.schema.table);
    let remedy = "look whether the source is the right one; if these rows are to go, raise \
                  \"max_delete\" in params (rows, \"20%\" or \"all\")";
    if tally.source == 0 && allowed != MaxDelete::All {
        return Err(Error::permanent(format!(
            "{} has no row, and {target} has {extra}: mode mirror would empty it",
            way.read.schema.table
        ))
        .with_remedy(remedy));
    }
    if !allowed.allows(extra, tally.target) {
        return Err(Error::permanent(format!(
            "mode mirror would delete {extra} of the {} rows of {target}, more than max_delete \
             ({allowed}) allows: none was deleted",
            tally.target
        ))
        .with_remedy(remedy));
    }
    Ok(())
}
