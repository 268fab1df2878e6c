//! The page as a person meets it: headless Chromium drives it, against real processes, RabbitMQ and MariaDB.
//!
//! With `GOSHIFT_SCREENSHOTS=FOLDER` the pictures of the documentation are made there (`make screenshots`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, reason = "the page asks where the other tests ask themselves")]
#[path = "../server/client.rs"]
mod client;
#[path = "../suite/support/mod.rs"]
mod support;

mod chromium;
mod operate;
mod sight;
