//! An answer as [`OutputMetrics`], and its times as [`SoftwareMetrics`]: figures only.

use serde::Serialize;

use crate::asr::{self, Segment, avg_logprob};
use crate::device::DeviceReading;
use crate::pipeline::StageTimings;
use crate::telemetry::{Outcome, OutputMetrics, SoftwareMetrics};

/// How a recognizer ended, in the words of the wire.
pub(super) fn outcome(outcome: asr::Outcome) -> Outcome {
    match outcome {
        asr::Outcome::Transcript => Outcome::Transcript,
        asr::Outcome::NoSpeech => Outcome::NoSpeech,
        asr::Outcome::Empty => Outcome::Empty,
    }
}

/// How one ended that gave nothing.
pub(super) fn failure(timed_out: bool) -> Outcome {
    if timed_out { Outcome::Timeout } else { Outcome::Error }
}

/// The name that a unit variant has in JSON: `cloud`, `low_confidence`.
pub(super) fn name_of(variant: impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Counts and probabilities of an answer. Of several windows the worst counts: the highest temperature, compression
/// and probability of no speech.
pub(super) fn metrics(
    ended: asr::Outcome,
    text: &str,
    segments: &[Segment],
    language: Option<&String>,
    fallbacks: u32,
) -> OutputMetrics {
    let worst = |figure: fn(&Segment) -> Option<f32>| {
        let known = segments.iter().filter_map(figure).filter(|x| x.is_finite());
        known.reduce(f32::max).map(f64::from)
    };
    let tokens: usize = segments.iter().map(|segment| segment.tokens.len()).sum();
    OutputMetrics {
        outcome: outcome(ended),
        words: text.split_whitespace().count() as u64,
        characters: text.chars().count() as u64,
        tokens: (tokens > 0).then_some(tokens as u64),
        avg_logprob: avg_logprob(segments).filter(|x| x.is_finite()).map(f64::from),
        no_speech_prob: worst(|segment| segment.no_speech_prob),
        compression_ratio: worst(|segment| segment.compression_ratio),
        temperature: worst(|segment| segment.temperature),
        fallbacks: fallbacks.into(),
        language: language.cloned(),
    }
}

/// Times of an answer to `duration_ms` of audio.
pub(super) fn software(timings: &StageTimings, duration_ms: f64) -> SoftwareMetrics {
    SoftwareMetrics {
        queue_ms: timings.queue_ms,
        log_mel_ms: timings.log_mel_ms,
        encode_ms: timings.encode_ms,
        decode_ms: timings.decode_ms,
        align_ms: timings.align_ms,
        cloud_ms: timings.cloud_ms,
        recognize_ms: timings.recognize_ms,
        real_time_factor: if duration_ms > 0.0 { timings.recognize_ms / duration_ms } else { 0.0 },
        ..SoftwareMetrics::default()
    }
}

/// The same with how the device was.
pub(super) fn on_device(software: SoftwareMetrics, device: DeviceReading) -> SoftwareMetrics {
    SoftwareMetrics {
        rss_bytes: device.rss_bytes,
        cpu_share: device.cpu_share,
        temperature_celsius: device.temperature_celsius,
        throttled: device.throttled,
        ..software
    }
}
