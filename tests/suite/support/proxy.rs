//! A TCP proxy that can be cut: takes a server away from one test without touching the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Forwards a local port to a server, until it is cut or frozen.
pub struct Proxy {
    /// The port to connect to.
    pub port: u16,
    open: Arc<AtomicBool>,
    frozen: Arc<AtomicBool>,
    cut: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts to forward to `target` (`host:port`).
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, cut) = (Arc::new(AtomicBool::new(true)), Arc::new(Notify::new()));
        let frozen = Arc::new(AtomicBool::new(false));
        let (is_open, closing) = (Arc::clone(&open), Arc::clone(&cut));
        let is_frozen = Arc::clone(&frozen);
        let task = tokio::spawn(async move {
            loop {
                let Ok((mut client, _)) = listener.accept().await else { return };
                if !is_open.load(Ordering::SeqCst) {
                    continue;
                }
                let (target, closing) = (target.clone(), Arc::clone(&closing));
                let is_frozen = Arc::clone(&is_frozen);
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(&target).await else { return };
                    let (mut from_client, mut to_client) = client.split();
                    let (mut from_server, mut to_server) = server.split();
                    tokio::select! {
                        () = pump(&mut from_client, &mut to_server, &is_frozen) => {}
                        () = pump(&mut from_server, &mut to_client, &is_frozen) => {}
                        () = closing.notified() => {}
                    }
                });
            }
        });
        Self { port, open, frozen, cut, task }
    }

    /// Closes every connection and takes no new one.
    pub fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    /// Keeps every connection open and forwards nothing.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }

    /// Forwards again.
    pub fn restore(&self) {
        self.frozen.store(false, Ordering::SeqCst);
        self.open.store(true, Ordering::SeqCst);
    }
}

/// Forwards one direction; while frozen, what arrives waits.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    frozen: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        while frozen.load(Ordering::SeqCst) {
            super::pause().await;
        }
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
