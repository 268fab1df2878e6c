//! `goshift-submit`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Common, dead, show};
use crate::config::Settings;
use crate::dead::{Chosen, Told, rerun as rerun_dead};
use crate::error::{Error, Result};
use crate::event::Priority;
use crate::ledger::{Ledger, NewRun, State, Submitted};
use crate::rerun;
use crate::submit::{Submitter, dedup_key};
use crate::task::{Mode, Params, TaskRow};
use crate::telemetry::{self, Audience};

const EXAMPLES: &str = "\
Examples:
  goshift-submit 5 6 7                    prints one run id a line
  goshift-submit --all-online --wait      exit 0 only if every run succeeded
  goshift-submit 5 --set worker_num=4 --delay 10m --priority high
  echo 5 | goshift-submit -
  goshift-submit --list-dead
  goshift-submit --rerun-dead --task 5 --limit 10

Exit codes: 0 done, 1 a run failed, 2 wrong usage or configuration.";

/// Submit tasks to the workers
#[derive(Debug, Parser)]
#[command(name = "goshift-submit", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Task numbers; `-` reads them from standard input
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Every task whose online_status is 1
    #[arg(long)]
    all_online: bool,
    /// Mode of this run
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// A param of this run only, as in worker_num=4 (repeatable)
    #[arg(long = "set", value_name = "KEY=JSON")]
    set: Vec<String>,
    /// At most this many workers share a large run; 1 keeps it on one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    participants: Option<u64>,
    /// Do not start before this time has passed, as in 30s, 10m or 2h
    #[arg(long, value_name = "TIME")]
    delay: Option<humantime::Duration>,
    /// Which queue to wait in
    #[arg(long, value_enum, default_value_t = Priority::Normal)]
    priority: Priority,
    /// Submissions with the same key are one run
    #[arg(long, value_name = "KEY")]
    dedup_key: Option<String>,
    /// Stay until every run has ended; exit 0 only if all succeeded
    #[arg(long)]
    wait: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Repeat a run with its task, mode and params
    #[arg(long, value_name = "RUN")]
    rerun: Option<Uuid>,
    /// Repeat dead runs
    #[arg(long)]
    rerun_dead: bool,
    /// Only this task's dead runs
    #[arg(long, value_name = "N")]
    task: Option<i64>,
    /// At most this many dead runs
    #[arg(long, value_name = "K", default_value_t = 1000)]
    limit: usize,
    /// List dead runs and messages
    #[arg(long)]
    list_dead: bool,
    /// Print a shell's completions and exit
    #[arg(long, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
}

/// The whole binary.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match super::parse::<Arguments>(arguments) {
        Ok(arguments) => super::block_on(run(arguments)),
        Err(code) => code,
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(shell) = arguments.completions {
        return show::completions::<Arguments>(shell);
    }
    arguments.check()?;
    let settings = arguments.common.settings()?;
    let _telemetry = telemetry::start("goshift-submit", &settings, Audience::Caller)?;
    let ledger = Ledger::open(&settings).await?;
    if arguments.list_dead {
        let (task, limit) = (arguments.task, arguments.limit);
        dead::list(&settings, &ledger, task, limit, arguments.json).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let submitter = Submitter::open(&settings, ledger.clone(), "goshift-submit")?;
    let submitted = if arguments.rerun_dead {
        arguments.rerun_dead(&settings, &ledger, &submitter).await?
    } else {
        let runs = arguments.runs(&ledger).await?;
        let print = |run: &NewRun, entered: &Submitted| {
            arguments.print(run.task_id, entered.run_id, entered.new)
        };
        let submitted = submitter.submit_all(&runs, print).await?;
        submitted.into_iter().map(|entered| entered.run_id).collect()
    };
    for pause in show::pauses(&ledger.pauses().await?, None) {
        show::notice(&pause);
    }
    if arguments.wait {
        return wait(&settings, &ledger, &submitted).await;
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn check(&self) -> Result<()> {
        let sources = [
            !self.ids.is_empty(),
            self.all_online,
            self.rerun.is_some(),
            self.rerun_dead,
            self.list_dead,
        ];
        match sources.iter().filter(|&&given| given).count() {
            1 => Ok(()),
            0 => Err(Error::usage("nothing to submit")
                .with_remedy("name task numbers, or - for standard input, or --all-online")),
            _ => Err(Error::usage(
                "choose one of: task numbers, --all-online, --rerun, --rerun-dead, --list-dead",
            )),
        }
    }

    /// Repeats what is dead, and returns the new runs.
    async fn rerun_dead(
        &self,
        settings: &Settings,
        ledger: &Ledger,
        submitter: &Submitter,
    ) -> Result<Vec<Uuid>> {
        let chosen = Chosen::all(ledger, self.task, self.limit).await?;
        let (mut runs, mut first_refusal) = (Vec::new(), None);
        let tell = |told| match told {
            Told::Entered { task_id, run_id, .. } => {
                // Several may have joined one run that waits.
                if !runs.contains(&run_id) {
                    runs.push(run_id);
                }
                self.print(task_id, run_id, true)
            }
            Told::Refused(refusal) => {
                if first_refusal.is_none() {
                    first_refusal = Some(refusal);
                } else {
                    dead::refused("not rerun", refusal);
                }
                Ok(())
            }
        };
        let ended = rerun_dead(settings, ledger, submitter, chosen, &show::who(), tell).await;
        match (ended, first_refusal) {
            (Ok(()), None) => Ok(runs),
            (Ok(()), Some(refusal)) => Err(refusal.into_error()),
            (Err(error), refusal) => {
                refusal.into_iter().for_each(|refusal| dead::refused("not rerun", refusal));
                Err(error)
            }
        }
    }

    /// Everything to submit, checked before anything is submitted.
    async fn runs(&self, ledger: &Ledger) -> Result<Vec<NewRun>> {
        if let Some(run_id) = self.rerun {
            let latest = rerun::latest(ledger, run_id).await?;
            return Ok(vec![rerun::again(&latest, &show::who())?]);
        }
        let params = self.params()?;
        let mode = match &self.mode {
            Some(mode) => Mode::parse(mode)?.name(),
            None => "",
        };
        let mut runs = Vec::new();
        for task in self.tasks(ledger).await? {
            let task_id = task.id;
            task.checked(&params, Some(mode))?;
            if !task.online {
                return Err(Error::config(format!("task {task_id} is offline"))
                    .with_remedy("set its online_status to 1 to run it"));
            }
            runs.push(NewRun {
                run_id: None,
                task_id,
                mode: mode.to_owned(),
                params: params.clone(),
                priority: self.priority,
                delay_ms: self.delay.map_or(0, |delay| delay.as_millis() as i64),
                dedup_key: self.dedup_key.as_ref().map(|key| dedup_key(task_id, key)),
                submitted_by: Some(show::who()),
                rerun_of: None,
                traceparent: None,
            });
        }
        Ok(runs)
    }

    fn params(&self) -> Result<Map<String, Value>> {
        let mut params = Map::new();
        for pair in &self.set {
            let (key, text) = pair.split_once('=').ok_or_else(|| {
                Error::usage(format!("--set {pair}: write KEY=JSON, as in worker_num=4"))
            })?;
            // A bare word is taken as text: most shells eat the quotes of "…".
            let value = match Params::parse_object(&format!("{{\"value\": {text}}}")) {
                Ok(mut object) => object.remove("value").unwrap_or(Value::Null),
                Err(_) => Value::String(text.to_owned()),
            };
            params.insert(key.to_owned(), value);
        }
        if let Some(participants) = self.participants {
            params.insert("participants".to_owned(), participants.into());
        }
        Ok(params)
    }

    async fn tasks(&self, ledger: &Ledger) -> Result<Vec<TaskRow>> {
        if self.all_online {
            let tasks = ledger.tasks().await?;
            return Ok(tasks.into_iter().filter(|task| task.online).collect());
        }
        let ids: Vec<i64> = self.task_ids()?.into_iter().collect();
        ledger.tasks_of(&ids).await
    }

    fn task_ids(&self) -> Result<BTreeSet<i64>> {
        let mut ids = BTreeSet::new();
        for argument in &self.ids {
            if argument == "-" {
                for line in std::io::stdin().lock().lines() {
                    let line =
                        line.map_err(|e| Error::usage("can't read standard input").caused_by(e))?;
                    for word in line.split_whitespace() {
                        ids.insert(task_id(word)?);
                    }
                }
            } else {
                ids.insert(task_id(argument)?);
            }
        }
        Ok(ids)
    }

    fn print(&self, task_id: i64, run_id: Uuid, new: bool) -> Result<()> {
        if self.json {
            show::line(&json!({"run_id": run_id, "task_id": task_id, "new": new}).to_string())
        } else {
            show::line(&run_id.to_string())
        }
    }
}

fn task_id(text: &str) -> Result<i64> {
    text.parse().map_err(|_| {
        Error::usage(format!("\"{text}\" is not a task number"))
            .with_remedy("list the tasks with `goshift tasks`")
    })
}

/// Follows runs until all have ended.
async fn wait(settings: &Arc<Settings>, ledger: &Ledger, runs: &[Uuid]) -> Result<ExitCode> {
    let mut last: Vec<String> = vec![String::new(); runs.len()];
    let mut failed = false;
    let workers = ledger.workers(settings.worker.lease).await?;
    if workers.iter().all(|worker| worker.row.state == "lost") {
        show::notice("no worker is running: start one with `goshift-worker`");
    }
    let mut open: Vec<usize> = (0..runs.len()).collect();
    while !open.is_empty() {
        let mut still = Vec::with_capacity(open.len());
        for &index in &open {
            let progress = ledger.progress(runs[index]).await?;
            let text = show::progress(&progress);
            if text != last[index] {
                show::notice(&format!("{}  {text}", runs[index]));
                last[index] = text;
            }
            if State::is_terminal(&progress.state) {
                failed |= progress.state != State::Succeeded.name();
            } else {
                still.push(index);
            }
        }
        open = still;
        if !open.is_empty() {
            tokio::time::sleep(settings.worker.poll.min(Duration::from_millis(500))).await;
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}
