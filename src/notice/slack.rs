//! An incoming webhook of Slack, or of what understands the same (Mattermost, Rocket.Chat).

use serde_json::json;

use super::http::Request;
use super::{Message, text};
use crate::config::notices::Channel;

/// The request that tells of it.
pub(super) fn request(channel: &Channel, message: &Message) -> Request {
    let language = channel.language();
    let mut lines = vec![format!("*{}*", escaped(&text::title(message, language)))];
    let facts = text::facts(message, language);
    lines.extend(facts.iter().map(|(name, text)| format!("{name}: {}", escaped(text))));
    lines.extend(message.link.iter().map(|link| format!("<{link}>")));
    let body = json!({"text": lines.join("\n")}).to_string();
    Request { url: channel.url.clone(), headers: Vec::new(), body }
}

/// The three characters that Slack reads as its own (its documentation, "Formatting text").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
