//! Notices that this process has sent, or could not send.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabels {
    channel: String,
    outcome: &'static str,
}

/// Counts by channel. Cheap to clone; all clones count together.
#[derive(Debug, Clone, Default)]
pub struct NoticeMetrics(Family<ChannelLabels, Counter>);

impl NoticeMetrics {
    /// A channel has got a notice, or has not.
    pub fn told(&self, channel: &str, is_sent: bool) {
        let outcome = if is_sent { "sent" } else { "failed" };
        self.0.get_or_create(&ChannelLabels { channel: channel.to_owned(), outcome }).inc();
    }

    /// Shows them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("notices", "Notices sent, or tried to be, by channel", self.0.clone());
    }
}
