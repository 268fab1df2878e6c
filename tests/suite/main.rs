//! The tests against real servers and the real binaries. `make test` starts what they need.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod bad_input;
mod closed_loop;
mod crash;
mod keys;
mod pairs;
mod support;
