//! The queue against a real RabbitMQ.
//!
//! Needs `GOSHIFT_QUEUE_URL`, from the environment or `etc/local.env`. Each test has a prefix of
//! its own and deletes it at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod broker;
mod messages;
mod trouble;
