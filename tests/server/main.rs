//! `goshift-server` as its callers meet it: real processes, HTTP, every engine as the task database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../suite/support/mod.rs"]
mod support;

mod access;
mod client;
mod document;
mod notices;
mod operate;
mod runs;
mod schedules;
mod session;
mod tasks;
mod tls;
