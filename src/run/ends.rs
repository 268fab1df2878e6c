//! The two ends of a task, connected.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::Runner;
use crate::config::Side;
use crate::error::{Error, Result};
use crate::plugin::{self, Reader, Writer};
use crate::task::{Endpoint, TaskMeta};

/// The source and the target.
pub(super) type Ends = (Arc<dyn Reader>, Arc<dyn Writer>);

/// Ends that are being connected while the run is still entered into the ledger: a task of a few rows
/// is over in the time of a few logins.
#[derive(Clone, Default)]
pub struct Ahead(Arc<Mutex<Option<Connecting>>>);

struct Connecting {
    place: Place,
    ends: JoinHandle<Result<Ends>>,
}

/// What connections depend on.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    from: Endpoint,
    to: Endpoint,
    lanes: usize,
}

impl Runner {
    fn place(&self, task: &TaskMeta) -> Place {
        let max_lanes = self.settings.worker.max_lanes;
        let lanes = task.params.worker_num.unwrap_or(max_lanes).clamp(1, max_lanes);
        Place { from: task.from.clone(), to: task.to.clone(), lanes }
    }

    /// Begins to connect both ends of a task, unless it may have to wait for one. Whatever goes wrong
    /// is told by [`Runner::route`].
    pub fn connect_ahead(&self, task: &TaskMeta) {
        let is_gated = |(side, end): (Side, &Endpoint)| {
            let names = plugin::find(&end.db_type).map(|plugin| plugin.names());
            let config = names.and_then(|names| self.connection(side, names, end));
            config.is_ok_and(|config| config.max_runs.is_some())
        };
        if [(Side::From, &task.from), (Side::To, &task.to)].into_iter().any(is_gated) {
            return;
        }
        let (runner, wanted) = (self.clone(), task.clone());
        let ends = tokio::spawn(async move { runner.connect(&wanted).await });
        let connecting = Connecting { place: self.place(task), ends };
        *self.ahead.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(connecting);
    }

    /// Both ends of a task.
    ///
    /// # Errors
    /// Why one of them can't be reached.
    pub(super) async fn ends(&self, task: &TaskMeta) -> Result<Ends> {
        let ahead = self.ahead.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match ahead {
            // The task may have been edited meanwhile.
            Some(ahead) if ahead.place == self.place(task) => ahead
                .ends
                .await
                .map_err(|error| Error::internal("connecting ended early").caused_by(error))?,
            _ => self.connect(task).await,
        }
    }

    async fn connect(&self, task: &TaskMeta) -> Result<Ends> {
        let (from, to) = (plugin::find(&task.from.db_type)?, plugin::find(&task.to.db_type)?);
        let source = self.connection(Side::From, from.names(), &task.from)?;
        let target = self.connection(Side::To, to.names(), &task.to)?;
        let lanes = self.place(task).lanes;
        tokio::try_join!(from.reader(&source, lanes), to.writer(&target, lanes))
    }
}
