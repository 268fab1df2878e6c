//! The crash table, executed: the real binaries, built with the feature `fault-points`, are killed
//! or stopped at each named point, on each kind of task database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../suite/support/mod.rs"]
mod support;

mod compared;
mod consistency;
mod cursor;
mod epochs;
mod fencing;
mod late_key;
mod rejected;
mod scene;
mod sharing;
mod steps;
mod windows;
mod write_modes;
