//! The sections `notices` and `roboter`: whom to tell when runs fail, recover, start late or take long.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::connection::Secret;
use super::keys::{self, KnownKeys};
use super::sections::duration;
use crate::error::{Error, Result};

/// Where DingTalk's robots are (its documentation, "custom robot").
const DINGTALK: &str = "https://oapi.dingtalk.com/robot/send";

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// A run has failed and nobody tries it again.
    Failed,
    /// The first run that succeeds after a failed one.
    Recovered,
    /// A run could have started long ago.
    Late,
    /// A run has run for long.
    Long,
}

impl NoticeKind {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Recovered, Self::Late, Self::Long];

    /// As the ledger stores it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::Late => "late",
            Self::Long => "long",
        }
    }
}

/// Whom to tell, and when.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct NoticeSettings {
    /// Whom to tell.
    pub channels: Vec<Channel>,
    /// A run that could have started this long ago is late.
    #[serde(deserialize_with = "duration")]
    pub late_after: Duration,
    /// A run that has run for this long is long.
    #[serde(deserialize_with = "duration")]
    pub long_after: Duration,
    /// A task that goes on failing is told of again after this time.
    #[serde(deserialize_with = "duration")]
    pub remind_after: Duration,
    /// Where the page is, as people reach it, for links: `https://goshift.example`.
    pub page: Option<String>,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            late_after: Duration::from_secs(600),
            long_after: Duration::from_secs(2 * 3600),
            remind_after: Duration::from_secs(24 * 3600),
            page: None,
        }
    }
}

impl KnownKeys for NoticeSettings {
    const KEYS: &'static [&'static str] =
        &["channels", "late_after", "long_after", "remind_after", "page"];
}

/// Somebody to tell.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// What it is called in logs and in the ledger; its place in the list without.
    #[serde(default)]
    pub name: String,
    /// What kind of receiver it is.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// Where it is. With DingTalk a token will do.
    #[serde(default)]
    pub url: Secret,
    /// What the receiver knows messages of ours by.
    #[serde(default)]
    pub secret: Secret,
    /// DingTalk: the robot's `access_token`, in place of the whole URL.
    #[serde(default)]
    pub token: Secret,
    /// DingTalk: a word without which the robot takes no message.
    #[serde(default)]
    pub keyword: String,
    /// DingTalk: mobile numbers of those to call.
    #[serde(default)]
    pub at_mobiles: Vec<String>,
    /// DingTalk: whether to call everybody.
    #[serde(default)]
    pub at_all: bool,
    /// What to tell of; everything without.
    #[serde(default = "everything")]
    pub on: Vec<NoticeKind>,
    /// What people read: `en` or `zh`; with DingTalk `zh` if not given.
    pub language: Option<Language>,
}

fn everything() -> Vec<NoticeKind> {
    NoticeKind::ALL.to_vec()
}

/// Kinds of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// Any HTTP receiver: signed JSON.
    Webhook,
    /// A custom robot of DingTalk.
    Dingtalk,
    /// An incoming webhook of Slack, or of what understands the same.
    Slack,
}

/// What people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// The original goshift's section, with its own spellings.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Robot {
    token: Secret,
    secret: Secret,
    #[serde(rename = "atMobiles")]
    at_mobiles: Vec<String>,
    #[serde(rename = "isAtAll")]
    at_all: bool,
    roboter_type: String,
    hook_keyword: String,
    /// In place of DingTalk's own address.
    url: String,
}

impl Default for Robot {
    fn default() -> Self {
        Self {
            token: Secret::default(),
            secret: Secret::default(),
            at_mobiles: Vec::new(),
            at_all: false,
            roboter_type: "dingding".to_owned(),
            hook_keyword: String::new(),
            url: DINGTALK.to_owned(),
        }
    }
}

impl KnownKeys for Robot {
    const KEYS: &'static [&'static str] =
        &["token", "secret", "atMobiles", "isAtAll", "roboter_type", "hook_keyword", "url"];
}

impl Robot {
    fn channel(self) -> Result<Channel> {
        if !["dingding", "dingtalk"].contains(&self.roboter_type.as_str()) {
            return Err(Error::config(format!(
                "roboter.roboter_type \"{}\" is not known",
                self.roboter_type
            ))
            .with_remedy("write dingding, or put another receiver into notices.channels"));
        }
        let channel = Channel {
            name: "roboter".to_owned(),
            kind: ChannelKind::Dingtalk,
            url: Secret::new(self.url),
            secret: self.secret,
            token: self.token,
            keyword: self.hook_keyword,
            at_mobiles: self.at_mobiles,
            at_all: self.at_all,
            on: everything(),
            language: None,
        };
        channel.check("roboter")?;
        Ok(channel)
    }
}

impl Channel {
    /// What people read there.
    pub fn language(&self) -> Language {
        self.language.unwrap_or(match self.kind {
            ChannelKind::Dingtalk => Language::Zh,
            ChannelKind::Webhook | ChannelKind::Slack => Language::En,
        })
    }

    fn check(&self, place: &str) -> Result<()> {
        let url = self.url.expose();
        if self.kind == ChannelKind::Dingtalk
            && self.token.expose().is_empty()
            && !url.contains("access_token=")
        {
            return Err(Error::config(format!("{place} has no token")).with_remedy(
                "set \"token\" to the robot's access_token, or to the variable that holds it",
            ));
        }
        // Never the address itself: it is what lets one write there.
        let parsed = url::Url::parse(url);
        if !parsed.is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
            return Err(Error::config(format!("{place}.url is not an http or https address"))
                .with_remedy("write it whole, or name the environment variable that holds it"));
        }
        Ok(())
    }
}

impl NoticeSettings {
    /// From both sections.
    ///
    /// # Errors
    /// Kind `Config`, naming the place.
    pub(super) fn read(notices: Value, robot: Option<Value>) -> Result<Self> {
        let mut settings: Self = keys::read("notices", notices)?;
        for (at, channel) in settings.channels.iter_mut().enumerate() {
            let place = format!("notices.channels[{at}]");
            if channel.kind == ChannelKind::Dingtalk && channel.url.expose().is_empty() {
                channel.url = Secret::new(DINGTALK);
            }
            if channel.name.is_empty() {
                channel.name = format!("channel {}", at + 1);
            }
            channel.check(&place)?;
        }
        if let Some(robot) = robot {
            settings.channels.push(keys::read::<Robot>("roboter", robot)?.channel()?);
        }
        let mut names: Vec<_> = settings.channels.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::config(format!(
                "two channels of notices are named \"{}\"",
                twice[0]
            ))
            .with_remedy("give each a name of its own"));
        }
        Ok(settings)
    }
}
