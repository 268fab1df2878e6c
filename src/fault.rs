//! Named points at which a test stops or kills this process, to prove what the crash table says.
//!
//! With the build feature `fault-points`, `GOSHIFT_FAULT` names a point and what happens there:
//! `shard.before_commit=kill`, or `claim.committed=stop@2` for the second time it is passed.
//! Without the feature, as in every release, a point is nothing at all.

/// Every point, in the order in which a run passes them.
pub const POINTS: &[&str] = &[
    "submit.before_commit",
    "submit.committed",
    "submit.published",
    "delivery.received",
    "claim.committed",
    "delivery.acknowledged",
    "target.emptying",
    "target.emptied",
    "shards.recorded",
    "shard.fenced",
    "shard.before_commit",
    "shard.committed",
    "ledger.shards_done",
    "join.committed",
    "key.before",
    "key.added",
    "index.before",
    "index.added",
    "step.before_commit",
    "step.committed",
    "swap.fenced",
    "swap.renamed",
    "finish.before_commit",
    "finish.committed",
    "retry.before_publish",
    "dead.before_publish",
    "dead.published",
    "rerun.entered",
    "schedule.before_commit",
    "notice.claimed",
];

/// Does at this point what `GOSHIFT_FAULT` says.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub fn point(_name: &'static str) {}

/// Does at this point what `GOSHIFT_FAULT` says.
#[cfg(feature = "fault-points")]
pub fn point(name: &'static str) {
    armed::point(name);
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::process::Command;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Fault {
        point: String,
        signal: &'static str,
        at: u32,
        passed: AtomicU32,
    }

    /// Reads `point=kill` or `point=stop@2`. What can't be read is a mistake in a test, which must
    /// not pass as a run without a fault.
    fn parse(text: &str) -> Result<Fault, String> {
        let wrong = || format!("GOSHIFT_FAULT: \"{text}\" is not POINT=kill or POINT=stop@N");
        let (point, action) = text.split_once('=').ok_or_else(wrong)?;
        let (action, at) = action.split_once('@').unwrap_or((action, "1"));
        if !super::POINTS.contains(&point) {
            return Err(format!("GOSHIFT_FAULT: there is no point \"{point}\""));
        }
        let signal = match action {
            "kill" => "KILL",
            "stop" => "STOP",
            _ => return Err(wrong()),
        };
        let at = at.parse().map_err(|_| wrong())?;
        Ok(Fault { point: point.to_owned(), signal, at, passed: AtomicU32::new(0) })
    }

    fn fault() -> Option<&'static Fault> {
        static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
        FAULT
            .get_or_init(|| match std::env::var("GOSHIFT_FAULT") {
                Err(_) => None,
                Ok(text) => match parse(&text) {
                    Ok(fault) => Some(fault),
                    Err(error) => {
                        tracing::error!("{error}");
                        std::process::exit(2);
                    }
                },
            })
            .as_ref()
    }

    pub(super) fn point(name: &'static str) {
        let Some(fault) = fault().filter(|fault| fault.point == name) else { return };
        if fault.passed.fetch_add(1, Ordering::SeqCst) + 1 != fault.at {
            return;
        }
        tracing::warn!("fault point {name}: SIG{}", fault.signal);
        let own = std::process::id().to_string();
        // The signal stops every thread of this process, this one included.
        if let Err(error) = Command::new("kill").args(["-s", fault.signal, &own]).status() {
            tracing::error!(%error, "fault point {name}: can't send the signal");
            std::process::abort();
        }
    }
}
