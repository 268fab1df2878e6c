//! A run's shards: recorded as they are cut, completed as their transactions commit.

use serde_json::{from_str, to_string};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::ending::lease_lost;
use super::{Attempt, Claim, Ledger, PlanNote, Role, Standing, get};
use crate::error::{Error, Result};
use crate::plugin::{KeyRange, Receipt};
use crate::task::Consistency;

/// Whether freshly cut shards are the owner's, or free for every participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The claim that records them.
    Owner,
    /// Nobody yet.
    Nobody,
}

/// Shards that were just cut.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// The first one's number; the others follow.
    pub first: u64,
    /// Their ranges.
    pub ranges: &'a [KeyRange],
    /// Whether the table ends there.
    pub last: bool,
    /// Whose they are.
    pub holder: Holder,
    /// What they were cut for, when the ledger does not know it yet.
    pub note: Option<&'a PlanNote>,
}

/// Shards that were claimed, and how the run stood then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Ours now.
    pub shards: Vec<(u64, KeyRange)>,
    /// Looked at when there was none to claim.
    pub standing: Option<Standing>,
}

impl Ledger {
    /// Records freshly cut shards.
    ///
    /// # Errors
    /// Kind `LeaseLost` when the run is no longer ours.
    pub async fn record_shards(&self, claim: &Claim, cut: Cut<'_>) -> Result<()> {
        let texts =
            cut.ranges.iter().map(to_string).collect::<Result<Vec<_>, _>>().map_err(|error| {
                Error::internal("a key range has no JSON form").caused_by(error)
            })?;
        self.transact("recording shards", || self.try_record(claim, &cut, &texts)).await?;
        crate::fault::point("shards.recorded");
        Ok(())
    }

    async fn try_record(
        &self,
        claim: &Claim,
        cut: &Cut<'_>,
        texts: &[String],
    ) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        // Changing the run's row first is the fence: a take-over waits for this transaction, or
        // has raised the epoch and this changes nothing.
        let noting = match cut.note {
            Some(_) => ", plan_hash = ?, rows_estimated = ?, consistency = ?",
            None => "",
        };
        let mut update = self
            .query(&format!(
                "UPDATE goshift_run SET shards_total = shards_total + ?, split_done = ?{noting} \
                 WHERE run_id = ? AND epoch = ? AND state = 'running'"
            ))
            .bind(texts.len() as i64)
            .bind(i64::from(cut.last));
        if let Some(note) = cut.note {
            update = update
                .bind(note.hash.as_str())
                .bind(note.rows.map(|rows| rows as i64))
                .bind(note.consistency.map(Consistency::name));
        }
        let changed =
            update.bind(claim.run_id.to_string()).bind(claim.epoch).execute(&mut *tx).await?;
        if changed.rows_affected() == 0 {
            return Err(lease_lost(claim).into());
        }
        if !texts.is_empty() {
            let (state, epoch) = match cut.holder {
                Holder::Owner => ("held", Some(claim.epoch)),
                Holder::Nobody => ("open", None),
            };
            let values = vec!["(?, ?, ?, ?, ?)"; texts.len()].join(", ");
            let mut insert = self.query(&format!(
                "INSERT INTO goshift_shard (run_id, shard_no, key_range, state, epoch) \
                 VALUES {values}"
            ));
            for (number, text) in (cut.first..).zip(texts) {
                insert = insert
                    .bind(claim.run_id.to_string())
                    .bind(number as i64)
                    .bind(text.as_str())
                    .bind(state)
                    .bind(epoch);
            }
            insert.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Takes up to `limit` shards that nobody holds, the first ones first.
    ///
    /// # Errors
    /// Kind `LeaseLost` when we may not work on the run any more.
    pub async fn claim_shards(&self, claim: &Claim, limit: usize) -> Result<Claimed> {
        let shards =
            self.transact("claiming shards", || self.try_claim_shards(claim, limit)).await?;
        let standing = match shards.is_empty() {
            true => Some(self.standing(claim.run_id).await?),
            false => None,
        };
        Ok(Claimed { shards, standing })
    }

    async fn try_claim_shards(
        &self,
        claim: &Claim,
        limit: usize,
    ) -> Result<Vec<(u64, KeyRange)>, Attempt> {
        let mut tx = self.begin().await?;
        // The lock on the run's row lets one participant after the other choose.
        let locked = self
            .query("UPDATE goshift_run SET halt = halt WHERE run_id = ? AND state = 'running'")
            .bind(claim.run_id.to_string())
            .execute(&mut *tx)
            .await?;
        if locked.rows_affected() == 0 || !self.is_ours(&mut tx, claim).await? {
            return Err(lease_lost(claim).into());
        }
        let rows = self
            .query(
                "SELECT shard_no, key_range FROM goshift_shard \
                 WHERE run_id = ? AND state = 'open' ORDER BY shard_no LIMIT ?",
            )
            .bind(claim.run_id.to_string())
            .bind(limit as i64)
            .fetch_all(&mut *tx)
            .await?;
        let mut shards = Vec::with_capacity(rows.len());
        for row in &rows {
            shards.push(read_shard(row, claim.run_id)?);
        }
        if !shards.is_empty() {
            let numbers = vec!["?"; shards.len()].join(", ");
            let mut hold = self
                .query(&format!(
                    "UPDATE goshift_shard SET state = 'held', epoch = ? \
                     WHERE run_id = ? AND state = 'open' AND shard_no IN ({numbers})"
                ))
                .bind(claim.epoch)
                .bind(claim.run_id.to_string());
            for (number, _) in &shards {
                hold = hold.bind(*number as i64);
            }
            let held = hold.execute(&mut *tx).await?;
            if held.rows_affected() != shards.len() as u64 {
                let message = format!("run {}: a shard was claimed twice", claim.run_id);
                return Err(Error::internal(message).into());
            }
        }
        tx.commit().await?;
        Ok(shards)
    }

    /// Whether the claim still holds, behind the lock on the run's row.
    async fn is_ours(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
    ) -> Result<bool, sqlx::Error> {
        let ours = match claim.role {
            Role::Owner => "SELECT 1 FROM goshift_run WHERE run_id = ? AND epoch = ?",
            Role::Participant => {
                "SELECT 1 FROM goshift_participant \
                 WHERE run_id = ? AND epoch = ? AND state = 'active'"
            }
        };
        let row = self
            .query(ours)
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.is_some())
    }

    /// Marks shards as in, after their target transactions have committed. A run that gets on is
    /// not poisonous: its rescues count from zero again.
    ///
    /// # Errors
    /// Kind `LeaseLost` when we may not work on the run any more.
    pub async fn complete_shards(&self, claim: &Claim, done: &[(u64, Receipt)]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        self.transact("completing shards", || self.try_complete(claim, done)).await?;
        crate::fault::point("ledger.shards_done");
        Ok(())
    }

    async fn try_complete(&self, claim: &Claim, done: &[(u64, Receipt)]) -> Result<(), Attempt> {
        let mut tx = self.begin().await?;
        self.mark_done(&mut tx, claim, done).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Marks shards as in, in the caller's transaction.
    pub(super) async fn mark_done(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
        done: &[(u64, Receipt)],
    ) -> Result<(), Attempt> {
        let rows: u64 = done.iter().map(|(_, receipt)| receipt.rows).sum();
        let bytes: u64 = done.iter().map(|(_, receipt)| receipt.bytes).sum();
        let written: u64 = done.iter().map(|(_, receipt)| receipt.written).sum();
        // Only an owner's own epoch counts; a participant outlives owners.
        let owner = if claim.role == Role::Owner { " AND epoch = ?" } else { "" };
        let add = format!(
            "UPDATE goshift_run SET shards_done = shards_done + ?, rows_done = rows_done + ?, \
             bytes_done = bytes_done + ?, rows_written = rows_written + ?, rescues = 0 \
             WHERE run_id = ? AND state = 'running'{owner}"
        );
        let mut add = self
            .query(&add)
            .bind(done.len() as i64)
            .bind(rows as i64)
            .bind(bytes as i64)
            .bind(written as i64)
            .bind(claim.run_id.to_string());
        if claim.role == Role::Owner {
            add = add.bind(claim.epoch);
        }
        let mut ours = add.execute(&mut **tx).await?.rows_affected() == 1;
        if claim.role == Role::Participant {
            ours &= self.credit(tx, claim, done.len(), rows).await?;
        }
        if !ours {
            return Err(lease_lost(claim).into());
        }
        for (number, receipt) in done {
            let changed = self
                .query(
                    "UPDATE goshift_shard SET state = 'done', rows_done = ?, \
                     bytes_done = ?, finished_at = {now} \
                     WHERE run_id = ? AND shard_no = ? AND state = 'held' AND epoch = ?",
                )
                .bind(receipt.rows as i64)
                .bind(receipt.bytes as i64)
                .bind(claim.run_id.to_string())
                .bind(*number as i64)
                .bind(claim.epoch)
                .execute(&mut **tx)
                .await?;
            if changed.rows_affected() != 1 {
                let message = format!("run {}: shard {number} was completed twice", claim.run_id);
                return Err(Error::internal(message).into());
            }
            self.record_rejected(tx, claim, (*number, receipt)).await?;
        }
        Ok(())
    }

    /// Adds to a participant's own figures; `false` once it was put out.
    async fn credit(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
        shards: usize,
        rows: u64,
    ) -> Result<bool, sqlx::Error> {
        let changed = self
            .query(
                "UPDATE goshift_participant SET shards_done = shards_done + ?, \
                 rows_done = rows_done + ? WHERE run_id = ? AND epoch = ? AND state = 'active'",
            )
            .bind(shards as i64)
            .bind(rows as i64)
            .bind(claim.run_id.to_string())
            .bind(claim.epoch)
            .execute(&mut **tx)
            .await?;
        Ok(changed.rows_affected() == 1)
    }
}

pub(super) fn read_shard(row: &AnyRow, run_id: Uuid) -> Result<(u64, KeyRange), Attempt> {
    let number = get::<i64>(row, "shard_no")?.max(0) as u64;
    let range: KeyRange = from_str(&get::<String>(row, "key_range")?).map_err(|error| {
        Error::internal(format!("run {run_id}: shard {number} can't be read")).caused_by(error)
    })?;
    Ok((number, range))
}
