//! Rows that targets have refused and that runs have left out.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::submission::parse_id;
use super::{Attempt, Claim, Ledger, get};
use crate::error::{Error, Result};
use crate::plugin::{Bound, BoundValue, Receipt, Rejection};

/// A message is kept up to so many characters.
const MESSAGE: usize = 2000;

/// A row that a run has left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct RejectedRow {
    /// The run.
    pub run_id: Uuid,
    /// Its task.
    pub task_id: i64,
    /// The shard that the row belongs to.
    pub shard_no: i64,
    /// The columns of its key in the source.
    pub key_columns: String,
    /// The key's values.
    #[serde(skip)]
    pub key: Bound,
    /// The same as text.
    #[serde(rename = "key")]
    pub key_text: String,
    /// What the database said.
    pub message: String,
    /// RFC 3339.
    pub rejected_at: String,
    /// The run in which the row was tried again, and either got in or was rejected anew.
    pub replayed_by: Option<String>,
}

const COLUMNS: &str = "run_id, {bigint:task_id} AS task_id, shard_no, key_columns, row_key, message, \
     {text:rejected_at} AS rejected_at, replayed_by";

impl Ledger {
    /// How many rows a run has left out.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn rejected_count(&self, run_id: Uuid) -> Result<u64> {
        let counting = self
            .query("SELECT {bigint:COUNT(*)} AS n FROM goshift_rejected WHERE run_id = ?")
            .bind(run_id.to_string())
            .fetch_one(self.pool());
        let row = self.answer("counting rejected rows", counting).await?;
        let count = get::<i64>(&row, "n");
        count
            .map(|count| count.max(0) as u64)
            .map_err(|error| self.failure("counting rejected rows", error))
    }

    /// Rows that were left out: those of a run or a task, the newest run first. Without `all` only
    /// those that were not tried again.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn rejected(
        &self,
        run_id: Option<Uuid>,
        task_id: Option<i64>,
        all: bool,
        limit: i64,
    ) -> Result<Vec<RejectedRow>> {
        let mut conditions = Vec::new();
        conditions.extend(run_id.map(|_| "run_id = ?"));
        conditions.extend(task_id.map(|_| "task_id = ?"));
        conditions.extend((!all).then_some("replayed_by IS NULL"));
        let chosen = match conditions.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", conditions.join(" AND ")),
        };
        let text = format!(
            "SELECT {COLUMNS} FROM goshift_rejected {chosen} \
             ORDER BY run_id DESC, shard_no, row_no LIMIT ?"
        );
        let mut query = self.query(&text);
        if let Some(run_id) = run_id {
            query = query.bind(run_id.to_string());
        }
        if let Some(task_id) = task_id {
            query = query.bind(task_id);
        }
        let doing = "reading rejected rows";
        let rows = self.answer(doing, query.bind(limit).fetch_all(self.pool())).await?;
        let read: Result<_, _> = rows.iter().map(read).collect();
        read.map_err(|error| self.failure(doing, error))
    }

    /// Notes that a run's rejected rows were tried again by another run.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub async fn note_replay(&self, run_id: Uuid, by: Uuid) -> Result<()> {
        let noting = self
            .query(
                "UPDATE goshift_rejected SET replayed_by = ? \
                 WHERE run_id = ? AND replayed_by IS NULL",
            )
            .bind(by.to_string())
            .bind(run_id.to_string())
            .execute(self.pool());
        self.answer("noting a replay", noting).await.map(|_| ())
    }

    /// Records the rows that shards have left out, in the transaction that marks those as in.
    pub(super) async fn record_rejected(
        &self,
        tx: &mut Transaction<'static, Any>,
        claim: &Claim,
        (shard, receipt): (u64, &Receipt),
    ) -> Result<(), Attempt> {
        for (number, Rejection { key, columns, message }) in receipt.rejected.iter().enumerate() {
            let key = serde_json::to_string(key)
                .map_err(|error| Error::internal("a key has no JSON form").caused_by(error))?;
            let message: String = message.chars().take(MESSAGE).collect();
            self.query(
                "INSERT INTO goshift_rejected (run_id, shard_no, row_no, task_id, key_columns, \
                 row_key, message, rejected_at) VALUES (?, ?, ?, ?, ?, ?, ?, {now})",
            )
            .bind(claim.run_id.to_string())
            .bind(shard as i64)
            .bind(number as i64)
            .bind(claim.task_id)
            .bind(columns.as_str())
            .bind(key)
            .bind(message)
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<RejectedRow, sqlx::Error> {
    let key: Bound = serde_json::from_str(&get::<String>(row, "row_key")?)
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let values = key.0.iter().map(|value| match value {
        BoundValue::Number(text) | BoundValue::Text(text) | BoundValue::Hex(text) => text.as_str(),
    });
    Ok(RejectedRow {
        run_id: parse_id(&get::<String>(row, "run_id")?)?,
        task_id: get(row, "task_id")?,
        shard_no: get(row, "shard_no")?,
        key_columns: get(row, "key_columns")?,
        key_text: values.collect::<Vec<_>>().join(", "),
        key,
        message: get(row, "message")?,
        rejected_at: get(row, "rejected_at")?,
        replayed_by: get(row, "replayed_by")?,
    })
}
