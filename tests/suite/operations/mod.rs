//! Operations from the terminal: looking, pausing, settling what is dead, deleting what is old.

mod dead;
mod looking;
mod pause;
mod retention;

use std::process::Output;

use serde_json::Value;

use crate::support::{Site, text};

/// A place in which no lease ends by itself: nothing here is about rescues.
async fn site(engine: &'static str) -> Site {
    let mut site = Site::new(engine).await;
    site.configure(|config| config["worker"]["lease"] = "60s".into());
    site
}

/// Runs `goshift`, which must succeed, and returns what it printed.
fn said(site: &Site, arguments: &[&str]) -> String {
    let output = site.goshift(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    text(&output)
}

/// Runs `goshift … --json`, which must succeed, and returns its objects.
fn objects(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
    let output = site.goshift(&arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    lines(&output)
}

/// The objects that a command printed, one a line.
fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The end of a run's id, as people use it.
fn end(run: &str) -> &str {
    &run[run.len() - 8..]
}
