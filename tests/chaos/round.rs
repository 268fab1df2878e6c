//! One seed: a place of its own, the disturbance, the healing, the verdict.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::monitor::Monitor;
use crate::options::Options;
use crate::report::{Figures, Row};
use crate::services::Services;
use crate::support::Site;
use crate::support::proxy::Proxy;
use crate::workload::Workload;
use crate::world::World;
use crate::{actions, invariants, plan, report, tables, workload};

/// Of the site's workers.
pub const LEASE: Duration = Duration::from_secs(3);
/// For every run to end once all is healed.
const QUIET: Duration = Duration::from_secs(300);

/// Seconds to the last run's end that call for an explanation.
const SLOW: f64 = 10.0;

/// Runs a seed, and heals the services if the round is broken off.
pub async fn run(seed: u64, options: &Options, services: &Services) -> Row {
    println!("seed {seed}: {} tasks, {} s", options.tasks, options.time.as_secs());
    let engine = if seed % 2 == 1 { "mysql" } else { "postgres" };
    let mut site = Site::new(engine).await;
    let proxies = route(&mut site).await;
    let tasks = tables::prepare(&site, seed, options.tasks).await;
    let world = Arc::new(World::new(site, proxies, services.clone(), tasks));
    let round = tokio::spawn(play(Arc::clone(&world), seed, options.time));
    let ended = tokio::select! {
        ended = round => ended,
        () = interrupted() => {
            eprintln!("chaos: broken off; the services are brought back");
            world.kill_fleet().await;
            services.heal().await;
            std::process::exit(130);
        }
    };
    let row = ended.unwrap_or_else(|error| {
        world.broken(format!("the driver itself failed: {error}"));
        let line = format!("| {seed} | {engine} | | | | | | | | | | **the driver failed** |");
        Row { line, broken: 1 }
    });
    if row.broken > 0 {
        services.heal().await;
        world.kill_fleet().await;
        println!(
            "Its place stays: folder {}, databases {}",
            world.site.folder.display(),
            world.site.id
        );
    } else if let Some(world) = Arc::into_inner(world) {
        world.site.remove().await;
    }
    row
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).unwrap();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

/// Everything that goshift does goes through the proxies; what this program asks does not.
async fn route(site: &mut Site) -> [Proxy; 3] {
    let broker = site.proxy_broker().await;
    let mut databases = Vec::new();
    for engine in ["mysql", "postgres"] {
        let connection = site.connection(engine);
        let text = |key: &str| connection[key].as_str().unwrap_or_default().to_owned();
        let proxy = Proxy::start(format!("{}:{}", text("host"), text("port"))).await;
        let (port, is_task_engine) = (proxy.port, site.task_engine == engine);
        site.configure(|config| {
            let mut through = connection;
            through["host"] = "127.0.0.1".into();
            through["port"] = port.into();
            through["connect_timeout"] = 3.into();
            if is_task_engine {
                let mut task_meta = through.clone();
                task_meta["type"] = engine.into();
                config["task_meta"] = task_meta;
            }
            config["from"][engine]["app_db"] = through;
        });
        databases.push(proxy);
    }
    site.configure(|config| {
        config["worker"] = json!({
            "lease": format!("{}s", LEASE.as_secs()), "poll": "200ms", "stale_after": "2s",
            "retry_ladder": ["1s", "2s", "3s"], "max_attempts": 1000, "max_rescues": 1000,
            "stall": "8s", "grace": "10s",
        });
    });
    let [mysql, postgres] = <[Proxy; 2]>::try_from(databases).ok().unwrap();
    [broker, mysql, postgres]
}

async fn play(world: Arc<World>, seed: u64, time: Duration) -> Row {
    let steps = plan::plan(seed, time, world.services.may_stop());
    let load = Arc::new(workload::plan(seed, time, &world.tasks));
    let monitor = Monitor::default();
    world.start_fleet().await;
    let quiet = {
        let watching = async {
            tokio::join!(world.keep_fleet(), monitor.watch(&world));
        };
        let playing = async {
            tokio::join!(actions::carry_out(&world, steps), load.submit(&world));
            world.say("all is healed and submitted");
            wait_for_quiet(&world).await
        };
        tokio::select! {
            () = watching => unreachable!("it watches for ever"),
            quiet = playing => quiet,
        }
    };
    world.stop_fleet().await;
    judge(&world, &load, &monitor, seed, time, quiet).await
}

/// Waits until every run has ended. Returns the seconds that took.
async fn wait_for_quiet(world: &World) -> f64 {
    let healed = Instant::now();
    let open = "SELECT COUNT(*) FROM goshift_run \
                WHERE state NOT IN ('succeeded', 'failed', 'cancelled')";
    loop {
        let left = world.look(open).await;
        let is_quiet = left.as_ref().is_ok_and(|rows| rows[0][0] == "0");
        if is_quiet {
            return healed.elapsed().as_secs_f64();
        }
        if healed.elapsed() > QUIET {
            world.broken(format!("runs have not ended {QUIET:?} after the last healing: {left:?}"));
            return healed.elapsed().as_secs_f64();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn judge(
    world: &World,
    load: &Workload,
    monitor: &Monitor,
    seed: u64,
    time: Duration,
    quiet: f64,
) -> Row {
    let accepted = load.accepted.lock().unwrap().clone();
    let transitions = invariants::transitions(world).await;
    if quiet > SLOW {
        report::tell_last(world, &transitions);
    }
    invariants::check(world, &accepted, &transitions).await;
    world.say(&format!(
        "checked; {} looks into the ledger meanwhile, {} starts of workers failed for want of the \
         task database",
        monitor.looks.load(Ordering::Relaxed),
        world.fleet.failed_starts.load(Ordering::Relaxed),
    ));
    let calls = *load.calls.lock().unwrap();
    let figures = Figures { seed, seconds: time.as_secs(), calls, accepted: accepted.len(), quiet };
    report::row(world, &figures, &transitions).await
}
