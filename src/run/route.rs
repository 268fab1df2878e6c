//! Both ends of a task, and what is planned between them.

use std::sync::Arc;

use uuid::Uuid;

use super::Runner;
use super::compared::cut_alike;
use crate::compare::sync::Sync;
use crate::config::Side;
use crate::config::connection::ConnectionConfig;
use crate::copy::Way;
use crate::error::Result;
use crate::plan::{Plan, Planner};
use crate::plugin::{self, Reader, Writer};
use crate::task::{Endpoint, Mode, TaskMeta};

/// Both ends of a task, connected, and the plan between them.
pub struct Route {
    /// The source.
    pub reader: Arc<dyn Reader>,
    /// The target.
    pub writer: Arc<dyn Writer>,
    /// What is going to happen.
    pub plan: Plan,
    /// Of the modes that compare both sides and write what differs.
    pub sync: Option<Sync>,
    /// The engines' names, the source's first.
    pub engines: (&'static str, &'static str),
    /// Which database is read.
    pub from_address: String,
    /// Which database is written.
    pub to_address: String,
    /// Whether other workers can reach both sides: not so with a file of this machine.
    pub is_shareable: bool,
}

/// What a task is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Only to look: nothing is created.
    Look,
    /// The run's first attempt.
    Begin(Uuid),
    /// A later attempt.
    GoOn(Uuid),
    /// A part in a run that another worker owns: what is to be created is there.
    TakePart(Uuid),
}

impl Stage {
    pub(super) fn run_id(self) -> Uuid {
        match self {
            Self::Look => Uuid::nil(),
            Self::Begin(run) | Self::GoOn(run) | Self::TakePart(run) => run,
        }
    }

    pub(super) fn is_dry(self) -> bool {
        matches!(self, Self::Look | Self::TakePart(_))
    }

    pub(super) fn goes_on(self) -> bool {
        matches!(self, Self::GoOn(_) | Self::TakePart(_))
    }
}

impl Route {
    /// From where to where rows are copied.
    pub fn way(&self) -> Way<'_> {
        Way {
            reader: self.reader.as_ref(),
            read: &self.plan.read,
            writer: self.writer.as_ref(),
            write: &self.plan.write,
        }
    }

    /// See [`Plan::fingerprint`].
    pub(super) fn fingerprint(&self) -> String {
        self.plan.fingerprint(&self.from_address, &self.to_address)
    }
}

impl Runner {
    /// Connects both ends of a task and plans the copy.
    ///
    /// # Errors
    /// What the configuration, the databases or the plan refuse.
    pub async fn route(&self, task: &TaskMeta, at: Stage) -> Result<Route> {
        let from = plugin::find(&task.from.db_type)?;
        let to = plugin::find(&task.to.db_type)?;
        let source = self.connection(Side::From, from.names(), &task.from)?;
        let target = self.connection(Side::To, to.names(), &task.to)?;
        let max_lanes = self.settings.worker.max_lanes;
        let (mut reader, writer) = self.ends(task).await?;
        let (from_address, to_address) = (source.address(0), target.address(0));
        let same_database = from.name() == to.name()
            && from_address == to_address
            && source.schema == target.schema;
        let values = task.params.values.over(&self.settings.values);
        let plan = Planner {
            task,
            run_id: at.run_id(),
            goes_on: at.goes_on(),
            reader: reader.as_ref(),
            writer: writer.as_ref(),
            from_engine: from.name(),
            to_engine: to.name(),
            same_database,
            same_server: from.name() == to.name() && source.is_same_server(&target),
            same_file: same_database && source.path.is_some(),
            max_lanes,
            values: &values,
        };
        let mut plan = plan.plan(at.is_dry()).await?;
        if let Some(way) = plan.snapshot.filter(|_| !at.is_dry()) {
            tracing::info!(task = task.id, lanes = way.lanes, "taking a snapshot: {}", way.how);
            reader = reader.snapshot(&plan.read.schema.table, plan.lanes).await?;
        }
        if task.mode == Mode::Cursor {
            let scope = plan.fingerprint(&from_address, &to_address);
            let ends = (reader.as_ref(), writer.as_ref());
            self.narrow(task, at, &mut plan, ends, &scope).await?;
        }
        let has_file = source.path.is_some() || target.path.is_some();
        let sync = if task.mode.compares() && !plan.creates_target {
            let comparison = self.comparison(task, &reader, &plan, true).await?;
            plan.read = Arc::new(cut_alike(&plan.read, &comparison));
            Some(Sync::new(comparison, &plan.read))
        } else {
            None
        };
        // What only the target has is remembered by the process that deletes it, and a snapshot ends
        // with the process that took it.
        let is_shareable = !has_file && task.mode != Mode::Mirror && plan.snapshot.is_none();
        let engines = (from.name(), to.name());
        Ok(Route { reader, writer, plan, sync, engines, from_address, to_address, is_shareable })
    }

    pub(super) fn connection(
        &self,
        side: Side,
        names: &[&str],
        end: &Endpoint,
    ) -> Result<ConnectionConfig> {
        self.settings.connection(side, names, end.app.trim(), end.db.trim())
    }
}
