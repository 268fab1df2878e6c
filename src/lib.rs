//! goshift moves tables between databases, driven by a task table and a message queue.
//!
//! Data flows one way: config → task → plan (lazy stream of shards) → reader → batch → writer →
//! ledger and progress. See ARCHITECTURE.md for the picture.

pub mod batch;
pub mod calendar;
pub mod checksum;
pub mod cli;
pub mod compare;
pub mod config;
pub mod copy;
pub mod dead;
pub mod error;
pub mod event;
pub mod fault;
pub mod fence;
pub mod ledger;
pub mod metrics;
pub mod notice;
pub mod plan;
pub mod plugin;
pub mod preview;
pub mod progress;
pub mod queue;
pub mod rerun;
pub mod retry;
pub mod room;
pub mod run;
pub mod salvage;
pub mod schedule;
pub mod schema;
pub mod server;
pub mod shutdown;
pub mod submit;
pub mod task;
pub mod telemetry;
pub mod throttle;
pub mod worker;
