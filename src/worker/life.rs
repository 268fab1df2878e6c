//! A worker's own row in the ledger, what runs beside its runs, and its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Options, Worker, pause, runs};
use crate::error::Result;
use crate::ledger::WorkerRow;
use crate::notice;
use crate::schedule;

pub(super) fn identity(options: &Options) -> WorkerRow {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "localhost".to_owned());
    let pid = std::process::id();
    let name = options.name.clone().unwrap_or_else(|| format!("{host}-{pid}"));
    WorkerRow {
        worker: process_name(&name),
        host,
        pid: i64::from(pid),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: "working".to_owned(),
        concurrency: options.concurrency as i64,
        running: 0,
        started_at: String::new(),
        heartbeat_at: String::new(),
    }
}

/// A name that no other process has: the given one may be used again after a restart, and the
/// ledger must tell the processes apart.
pub fn process_name(name: &str) -> String {
    let unique = Uuid::now_v7().simple().to_string();
    // The end of a version 7 UUID is random.
    format!("{name}@{}", &unique[24..])
}

impl Worker {
    /// Keeps the worker's own row fresh.
    pub(super) fn start_heart(&self) -> JoinHandle<()> {
        let (ledger, mut row) = (self.desk.ledger.clone(), self.row.clone());
        let (slots, drain) = (Arc::clone(&self.slots), self.shutdown.drain.clone());
        let pause = self.settings.worker.lease / 3;
        tokio::spawn(async move {
            loop {
                row.running = row.concurrency - slots.available_permits() as i64;
                if drain.is_cancelled() {
                    row.state = "draining".to_owned();
                }
                match ledger.note_worker(&row).await {
                    Ok(true) if !drain.is_cancelled() => {
                        tracing::info!("draining: somebody has asked for it");
                        drain.cancel();
                        continue;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "can't note the worker's heartbeat"),
                }
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// Submits what schedules ask for. One that ends when nothing is left has no future to wait for.
    pub(super) fn start_clock(&self) {
        if !self.options.drain {
            let (ledger, submitter) = (self.desk.ledger.clone(), self.desk.submitter.clone());
            tokio::spawn(schedule::keep_time(ledger, submitter, self.shutdown.drain.clone()));
        }
    }

    /// Sends notices. One that ends when nothing is left leaves them to those that stay.
    pub(super) fn start_messenger(&self) -> Result<()> {
        let notices = self.settings.notices()?;
        if !self.options.drain {
            let (ledger, drain) = (self.desk.ledger.clone(), self.shutdown.drain.clone());
            tokio::spawn(notice::deliver(ledger, notices, drain));
        }
        Ok(())
    }

    /// Publishes dead letters that were not confirmed when their runs failed.
    pub(super) fn start_undertaker(&self) -> JoinHandle<()> {
        let (ledger, submitter) = (self.desk.ledger.clone(), self.desk.submitter.clone());
        let pause = self.settings.worker.poll;
        tokio::spawn(async move {
            loop {
                if let Err(error) = runs::publish_dead_runs(&ledger, &submitter).await {
                    tracing::debug!(%error, "dead letters are published later");
                }
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// Gives runs a grace period to end, then stops them; nothing that has committed is lost.
    pub(super) async fn stop(mut self, helpers: [JoinHandle<()>; 2]) {
        pause(&mut self.consumer).await;
        self.desk.runs.close();
        let grace = self.settings.worker.grace;
        tokio::select! {
            () = self.desk.runs.wait() => {}
            () = tokio::time::sleep(grace) => {
                tracing::warn!("{} run(s) did not end within {grace:?}: stopping them", self.desk.runs.len());
                self.shutdown.halt.cancel();
            }
            () = self.shutdown.halt.cancelled() => {}
        }
        if tokio::time::timeout(Duration::from_secs(10), self.desk.runs.wait()).await.is_err() {
            tracing::warn!(
                "a run could not be given back: another worker takes it when its lease ends"
            );
        }
        helpers.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.desk.ledger.forget_worker(&self.row.worker).await {
            tracing::debug!(%error, "can't remove the worker's row");
        }
        tracing::info!(worker = self.row.worker, "stopped");
    }
}
