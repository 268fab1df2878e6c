//! A custom robot of DingTalk. Its documentation: "Custom robots", "Customize security settings".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use super::http::Request;
use super::{Message, text};
use crate::config::connection::Secret;
use crate::config::notices::Channel;

/// The request that tells of it; `now` is in milliseconds since 1970.
pub(super) fn request(channel: &Channel, message: &Message, now: u64) -> Request {
    Request {
        url: Secret::new(address(channel, now)),
        headers: Vec::new(),
        body: body(channel, message).to_string(),
    }
}

fn address(channel: &Channel, now: u64) -> String {
    let url = channel.url.expose();
    // The configuration was checked: it is one.
    let Ok(mut url) = Url::parse(url) else { return url.to_owned() };
    let (token, secret) = (channel.token.expose(), channel.secret.expose());
    if !token.is_empty() {
        url.query_pairs_mut().append_pair("access_token", token);
    }
    if !secret.is_empty() {
        let signature = signature(secret, now);
        url.query_pairs_mut()
            .append_pair("timestamp", &now.to_string())
            .append_pair("sign", &signature);
    }
    url.into()
}

fn signature(secret: &str, now: u64) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{now}\n{secret}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn body(channel: &Channel, message: &Message) -> Value {
    let language = channel.language();
    let title = text::title(message, language);
    // A robot with a keyword takes no message without it.
    let heading = match channel.keyword.is_empty() {
        true => title.clone(),
        false => format!("[{}] {title}", channel.keyword),
    };
    let mut lines = vec![format!("#### {heading}")];
    let facts = text::facts(message, language);
    lines.extend(facts.into_iter().map(|(name, text)| format!("- **{name}**: {}", plain(&text))));
    lines.extend(message.link.iter().map(|link| format!("\n[{link}]({link})")));
    // Only who is named in the text is called.
    let called: Vec<_> = channel.at_mobiles.iter().map(|mobile| format!("@{mobile}")).collect();
    if !called.is_empty() {
        lines.push(format!("\n{}", called.join(" ")));
    }
    json!({"msgtype": "markdown", "markdown": {"title": heading, "text": lines.join("\n")},
           "at": {"atMobiles": channel.at_mobiles, "isAtAll": channel.at_all}})
}

/// A reason's own line ends would end the list.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the answer says: it is 200 also for what was refused.
pub(super) fn outcome(answer: &str) -> Result<(), String> {
    let answer: Value =
        serde_json::from_str(answer).map_err(|_| "DingTalk's answer is not JSON".to_owned())?;
    match answer["errcode"].as_i64() {
        Some(0) => Ok(()),
        _ => Err(format!("DingTalk has refused it: {} ({})", answer["errmsg"], answer["errcode"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errcode_0_is_success() {
        assert!(outcome(r#"{"errcode":0,"errmsg":"ok"}"#).is_ok());
        let refused = outcome(r#"{"errcode":310000,"errmsg":"keywords not in content"}"#);
        assert!(refused.unwrap_err().contains("keywords not in content"));
        assert!(outcome("<html>").is_err());
        assert!(outcome("{}").is_err());
    }
}
