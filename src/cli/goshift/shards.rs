//! A run's shards, for people: a strip, and a table of each.

use std::collections::HashMap;

use super::detail::Page;
use super::run::Whole;
use crate::cli::show::{Table, people};
use crate::ledger::ShardRow;

/// Characters of the strip.
const STRIP: i64 = 40;

/// Counts by state, a strip of them, and those that are being worked on.
pub(super) fn summary(page: &mut Page, whole: &Whole) {
    if whole.counts.is_empty() {
        return;
    }
    let of = |state: &str| {
        whole.counts.iter().find(|count| count.state == state).map_or(0, |count| count.shards)
    };
    let (done, held, open) = (of("done"), of("held"), of("open"));
    let mut text = format!(
        "{}  {} done, {} held, {} open",
        strip(done, held, open),
        people::count(done),
        people::count(held),
        people::count(open)
    );
    let over = crate::ledger::State::is_terminal(&whole.run.state);
    if !whole.run.split_done && !over {
        text.push_str(", more to be cut");
    }
    let last = whole.counts.iter().filter_map(|count| count.last_finished_ms).min();
    if let Some(ms) = last.filter(|_| !over) {
        text.push_str(&format!("; the last came in {}", people::ago(ms)));
    }
    page.field("shards", &text);
    let workers = workers(whole);
    let at_work =
        whole.held.iter().map(|shard| format!("{} by {}", shard.shard_no, by(shard, &workers)));
    let at_work: Vec<_> = at_work.collect();
    if !at_work.is_empty() {
        let more = held - at_work.len() as i64;
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        page.field("held", &format!("{}{more}", at_work.join(", ")));
    }
}

/// `[████▒▒····]`; what is there at all is seen.
fn strip(done: i64, held: i64, open: i64) -> String {
    let all = (done + held + open).max(1);
    let width = STRIP.min(all);
    let mut cells = [done, held, open].map(|n| if n == 0 { 0 } else { (n * width / all).max(1) });
    // Rounding goes to the largest.
    let excess = cells.iter().sum::<i64>() - width;
    if let Some(largest) = cells.iter_mut().max() {
        *largest -= excess;
    }
    let drawn = ["█", "▒", "·"].iter().zip(cells).map(|(c, n)| c.repeat(n.max(0) as usize));
    format!("[{}]", drawn.collect::<String>())
}

/// Every shard. Its bounds are row values, and stay in the ledger.
pub(super) fn table(page: &mut Page, shards: &[ShardRow], whole: &Whole) {
    let workers = workers(whole);
    let mut table = Table::new(&[">SHARD", "STATE", ">ROWS", ">SIZE", "FINISHED", "~BY"]);
    for shard in shards {
        table.row([
            people::count(shard.shard_no),
            shard.state.clone(),
            shard.rows_done.map(people::count).unwrap_or_default(),
            shard.bytes_done.map(people::size).unwrap_or_default(),
            shard.finished_ms.map(people::ago).unwrap_or_default(),
            by(shard, &workers),
        ]);
    }
    page.table(&table);
}

/// Who had which epoch.
fn workers(whole: &Whole) -> HashMap<i64, &str> {
    let owners = whole.transitions.iter().filter(|step| step.to_state == "running");
    let owners = owners.filter_map(|step| Some((step.epoch, step.worker.as_deref()?)));
    let helpers = whole.participants.iter().map(|helper| (helper.epoch, helper.worker.as_str()));
    owners.chain(helpers).collect()
}

fn by(shard: &ShardRow, workers: &HashMap<i64, &str>) -> String {
    match shard.epoch {
        None => String::new(),
        Some(epoch) => match workers.get(&epoch) {
            Some(worker) => (*worker).to_owned(),
            None => format!("epoch {epoch}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn the_strip_shows_what_is_there() {
        assert_eq!(strip(2, 1, 1), "[██▒·]");
        assert_eq!(strip(1000, 1, 0).chars().filter(|c| *c == '▒').count(), 1);
        for (done, held, open) in [(0, 0, 1), (7, 3, 90), (1, 1, 99_999), (40, 0, 0)] {
            let cells = strip(done, held, open).chars().count() as i64 - 2;
            assert_eq!(cells, (done + held + open).min(40));
        }
    }
}
