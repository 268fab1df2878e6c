//! Connections for LOAD DATA LOCAL INFILE, which sqlx does not have.
//!
//! The data comes from memory: no handler of ours opens a file, whatever a server may ask for.

use std::path::PathBuf;
use std::sync::LazyLock;

use async_trait::async_trait;
use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, DriverError, Opts, OptsBuilder, SslOpts};

use super::connect::{DEFAULT_PORT, ISOLATION, PATIENT, SESSION};
use super::failure;
use crate::config::connection::{ConnectionConfig, Tls};
use crate::error::{Error, Result};
use crate::plugin::reuse::{Session, Store, Trouble};

/// A process that is paused in the middle of a load would keep its row locks: the server gives up
/// waiting for its rows after so many seconds, and for its next statement in a transaction.
const IMPATIENT: &str = "SET SESSION net_read_timeout = 20";
const NAMES: &str = "SET NAMES utf8mb4, time_zone = '+00:00'";

/// Loading connections that no run uses now.
pub(super) static KEPT: LazyLock<Store<LoadSession>> = LazyLock::new(Store::default);

/// A connection for bulk loads, in the same session as those of [`super::connect`].
pub(super) struct LoadSession(pub Conn);

#[async_trait]
impl Session for LoadSession {
    async fn connect(config: &ConnectionConfig) -> Result<Self> {
        let opening = async {
            let mut conn = match open(config, true).await {
                // Nothing to encrypt with: "prefer" goes on without.
                Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
                    if config.tls == Tls::Prefer =>
                {
                    open(config, false).await?
                }
                opened => opened?,
            };
            conn.query_drop(format!("{NAMES}; {SESSION}; {ISOLATION}; {IMPATIENT}")).await?;
            if let Some(timeout) = config.statement_timeout {
                let version: Option<String> =
                    conn.query_first("SELECT CAST(VERSION() AS CHAR)").await?;
                let version = version.unwrap_or_default();
                conn.query_drop(super::connect::statement_timeout(&version, timeout)).await?;
            }
            Ok(conn)
        };
        match tokio::time::timeout(config.timeout(), opening).await {
            Ok(Ok(conn)) => Ok(Self(conn)),
            Ok(Err(error)) => {
                let address = config.address(DEFAULT_PORT);
                Err(failure::of_load(error, "connecting", &address).context(&config.place))
            }
            Err(_) => Err(Error::transient(format!(
                "{} ({}): no answer within {} s",
                config.place,
                config.address(DEFAULT_PORT),
                config.timeout().as_secs()
            ))),
        }
    }

    async fn prove(&mut self) -> Result<(), Trouble> {
        Ok(self.0.ping().await?)
    }

    async fn clean(&mut self) -> Result<(), Trouble> {
        Ok(self.0.query_drop(PATIENT).await?)
    }

    async fn close(self) -> Result<(), Trouble> {
        Ok(self.0.disconnect().await?)
    }
}

async fn open(config: &ConnectionConfig, encrypted: bool) -> mysql_async::Result<Conn> {
    let opts = OptsBuilder::default()
        .ip_or_hostname(config.host.as_deref().unwrap_or("127.0.0.1"))
        .tcp_port(config.port.unwrap_or(DEFAULT_PORT))
        .user(config.user.clone())
        .pass(Some(config.password.expose()))
        .db_name(config.db.clone())
        .prefer_socket(false)
        .tcp_nodelay(true)
        // As sqlx: a row that was updated to what it was counts as found.
        .client_found_rows(true)
        .stmt_cache_size(0)
        .ssl_opts(if encrypted { encryption(config) } else { None });
    Conn::new(Opts::from(opts)).await
}

/// What the driver needs to encrypt; as for sqlx, without a file of authorities those of the
/// operating system count.
fn encryption(config: &ConnectionConfig) -> Option<SslOpts> {
    let mut ssl = SslOpts::default();
    match config.tls {
        Tls::Disable => return None,
        Tls::Prefer | Tls::Require => {
            ssl =
                ssl.with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true);
        }
        Tls::VerifyCa => ssl = ssl.with_danger_skip_domain_validation(true),
        Tls::VerifyFull => {}
    }
    let authorities = match &config.tls_ca {
        Some(path) => vec![PathBuf::from(path).into()],
        None if matches!(config.tls, Tls::VerifyCa | Tls::VerifyFull) => {
            let native = rustls_native_certs::load_native_certs().certs;
            native.into_iter().map(|certificate| certificate.to_vec().into()).collect()
        }
        None => Vec::new(),
    };
    ssl = ssl.with_root_certs(authorities).with_disable_built_in_roots(true);
    if let (Some(certificate), Some(key)) = (&config.tls_cert, &config.tls_key) {
        let (certificate, key) = (PathBuf::from(certificate), PathBuf::from(key));
        ssl = ssl.with_client_identity(Some(ClientIdentity::new(certificate.into(), key.into())));
    }
    Some(ssl)
}
