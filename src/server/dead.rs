//! What is dead: repeated or given up. Dead runs are listed as `/runs?dead=true`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::{Administers, May, Reads, Submits};
use super::page::limit;
use super::problem::Problem;
use super::{App, Shared, extract, runs};
use crate::dead::{self, Chosen, Subject, Told};
use crate::error::{Error, Result};
use crate::queue::rabbitmq::DeadMessage;

/// Dead runs, and messages, that one request deals with.
const MOST: usize = 1000;

/// Which of the dead.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// These runs. Without `runs` and `messages` all are meant.
    runs: Option<Vec<Uuid>>,
    /// These messages that never became a run, by `message_id`.
    messages: Option<Vec<String>>,
    /// Only this task's; not where any are named.
    task_id: Option<i64>,
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only this task's.
    task_id: Option<i64>,
    /// The most entries: 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Messages that never became a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Messages {
    /// The oldest first.
    items: Vec<Message>,
    /// How many more there are.
    more: usize,
}

/// A message that never became a run: nobody could read it, say, or its task is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Message {
    /// Its AMQP message id, or a name made from its body.
    message_id: String,
    /// From the body, if it could be read.
    task_id: Option<i64>,
    /// Why it is dead.
    reason: String,
    /// What to do next.
    remedy: Option<String>,
    /// The beginning of its body.
    body: String,
    /// The bytes that follow.
    body_more: usize,
}

/// What stays as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refusal {
    /// The run, if it is one.
    run_id: Option<Uuid>,
    /// The message, if it is one.
    message_id: Option<String>,
    /// Why.
    detail: String,
    /// What to do next.
    remedy: Option<String>,
}

/// What became of the dead.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Rerun {
    /// The new runs.
    runs: Vec<Repeated>,
    /// What stays dead.
    refused: Vec<Refusal>,
}

/// Something dead that was repeated.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Repeated {
    /// The new run.
    run_id: Uuid,
    /// The dead run, if it was one.
    rerun_of: Option<Uuid>,
    /// The dead message, if it was one that never became a run.
    message_id: Option<String>,
    task_id: i64,
}

/// What is not dead any more.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Purged {
    /// How many runs.
    runs: u64,
    /// How many messages that never became a run.
    messages: u64,
    /// What stays dead.
    refused: Vec<Refusal>,
}

impl Which {
    async fn choose(self, app: &App) -> Result<Chosen, Problem> {
        let named = self.runs.is_some() || self.messages.is_some();
        if named && self.task_id.is_some() {
            let both = Error::usage("runs or messages are named, and a task as well")
                .with_remedy("leave \"task_id\" out, or name nothing to mean all of the task's");
            return Err(Problem::refused(&both));
        }
        if !named {
            return Ok(Chosen::all(&app.ledger, self.task_id, MOST).await?);
        }
        let (runs, messages) = (self.runs.unwrap_or_default(), self.messages.unwrap_or_default());
        let count = runs.len() + messages.len();
        if count > MOST {
            let many = Error::usage(format!("{count} are named, at most {MOST} may be"));
            return Err(Problem::refused(&many));
        }
        let mut chosen = Chosen::named(MOST);
        for id in runs {
            let run = runs::find(app, id).await?;
            if !run.dead {
                let alive = Error::usage(format!("run {id} is not dead"))
                    .with_remedy("list those that are: /api/v1/runs?dead=true");
                return Err(Problem::conflict(&alive));
            }
            chosen.add_run(run);
        }
        messages.into_iter().for_each(|name| chosen.add_message(name));
        Ok(chosen)
    }
}

impl From<&DeadMessage> for Message {
    fn from(message: &DeadMessage) -> Self {
        let (body, body_more) = dead::beginning(message);
        Self {
            message_id: dead::name(message),
            task_id: message.task_id,
            reason: message.reason.clone(),
            remedy: message.remedy.clone(),
            body,
            body_more,
        }
    }
}

impl From<dead::Refusal> for Refusal {
    fn from(refusal: dead::Refusal) -> Self {
        let (run_id, message_id) = refusal.subject.map_or((None, None), Subject::split);
        let remedy = refusal.error.remedy().map(str::to_owned);
        Self { run_id, message_id, detail: refusal.error.to_string(), remedy }
    }
}

/// Does the whole of it, also if the caller goes away in the middle: between a new run and the
/// acknowledgement of the message that it repeats, say. Nobody else reads the dead queue meanwhile.
async fn alone<T, Work>(app: Arc<App>, work: impl FnOnce(Arc<App>) -> Work) -> Result<T>
where
    T: Send + 'static,
    Work: Future<Output = Result<T>> + Send + 'static,
{
    let work = work(Arc::clone(&app));
    let whole = tokio::spawn(async move {
        let _alone = app.dead_queue.lock().await;
        work.await
    });
    whole.await.map_err(|error| Error::internal("the request ended early").caused_by(error))?
}

/// Lists messages that never became a run. They are in the broker only, and nobody else sees them while
/// they are read: don't ask more often than somebody looks.
#[utoipa::path(get, path = "/dead/messages", operation_id = "listDeadMessages", tag = "dead", params(Wanted),
    responses((status = 200, description = "The messages", body = Messages)))]
pub(super) async fn messages(
    _: May<Reads>,
    State(app): Shared,
    extract::Query(wanted): extract::Query<Wanted>,
) -> Result<Json<Messages>, Problem> {
    let limit = limit(wanted.limit)?;
    let reading = |app: Arc<App>| async move { dead::messages(&app.settings, &app.ledger).await };
    let mut found = alone(app, reading).await?;
    found.retain(|message| wanted.task_id.is_none() || message.task_id == wanted.task_id);
    let items: Vec<_> = found.iter().take(limit).map(Message::from).collect();
    let more = found.len() - items.len();
    Ok(Json(Messages { items, more }))
}

/// Repeats what is dead, at most 1,000 runs and messages at once; the others stay dead for the next request.
#[utoipa::path(post, path = "/dead/rerun", operation_id = "rerunDead", tag = "dead", request_body = Which,
    responses((status = 200, description = "The new runs, and what was refused", body = Rerun)))]
pub(super) async fn again(
    _: May<Submits>,
    State(app): Shared,
    extract::Json(which): extract::Json<Which>,
) -> Result<Json<Rerun>, Problem> {
    let chosen = which.choose(&app).await?;
    let rerun = |app: Arc<App>| async move {
        let mut outcome = Rerun::default();
        let tell = |told| {
            match told {
                Told::Entered { task_id, run_id, of } => {
                    let (rerun_of, message_id) = of.split();
                    outcome.runs.push(Repeated { run_id, rerun_of, message_id, task_id });
                }
                Told::Refused(refusal) => outcome.refused.push(refusal.into()),
            }
            Ok(())
        };
        let App { settings, ledger, submitter, .. } = &*app;
        dead::rerun(settings, ledger, submitter, chosen, super::submit::CALLER, tell).await?;
        Ok(outcome)
    };
    Ok(Json(alone(app, rerun).await?))
}

/// Gives up what is dead, at most 1,000 runs and messages at once: runs stay failed in the ledger, and
/// nobody waits for them; messages are gone.
#[utoipa::path(post, path = "/dead/purge", operation_id = "purgeDead", tag = "dead", request_body = Which,
    responses((status = 200, description = "How many, and what was refused", body = Purged)))]
pub(super) async fn purge(
    _: May<Administers>,
    State(app): Shared,
    extract::Json(which): extract::Json<Which>,
) -> Result<Json<Purged>, Problem> {
    let chosen = which.choose(&app).await?;
    let purge =
        |app: Arc<App>| async move { dead::purge(&app.settings, &app.ledger, chosen).await };
    let purged = alone(app, purge).await?;
    let refused = purged.refused.into_iter().map(Refusal::from).collect();
    Ok(Json(Purged { runs: purged.runs, messages: purged.messages, refused }))
}
