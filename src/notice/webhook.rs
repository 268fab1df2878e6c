//! Any HTTP receiver: JSON, signed as the specification "Standard Webhooks" has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Message;
use super::http::Request;
use crate::config::notices::Channel;

/// The request that tells of it; `now` is in seconds since 1970.
pub(super) fn request(channel: &Channel, message: &Message, now: u64) -> Request {
    let body = message.json().to_string();
    let mut headers =
        vec![("webhook-id", message.id.clone()), ("webhook-timestamp", now.to_string())];
    let secret = channel.secret.expose();
    if !secret.is_empty() {
        let signature = signature(secret, &message.id, now, &body);
        headers.push(("webhook-signature", signature));
    }
    Request { url: channel.url.clone(), headers, body }
}

fn signature(secret: &str, id: &str, now: u64, body: &str) -> String {
    // Secrets in the specification's own form are base64 behind a prefix.
    let decoded = secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    for part in [id, ".", &now.to_string(), ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_the_specification_s() {
        // The example of the specification's reference libraries.
        let signature = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
