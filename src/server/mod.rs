//! `goshift-server`: the REST API over the ledger, for the person on call and for services without an
//! AMQP client.
//!
//! It does what the command lines do, by the same library, and never goes around the ledger: any
//! number of servers may run beside each other and beside workers.

use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::config::Settings;
use crate::config::server::ServerSettings;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::metrics::NoticeMetrics;
use crate::notice;
use crate::schedule;
use crate::shutdown::Shutdown;
use crate::submit::Submitter;

mod access;
mod assets;
mod dead;
mod events;
mod extract;
mod health;
mod listen;
mod metrics;
mod overview;
mod page;
mod plan;
mod problem;
mod rejected;
mod routes;
mod runs;
mod schedules;
mod session;
mod submit;
mod tasks;
mod workers;

pub use routes::document;

use events::Watched;
use listen::Listening;
use overview::Seen;

/// What every request may use.
struct App {
    settings: Arc<Settings>,
    server: ServerSettings,
    ledger: Ledger,
    submitter: Submitter,
    submits: DefaultDirectRateLimiter,
    watched: Arc<Watched>,
    seen: Seen,
    notices: NoticeMetrics,
    /// Held by whoever reads the dead queue: what one has fetched the others can't see.
    dead_queue: tokio::sync::Mutex<()>,
}

/// A handler's share of it.
type Shared = axum::extract::State<Arc<App>>;

/// Serves until it is told to stop, then ends the requests that are under way.
///
/// # Errors
/// When it can't start: the configuration, the task database, or the address.
pub async fn serve(settings: Arc<Settings>, shutdown: Shutdown) -> Result<()> {
    let server = settings.server()?;
    server.check()?;
    let told = settings.notices()?;
    let ledger = Ledger::open(&settings).await?;
    let submitter = Submitter::open(&settings, ledger.clone(), "goshift-server")?;
    let submits = RateLimiter::direct(Quota::per_second(server.max_submits_per_second));
    let listening = Listening::start(&server).await?;
    let guarded = if server.tokens.is_empty() { "no token: this machine only" } else { "by token" };
    tracing::info!("listening on {} ({guarded}); tasks in {}", listening.url(), ledger.address());
    let drain = shutdown.drain.clone();
    let watched = Arc::<Watched>::default();
    // Streams end with it, so that their connections don't hold the server back.
    tokio::spawn(Arc::clone(&watched).follow(ledger.clone(), drain.clone()));
    let notices = NoticeMetrics::default();
    tokio::spawn(notice::deliver(ledger.clone(), told, notices.clone(), drain.clone()));
    tokio::spawn(schedule::keep_time(ledger.clone(), submitter.clone(), drain.clone()));
    let app = Arc::new(App {
        settings,
        server,
        ledger,
        submitter,
        submits,
        watched,
        seen: Seen::default(),
        notices,
        dead_queue: tokio::sync::Mutex::default(),
    });
    tokio::select! {
        served = listening.serve(routes::router(app), drain) => served,
        () = shutdown.halt.cancelled() => Ok(()),
    }
}
