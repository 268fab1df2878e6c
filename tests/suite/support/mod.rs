//! What the tests share: the real servers, a place of its own for each test, the real binaries.
//!
//! Each test has its own databases, schema, files and queue prefix, and can run beside the others.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

mod amqp;
pub mod proxy;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use goshift::config::connection::Secret;
use goshift::queue::rabbitmq::RabbitConfig;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlPool, PgPool};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The three engines, by their names in configuration.
pub const ENGINES: [&str; 3] = ["mysql", "postgres", "sqlite"];

/// Values of `make services`, the process's environment first.
pub fn variables() -> HashMap<String, String> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("etc/local.env");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut variables: HashMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    variables.extend(std::env::vars());
    variables
}

fn variable(name: &str) -> String {
    variables()
        .remove(name)
        .unwrap_or_else(|| panic!("{name} is not set: start the services with `make services`"))
}

fn unreachable(what: &str, error: &dyn std::fmt::Display) -> ! {
    panic!("{what} is not reachable ({error}): start the services with `make services`")
}

/// A test's own place: configuration folder, databases and queue prefix, all removed at its end.
pub struct Site {
    /// Part of every name this test uses.
    pub id: String,
    /// Its folder; the configuration is `etc/test.json` in it.
    pub folder: PathBuf,
    /// MySQL, in this test's own database.
    pub mysql: MySqlPool,
    /// PostgreSQL, in this test's own schema.
    pub postgres: PgPool,
    /// The engine of the task database.
    pub task_engine: &'static str,
    config: Value,
}

impl Site {
    /// A place whose task database is of this engine, with RabbitMQ as its queue.
    pub async fn new(task_engine: &'static str) -> Self {
        let id = format!("gst_{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
        let folder = std::env::temp_dir().join(&id);
        std::fs::create_dir_all(folder.join("etc")).unwrap();
        let (mysql, postgres) = (mysql(&id).await, postgres(&id).await);
        let mut site = Self { config: Value::Null, id, folder, mysql, postgres, task_engine };
        site.config = site.default_config();
        site.save();
        let created = site.goshift(&["init-db"]);
        assert!(created.status.success(), "{}", text(&created));
        site
    }

    /// The connection entry of an engine in this test's place.
    pub fn connection(&self, engine: &str) -> Value {
        match engine {
            "mysql" => json!({
                "host": variable("LOCAL_DW_MYSQL_Z_ETL_HOST"),
                "port": variable("LOCAL_DW_MYSQL_Z_ETL_PORT"),
                "user": variable("LOCAL_DW_MYSQL_Z_ETL_USER"),
                "password": variable("LOCAL_DW_MYSQL_Z_ETL_PASSWORD"),
                "db": self.id,
                // The tests stand for copies from server to server; `inside` has those within one.
                "server_side": false,
            }),
            "postgres" => json!({
                "host": variable("LOCAL_DW_POSTGRES_Z_ETL_HOST"),
                "port": variable("LOCAL_DW_POSTGRES_Z_ETL_PORT"),
                "user": variable("LOCAL_DW_POSTGRES_Z_ETL_USER"),
                "password": variable("LOCAL_DW_POSTGRES_Z_ETL_PASSWORD"),
                "db": "goshift",
                "schema": self.id,
            }),
            _ => json!({"path": self.sqlite_path()}),
        }
    }

    /// The SQLite file that holds data; the ledger has another.
    pub fn sqlite_path(&self) -> PathBuf {
        self.folder.join("data.db")
    }

    /// This test's SQLite file, opened.
    pub fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.sqlite_path()).unwrap()
    }

    fn default_config(&self) -> Value {
        let mut task_meta = match self.task_engine {
            "sqlite" => json!({"path": self.folder.join("ledger.db")}),
            engine => self.connection(engine),
        };
        task_meta["type"] = json!(self.task_engine);
        let from: serde_json::Map<String, Value> = ENGINES
            .iter()
            .map(|&engine| (engine.to_owned(), json!({"app_db": self.connection(engine)})))
            .collect();
        json!({
            "task_meta": task_meta,
            "from": from,
            "queue": {
                "type": "rabbitmq", "url": variable("GOSHIFT_QUEUE_URL"), "prefix": self.id,
            },
            // Short, so that tests of rescues and retries take seconds.
            "worker": {
                "lease": "3s", "poll": "200ms", "stale_after": "2s",
                "retry_ladder": ["1s", "2s", "2s"], "max_attempts": 20,
            },
        })
    }

    /// Changes the configuration.
    pub fn configure(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        self.save();
    }

    /// Without a broker: workers look into the ledger.
    pub fn embedded(&mut self) {
        self.configure(|config| config["queue"] = json!({"type": "embedded"}));
    }

    fn save(&self) {
        let text = serde_json::to_string_pretty(&self.config).unwrap();
        std::fs::write(self.folder.join("etc/test.json"), text).unwrap();
    }

    /// How this test's queues are named.
    pub fn rabbit(&self) -> RabbitConfig {
        RabbitConfig {
            url: Secret::new(variable("GOSHIFT_QUEUE_URL")),
            prefix: self.id.clone(),
            place: "queue.url".to_owned(),
        }
    }

    /// Enters a task row: copy `from_table` of one engine to `to_table` of another.
    pub async fn task(&self, id: i64, from: (&str, &str), to: (&str, &str), params: &str) {
        let quoted = params.replace('\\', "\\\\").replace('\'', "''");
        self.tasks(&format!(
            "INSERT INTO task_def_sync_manager (id, from_app, from_db_type, from_db, from_table, \
             to_app, to_db_type, to_db, to_table, params, online_status, create_time, update_time) \
             VALUES ({id}, 'app', '{}', 'db', '{}', 'app', '{}', 'db', '{}', '{quoted}', 1, \
             '2024-01-01 00:00:00', '2024-01-01 00:00:00')",
            from.0, from.1, to.0, to.1
        ))
        .await;
    }

    /// Runs a statement in the task database.
    pub async fn tasks(&self, sql: &str) {
        match self.task_engine {
            "mysql" => self.my(sql).await,
            "postgres" => self.pg(sql).await,
            _ => {
                let ledger = rusqlite::Connection::open(self.folder.join("ledger.db")).unwrap();
                ledger.busy_timeout(Duration::from_secs(20)).unwrap();
                ledger.execute_batch(sql).unwrap();
            }
        }
    }

    /// Rows of a query in the task database, cells as text, NULL as "NULL".
    pub async fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        match self.task_engine {
            "mysql" => self.rows("mysql", sql).await,
            "postgres" => self.rows("postgres", sql).await,
            _ => {
                let ledger = rusqlite::Connection::open(self.folder.join("ledger.db")).unwrap();
                ledger.busy_timeout(Duration::from_secs(20)).unwrap();
                sqlite_rows(&ledger, sql)
            }
        }
    }

    /// The first cell of a query in the task database.
    pub async fn ask_one(&self, sql: &str) -> String {
        let rows = self.ask(sql).await;
        rows.into_iter().flatten().next().unwrap_or_default()
    }

    /// Rows of a query in an engine's data database, cells as text. Cast what is not text.
    pub async fn rows(&self, engine: &str, sql: &str) -> Vec<Vec<String>> {
        self.try_rows(engine, sql).await.unwrap()
    }

    /// The same from a server that may be away.
    pub async fn try_rows(&self, engine: &str, sql: &str) -> Result<Vec<Vec<String>>, sqlx::Error> {
        let raw = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        Ok(match engine {
            "mysql" => mysql_rows(&self.mysql.fetch_all(raw).await?),
            "postgres" => postgres_rows(&self.postgres.fetch_all(raw).await?),
            _ => sqlite_rows(&self.sqlite(), sql),
        })
    }

    /// Runs statements in MySQL.
    pub async fn my(&self, sql: &str) {
        self.mysql.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    }

    /// Runs statements in PostgreSQL.
    pub async fn pg(&self, sql: &str) {
        self.postgres.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    }

    /// Runs statements in this engine's data database.
    pub async fn execute(&self, engine: &str, sql: &str) {
        match engine {
            "mysql" => self.my(sql).await,
            "postgres" => self.pg(sql).await,
            _ => self.sqlite().execute_batch(sql).unwrap(),
        }
    }

    /// A command of one of the binaries, with this test's configuration.
    pub fn command(&self, binary: &str, arguments: &[&str]) -> Command {
        let path = match binary {
            "goshift" => env!("CARGO_BIN_EXE_goshift"),
            "goshift-submit" => env!("CARGO_BIN_EXE_goshift-submit"),
            "goshift-worker" => env!("CARGO_BIN_EXE_goshift-worker"),
            "goshift-server" => env!("CARGO_BIN_EXE_goshift-server"),
            other => panic!("there is no binary {other}"),
        };
        let mut command = Command::new(path);
        command.args(["-c", "etc", "-e", "test"]).args(arguments).current_dir(&self.folder);
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    /// Runs `goshift` to its end.
    pub fn goshift(&self, arguments: &[&str]) -> Output {
        to_its_end(self.command("goshift", arguments))
    }

    /// Runs `goshift-submit` to its end.
    pub fn submit(&self, arguments: &[&str]) -> Output {
        to_its_end(self.command("goshift-submit", arguments))
    }

    /// Submits and returns the run ids.
    pub fn submitted(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.submit(arguments);
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Starts a command that is going to be killed.
    pub fn start(&self, binary: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(binary, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts a worker; its log is `<name>.log` in the test's folder.
    pub fn worker(&self, name: &str, arguments: &[&str]) -> Worker {
        self.faulty_worker(name, arguments, "")
    }

    /// A worker that stops or dies at a fault point (see `goshift::fault`).
    pub fn faulty_worker(&self, name: &str, arguments: &[&str], fault: &str) -> Worker {
        let log = self.folder.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = self.command("goshift-worker", arguments);
        command.args(["--name", name]);
        if !fault.is_empty() {
            command.env("GOSHIFT_FAULT", fault);
        }
        command.stdout(Stdio::null()).stderr(file);
        Worker { child: command.spawn().unwrap(), log }
    }

    /// Starts a server; its log is `server.log` in the test's folder.
    pub fn server(&self) -> Worker {
        self.another_server("server")
    }

    /// Starts a server whose log is `<name>.log`.
    pub fn another_server(&self, name: &str) -> Worker {
        self.faulty_server(name, "")
    }

    /// A server that stops or dies at a fault point (see `goshift::fault`).
    pub fn faulty_server(&self, name: &str, fault: &str) -> Worker {
        let log = self.folder.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = self.command("goshift-server", &[]);
        if !fault.is_empty() {
            command.env("GOSHIFT_FAULT", fault);
        }
        command.stdout(Stdio::null()).stderr(file);
        Worker { child: command.spawn().unwrap(), log }
    }

    /// Runs a worker until nothing is left to do.
    pub fn drain(&self) {
        let output = to_its_end(self.command("goshift-worker", &["--drain"]));
        assert!(output.status.success(), "{}", text(&output));
    }

    /// The state of a run.
    pub async fn state(&self, run: &str) -> String {
        self.ask_one(&format!("SELECT state FROM goshift_run WHERE run_id = '{run}'")).await
    }

    /// Waits until a run is in this state.
    pub async fn wait_for(&self, run: &str, state: &str) {
        let what = format!("run {run} is {state}");
        eventually(&what, || async { self.state(run).await == state }).await;
    }

    /// The states a run has gone through.
    pub async fn path(&self, run: &str) -> Vec<String> {
        let sql =
            format!("SELECT to_state FROM goshift_transition WHERE run_id = '{run}' ORDER BY id");
        self.ask(&sql).await.into_iter().flatten().collect()
    }

    /// Both sides of a task are equal by `goshift verify`.
    pub fn assert_equal(&self, task: i64) {
        let output = self.goshift(&["verify", "-id", &task.to_string()]);
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Holds the locks that a statement takes in the task database, until they are released.
    pub async fn lock(&self, sql: &str) -> Lock {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.task_engine {
            "mysql" => {
                let mut tx = self.mysql.begin().await.unwrap();
                tx.execute(sql).await.unwrap();
                Lock::Mysql(tx)
            }
            _ => {
                let mut tx = self.postgres.begin().await.unwrap();
                tx.execute(sql).await.unwrap();
                Lock::Postgres(tx)
            }
        }
    }

    /// Puts a proxy between this site and the broker.
    pub async fn proxy_broker(&mut self) -> proxy::Proxy {
        let mut url = url::Url::parse(self.rabbit().url.expose()).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let proxy = proxy::Proxy::start(format!("{host}:{}", url.port().unwrap_or(5672))).await;
        url.set_port(Some(proxy.port)).unwrap();
        self.configure(|config| config["queue"]["url"] = url.to_string().into());
        proxy
    }

    /// Lets this site talk to the broker directly again.
    pub fn direct_broker(&mut self) {
        self.configure(|config| config["queue"]["url"] = variable("GOSHIFT_QUEUE_URL").into());
    }

    /// Removes everything. Not reached by a test that fails: its place stays to be looked at.
    pub async fn remove(self) {
        goshift::queue::rabbitmq::delete(&self.rabbit()).await.unwrap();
        self.my(&format!("DROP DATABASE {}", self.id)).await;
        self.pg(&format!("DROP SCHEMA {} CASCADE", self.id)).await;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Locks held in the task database.
pub enum Lock {
    /// Of a MySQL transaction.
    Mysql(sqlx::Transaction<'static, sqlx::MySql>),
    /// Of a PostgreSQL transaction.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Lock {
    /// Lets the others go on.
    pub async fn release(self) {
        match self {
            Lock::Mysql(tx) => tx.rollback().await.unwrap(),
            Lock::Postgres(tx) => tx.rollback().await.unwrap(),
        }
    }
}

/// A worker's or a server's process. Dropping it kills it.
pub struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal by name, as in `TERM` or `STOP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end and returns the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "the worker does not end:\n{}", self.log());
            pause().await;
        }
    }

    /// Whether it is still there.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Waits for a condition, with a limit.
pub async fn eventually<F, Fut>(what: &str, mut condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        pause().await;
    }
}

/// The one pause of the tests: between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(25)).await;
}

/// Runs a command. One that does not end is stopped, and fails the test with what it printed.
fn to_its_end(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let (ended, output) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    match output.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            Command::new("kill").args(["-KILL", &id]).status().unwrap();
            let output = output.recv().unwrap().unwrap();
            panic!("not ended within {PATIENCE:?}: {command:?}: {}", text(&output));
        }
    }
}

/// What a command printed.
pub fn text(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

async fn mysql(id: &str) -> MySqlPool {
    let options = MySqlConnectOptions::new()
        .host(&variable("LOCAL_DW_MYSQL_Z_ETL_HOST"))
        .port(variable("LOCAL_DW_MYSQL_Z_ETL_PORT").parse().unwrap())
        .username(&variable("LOCAL_DW_MYSQL_Z_ETL_USER"))
        .password(&variable("LOCAL_DW_MYSQL_Z_ETL_PASSWORD"))
        .charset("utf8mb4")
        .disable_statement_logging();
    let mut conn = match options.connect().await {
        Ok(conn) => conn,
        Err(error) => unreachable("MariaDB", &error),
    };
    let create = format!("CREATE DATABASE {id} CHARACTER SET utf8mb4");
    conn.execute(sqlx::raw_sql(AssertSqlSafe(create))).await.unwrap();
    MySqlPoolOptions::new().max_connections(4).connect_with(options.database(id)).await.unwrap()
}

async fn postgres(id: &str) -> PgPool {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&variable("LOCAL_DW_POSTGRES_Z_ETL_HOST"))
        .port(variable("LOCAL_DW_POSTGRES_Z_ETL_PORT").parse().unwrap())
        .username(&variable("LOCAL_DW_POSTGRES_Z_ETL_USER"))
        .password(&variable("LOCAL_DW_POSTGRES_Z_ETL_PASSWORD"))
        .database("goshift")
        .options([("search_path", id), ("timezone", "UTC")])
        .disable_statement_logging();
    let mut conn = match options.connect().await {
        Ok(conn) => conn,
        Err(error) => unreachable("PostgreSQL", &error),
    };
    conn.execute(sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {id}")))).await.unwrap();
    PgPoolOptions::new().max_connections(4).connect_with(options).await.unwrap()
}

fn mysql_rows(rows: &[sqlx::mysql::MySqlRow]) -> Vec<Vec<String>> {
    use sqlx::Row;
    rows.iter()
        .map(|row| {
            (0..row.len())
                .map(|i| {
                    let cell = row.try_get_unchecked::<Option<&[u8]>, _>(i).unwrap();
                    cell.map_or("NULL".to_owned(), |c| String::from_utf8_lossy(c).into_owned())
                })
                .collect()
        })
        .collect()
}

fn postgres_rows(rows: &[sqlx::postgres::PgRow]) -> Vec<Vec<String>> {
    use sqlx::Row;
    rows.iter()
        .map(|row| {
            (0..row.len())
                .map(|i| {
                    let cell = row.try_get_unchecked::<Option<&str>, _>(i).unwrap();
                    cell.map_or("NULL".to_owned(), str::to_owned)
                })
                .collect()
        })
        .collect()
}

fn sqlite_rows(connection: &rusqlite::Connection, sql: &str) -> Vec<Vec<String>> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..columns)
            .map(|i| {
                Ok(match row.get_ref(i)? {
                    ValueRef::Null => "NULL".to_owned(),
                    ValueRef::Integer(n) => n.to_string(),
                    ValueRef::Real(n) => n.to_string(),
                    ValueRef::Text(t) | ValueRef::Blob(t) => {
                        String::from_utf8_lossy(t).into_owned()
                    }
                })
            })
            .collect()
    });
    rows.unwrap().collect::<Result<_, rusqlite::Error>>().unwrap()
}
