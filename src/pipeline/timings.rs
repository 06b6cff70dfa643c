//! Where the time of a recognition went: the pipeline's clock at the recognizer's stages.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::asr::{RecognitionObserver, Recognizer, RecognizerError, Stage, Transcript};
use crate::utterance::Utterance;

/// Milliseconds spent on one utterance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StageTimings {
    /// Between the endpointer's decision and the recognizer's start.
    pub queue_ms: f64,
    /// Samples to log-mel spectrogram.
    pub log_mel_ms: f64,
    /// Encoder.
    pub encode_ms: f64,
    /// Decoder, all attempts.
    pub decode_ms: f64,
    /// Word alignment.
    pub align_ms: f64,
    /// Waiting for a cloud's answer, upload and pauses between attempts included.
    pub cloud_ms: f64,
    /// The recognizer from start to answer.
    pub recognize_ms: f64,
}

impl StageTimings {
    /// Adds another utterance's times.
    pub fn add(&mut self, other: &Self) {
        self.queue_ms += other.queue_ms;
        self.log_mel_ms += other.log_mel_ms;
        self.encode_ms += other.encode_ms;
        self.decode_ms += other.decode_ms;
        self.align_ms += other.align_ms;
        self.cloud_ms += other.cloud_ms;
        self.recognize_ms += other.recognize_ms;
    }
}

/// Times stages, and passes on a request to cancel.
struct StageClock<'a> {
    timings: StageTimings,
    running: Option<(Stage, Instant)>,
    cancel: &'a dyn Fn() -> bool,
}

impl StageClock<'_> {
    fn close(&mut self) {
        if let Some((stage, since)) = self.running.take() {
            let slot = match stage {
                Stage::LogMel => &mut self.timings.log_mel_ms,
                Stage::Encode => &mut self.timings.encode_ms,
                Stage::Decode => &mut self.timings.decode_ms,
                Stage::Align => &mut self.timings.align_ms,
                Stage::Cloud => &mut self.timings.cloud_ms,
            };
            *slot += milliseconds(since.elapsed());
        }
    }
}

impl RecognitionObserver for StageClock<'_> {
    fn enter(&mut self, stage: Stage) {
        self.close();
        self.running = Some((stage, Instant::now()));
    }

    fn cancelled(&self) -> bool {
        (self.cancel)()
    }
}

/// Transcribes and times, until `cancel` says that nobody waits for it any more.
///
/// # Errors
/// The recognizer's.
pub fn recognize(
    recognizer: &mut dyn Recognizer,
    utterance: &Utterance,
    cancel: &dyn Fn() -> bool,
) -> Result<(Transcript, StageTimings), RecognizerError> {
    let begin = Instant::now();
    let mut clock = StageClock { timings: StageTimings::default(), running: None, cancel };
    let transcript = recognizer.transcribe(utterance, &mut clock)?;
    clock.close();
    clock.timings.recognize_ms = milliseconds(begin.elapsed());
    Ok((transcript, clock.timings))
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
