//! The subcommands of `goshift` and their flags.

use clap::{Args, Subcommand};

use crate::event::Priority;

const RUNS: &str = "\
Examples:
  goshift runs --watch                    what runs now, every second
  goshift runs --state failed,retrying --since 2h
  goshift runs --task 5 --json            one object a line

ROWS/S is what a run has done between two looks with --watch, else since its start.";
const VERIFY: &str = "\
Examples:
  goshift verify -id 5                    0 if both sides are equal, else 1 and the rows that differ
  goshift verify -id 5 --repair           writes those rows; what only the target has stays
  goshift verify -id 5 --json

Rows are compared by the target's key, where both servers can by sums of hashes that they compute.";
const RUN: &str = "\
Examples:
  goshift run 3f9a1c                      by the end of its id; the beginning will do too
  goshift run 3f9a1c --watch              until it ends; 0 if it succeeded, else 1
  goshift run 3f9a1c --shards --json      everything that the ledger knows";
const DEAD: &str = "\
Examples:
  goshift dead list --task 5
  goshift dead show 3f9a1c
  goshift dead rerun 3f9a1c 77e0b2        these
  goshift dead rerun --task 5             those of a task
  goshift dead rerun --all --limit 100
  goshift dead purge --all --yes          give them up; the runs stay in the ledger as failed";
const REJECTED: &str = "\
Examples:
  goshift rejected list 3f9a1c            a run's
  goshift rejected list --task 5 --json
  goshift rejected replay 3f9a1c          copies just these rows, once the cause is mended

Params with \"max_errors\" let a run leave rows out; without it the first one fails the run.";
const PAUSE: &str = "\
Examples:
  goshift pause --reason 'upgrade of db2'  no run starts any more; running ones go on
  goshift pause --queue low
  goshift resume                          go on, and wake what is due

Submissions are accepted meanwhile. `goshift -id 5` works nevertheless.";
const PURGE: &str = "\
Examples:
  goshift purge-runs --older-than 30d
  goshift purge-runs --older-than 90d --with-dead";

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a task in the foreground (the default)
    Sync {
        /// Task number
        task: Option<String>,
    },
    /// Create every table goshift needs in the task database; safe to repeat
    InitDb,
    /// Check the configuration and every connection
    Check,
    /// Show what a run would do; nothing is written
    Plan {
        /// Task number
        task: Option<String>,
    },
    /// Compare source and target, every column of every row
    #[command(after_help = VERIFY)]
    Verify(Verify),
    /// List the tasks
    Tasks,
    /// List runs: what runs now first, then what waits, then what is over
    #[command(after_help = RUNS)]
    Runs(Runs),
    /// Show one run: its figures, shards, workers, changes of state and errors
    #[command(after_help = RUN)]
    Run(Run),
    /// Cancel a run
    Cancel {
        /// The run's id, or the beginning or the end of it
        run: Option<String>,
    },
    /// List the workers
    Workers,
    /// List, set or remove schedules: when tasks are submitted by themselves
    Schedule {
        #[command(subcommand)]
        what: Option<super::schedule::What>,
    },
    /// Ask a worker to finish what it has and to end
    Drain {
        /// Its name, as `goshift workers` shows it
        worker: String,
    },
    /// List, show, rerun or purge what was given up on
    #[command(after_help = DEAD)]
    Dead {
        #[command(subcommand)]
        what: Option<Dead>,
    },
    /// List rows that were left out because the target refused them, or try them again
    #[command(after_help = REJECTED)]
    Rejected {
        #[command(subcommand)]
        what: Option<Rejected>,
    },
    /// Let no further run start, of the fleet or of one queue
    #[command(after_help = PAUSE)]
    Pause {
        /// Only this queue
        #[arg(long, value_enum, value_name = "QUEUE")]
        queue: Option<Priority>,
        /// What for, shown to everybody who waits
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a pause and wake what is due
    #[command(after_help = PAUSE)]
    Resume {
        /// Only this queue's pause
        #[arg(long, value_enum, value_name = "QUEUE")]
        queue: Option<Priority>,
    },
    /// Delete runs that ended long ago from the ledger
    #[command(after_help = PURGE)]
    PurgeRuns {
        /// How long ago, as in 30d
        #[arg(long, value_name = "TIME")]
        older_than: humantime::Duration,
        /// Also runs that are dead and were neither rerun nor purged
        #[arg(long)]
        with_dead: bool,
    },
    /// Print a shell's completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What to compare.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Task number
    pub task: Option<String>,
    /// Name at most this many rows that differ
    #[arg(long, value_name = "K", default_value_t = 20)]
    pub limit: usize,
    /// Write the rows that are missing or different, then compare again
    #[arg(long)]
    pub repair: bool,
}

/// Which runs.
#[derive(Debug, Args)]
pub(super) struct Runs {
    /// Only this task's
    #[arg(long, value_name = "N")]
    pub task: Option<i64>,
    /// Only in this state (repeatable, or several with commas)
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<String>,
    /// Only those submitted within this time, as in 2h
    #[arg(long, value_name = "TIME")]
    pub since: Option<humantime::Duration>,
    /// At most this many
    #[arg(long, value_name = "K", default_value_t = 20)]
    pub limit: usize,
    /// Only dead ones: failed, and neither rerun nor purged yet
    #[arg(long)]
    pub dead: bool,
    /// Look again every second, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// Which run, and how much of it.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The run's id, or the beginning or the end of it
    pub run: Option<String>,
    /// Every shard too
    #[arg(long)]
    pub shards: bool,
    /// Look again every second until the run ends; 0 if it succeeded, else 1
    #[arg(long)]
    pub watch: bool,
}

/// What to do with the dead.
#[derive(Debug, Subcommand)]
pub(super) enum Dead {
    /// List dead runs, and messages that never became a run
    List {
        /// Only this task's
        #[arg(long, value_name = "N")]
        task: Option<i64>,
        /// At most this many of each
        #[arg(long, value_name = "K", default_value_t = 1000)]
        limit: usize,
    },
    /// Show a dead run or message
    Show {
        /// The run's id, the beginning or the end of it, or the message's
        run: String,
    },
    /// Run dead ones again, linked to the old
    Rerun(Which),
    /// Give dead ones up; the runs stay in the ledger as failed
    Purge {
        #[command(flatten)]
        which: Which,
        /// Ask nothing
        #[arg(long)]
        yes: bool,
    },
}

/// What to do with rejected rows.
#[derive(Debug, Subcommand)]
pub(super) enum Rejected {
    /// List rows that were left out and not tried again yet
    List {
        /// Only this run's: its id, or the beginning or the end of it
        run: Option<String>,
        /// Only this task's
        #[arg(long, value_name = "N")]
        task: Option<i64>,
        /// Also those that were tried again
        #[arg(long)]
        all: bool,
        /// At most this many
        #[arg(long, value_name = "K", default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
    },
    /// Copy a run's rejected rows, and nothing else, in the foreground
    Replay {
        /// The run's id, or the beginning or the end of it
        run: String,
    },
}

/// Which of the dead: some, a task's, or all.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Ids of runs, or the ends of them, or of messages
    #[arg(
        value_name = "RUN", required_unless_present_any = ["task", "all"],
        conflicts_with_all = ["task", "all"]
    )]
    pub names: Vec<String>,
    /// Those of this task
    #[arg(long, value_name = "N", conflicts_with = "all")]
    pub task: Option<i64>,
    /// All of them
    #[arg(long)]
    pub all: bool,
    /// At most this many
    #[arg(long, value_name = "K", conflicts_with = "names")]
    pub limit: Option<usize>,
}
