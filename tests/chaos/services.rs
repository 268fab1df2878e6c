//! `scripts/services`: stopping and starting the real servers.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::world::Server;

const PATIENCE: Duration = Duration::from_secs(240);
/// RabbitMQ's own default, which scripts/services leaves as it is.
const WATERMARK: &[&str] = &["ctl", "set_vm_memory_high_watermark", "0.4"];

/// Whether the servers may be stopped, and how.
#[derive(Debug, Clone)]
pub struct Services {
    /// Why not, in a sentence's words.
    pub why_not: Option<String>,
}

impl Services {
    /// Asks `scripts/services status` whose the servers are: those of others are not stopped.
    pub async fn find(wanted: Option<bool>) -> Self {
        if wanted == Some(false) {
            return Self { why_not: Some("CHAOS_SERVICES is 0".into()) };
        }
        let asked = command(&["status"]).output().await;
        let why_not = match asked {
            Err(error) => Some(format!("scripts/services can't be run ({error})")),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let ours = ["(Debian package", "(docker compose"];
                let is_ours = |line: &&str| {
                    line.contains(" running ") && ours.iter().any(|mark| line.contains(mark))
                };
                (text.lines().filter(is_ours).count() != 3)
                    .then(|| "scripts/services did not start all of them".into())
            }
        };
        Self { why_not }
    }

    /// Whether they may be stopped.
    pub fn may_stop(&self) -> bool {
        self.why_not.is_none()
    }

    /// Stops one.
    pub async fn stop(&self, server: Server) -> Result<(), String> {
        run(&["stop", server.service()]).await
    }

    /// Starts it again.
    pub async fn start(&self, server: Server) -> Result<(), String> {
        run(&["start", server.service()]).await
    }

    /// The broker closes every connection.
    pub async fn close_connections(&self) -> Result<(), String> {
        run(&["ctl", "close_all_connections", "chaos"]).await
    }

    /// The broker finds that it has no memory left, or that it has.
    pub async fn alarm(&self, on: bool) -> Result<(), String> {
        let on_arguments = ["ctl", "set_vm_memory_high_watermark", "absolute", "1MB"];
        run(if on { &on_arguments } else { WATERMARK }).await
    }

    /// As they were before, whatever was going on.
    pub async fn heal(&self) {
        if !self.may_stop() {
            return;
        }
        for server in crate::world::SERVERS {
            if let Err(error) = self.start(server).await {
                eprintln!("chaos: {} can't be started again: {error}", server.name());
            }
        }
        if let Err(error) = self.alarm(false).await {
            eprintln!("chaos: the broker's memory limit can't be set back: {error}");
        }
    }
}

fn command(arguments: &[&str]) -> tokio::process::Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/services");
    let mut command = tokio::process::Command::new(script);
    command.args(arguments).stdin(Stdio::null());
    command
}

async fn run(arguments: &[&str]) -> Result<(), String> {
    let what = format!("scripts/services {}", arguments.join(" "));
    match tokio::time::timeout(PATIENCE, command(arguments).output()).await {
        Err(_) => Err(format!("{what} takes longer than {PATIENCE:?}")),
        Ok(Err(error)) => Err(format!("{what}: {error}")),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}
