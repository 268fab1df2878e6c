//! A TCP proxy that can be cut, frozen, slowed down or half closed: takes a server away from one
//! test without touching the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Forwards a local port to a server, until it is cut or frozen.
pub struct Proxy {
    /// The port to connect to.
    pub port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    open: AtomicBool,
    accepted: AtomicUsize,
    frozen: AtomicBool,
    delay_ms: AtomicU64,
    cut: Notify,
    half: watch::Sender<Halves>,
}

/// How often connections were half closed, and how many of those times are over.
#[derive(Clone, Copy, Default)]
struct Halves {
    begun: u64,
    over: u64,
}

impl Proxy {
    /// Starts to forward to `target` (`host:port`).
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            open: AtomicBool::new(true),
            accepted: AtomicUsize::new(0),
            frozen: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            cut: Notify::new(),
            half: watch::Sender::new(Halves::default()),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                if shared.open.load(Ordering::SeqCst) {
                    shared.accepted.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(forward(client, target.clone(), Arc::clone(&shared)));
                }
            }
        });
        Self { port, state, task }
    }

    /// Closes every connection and takes no new one.
    pub fn cut(&self) {
        self.state.open.store(false, Ordering::SeqCst);
        self.state.cut.notify_waiters();
    }

    /// How many connections it has taken so far.
    pub fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Keeps every connection open and forwards nothing.
    pub fn freeze(&self) {
        self.state.frozen.store(true, Ordering::SeqCst);
    }

    /// Holds up each chunk for so long, both ways.
    pub fn delay(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis() as u64, Ordering::SeqCst);
    }

    /// Tells the clients of all connections that the server has ended, and the server nothing: its
    /// sessions stay, with their locks, until this is restored. New connections work.
    pub fn half_close(&self) {
        self.state.half.send_modify(|half| half.begun += 1);
    }

    /// Forwards again.
    pub fn restore(&self) {
        self.state.frozen.store(false, Ordering::SeqCst);
        self.state.open.store(true, Ordering::SeqCst);
        self.state.delay_ms.store(0, Ordering::SeqCst);
        self.state.half.send_modify(|half| half.over = half.begun);
    }
}

async fn forward(mut client: TcpStream, target: String, state: Arc<State>) {
    let mut half = state.half.subscribe();
    let before = half.borrow().begun;
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let is_half = tokio::select! {
        () = pump(&mut from_client, &mut to_server, &state) => false,
        () = pump(&mut from_server, &mut to_client, &state) => false,
        () = state.cut.notified() => false,
        changed = half.wait_for(|half| half.begun > before) => changed.is_ok(),
    };
    if !is_half || to_client.shutdown().await.is_err() {
        return;
    }
    let stays = async {
        pump(&mut from_client, &mut to_server, &state).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stays => {}
        () = state.cut.notified() => {}
        _ = half.wait_for(|half| half.over > before) => {}
    }
}

/// Forwards one direction; while frozen, what arrives waits.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    state: &State,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        let delay = state.delay_ms.load(Ordering::SeqCst);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        while state.frozen.load(Ordering::SeqCst) {
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
