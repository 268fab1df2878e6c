//! How a MySQL or MariaDB server is: running threads, and how far a replica is behind.

use sqlx::mysql::MySqlRow;
use sqlx::{ConnectOptions, Connection, Executor, Row};

use super::connect::{self, Database};
use super::failure;
use crate::config::connection::ConnectionConfig;
use crate::error::{Error, Result};

/// The lag's column: MySQL 8.0.22 and newer, then everything else.
const LAG_COLUMNS: [&str; 2] = ["Seconds_Behind_Source", "Seconds_Behind_Master"];

/// Refuses bounds that could not be looked at.
pub(super) fn check(config: &ConnectionConfig) -> Result<()> {
    match (&config.max_replay_lag, &config.replica) {
        (Some(_), None) => Err(Error::config(format!(
            "{}: \"max_replay_lag\" needs \"replica\": a MySQL server does not know how far its \
             replicas are behind",
            config.place
        ))
        .with_remedy(format!("add \"replica\": \"host:port\" to {}", config.place))),
        (None, Some(_)) => config.refuse(&["replica"], "without \"max_replay_lag\""),
        (Some(_), Some(_)) => replica(config).map(|_| ()),
        (None, None) => Ok(()),
    }
}

/// Whether there is a bound to look at.
pub(super) fn has_bounds(config: &ConnectionConfig) -> bool {
    config.max_threads_running.is_some() || config.max_replay_lag.is_some()
}

/// Which bound the server is over.
pub(super) async fn ask(db: &Database) -> Result<Option<String>> {
    if let Some(bound) = db.config.max_threads_running {
        let threads = threads_running(db).await?;
        if threads > bound {
            return Ok(Some(format!("Threads_running is {threads}, the bound is {bound}")));
        }
    }
    let Some(bound) = db.config.max_replay_lag else { return Ok(None) };
    let (config, address) = replica(&db.config)?;
    let said = match lag(&config, &address).await? {
        None => format!("replica {address} is not replicating"),
        Some(lag) if lag as f64 > bound.as_secs_f64() => format!(
            "replica {address} is {lag} s behind, the bound is {}",
            humantime::format_duration(bound)
        ),
        Some(_) => return Ok(None),
    };
    Ok(Some(said))
}

/// The server's own figure, which counts this question too.
async fn threads_running(db: &Database) -> Result<u64> {
    let failed = |error| db.failure("asking how it is", error);
    let mut lease = db.lease().await?;
    let row = (&mut *lease)
        .fetch_one("SHOW GLOBAL STATUS LIKE 'Threads_running'")
        .await
        .map_err(failed)?;
    lease.keep();
    let threads = text(&row, 1).map_err(failed)?;
    number(threads.as_deref().unwrap_or_default())
}

/// The replica's connection: the same login at another address.
fn replica(config: &ConnectionConfig) -> Result<(ConnectionConfig, String)> {
    let given = config.replica.as_deref().unwrap_or_default().trim();
    let (host, port) = given.rsplit_once(':').unwrap_or((given, "3306"));
    let port = port.parse().ok().filter(|_| !host.is_empty()).ok_or_else(|| {
        Error::config(format!("{}: replica \"{given}\" is not an address", config.place))
            .with_remedy("write host:port")
    })?;
    let address = format!("{host}:{port}");
    Ok((
        ConnectionConfig { host: Some(host.to_owned()), port: Some(port), ..config.clone() },
        address,
    ))
}

/// Seconds that the replica is behind, the most of all its sources; `None` when one of them is
/// not replicated at all.
async fn lag(config: &ConnectionConfig, address: &str) -> Result<Option<u64>> {
    let failed = |error| failure::classify(error, "asking for its lag", address);
    let mut conn = connect::options(config)?.connect().await.map_err(failed)?;
    let rows = match conn.fetch_all("SHOW REPLICA STATUS").await {
        // Before MySQL 8.0.22 and MariaDB 10.5.1 that was a syntax error.
        Err(sqlx::Error::Database(_)) => conn.fetch_all("SHOW SLAVE STATUS").await,
        other => other,
    };
    let rows = rows.map_err(failed)?;
    conn.close().await.map_err(failed)?;
    if rows.is_empty() {
        return Err(Error::config(format!("{address} is not a replica"))
            .with_remedy(format!("correct \"replica\" of {}", config.place)));
    }
    let mut most = 0;
    for row in &rows {
        match behind(row).map_err(failed)? {
            None => return Ok(None),
            Some(seconds) => most = most.max(number(&seconds)?),
        }
    }
    Ok(Some(most))
}

fn behind(row: &MySqlRow) -> Result<Option<String>, sqlx::Error> {
    let index =
        row.columns().iter().position(|column| LAG_COLUMNS.contains(&sqlx::Column::name(column)));
    text(row, index.ok_or_else(|| sqlx::Error::ColumnNotFound(LAG_COLUMNS[0].to_owned()))?)
}

/// A cell as the server printed it.
fn text(row: &MySqlRow, index: usize) -> Result<Option<String>, sqlx::Error> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(index)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

fn number(text: &str) -> Result<u64> {
    text.trim().parse().map_err(|_| Error::transient(format!("\"{text}\" is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn config(lag: Option<u64>, replica: Option<&str>) -> ConnectionConfig {
        ConnectionConfig {
            place: "to.mysql.a_b".to_owned(),
            max_replay_lag: lag.map(Duration::from_secs),
            replica: replica.map(str::to_owned),
            ..Default::default()
        }
    }

    #[test]
    fn a_bound_that_cannot_be_looked_at_is_refused() {
        for (lag, given) in
            [(Some(5), None), (None, Some("h:1")), (Some(5), Some(":x")), (Some(5), Some(""))]
        {
            let error = check(&config(lag, given)).unwrap_err();
            assert!(error.to_string().contains("to.mysql.a_b"), "{error}");
            assert!(error.remedy().is_some());
        }
        assert!(check(&config(None, None)).is_ok());
        let (replica, address) = replica(&config(Some(5), Some("db2:3307"))).unwrap();
        assert_eq!((replica.host.as_deref(), replica.port), (Some("db2"), Some(3307)));
        assert_eq!(address, "db2:3307");
    }
}
