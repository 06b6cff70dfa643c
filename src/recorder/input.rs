//! The audio of an utterance as [`InputMetrics`].

use crate::audio::QualityMeter;
use crate::pipeline::UtteranceInput;
use crate::telemetry::InputMetrics;

/// Measures an utterance. What only the detector knows is absent for audio that was kept by an earlier run.
pub(super) fn measure(meter: &mut QualityMeter, input: &UtteranceInput) -> InputMetrics {
    let utterance = &input.utterance;
    let quality = meter.measure(&utterance.samples);
    let detection = utterance.detection.as_ref();
    let milliseconds = |seconds: f64| seconds * 1e3;
    InputMetrics {
        duration_ms: milliseconds(utterance.seconds()),
        speech_ms: detection.map(|d| milliseconds(crate::audio::seconds_of(d.speech_samples))),
        rms_dbfs: quality.level.rms_dbfs.into(),
        peak_dbfs: quality.level.peak_dbfs.into(),
        loudness_lufs: quality.loudness_lufs,
        clipping_ratio: quality.level.clipped_ratio.into(),
        dc_offset: quality.level.dc_offset.into(),
        snr_db: detection.and_then(|d| d.snr_db()),
        bandwidth_hz: quality.bandwidth_hz,
        dropped_samples: input.capture.lost_samples,
        overruns: input.capture.overruns,
        native_rate_hz: input.capture.native.map(|native| native.rate.hz()),
        native_channels: input.capture.native.map(|native| native.channels.into()),
        mean_speech_probability: utterance.mean_speech_probability.into(),
        missing_samples: input.capture.missing_samples + quality.missing_samples,
        zero_run_ms: milliseconds(quality.level.zero_run_seconds.into()),
    }
}
