//! What the environment and the command line say.

use std::path::PathBuf;
use std::time::Duration;

/// How long and how much.
pub struct Options {
    /// One round each.
    pub seeds: Vec<u64>,
    /// How long each round disturbs.
    pub time: Duration,
    /// Tasks of a round.
    pub tasks: usize,
    /// Where the table of results goes besides the terminal.
    pub report: Option<PathBuf>,
    /// `Some(false)`: don't touch the services themselves, only the ways to them.
    pub services: Option<bool>,
}

impl Options {
    /// Reads `CHAOS_SEEDS`, `CHAOS_SECONDS`, `CHAOS_TASKS`, `CHAOS_REPORT` and `CHAOS_SERVICES`.
    pub fn from_environment() -> Result<Self, String> {
        let seeds = text("CHAOS_SEEDS", "1");
        let seeds = seeds.split([' ', ',']).filter(|word| !word.is_empty());
        let seeds: Vec<u64> =
            seeds.map(|word| number("CHAOS_SEEDS", word)).collect::<Result<_, _>>()?;
        if seeds.is_empty() {
            return Err("CHAOS_SEEDS names no seed: write it as \"1 2 3\"".into());
        }
        let services = match text("CHAOS_SERVICES", "").as_str() {
            "" => None,
            "0" => Some(false),
            "1" => Some(true),
            other => return Err(format!("CHAOS_SERVICES is \"{other}\": write 0 or 1")),
        };
        Ok(Self {
            seeds,
            time: Duration::from_secs(number("CHAOS_SECONDS", &text("CHAOS_SECONDS", "25"))?),
            tasks: number("CHAOS_TASKS", &text("CHAOS_TASKS", "60"))?.max(10) as usize,
            report: std::env::var_os("CHAOS_REPORT").filter(|p| !p.is_empty()).map(PathBuf::from),
            services,
        })
    }
}

fn text(name: &str, default: &str) -> String {
    std::env::var(name).ok().filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned())
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name}: \"{text}\" is not a number"))
}

/// What cargo's own arguments for test programs ask of this one.
pub enum Wish {
    /// Run.
    Run,
    /// Say which tests there are.
    List,
    /// A filter names other tests.
    Nothing,
}

/// Reads `cargo test`'s arguments.
pub fn wish(arguments: impl Iterator<Item = String>) -> Wish {
    let mut filters = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => return Wish::List,
            "--skip" => {
                if arguments.next().is_some_and(|skipped| "chaos".contains(&skipped)) {
                    return Wish::Nothing;
                }
            }
            "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" => {
                arguments.next();
            }
            flag if flag.starts_with('-') => {}
            filter => filters.push(filter.to_owned()),
        }
    }
    let is_meant = filters.is_empty() || filters.iter().any(|filter| "chaos".contains(filter));
    if is_meant { Wish::Run } else { Wish::Nothing }
}
