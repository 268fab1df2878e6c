//! The section `telemetry`: where spans go.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::connection::Secret;
use super::keys::KnownKeys;
use crate::error::{Error, Result};

/// Where spans go, by OTLP over HTTP.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TelemetrySettings {
    /// The collector's address, as in `http://collector:4318`; `/v1/traces` is appended.
    pub endpoint: Option<String>,
    /// Sent with every request, as for a login.
    pub headers: BTreeMap<String, Secret>,
    /// What the spans' service is called; the binary's name without.
    pub service_name: Option<String>,
    /// The share of traces that are recorded, from 0 to 1; all without.
    #[serde(deserialize_with = "super::keys::number_or_text")]
    pub sample_ratio: Option<f64>,
}

impl KnownKeys for TelemetrySettings {
    const KEYS: &'static [&'static str] = &["endpoint", "headers", "service_name", "sample_ratio"];
}

impl TelemetrySettings {
    /// The share of traces that are recorded.
    pub fn ratio(&self) -> f64 {
        self.sample_ratio.unwrap_or(1.0)
    }

    /// Refuses what no collector could be reached with.
    ///
    /// # Errors
    /// Kind `Config`, naming the key.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.ratio()) {
            return Err(Error::config(format!(
                "telemetry.sample_ratio {} is not between 0 and 1",
                self.ratio()
            ))
            .with_remedy("write 1 for all traces, 0.1 for a tenth of them"));
        }
        for (name, value) in &self.headers {
            // The exporter leaves out in silence what it can't send.
            let is_sound = HeaderName::from_bytes(name.as_bytes()).is_ok()
                && HeaderValue::from_str(value.expose()).is_ok();
            if !is_sound {
                return Err(Error::config(format!("telemetry.headers.{name} is no HTTP header"))
                    .with_remedy("write a header's name and a value of printable characters"));
            }
        }
        match &self.endpoint {
            Some(endpoint) => check_endpoint("telemetry.endpoint", endpoint),
            None => Ok(()),
        }
    }
}

/// Refuses an address that is none of HTTP.
///
/// # Errors
/// Kind `Config`, naming the place.
pub fn check_endpoint(place: &str, endpoint: &str) -> Result<()> {
    let wrong = |what: &str| {
        Error::config(format!("{place} {what}"))
            .with_remedy("write it as http://collector:4318 or https://collector.example.com")
    };
    let url = url::Url::parse(endpoint).map_err(|error| wrong("is no URL").caused_by(error))?;
    if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
        return Err(wrong("is no http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a login").with_remedy("put it into telemetry.headers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_t_work_is_refused_with_its_place() {
        let of = |endpoint: &str, ratio| TelemetrySettings {
            endpoint: Some(endpoint.to_owned()),
            sample_ratio: Some(ratio),
            ..TelemetrySettings::default()
        };
        let with = |name: &str, value: &str| TelemetrySettings {
            headers: [(name.to_owned(), Secret::new(value))].into(),
            ..TelemetrySettings::default()
        };
        with("authorization", "Bearer 100%").check().unwrap();
        of("http://127.0.0.1:4318", 0.5).check().unwrap();
        of("https://collector.example.com/otlp/", 1.0).check().unwrap();
        for (settings, part) in [
            (of("collector:4318", 1.0), "telemetry.endpoint"),
            (of("grpc://collector", 1.0), "telemetry.endpoint"),
            (of("http://me:secret@collector", 1.0), "telemetry.endpoint"),
            (of("http://collector", 1.5), "telemetry.sample_ratio"),
            (of("http://collector", -0.1), "telemetry.sample_ratio"),
            (of("http://collector", f64::NAN), "telemetry.sample_ratio"),
            (with("authorization", "secret\n"), "telemetry.headers.authorization"),
            (with("my login", "secret"), "telemetry.headers.my login"),
        ] {
            let error = settings.check().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
