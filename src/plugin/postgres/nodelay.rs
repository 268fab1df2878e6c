//! Sends small packets at once.
//!
//! The driver leaves its sockets as the system makes them. At the end of a COPY it writes the last
//! rows and then, in a packet of its own, that they were the last: that packet waits until the
//! server has confirmed the one before, and the server waits 40 ms before it confirms anything by
//! itself. That is 40 ms a shard. The driver does not show its socket either, so that the option is
//! set on a duplicate, which is the same socket. Where the system refuses one (a container without
//! CAP_SYS_PTRACE, an old kernel) everything works as before, only slower.

use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use rustix::net::{SocketType, getpeername, sockopt};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// For this process's connections to this port, those that are open already included.
pub(super) fn set(port: u16) {
    if let Err(error) = set_on_all(port) {
        tracing::debug!(%error, "small packets to PostgreSQL can't be hastened");
    }
}

fn set_on_all(port: u16) -> io::Result<()> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // One that has been closed since the folder was read is none of ours.
        let Ok(kind) = std::fs::read_link(entry.path()) else { continue };
        let number = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        let Some(number) = number.filter(|_| kind.to_string_lossy().starts_with("socket:")) else {
            continue;
        };
        let duplicate: OwnedFd = match pidfd_getfd(&own, number, PidfdGetfdFlags::empty()) {
            Err(rustix::io::Errno::BADF) => continue,
            duplicate => duplicate?,
        };
        if is_to(&duplicate, port) {
            sockopt::set_tcp_nodelay(&duplicate, true)?;
        }
    }
    Ok(())
}

/// Whether it is a TCP connection to this port.
fn is_to(socket: impl AsFd, port: u16) -> bool {
    let Ok(Some(peer)) = getpeername(&socket) else { return false };
    match std::net::SocketAddr::try_from(peer) {
        Ok(peer) => peer.port() == port && sockopt::socket_type(&socket) == Ok(SocketType::STREAM),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_connections_to_a_port_are_found() {
        let (wanted, other) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = wanted.local_addr().unwrap().port();
        let to_wanted = TcpStream::connect(wanted.local_addr().unwrap()).unwrap();
        let to_other = TcpStream::connect(other.local_addr().unwrap()).unwrap();
        // A sandbox may refuse it; then nothing has changed.
        if set_on_all(port).is_ok() {
            assert!(to_wanted.nodelay().unwrap());
        }
        assert!(!to_other.nodelay().unwrap());
    }
}
