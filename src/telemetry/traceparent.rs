//! The W3C trace context as one line of text, `00-<trace>-<span>-<flags>`: how it travels in message
//! headers and waits in the ledger.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use uuid::Uuid;

use crate::checksum::checksum;

/// A span of a trace, anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

impl Traceparent {
    /// Reads a header; `None` for one that is malformed, which W3C wants ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_version = is_hex(version, 2) && version != "ff";
        // Later versions may append parts; version 00 has just these.
        if !is_version || (version == "00" && parts.next().is_some()) {
            return None;
        }
        if !(is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2)) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let read = Self {
            trace: TraceId::from_hex(trace).ok()?,
            span: SpanId::from_hex(span).ok()?,
            flags: TraceFlags::new(flags) & TraceFlags::SAMPLED,
        };
        (read.trace != TraceId::INVALID && read.span != SpanId::INVALID).then_some(read)
    }

    /// For a run whose submitter has begun no trace: every process finds the same by the run's id.
    pub fn of_run(run_id: Uuid, is_sampled: bool) -> Self {
        let bytes = run_id.into_bytes();
        let mut span = [0; 8];
        span.copy_from_slice(&bytes[8..]);
        let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        Self { trace: TraceId::from_bytes(bytes), span: SpanId::from_bytes(span), flags }
    }

    /// Whether such a run is among the share of traces that are recorded.
    pub fn is_sampled(run_id: Uuid, ratio: f64) -> bool {
        let point = (checksum(run_id.as_bytes()) >> 64) as u64;
        (point as f64) < ratio * u64::MAX as f64 || ratio >= 1.0
    }

    /// Where a span stands; `None` for one that is part of no trace.
    pub fn of_context(context: &Context) -> Option<Self> {
        let span = context.span();
        let at = span.span_context();
        let flags = at.trace_flags() & TraceFlags::SAMPLED;
        at.is_valid().then(|| Self { trace: at.trace_id(), span: at.span_id(), flags })
    }

    /// Whether both are in one trace.
    pub fn is_with(&self, other: &Self) -> bool {
        self.trace == other.trace
    }

    /// The context for children of this span.
    pub fn context(&self) -> Context {
        let (remote, state) = (true, TraceState::default());
        let at = SpanContext::new(self.trace, self.span, self.flags, remote, state);
        Context::new().with_remote_span_context(at)
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags.to_u8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_reads_back() {
        let read = Traceparent::parse(GIVEN).unwrap();
        assert_eq!(read.to_string(), GIVEN);
        assert_eq!(Traceparent::of_context(&read.context()), Some(read));
        let unsampled = GIVEN.replace("-01", "-00");
        assert_eq!(Traceparent::parse(&unsampled).unwrap().to_string(), unsampled);
        let later = format!("cc{}-what", &GIVEN[2..]);
        assert_eq!(Traceparent::parse(&later), Some(read));
    }

    #[test]
    fn a_malformed_header_is_none() {
        for text in [
            "",
            "hello",
            &GIVEN[..54],
            &format!("{GIVEN}-more"),
            &GIVEN.replace("00-4", "ff-4"),
            &GIVEN.replace("4bf9", "4BF9"),
            &GIVEN.replace("4bf9", "4bg9"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(Traceparent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_run_without_a_trace_has_the_one_of_its_id() {
        let run = Uuid::now_v7();
        let found = Traceparent::of_run(run, true).to_string();
        assert_eq!(found[..36], format!("00-{}-", run.simple()));
        assert_eq!(Traceparent::parse(&found), Some(Traceparent::of_run(run, true)));
    }

    #[test]
    fn about_as_many_runs_are_sampled_as_the_ratio_says() {
        let sampled = |ratio| {
            let runs = (0..2000_u128).map(|n| Uuid::from_u128(0x0197_0000_7000_8000 << 64 | n));
            runs.filter(|run| Traceparent::is_sampled(*run, ratio)).count()
        };
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 2000));
        assert!((400..600).contains(&sampled(0.25)), "{}", sampled(0.25));
    }
}
