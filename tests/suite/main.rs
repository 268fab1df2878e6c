//! The tests against real servers and the real binaries. `make test` starts what they need.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod bad_input;
mod broker_loss;
mod closed_loop;
mod compare;
mod consistency;
mod created_tables;
mod cursor;
mod drift;
mod hazards;
mod indexes;
mod inside;
mod keep;
mod keys;
mod large_rows;
mod late_key;
mod limits;
mod losses;
mod operations;
mod pairs;
mod privileges;
mod purge;
mod rejected;
mod statements;
mod support;
mod write_modes;

/// The crash table needs the fault points, which no other build has.
#[cfg(not(feature = "fault-points"))]
#[test]
fn the_crash_table_is_tested_too() {
    panic!("run `make test`, or `cargo test --features fault-points`: the crash table is left out");
}
