//! Dead runs: repeated or purged. They are listed as `/runs?dead=true`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::access::{Administers, May, Submits};
use super::extract;
use super::problem::Problem;
use super::{App, Shared, runs};
use crate::error::{Error, Result};
use crate::ledger::{RunFilter, RunRow};
use crate::rerun;

/// Dead runs that one request deals with.
const MOST: usize = 1000;

/// Which dead runs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only these; all without.
    #[serde(default)]
    runs: Vec<Uuid>,
    /// Only this task's.
    task_id: Option<i64>,
}

/// A dead run that was not repeated.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refusal {
    run_id: Uuid,
    /// Why.
    detail: String,
    /// What to do next.
    remedy: Option<String>,
}

/// What became of dead runs.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Rerun {
    /// The new runs.
    runs: Vec<Repeated>,
    /// Those that stay dead.
    refused: Vec<Refusal>,
}

/// A dead run that was repeated.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Repeated {
    /// The new run.
    run_id: Uuid,
    /// The dead one.
    rerun_of: Option<Uuid>,
    task_id: i64,
}

/// How many runs are not dead any more.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Purged {
    purged: u64,
}

impl Which {
    async fn choose(&self, app: &App) -> Result<Vec<RunRow>, Problem> {
        if self.runs.len() > MOST {
            let many =
                Error::usage(format!("{} runs are named, at most {MOST} may be", self.runs.len()));
            return Err(Problem::refused(&many));
        }
        if self.runs.is_empty() {
            let filter = RunFilter {
                task_id: self.task_id,
                dead: true,
                limit: MOST,
                ..RunFilter::default()
            };
            return Ok(app.ledger.run_page(&filter, None).await?);
        }
        let mut chosen = Vec::with_capacity(self.runs.len());
        for &id in &self.runs {
            let run = runs::find(app, id).await?;
            if !run.dead {
                let alive = Error::usage(format!("run {id} is not dead"))
                    .with_remedy("list those that are: /api/v1/runs?dead=true");
                return Err(Problem::conflict(&alive));
            }
            if self.task_id.is_none_or(|task| task == run.task_id) {
                chosen.push(run);
            }
        }
        Ok(chosen)
    }
}

/// Repeats dead runs, at most 1,000 at once; the others stay dead for the next request.
#[utoipa::path(post, path = "/dead/rerun", operation_id = "rerunDead", tag = "dead", request_body = Which,
    responses((status = 200, description = "The new runs, and what was refused", body = Rerun)))]
pub(super) async fn again(
    _: May<Submits>,
    State(app): Shared,
    extract::Json(which): extract::Json<Which>,
) -> Result<Json<Rerun>, Problem> {
    let mut outcome = Rerun::default();
    let mut runs = Vec::new();
    let refusal = |run_id, error: &Error| Refusal {
        run_id,
        detail: error.to_string(),
        remedy: error.remedy().map(str::to_owned),
    };
    for row in which.choose(&app).await? {
        match rerun::again(&row, super::submit::CALLER) {
            Ok(run) => runs.push(run),
            Err(error) => outcome.refused.push(refusal(row.run_id, &error)),
        }
    }
    app.submitter
        .submit_each(&runs, |run, submitted| {
            match submitted {
                Ok(new) => outcome.runs.push(Repeated {
                    run_id: new.run_id,
                    rerun_of: run.rerun_of,
                    task_id: run.task_id,
                }),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    outcome.refused.extend(run.rerun_of.map(|old| refusal(old, &error)));
                }
            }
            Ok(())
        })
        .await?;
    Ok(Json(outcome))
}

/// Gives dead runs up, at most 1,000 at once: they stay failed in the ledger, and nobody waits for them.
#[utoipa::path(post, path = "/dead/purge", operation_id = "purgeDead", tag = "dead", request_body = Which,
    responses((status = 200, description = "How many", body = Purged)))]
pub(super) async fn purge(
    _: May<Administers>,
    State(app): Shared,
    extract::Json(which): extract::Json<Which>,
) -> Result<Json<Purged>, Problem> {
    let runs: Vec<_> = which.choose(&app).await?.iter().map(|run| run.run_id).collect();
    let purged = app.ledger.purge_dead(&runs).await?;
    Ok(Json(Purged { purged }))
}
