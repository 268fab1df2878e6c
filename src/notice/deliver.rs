//! Takes notices from the ledger and sends them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Message, dingtalk, http, slack, webhook};
use crate::config::notices::{Channel, ChannelKind, NoticeSettings};
use crate::error::Result;
use crate::ledger::{Ledger, OpenNotice, Thresholds};
use crate::metrics::NoticeMetrics;

/// How often the ledger is asked.
const LOOK: Duration = Duration::from_secs(2);
/// Slow runs are looked for at every so manieth look.
const SLOW_LOOKS: u32 = 5;
/// Old notices are deleted at every so manieth look: about once an hour.
const OLD_LOOKS: u32 = 1800;
/// Waits before the next tries; after the last the notice is given up.
const LADDER: [u64; 8] = [5, 15, 60, 300, 900, 3600, 3600, 3600];

/// Sends whatever is to be told, until it is told to end.
pub async fn deliver(
    ledger: Ledger,
    settings: NoticeSettings,
    metrics: NoticeMetrics,
    end: CancellationToken,
) {
    if settings.channels.is_empty() {
        return;
    }
    let post = Post { ledger, settings, metrics };
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count: u32 = 0;
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = end.cancelled() => return,
        }
        if let Err(error) = post.look(count).await {
            tracing::debug!(%error, "notices are sent later");
        }
        count = count.wrapping_add(1);
    }
}

/// Who takes notices and sends them.
struct Post {
    ledger: Ledger,
    settings: NoticeSettings,
    metrics: NoticeMetrics,
}

impl Post {
    async fn look(&self, count: u32) -> Result<()> {
        if count.is_multiple_of(SLOW_LOOKS) {
            self.ledger.note_slow_runs(self.thresholds()).await?;
        }
        if count.is_multiple_of(OLD_LOOKS) {
            self.ledger.forget_notices().await?;
        }
        for notice in self.ledger.open_notices().await? {
            match self.send(&notice).await {
                // Its run was deleted meanwhile: the others must not wait for it.
                Err(error) if !error.is_transient() => {
                    tracing::error!(
                        run = %notice.run_id, task = notice.task_id, %error,
                        "a notice is given up"
                    );
                    self.ledger.note_sent(&notice, &notice.sent_to, None, true).await?;
                }
                sent => sent?,
            }
        }
        Ok(())
    }

    fn thresholds(&self) -> Thresholds {
        Thresholds { late: self.settings.late_after, long: self.settings.long_after }
    }

    async fn send(&self, notice: &OpenNotice) -> Result<()> {
        let wants = |channel: &&Channel| {
            channel.on.contains(&notice.kind) && !notice.sent_to.contains(&channel.name)
        };
        let waiting: Vec<_> = self.settings.channels.iter().filter(wants).collect();
        // Each channel takes its time; another process must not take the notice meanwhile.
        let time = http::TIME * (waiting.len() as u32 + 1);
        if !self.ledger.claim_notice(notice, time).await? {
            return Ok(());
        }
        crate::fault::point("notice.claimed");
        let run = self.ledger.run(notice.run_id).await?;
        let task = self.ledger.find_task(notice.task_id).await?;
        let message = Message::new(notice, run, task, self.settings.page.as_deref());
        let mut sent_to = notice.sent_to.clone();
        let mut is_missing = false;
        for channel in waiting {
            let told = tell(channel, &message).await;
            self.metrics.told(&channel.name, told.is_ok());
            match told {
                Ok(()) => sent_to.push(channel.name.clone()),
                Err(why) => {
                    is_missing = true;
                    tracing::warn!(
                        run = %notice.run_id, task = notice.task_id, channel = channel.name,
                        "a notice could not be sent: {why}"
                    );
                }
            }
        }
        let again = LADDER.get(notice.tries as usize).filter(|_| is_missing);
        let again = again.map(|seconds| Duration::from_secs(*seconds));
        let given_up = is_missing && again.is_none();
        if given_up {
            tracing::error!(
                run = %notice.run_id, task = notice.task_id,
                "a notice is given up: see the warnings before"
            );
        }
        self.ledger.note_sent(notice, &sent_to, again, given_up).await
    }
}

async fn tell(channel: &Channel, message: &Message) -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let request = match channel.kind {
        ChannelKind::Webhook => webhook::request(channel, message, now.as_secs()),
        ChannelKind::Dingtalk => dingtalk::request(channel, message, millis),
        ChannelKind::Slack => slack::request(channel, message),
    };
    let sent = tokio::task::spawn_blocking(move || http::send(request)).await;
    let answer = sent.map_err(|_| "sending it has failed".to_owned())??;
    match channel.kind {
        ChannelKind::Dingtalk => dingtalk::outcome(&answer),
        ChannelKind::Webhook | ChannelKind::Slack => Ok(()),
    }
}
