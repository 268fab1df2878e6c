//! Chaos: a fleet of real workers copies tables, real submissions come in, and all the while the
//! workers are killed and paused, and the broker and both databases are taken away, slowed down,
//! emptied. At the end nothing may be lost, doubled or left lying.
//!
//! What is done when follows from the seed; how the machine copes does not, so that a seed repeats
//! the disturbance and not every instruction. `make chaos` runs ten seeds; within `cargo test` one
//! seed runs for less than a minute. An invariant that is broken is a sentence, and the exit code 1.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what happens is told as it happens")]

mod actions;
mod fleet;
mod invariants;
mod monitor;
mod options;
mod plan;
mod report;
mod round;
mod services;
#[path = "../suite/support/mod.rs"]
mod support;
mod tables;
mod workload;
mod world;

use std::process::ExitCode;

use options::{Options, Wish};

fn main() -> ExitCode {
    match options::wish(std::env::args().skip(1)) {
        Wish::Run => {}
        Wish::Nothing => return ExitCode::SUCCESS,
        Wish::List => {
            println!("chaos: test");
            return ExitCode::SUCCESS;
        }
    }
    let options = match Options::from_environment() {
        Ok(options) => options,
        Err(sentence) => {
            eprintln!("chaos: {sentence}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(options))
}

async fn run(options: Options) -> ExitCode {
    let services = services::Services::find(options.services).await;
    if let Some(why) = &services.why_not {
        println!("The services stay up in this run: {why}.");
    }
    let mut rows = Vec::new();
    for &seed in &options.seeds {
        let row = round::run(seed, &options, &services).await;
        println!("\n{}\n{}\n", report::HEAD, row.line);
        rows.push(row);
    }
    let table = report::table(&rows);
    if rows.len() > 1 {
        println!("{table}");
    }
    if let Some(path) = &options.report
        && let Err(error) = std::fs::write(path, &table)
    {
        eprintln!("chaos: can't write CHAOS_REPORT {}: {error}", path.display());
        return ExitCode::from(2);
    }
    let broken: usize = rows.iter().map(|row| row.broken).sum();
    if broken > 0 {
        eprintln!("chaos: {broken} broken invariants, see above");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
