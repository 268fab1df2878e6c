//! Connections that outlive a run: what one run has opened and left in order, the next one to the
//! same database takes over, so that a small task does not pay for logins.
//!
//! A run borrows at most as many as it has lanes, plus one. Only a [`Lease`] that was given back by
//! [`Lease::keep`] is ever used again: after an error, or when the work was dropped, the connection
//! is closed and the server rolls back.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::checksum::checksum;
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Result};
use crate::plugin::snapshot_lost;

/// How long a connection waits for the next run.
const IDLE: Duration = Duration::from_secs(60);
/// How old it may get: servers and what stands before them change.
const LIFETIME: Duration = Duration::from_secs(1800);
/// What this run has used within this time is alive without a proof.
const FRESH: Duration = Duration::from_secs(1);
/// Connections kept for one login.
const KEPT: usize = 32;

/// What went wrong with a connection that is not in use: it is closed, whatever it was.
pub(super) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// An engine's connection, set up for work.
#[async_trait]
pub(super) trait Session: Send + Sized + 'static {
    /// Logs in and sets up, or says why it can't.
    async fn connect(config: &ConnectionConfig) -> Result<Self>;

    /// Shows that the server still answers.
    async fn prove(&mut self) -> Result<(), Trouble>;

    /// Removes what a run has left in the session.
    async fn clean(&mut self) -> Result<(), Trouble>;

    /// Takes leave of the server.
    async fn close(self) -> Result<(), Trouble>;
}

/// The connections of an engine that no run uses now. One a process and engine.
pub(super) struct Store<S> {
    shelves: Mutex<Shelves<S>>,
}

struct Shelves<S> {
    idle: HashMap<String, Vec<Kept<S>>>,
    /// Whether a task looks for those that have waited too long.
    watched: bool,
}

struct Kept<S> {
    session: S,
    opened: Instant,
    used: Instant,
}

impl<S> Kept<S> {
    fn is_stale(&self) -> bool {
        self.used.elapsed() > IDLE || self.opened.elapsed() > LIFETIME
    }
}

impl<S> Default for Store<S> {
    fn default() -> Self {
        Self { shelves: Mutex::new(Shelves { idle: HashMap::new(), watched: false }) }
    }
}

impl<S: Session> Store<S> {
    fn shelves(&self) -> MutexGuard<'_, Shelves<S>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last.
    fn take(&self, key: &str) -> Option<Kept<S>> {
        self.shelves().idle.get_mut(key)?.pop()
    }

    /// Keeps connections for other runs, in the background.
    fn put(&'static self, key: String, all: Vec<Kept<S>>) {
        // Without a runtime the process is about to end, and the connections with it.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            for mut kept in all {
                // What can't be cleaned in time is closed by being dropped.
                if let Ok(Ok(())) = timeout(IDLE, kept.session.clean()).await {
                    self.shelve(&key, kept);
                }
            }
        });
    }

    fn shelve(&'static self, key: &str, kept: Kept<S>) {
        let mut shelves = self.shelves();
        let shelf = shelves.idle.entry(key.to_owned()).or_default();
        if shelf.len() < KEPT {
            shelf.push(kept);
        }
        if !shelves.watched {
            shelves.watched = true;
            tokio::spawn(self.watch());
        }
    }

    /// Closes what has waited too long, until nothing waits.
    async fn watch(&'static self) {
        loop {
            tokio::time::sleep(IDLE / 4).await;
            for kept in self.stale() {
                // It is gone in any case.
                timeout(FRESH, kept.session.close()).await.ok();
            }
            let mut shelves = self.shelves();
            if shelves.idle.is_empty() {
                shelves.watched = false;
                return;
            }
        }
    }

    fn stale(&self) -> Vec<Kept<S>> {
        let mut shelves = self.shelves();
        let mut stale = Vec::new();
        for shelf in shelves.idle.values_mut() {
            let (old, good) = shelf.drain(..).partition(Kept::is_stale);
            stale.extend::<Vec<_>>(old);
            *shelf = good;
        }
        shelves.idle.retain(|_, shelf| !shelf.is_empty());
        stale
    }
}

/// One run's connections to one database. Those that are in order at its end are kept for others.
pub(super) struct Connections<S: Session>(Arc<Own<S>>);

struct Own<S: Session> {
    store: &'static Store<S>,
    key: String,
    config: ConnectionConfig,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Kept<S>>>,
    /// Of connections that no other can stand in for: whether one of them was lost.
    lost: Option<AtomicBool>,
}

impl<S: Session> Connections<S> {
    /// At most `lanes` + 1 connections, the first of which is alive.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn open(
        store: &'static Store<S>,
        config: &ConnectionConfig,
        lanes: usize,
    ) -> Result<Self> {
        // Two entries of the configuration may differ in the password only.
        let secret = checksum(config.password.expose().as_bytes());
        let own = Own {
            store,
            key: format!("{config:?} {secret:x}"),
            config: config.clone(),
            permits: Arc::new(Semaphore::new(lanes + 1)),
            idle: Mutex::new(Vec::new()),
            lost: None,
        };
        let first = match own.kept().await {
            Some(kept) => kept,
            None => connected(S::connect(config).await?),
        };
        own.idle().push(first);
        Ok(Self(Arc::new(own)))
    }

    /// These connections, which hold what no other would have, and which no other run takes over.
    pub(super) fn only(
        store: &'static Store<S>,
        config: &ConnectionConfig,
        sessions: Vec<S>,
    ) -> Self {
        Self(Arc::new(Own {
            store,
            key: String::new(),
            config: config.clone(),
            permits: Arc::new(Semaphore::new(sessions.len())),
            idle: Mutex::new(sessions.into_iter().map(connected).collect()),
            lost: Some(AtomicBool::new(false)),
        }))
    }

    /// Whether no other connection can stand in for one of these.
    pub(super) fn is_irreplaceable(&self) -> bool {
        self.0.lost.is_some()
    }

    /// Whether all connections are there that no other can stand in for.
    ///
    /// # Errors
    /// Kind `Transient` if one was lost.
    pub(super) fn still_whole(&self) -> Result<()> {
        match self.0.lost.as_ref().is_some_and(|lost| lost.load(Ordering::Relaxed)) {
            true => Err(snapshot_lost(&self.0.config.place)),
            false => Ok(()),
        }
    }

    /// One of those that no other can stand in for. Whoever has them all is bounded by what he does
    /// with them, not by the time that a login may take.
    async fn irreplaceable(&self) -> Result<Lease<S>> {
        let own = Arc::clone(&self.0);
        let permit = Arc::clone(&own.permits).acquire_owned().await;
        self.still_whole()?;
        let kept = own.idle().pop();
        match (kept, permit) {
            (Some(kept), Ok(permit)) => Ok(Lease { kept: Some(kept), own, _permit: permit }),
            _ => Err(snapshot_lost(&own.config.place)),
        }
    }

    /// Borrows a connection.
    ///
    /// # Errors
    /// Why none can be had in time.
    pub(super) async fn lease(&self) -> Result<Lease<S>> {
        if self.0.lost.is_some() {
            return self.irreplaceable().await;
        }
        let own = Arc::clone(&self.0);
        let permit = timeout(own.config.timeout(), Arc::clone(&own.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Error::transient(format!("{}: no connection is free", own.config.place))
                .with_remedy("raise \"connect_timeout\" if the server is only slow"));
        };
        let found = match own.fresh().await {
            Some(kept) => Some(kept),
            None => own.kept().await,
        };
        let kept = match found {
            Some(kept) => kept,
            None => connected(own.connect().await?),
        };
        Ok(Lease { kept: Some(kept), own, _permit: permit })
    }
}

fn connected<S>(session: S) -> Kept<S> {
    let now = Instant::now();
    Kept { session, opened: now, used: now }
}

impl<S: Session> Own<S> {
    fn idle(&self) -> MutexGuard<'_, Vec<Kept<S>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that this run has used before.
    async fn fresh(&self) -> Option<Kept<S>> {
        loop {
            let kept = self.idle().pop()?;
            if kept.used.elapsed() < FRESH {
                return Some(kept);
            }
            if let Some(alive) = self.proven(kept).await {
                return Some(alive);
            }
        }
    }

    /// One that another run has left.
    async fn kept(&self) -> Option<Kept<S>> {
        loop {
            let kept = self.store.take(&self.key)?;
            if kept.is_stale() {
                continue;
            }
            if let Some(alive) = self.proven(kept).await {
                return Some(alive);
            }
        }
    }

    /// The connection, if its server still answers. One that does not is closed by being dropped.
    async fn proven(&self, mut kept: Kept<S>) -> Option<Kept<S>> {
        match timeout(self.config.timeout(), kept.session.prove()).await {
            Ok(Ok(())) => Some(kept),
            Ok(Err(error)) => {
                tracing::debug!(place = self.config.place, %error, "a kept connection was closed");
                None
            }
            Err(_) => {
                // Whatever has swallowed this answer would swallow those of its kind too.
                self.store.shelves().idle.remove(&self.key);
                self.idle().clear();
                None
            }
        }
    }

    /// Connects, again while the server is only too busy for one more, for as long as it may.
    async fn connect(&self) -> Result<S> {
        let deadline = Instant::now() + self.config.timeout();
        let mut wait = Duration::from_millis(50);
        loop {
            match S::connect(&self.config).await {
                Err(error) if error.is_transient() && Instant::now() + wait < deadline => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(1));
                }
                outcome => return outcome,
            }
        }
    }
}

impl<S: Session> Drop for Own<S> {
    fn drop(&mut self) {
        let all = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        if self.lost.is_some() {
            close(all);
        } else if !all.is_empty() {
            self.store.put(std::mem::take(&mut self.key), all);
        }
    }
}

/// Takes leave of the server, in the background.
fn close<S: Session>(all: Vec<Kept<S>>) {
    // Without a runtime the process is about to end, and the connections with it.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        for kept in all {
            // It is gone in any case.
            timeout(FRESH, kept.session.close()).await.ok();
        }
    });
}

/// A connection on loan. Unless it is kept, dropping it closes it, so that neither a half-read
/// result nor an open transaction is ever used again.
pub(super) struct Lease<S: Session> {
    kept: Option<Kept<S>>,
    own: Arc<Own<S>>,
    _permit: OwnedSemaphorePermit,
}

impl<S: Session> Lease<S> {
    /// The connection is idle and may be used again.
    pub(super) fn keep(mut self) {
        if let Some(kept) = self.kept.take() {
            self.own.idle().push(Kept { used: Instant::now(), ..kept });
        }
    }
}

impl<S: Session> Drop for Lease<S> {
    fn drop(&mut self) {
        if let (Some(_), Some(lost)) = (&self.kept, &self.own.lost) {
            lost.store(true, Ordering::Relaxed);
        }
    }
}

impl<S: Session> Deref for Lease<S> {
    type Target = S;

    #[allow(clippy::expect_used, reason = "taken only by keep, which takes the lease")]
    fn deref(&self) -> &S {
        &self.kept.as_ref().expect("taken only by keep").session
    }
}

impl<S: Session> DerefMut for Lease<S> {
    #[allow(clippy::expect_used, reason = "taken only by keep, which takes the lease")]
    fn deref_mut(&mut self) -> &mut S {
        &mut self.kept.as_mut().expect("taken only by keep").session
    }
}
