//! Where the server listens: in the clear, or with TLS.

use std::net::{SocketAddr, TcpListener};

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio_util::sync::CancellationToken;

use crate::config::server::ServerSettings;
use crate::error::{Error, Result};

/// An address that is taken, and what is spoken there.
pub(super) struct Listening {
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    /// Where it is, with the port that was found.
    pub at: SocketAddr,
}

impl Listening {
    /// Takes the configured address.
    ///
    /// # Errors
    /// Kind `Config`: the address can't be had, or the certificate or its key can't be read.
    pub async fn start(server: &ServerSettings) -> Result<Self> {
        let tls = match (&server.tls_cert, &server.tls_key) {
            (Some(cert), Some(key)) => {
                let read = RustlsConfig::from_pem_file(cert, key).await;
                Some(read.map_err(|error| {
                    Error::config(format!("can't use {cert} with the key {key}"))
                        .caused_by(error)
                        .with_remedy("server.tls_cert and server.tls_key are a certificate chain and its key, as PEM")
                })?)
            }
            _ => None,
        };
        let taken = TcpListener::bind(server.listen).and_then(|listener| {
            // Tokio's way to wait.
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = taken.map_err(|error| {
            Error::config(format!("can't listen on {}", server.listen))
                .caused_by(error)
                .with_remedy("is another process listening there? set server.listen")
        })?;
        let at = listener.local_addr().unwrap_or(server.listen);
        Ok(Self { listener, tls, at })
    }

    /// How people write it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.at)
    }

    /// Answers until it is told to drain, and to the end of what is asked then.
    ///
    /// # Errors
    /// Kind `Internal` when it can't go on.
    pub async fn serve(self, router: Router, drain: CancellationToken) -> Result<()> {
        let handle = Handle::new();
        let ending = handle.clone();
        tokio::spawn(async move {
            drain.cancelled().await;
            ending.graceful_shutdown(None);
        });
        let service = router.into_make_service();
        let served = match self.tls {
            Some(tls) => match axum_server::from_tcp_rustls(self.listener, tls) {
                Ok(server) => server.handle(handle).serve(service).await,
                Err(error) => Err(error),
            },
            None => match axum_server::from_tcp(self.listener) {
                Ok(server) => server.handle(handle).serve(service).await,
                Err(error) => Err(error),
            },
        };
        served.map_err(|error| Error::internal("the server has ended").caused_by(error))
    }
}
