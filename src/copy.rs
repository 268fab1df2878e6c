//! Copies one shard: a reader and a writer, joined by a bounded channel.

use std::sync::Arc;
use std::time::Duration;

use crate::batch;
use crate::error::{Error, Kind, Result};
use crate::fence::{Fence, Pulse};
use crate::plugin::{KeyRange, ReadPlan, Reader, Receipt, WritePlan, Writer};
use crate::room::{RunRoom, Stay};
use crate::salvage::{self, Salvage};
use crate::throttle::{Gate, Throttle};

/// How often a shard that met a deadlock or a broken connection is tried again at once, before
/// the whole run waits on its retry ladder.
const TRIES: u32 = 3;

/// What bounds the copying of a shard.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes that may wait between the reader and the writer.
    pub buffer: usize,
    /// What large rows need besides.
    pub room: RunRoom,
    /// Commits only while this is open.
    pub fence: Fence,
    /// How long nothing may move before the shard counts as hanging. The drivers wait for ever for
    /// a server that has vanished.
    pub stall: Duration,
    /// Rows and bytes a second, over all lanes.
    pub throttle: Throttle,
    /// What a lane passes before it begins a shard.
    pub gate: Gate,
    /// Counts the rows that are left out, where they may be.
    pub salvage: Option<Arc<Salvage>>,
}

/// From where to where, and how.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    /// Reads the source.
    pub reader: &'a dyn Reader,
    /// What it reads.
    pub read: &'a ReadPlan,
    /// Writes the target.
    pub writer: &'a dyn Writer,
    /// What it writes.
    pub write: &'a WritePlan,
}

/// Copies the rows of a range in one target transaction, in the room that its lane has. Rows that the
/// target refuses are left out if they may be; then it takes several transactions.
///
/// # Errors
/// The reader's or the writer's, whichever is the cause.
pub async fn shard(
    way: Way<'_>,
    shard: (u64, &KeyRange),
    limits: &Limits,
    stay: Arc<Stay>,
) -> Result<Receipt> {
    match (attempt(way, shard, limits, stay).await, &limits.salvage) {
        (Err(error), Some(salvage)) if error.is_about_a_row() => {
            salvage::shard(way, shard, limits, salvage, error).await
        }
        (result, _) => result,
    }
}

/// Copies all rows of a range, or none.
pub(crate) async fn attempt(
    way: Way<'_>,
    (number, range): (u64, &KeyRange),
    limits: &Limits,
    mut stay: Arc<Stay>,
) -> Result<Receipt> {
    let mut tries = 0;
    loop {
        let pulse = Pulse::default();
        let (sender, receiver) = batch::throttled_channel(
            limits.buffer,
            limits.fence.clone(),
            pulse.clone(),
            limits.throttle.clone(),
        );
        let sender = sender.within(Arc::clone(&stay)).under(way.read);
        let copied = tokio::select! {
            (read, written) = async {
                tokio::join!(
                    way.reader.read(way.read, range, sender),
                    way.writer.write(way.write, number, receiver)
                )
            } => cause(read, written),
            error = watch(&pulse, limits.stall) => Err(error),
        };
        stay.leave();
        if let (Err(_), Some(payload)) = (&copied, stay.missed()) {
            // Nothing is wrong: it has only begun with less room than it needs.
            stay = limits.room.enter(payload).await;
            continue;
        }
        match copied {
            Err(error) if error.is_transient() && tries < TRIES => {
                tries += 1;
                tracing::warn!(shard = number, %error, "trying the shard again");
                let wait = rand::random_range(20..200 * u64::from(tries) * u64::from(tries));
                tokio::time::sleep(Duration::from_millis(wait)).await;
                stay = limits.room.enter(0).await;
            }
            result => {
                crate::fault::point("shard.committed");
                return result;
            }
        }
    }
}

/// Ends once nothing has moved for `stall`.
async fn watch(pulse: &Pulse, stall: Duration) -> Error {
    loop {
        let silence = pulse.silence();
        if silence >= stall {
            return Error::transient(format!("nothing has moved for {} s", silence.as_secs()))
                .with_remedy("is one of the databases hanging, or a table locked? raise worker.stall if it is only slow");
        }
        tokio::time::sleep(stall - silence).await;
    }
}

/// When one end fails the other is cut off; the cause is the one that was not cut off.
fn cause(read: Result<()>, written: Result<Receipt>) -> Result<Receipt> {
    match (read, written) {
        (Ok(()), Ok(receipt)) => Ok(receipt),
        (Err(read), Err(written)) if read.kind() == Kind::Cancelled => Err(written),
        (Err(read), Err(_)) => Err(read),
        (Ok(()), Err(written)) => Err(written),
        (Err(read), Ok(_)) => {
            Err(Error::internal("a shard was committed without its end").caused_by(read))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_is_a_failure_that_may_pass() {
        let error = watch(&Pulse::default(), Duration::from_millis(5)).await;
        assert!(error.is_transient());
    }

    fn cut_off() -> Error {
        Error::new(Kind::Cancelled, "cut off")
    }

    #[test]
    fn the_end_that_failed_first_is_reported() {
        let written = cause(Err(cut_off()), Err(Error::permanent("full"))).unwrap_err();
        assert_eq!(written.to_string(), "full");
        let read = cause(Err(Error::transient("lost")), Err(cut_off())).unwrap_err();
        assert_eq!(read.to_string(), "lost");
        assert!(cause(Ok(()), Ok(Receipt::default())).is_ok());
    }
}
