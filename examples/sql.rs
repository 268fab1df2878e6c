//! Runs an SQL script in one of the databases of a configuration: `make demo` makes its tables
//! with it, so that it needs no database client.
//!
//! `cargo run --example sql -- etc/demo.json task_meta < etc/demo/tasks.sql`
//! `cargo run --example sql -- etc/demo.json from.sqlite.demo_shop < etc/demo/shop.sql`

use std::error::Error;
use std::io::Read;
use std::path::Path;

use goshift::config::connection::ConnectionConfig;
use goshift::config::{Settings, Side};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, place] = arguments.as_slice() else {
        return Err("usage: sql etc/ENV.json task_meta|from.ENGINE.KEY|to.ENGINE.KEY < FILE".into());
    };
    let file = Path::new(file);
    let (Some(folder), Some(env)) = (file.parent(), file.file_stem().and_then(|s| s.to_str()))
    else {
        return Err(format!("{} is not a configuration file", file.display()).into());
    };
    let settings = Settings::load(folder, env, true).map_err(explained)?;
    let (engine, connection) = find(&settings, place)?;
    let mut script = String::new();
    std::io::stdin().read_to_string(&mut script)?;
    execute(&engine, &connection, script).await
}

fn find(settings: &Settings, place: &str) -> Result<(String, ConnectionConfig)> {
    if place == "task_meta" {
        return settings.task_meta().map_err(explained);
    }
    let parts: Vec<&str> = place.split('.').collect();
    let (side, engine, key) = match parts.as_slice() {
        ["from", engine, key] => (Side::From, *engine, *key),
        ["to", engine, key] => (Side::To, *engine, *key),
        _ => {
            return Err(
                format!("{place}: write task_meta, from.ENGINE.KEY or to.ENGINE.KEY").into()
            );
        }
    };
    let connection = settings.connection_by_key(side, engine, key).map_err(explained)?;
    Ok((engine.to_owned(), connection))
}

async fn execute(engine: &str, to: &ConnectionConfig, script: String) -> Result<()> {
    let script = sqlx::raw_sql(AssertSqlSafe(script));
    let host = to.host.as_deref().unwrap_or("127.0.0.1");
    let user = to.user.as_deref().unwrap_or_default();
    match engine {
        "mysql" => {
            let mut options = MySqlConnectOptions::new()
                .host(host)
                .port(to.port.unwrap_or(3306))
                .username(user)
                .password(to.password.expose());
            if let Some(db) = &to.db {
                options = options.database(db);
            }
            options.connect().await?.execute(script).await?;
        }
        "postgres" => {
            let mut options = PgConnectOptions::new_without_pgpass()
                .host(host)
                .port(to.port.unwrap_or(5432))
                .username(user)
                .password(to.password.expose())
                .database(to.db.as_deref().unwrap_or("postgres"));
            if let Some(schema) = &to.schema {
                options = options.options([("search_path", schema)]);
            }
            options.connect().await?.execute(script).await?;
        }
        "sqlite" => {
            let path = to.path.as_deref().ok_or("the connection has no \"path\"")?;
            let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
            options.connect().await?.execute(script).await?;
        }
        other => return Err(format!("there is no engine {other}").into()),
    }
    Ok(())
}

/// goshift's error with its remedy.
fn explained(error: goshift::error::Error) -> Box<dyn Error> {
    match error.remedy() {
        Some(remedy) => format!("{error}\n  → {remedy}").into(),
        None => error.into(),
    }
}
