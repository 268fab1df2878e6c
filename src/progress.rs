//! How far a run is: counters that lanes feed, and the ways to show them.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::ledger::Standing;
use crate::plugin::Receipt;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// One JSON object a second on standard output.
    Json,
    /// A log line every ten seconds, for workers.
    Log,
    /// Nothing.
    Quiet,
}

/// A run's counters. All are totals over the whole run, finished attempts included.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    bytes: AtomicU64,
    shards_done: AtomicU64,
    shards_total: AtomicU64,
    split_done: AtomicBool,
    estimate: AtomicU64,
    held_back: Mutex<Option<String>>,
}

impl Progress {
    /// Says why no new shard is begun for now.
    pub fn hold_back(&self, why: Option<String>) {
        *self.held_back.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Why no new shard is begun for now.
    pub fn held_back(&self) -> Option<String> {
        self.held_back.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a finished shard.
    pub fn add(&self, receipt: &Receipt) {
        self.rows.fetch_add(receipt.rows, Ordering::Relaxed);
        self.bytes.fetch_add(receipt.bytes, Ordering::Relaxed);
        self.shards_done.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts in what earlier attempts have done.
    pub fn resume(&self, rows: u64, shards_done: u64, shards_total: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.shards_done.store(shards_done, Ordering::Relaxed);
        self.shards_total.store(shards_total, Ordering::Relaxed);
    }

    /// One more shard was cut.
    pub fn cut(&self) {
        self.shards_total.fetch_add(1, Ordering::Relaxed);
    }

    /// Every shard has been cut.
    pub fn split_done(&self) {
        self.split_done.store(true, Ordering::Relaxed);
    }

    /// Whether every shard has been cut and is in.
    pub fn is_complete(&self) -> bool {
        self.split_done.load(Ordering::Relaxed)
            && self.shards_done() == self.shards_total.load(Ordering::Relaxed)
    }

    /// Takes in what the ledger says of a shared run: one figure over all participants. What this
    /// process has done and not yet written there is counted already, so figures never go back.
    pub fn follow(&self, standing: &Standing) {
        self.rows.fetch_max(standing.rows_done, Ordering::Relaxed);
        self.bytes.fetch_max(standing.bytes_done, Ordering::Relaxed);
        self.shards_done.fetch_max(standing.shards_done, Ordering::Relaxed);
        self.shards_total.fetch_max(standing.shards_total, Ordering::Relaxed);
        self.split_done.fetch_or(standing.split_done, Ordering::Relaxed);
    }

    /// The ledger's figures, once everything is written there.
    pub fn settle(&self, standing: &Standing) {
        self.rows.store(standing.rows_done, Ordering::Relaxed);
        self.bytes.store(standing.bytes_done, Ordering::Relaxed);
        self.shards_done.store(standing.shards_done, Ordering::Relaxed);
        self.shards_total.store(standing.shards_total, Ordering::Relaxed);
        self.split_done.store(standing.split_done, Ordering::Relaxed);
    }

    /// The engine's estimate of the rows.
    pub fn set_estimate(&self, rows: Option<u64>) {
        self.estimate.store(rows.unwrap_or(0), Ordering::Relaxed);
    }

    /// Rows that are in.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes that went through.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Shards that are in.
    pub fn shards_done(&self) -> u64 {
        self.shards_done.load(Ordering::Relaxed)
    }

    fn shards_text(&self) -> String {
        let total = self.shards_total.load(Ordering::Relaxed);
        let open = if self.split_done.load(Ordering::Relaxed) { "" } else { "+" };
        format!("{}/{total}{open}", self.shards_done())
    }

    /// Rows expected in all: the estimate, never less than what is in.
    fn expected(&self) -> u64 {
        self.estimate.load(Ordering::Relaxed).max(self.rows())
    }
}

/// Shows a run's progress until it is dropped or finished.
pub struct Reporter {
    task: JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl Reporter {
    /// Starts to show `progress`.
    pub fn start(display: Display, label: String, progress: Arc<Progress>) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = (display == Display::Auto && on_terminal).then(|| bar(&label));
        let shown = bar.clone();
        let showing = async move {
            let started = Instant::now();
            let already = progress.rows();
            let pause = match (display, &shown) {
                (Display::Quiet, _) => return,
                (Display::Auto, Some(_)) => Duration::from_millis(100),
                (Display::Log, _) => Duration::from_secs(10),
                _ => Duration::from_secs(1),
            };
            loop {
                tokio::time::sleep(pause).await;
                let elapsed = started.elapsed().as_secs_f64();
                let rate = (progress.rows() - already) as f64 / elapsed.max(0.001);
                match (display, &shown) {
                    (_, Some(bar)) => draw(bar, &progress, rate),
                    (Display::Json, _) => print_json(&progress, rate, elapsed),
                    (Display::Auto, None) => print_line(&label, &progress, rate),
                    _ => tracing::info!("{label}: {}", line(&progress, rate)),
                }
            }
        };
        Self { task: tokio::spawn(showing.in_current_span()), bar }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(label: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3}%  {msg}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(label.to_owned());
    bar
}

fn draw(bar: &ProgressBar, progress: &Progress, rate: f64) {
    bar.set_length(progress.expected());
    bar.set_position(progress.rows());
    bar.set_message(line(progress, rate));
}

/// `120,000 rows · 95,310 rows/s · shards 24/200 · 9 s left`
fn line(progress: &Progress, rate: f64) -> String {
    let left = progress.expected().saturating_sub(progress.rows()) as f64 / rate.max(1.0);
    let eta = if left >= 1.0 {
        format!(" · {} left", HumanDuration(Duration::from_secs_f64(left.min(1e9))))
    } else {
        String::new()
    };
    let held = progress.held_back().map(|why| format!(" · held back: {why}")).unwrap_or_default();
    format!(
        "{} rows · {} rows/s · shards {}{eta}{held}",
        HumanCount(progress.rows()),
        HumanCount(rate as u64),
        progress.shards_text()
    )
}

#[allow(clippy::print_stderr, reason = "progress lines belong beside the result, not into it")]
fn print_line(label: &str, progress: &Progress, rate: f64) {
    eprintln!("{label}: {}", line(progress, rate));
}

#[allow(clippy::print_stdout, reason = "JSON lines were asked for on standard output")]
fn print_json(progress: &Progress, rate: f64, elapsed: f64) {
    println!(
        "{}",
        json!({
            "event": "progress",
            "rows": progress.rows(),
            "rows_estimated": progress.estimate.load(Ordering::Relaxed),
            "rows_per_second": rate as u64,
            "shards_done": progress.shards_done(),
            "shards_total": progress.shards_total.load(Ordering::Relaxed),
            "held_back": progress.held_back(),
            "seconds": (elapsed * 1000.0).round() / 1000.0,
        })
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rows_rate_shards_and_time_left() {
        let progress = Progress::default();
        progress.set_estimate(Some(1000));
        progress.cut();
        progress.cut();
        progress.add(&Receipt { rows: 500, bytes: 9, ..Receipt::default() });
        assert_eq!(line(&progress, 100.0), "500 rows · 100 rows/s · shards 1/2+ · 5 seconds left");
        progress.hold_back(Some("Threads_running is 45, the bound is 40".to_owned()));
        let held = line(&progress, 100.0);
        assert!(held.ends_with(" · held back: Threads_running is 45, the bound is 40"), "{held}");
    }
}
