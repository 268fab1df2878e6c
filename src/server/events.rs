//! A run's progress as server-sent events.
//!
//! However many streams are open, the ledger is asked once a second, for all of their runs together.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt};
use serde::Serialize;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use super::access::{May, Reads};
use super::problem::Problem;
use super::{Shared, extract, runs};
use crate::ledger::{self, Ledger, State as RunState};

/// How often the ledger is asked.
const LOOK: Duration = Duration::from_secs(1);

/// A run's figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Progress {
    run_id: Uuid,
    /// The run's state; the stream ends with one that is final.
    state: String,
    /// Rows that are in.
    rows_done: u64,
    /// Rows in all, by the engine's estimate.
    rows_estimated: Option<u64>,
    /// Shards that are in.
    shards_done: u64,
    /// Shards cut so far.
    shards_total: u64,
    /// Whether every shard has been cut.
    split_done: bool,
    /// Why it failed or waits.
    reason: Option<String>,
    /// What to do about it.
    remedy: Option<String>,
}

impl Progress {
    fn new(run_id: Uuid, figures: ledger::Progress) -> Self {
        Self {
            run_id,
            state: figures.state,
            rows_done: figures.rows_done,
            rows_estimated: figures.rows_estimated,
            shards_done: figures.shards_done,
            shards_total: figures.shards_total,
            split_done: figures.split_done,
            reason: figures.reason,
            remedy: figures.remedy,
        }
    }

    fn is_last(&self) -> bool {
        RunState::is_terminal(&self.state)
    }
}

/// The runs that are watched.
#[derive(Default)]
pub(super) struct Watched(Mutex<HashMap<Uuid, watch::Sender<Progress>>>);

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, watch::Sender<Progress>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, now: Progress) -> watch::Receiver<Progress> {
        let mut watched = self.lock();
        watched.entry(now.run_id).or_insert_with(|| watch::Sender::new(now)).subscribe()
    }

    /// Forgets runs that nobody watches any more; the others' ids.
    fn ids(&self) -> Vec<Uuid> {
        let mut watched = self.lock();
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    /// Tells of a run; one that is over is told of for the last time.
    fn tell(&self, progress: Progress) {
        let mut watched = self.lock();
        let is_last = progress.is_last();
        let run_id = progress.run_id;
        if let Some(sender) = watched.get(&run_id) {
            sender.send_if_modified(|last| {
                let is_news = *last != progress;
                *last = progress;
                is_news
            });
        }
        if is_last {
            watched.remove(&run_id);
        }
    }

    /// Asks the ledger for all watched runs, again and again.
    pub(super) async fn follow(self: Arc<Self>, ledger: Ledger, end: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = end.cancelled() => break,
            }
            let ids = self.ids();
            if ids.is_empty() {
                continue;
            }
            match ledger.progress_of(&ids).await {
                Ok(found) => {
                    for (run_id, figures) in found {
                        self.tell(Progress::new(run_id, figures));
                    }
                }
                Err(error) => tracing::debug!(%error, "can't follow runs"),
            }
        }
        self.lock().clear();
    }
}

/// Streams a run's progress: an event `progress` at once and whenever it has moved, until the run is
/// over.
#[utoipa::path(get, path = "/runs/{id}/events", operation_id = "followRun", tag = "runs",
    params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "Events `progress`, each with a Progress as its data",
               body = Progress, content_type = "text/event-stream")))]
pub(super) async fn stream(
    _: May<Reads>,
    State(app): Shared,
    extract::Path(id): extract::Path<Uuid>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    runs::find(&app, id).await?;
    let now = Progress::new(id, app.ledger.progress(id).await?);
    let figures = if now.is_last() {
        // Whoever comes late hears how it ended.
        futures::stream::once(std::future::ready(now)).left_stream()
    } else {
        WatchStream::new(app.watched.watch(now)).right_stream()
    };
    let events = figures.map(|progress| {
        let event = Event::default().event("progress").json_data(&progress);
        // Numbers and text always have a JSON form; were it not so, a comment says it.
        Ok(event.unwrap_or_else(|error| Event::default().comment(error.to_string())))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
