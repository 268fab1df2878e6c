//! What every row of the table needs: a task, a worker that dies, and the proof that nothing shows.

use std::future::Future;

use serde_json::Value;

use crate::support::proxy::Proxy;
use crate::support::{ENGINES, Site, Worker, eventually, text};

/// Rows of the source; ten shards of them.
pub const ROWS: i64 = 1000;
pub const PARAMS: &str = r#"{"read_batch": 100, "worker_num": 2}"#;

/// Runs a row of the table on every kind of task database at once.
pub async fn on_each<F, Fut>(row: F)
where
    F: Fn(&'static str) -> Fut,
    Fut: Future<Output = ()>,
{
    futures::future::join_all(ENGINES.map(row)).await;
}

/// A place with task 5. The target is of the other server than the task database, so that both
/// writers are in the table.
pub struct Scene {
    pub site: Site,
    pub target: &'static str,
}

impl Scene {
    /// Task 5 copies a table with a key.
    pub async fn keyed(engine: &'static str) -> Self {
        Self::new(engine, "id int PRIMARY KEY").await
    }

    /// The target has no key: a shard that is written twice shows as doubled rows.
    pub async fn keyless(engine: &'static str) -> Self {
        Self::new(engine, "id int").await
    }

    async fn new(engine: &'static str, id: &str) -> Self {
        let site = Site::new(engine).await;
        let target = if engine == "mysql" { "postgres" } else { "mysql" };
        site.my(&format!(
            "CREATE TABLE source (id int PRIMARY KEY, name varchar(40)); \
             INSERT INTO source SELECT seq, CONCAT('row ', seq) FROM seq_1_to_{ROWS}"
        ))
        .await;
        site.execute(target, &format!("CREATE TABLE target ({id}, name varchar(40))")).await;
        site.task(5, ("mysql", "source"), (target, "target"), PARAMS).await;
        Self { site, target }
    }

    pub async fn run(&self) -> String {
        self.site.ask_one("SELECT run_id FROM goshift_run").await
    }

    /// Starts a worker that dies at a point, submits task 5 and waits for that death.
    pub async fn worker_dies_at(&self, point: &str) -> String {
        let worker = self.site.faulty_worker("doomed", &[], &format!("{point}=kill"));
        let run = self.site.submitted(&["5"]).remove(0);
        died(worker).await;
        run
    }

    /// Copies by one lane: from the eighth shard on, when all are cut and in the ledger, a worker
    /// that stops at a point has nothing else under way.
    pub async fn single_file(self) -> Self {
        let params = r#"{"read_batch": 100, "worker_num": 1}"#;
        let set = format!("UPDATE task_def_sync_manager SET params = '{params}' WHERE id = 5");
        self.site.tasks(&set).await;
        self
    }

    /// A worker on a machine that is about to be suspended, whose clocks stand still meanwhile: once
    /// it [`Scene::oversleeps`] it believes in its lease when it wakes. It reaches the task database
    /// by the proxy only.
    pub async fn sleeper(&mut self, fault: &str) -> (Worker, Proxy) {
        let connection = self.site.connection(self.site.task_engine);
        let part = |key: &str| connection[key].as_str().unwrap().to_owned();
        let proxy = Proxy::start(format!("{}:{}", part("host"), part("port"))).await;
        let mut awake = Value::Null;
        self.site.configure(|config| {
            awake = config.clone();
            config["task_meta"]["host"] = "127.0.0.1".into();
            config["task_meta"]["port"] = proxy.port.into();
            config["worker"]["lease"] = "20s".into();
        });
        let worker = self.site.faulty_worker("paused", &[], fault);
        eventually("it has read its configuration", || async { worker.log().contains("consume") })
            .await;
        self.site.configure(|config| *config = awake);
        (worker, proxy)
    }

    /// The ledger's clock goes on while a sleeper is stopped: its lease ends there. Nor will the
    /// task database answer it when it wakes, before it has tried to commit.
    pub async fn oversleeps(&self, sleeper: &Worker, ledger: &Proxy) {
        stopped(sleeper).await;
        ledger.freeze();
        for sql in [
            "UPDATE goshift_run SET lease_until = '2000-01-01 00:00:00' \
             WHERE state = 'running' AND worker LIKE 'paused%'",
            "UPDATE goshift_participant SET lease_until = '2000-01-01 00:00:00' \
             WHERE state = 'active' AND worker LIKE 'paused%'",
        ] {
            self.site.tasks(sql).await;
        }
    }

    /// A sleeper wakes. The task database answers it again once its rows were refused, or have
    /// landed, or it has given up for another reason.
    pub async fn wakes(&self, sleeper: &Worker, ledger: &Proxy) {
        sleeper.signal("CONT");
        let refused = ["trying the shard again", "trying again", "let go", "left: "];
        eventually("it tries to commit", || async {
            let log = sleeper.log();
            refused.iter().any(|said| log.contains(said)) || self.stale_rows().await > 0
        })
        .await;
        ledger.restore();
    }

    /// Rows in the target from before all names in the source became `newer …`.
    pub async fn stale_rows(&self) -> i64 {
        let stale = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target WHERE name NOT LIKE 'newer %'";
        self.site.rows(self.target, stale).await[0][0].trim().parse().unwrap()
    }

    /// A sound worker brings the run to its end; nothing is lost, doubled or changed, one
    /// participant ended it, and epochs only grew.
    pub async fn ends_well(&self, run: &str, path: &[&str]) {
        let worker = self.site.worker("sound", &[]);
        self.site.wait_for(run, "succeeded").await;
        assert_eq!(self.site.path(run).await, path, "{}", self.site.task_engine);
        self.proven(run).await;
        drop(worker);
    }

    /// What must hold of a run that has succeeded, whatever happened to it.
    pub async fn proven(&self, run: &str) {
        let site = &self.site;
        let engine = site.task_engine;
        let terminal = format!(
            "SELECT COUNT(*) FROM goshift_transition WHERE run_id = '{run}' \
             AND to_state IN ('succeeded', 'failed', 'cancelled')"
        );
        assert_eq!(site.ask_one(&terminal).await, "1", "{engine}: one finaliser");
        let epochs =
            format!("SELECT epoch FROM goshift_transition WHERE run_id = '{run}' ORDER BY id");
        let epochs: Vec<i64> =
            site.ask(&epochs).await.iter().map(|row| row[0].parse().unwrap()).collect();
        assert!(epochs.is_sorted(), "{engine}: epochs only grow: {epochs:?}");
        let open = format!(
            "SELECT COUNT(*) FROM goshift_shard WHERE run_id = '{run}' AND state <> 'done'"
        );
        assert_eq!(site.ask_one(&open).await, "0", "{engine}: every shard is in");
        let rows = format!("SELECT rows_done FROM goshift_run WHERE run_id = '{run}'");
        assert_eq!(site.ask_one(&rows).await, ROWS.to_string(), "{engine}: rows in the ledger");
        let rows =
            "SELECT CAST(COUNT(*) AS CHAR(9)), CAST(COUNT(DISTINCT id) AS CHAR(9)) FROM target";
        let rows: Vec<String> =
            site.rows(self.target, rows).await.remove(0).iter().map(|s| s.trim().into()).collect();
        assert_eq!(rows, [ROWS.to_string(), ROWS.to_string()], "{engine}: rows in the target");
        site.assert_equal(5);
    }
}

/// Waits until a worker has died of its fault.
pub async fn died(mut worker: Worker) {
    eventually("the worker dies at its fault point", || {
        let dead = !worker.is_alive();
        async move { dead }
    })
    .await;
    assert!(worker.log().contains("fault point"), "{}", worker.log());
}

/// Waits until a worker has stopped itself at its fault point.
pub async fn stopped(worker: &Worker) {
    eventually("the worker stops at its fault point", || async {
        worker.log().contains("fault point") && is_stopped(worker.pid())
    })
    .await;
}

/// Whether a process is stopped by a signal.
pub fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

/// `goshift-submit` with a fault; it must not end well.
pub fn submit_dies_at(site: &Site, point: &str, arguments: &[&str]) {
    let mut command = site.command("goshift-submit", arguments);
    let output = command.env("GOSHIFT_FAULT", format!("{point}=kill")).output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
}
