//! What belongs to a run, for people: its changes of state, its shards, the workers that share it.

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::{Ledger, get};
use crate::error::Result;

/// Shards read by one query.
const PAGE: i64 = 10_000;

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct TransitionRow {
    /// The state before.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: String,
    /// RFC 3339.
    pub at: String,
    /// Who did it.
    pub worker: Option<String>,
    /// Attempts then.
    pub attempt: i64,
    /// The claim's epoch.
    pub epoch: i64,
    /// Why.
    pub reason: Option<String>,
    /// Milliseconds since.
    #[serde(skip)]
    pub age_ms: i64,
}

/// A run's shards in one state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct ShardCount {
    /// `open`, `held` or `done`.
    pub state: String,
    /// How many.
    pub shards: i64,
    /// Their rows that are in.
    pub rows: i64,
    /// RFC 3339: when the last of them ended.
    pub last_finished_at: Option<String>,
    /// Milliseconds since then.
    #[serde(skip)]
    pub last_finished_ms: Option<i64>,
}

/// A shard, without its bounds: they are row values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct ShardRow {
    /// Its number in the run.
    pub shard_no: i64,
    /// `open`, `held` or `done`.
    pub state: String,
    /// By which claim.
    pub epoch: Option<i64>,
    /// Rows that are in.
    pub rows_done: Option<i64>,
    /// Bytes that went through.
    pub bytes_done: Option<i64>,
    /// RFC 3339.
    pub finished_at: Option<String>,
    /// Milliseconds since then.
    #[serde(skip)]
    pub finished_ms: Option<i64>,
}

/// A worker that shares a run besides its owner.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct ParticipantRow {
    /// What tells its work from the others'.
    pub epoch: i64,
    /// Who.
    pub worker: String,
    /// `active`, `left` or `lost`.
    pub state: String,
    /// RFC 3339.
    pub joined_at: String,
    /// RFC 3339.
    pub left_at: Option<String>,
    /// Shards that it has finished.
    pub shards_done: i64,
    /// Their rows.
    pub rows_done: i64,
    /// Why it left.
    pub reason: Option<String>,
    /// Milliseconds since it joined.
    #[serde(skip)]
    pub joined_ms: i64,
}

impl Ledger {
    /// A run's changes of state, in order.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn transitions(&self, run_id: Uuid) -> Result<Vec<TransitionRow>> {
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(TransitionRow {
                from_state: get(row, "from_state")?,
                to_state: get(row, "to_state")?,
                at: get(row, "at_text")?,
                worker: get(row, "worker")?,
                attempt: get(row, "attempt")?,
                epoch: get(row, "epoch")?,
                reason: get(row, "reason")?,
                age_ms: -get::<i64>(row, "at_ms")?,
            })
        };
        self.query(
            "SELECT from_state, to_state, {text:at} AS at_text, worker, attempt, epoch, reason, \
             {ms_until:at} AS at_ms \
             FROM goshift_transition WHERE run_id = ? ORDER BY id",
        )
        .bind(run_id.to_string())
        .fetch_all(self.pool())
        .await
        .and_then(|rows| rows.iter().map(read).collect())
        .map_err(|error| self.failure("reading transitions", error))
    }

    /// A run's shards by state.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn shard_counts(&self, run_id: Uuid) -> Result<Vec<ShardCount>> {
        let reading = self
            .query(
                "SELECT state, {bigint:COUNT(*)} AS shards, \
                 {bigint:COALESCE(SUM(rows_done), 0)} AS row_count, \
                 {text:MAX(finished_at)} AS last_finished, \
                 {ms_until:MAX(finished_at)} AS last_ms \
                 FROM goshift_shard WHERE run_id = ? GROUP BY state ORDER BY state",
            )
            .bind(run_id.to_string())
            .fetch_all(self.pool());
        let rows = self.answer("counting shards", reading).await?;
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(ShardCount {
                state: get(row, "state")?,
                shards: get(row, "shards")?,
                rows: get(row, "row_count")?,
                last_finished_at: get(row, "last_finished")?,
                last_finished_ms: get::<Option<i64>>(row, "last_ms")?.map(|ms| -ms),
            })
        };
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("counting shards", error))
    }

    /// All of a run's shards, by number.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn shards(&self, run_id: Uuid) -> Result<Vec<ShardRow>> {
        let mut shards: Vec<ShardRow> = Vec::new();
        loop {
            let after = shards.last().map_or(-1, |shard| shard.shard_no);
            let page = self.shard_page(run_id, "shard_no > ?", after, PAGE).await?;
            let ended = (page.len() as i64) < PAGE;
            shards.extend(page);
            if ended {
                return Ok(shards);
            }
        }
    }

    /// The first shards that are being worked on.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn held_shards(&self, run_id: Uuid, limit: usize) -> Result<Vec<ShardRow>> {
        self.shard_page(run_id, "state = 'held' AND shard_no > ?", -1, limit as i64).await
    }

    /// Up to so many of a run's shards behind a number, by number.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn shards_after(
        &self,
        run_id: Uuid,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ShardRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.shard_page(run_id, "shard_no > ?", after.unwrap_or(-1), limit).await
    }

    async fn shard_page(
        &self,
        run_id: Uuid,
        condition: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ShardRow>> {
        let reading = self
            .query(&format!(
                "SELECT shard_no, state, epoch, rows_done, bytes_done, \
                 {{text:finished_at}} AS finished, {{ms_until:finished_at}} AS finished_ms \
                 FROM goshift_shard WHERE run_id = ? AND {condition} ORDER BY shard_no LIMIT ?"
            ))
            .bind(run_id.to_string())
            .bind(after)
            .bind(limit)
            .fetch_all(self.pool());
        let rows = self.answer("reading shards", reading).await?;
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(ShardRow {
                shard_no: get(row, "shard_no")?,
                state: get(row, "state")?,
                epoch: get(row, "epoch")?,
                rows_done: get(row, "rows_done")?,
                bytes_done: get(row, "bytes_done")?,
                finished_at: get(row, "finished")?,
                finished_ms: get::<Option<i64>>(row, "finished_ms")?.map(|ms| -ms),
            })
        };
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("reading shards", error))
    }

    /// The workers that share or shared a run besides its owner.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn participants(&self, run_id: Uuid) -> Result<Vec<ParticipantRow>> {
        let reading = self
            .query(
                "SELECT epoch, worker, state, {text:joined_at} AS joined, {text:left_at} AS gone, \
                 shards_done, rows_done, reason, {ms_until:joined_at} AS joined_ms \
                 FROM goshift_participant WHERE run_id = ? ORDER BY epoch",
            )
            .bind(run_id.to_string())
            .fetch_all(self.pool());
        let rows = self.answer("reading participants", reading).await?;
        let read = |row: &AnyRow| {
            Ok::<_, sqlx::Error>(ParticipantRow {
                epoch: get(row, "epoch")?,
                worker: get(row, "worker")?,
                state: get(row, "state")?,
                joined_at: get(row, "joined")?,
                left_at: get(row, "gone")?,
                shards_done: get(row, "shards_done")?,
                rows_done: get(row, "rows_done")?,
                reason: get(row, "reason")?,
                joined_ms: -get::<i64>(row, "joined_ms")?,
            })
        };
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure("reading participants", error))
    }
}
