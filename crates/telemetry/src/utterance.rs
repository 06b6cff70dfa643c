//! One utterance in figures.

use serde::{Deserialize, Serialize};

/// How a recognition ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is a text.
    Transcript,
    /// The recognizer heard no speech.
    NoSpeech,
    /// It heard speech and no words.
    Empty,
    /// It was cut short by its deadline.
    Timeout,
    /// It failed.
    Error,
    /// It never began: the device was too far behind.
    Dropped,
    /// An outcome of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How an utterance came in, what came out, what it took. No text, no audio, nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UtteranceRecord {
    /// Names the utterance in all records: session, `-`, index.
    pub utterance_id: String,
    /// The run of the program.
    pub session_id: String,
    /// What answered: engine, model, quantization and version.
    pub engine: String,
    /// Where: `local`, `cloud`.
    pub route: String,
    /// Why there.
    pub reason: String,
    /// The device's profile.
    pub profile: String,
    /// The program's version.
    pub app_version: String,
    /// Recorded audio was replayed; no microphone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// A better answer to an utterance that has a record already. It counts as no utterance of its own: only what it cost.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replaces_earlier: bool,
    /// What the cloud asked for it, in the currency of the device's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// The audio.
    pub input: InputMetrics,
    /// The answer.
    pub output: OutputMetrics,
    /// The work.
    pub software: SoftwareMetrics,
}

/// The audio of one utterance. Levels in dBFS, where a full-scale square wave has 0 dB RMS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputMetrics {
    /// Pre-roll to post-pad, ms.
    pub duration_ms: f64,
    /// Of these, speech as the detector saw it, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_ms: Option<f64>,
    /// Root mean square, dBFS, at least -150.
    pub rms_dbfs: f64,
    /// Largest magnitude, dBFS.
    pub peak_dbfs: f64,
    /// Loudness by ITU-R BS.1770-4 (K-weighted, gated), LUFS. Absent below 400 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loudness_lufs: Option<f64>,
    /// Share of samples at full scale, in `[0, 1]`.
    pub clipping_ratio: f64,
    /// Mean of the samples, in `[-1, 1]`.
    pub dc_offset: f64,
    /// Speech level over the level of the pauses around it, dB: power of the frames that the detector calls speech, less
    /// the noise's, over the power of the quietest frames. An estimate by detection (not WADA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<f64>,
    /// Frequency below which 99 % of the energy above 200 Hz lies, Hz: telephone bands and dull microphones show here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth_hz: Option<f64>,
    /// Samples at 16 kHz that the source lost before or in the utterance.
    pub dropped_samples: u64,
    /// Times the capture buffer ran over, since the last utterance.
    pub overruns: u64,
    /// Rate of the source, Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_rate_hz: Option<u32>,
    /// Channels of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_channels: Option<u32>,
    /// Mean over the frames of speech, in `[0, 1]`.
    pub mean_speech_probability: f64,
    /// Samples that were no number.
    pub missing_samples: u64,
    /// Longest run of samples that were exactly 0, ms.
    pub zero_run_ms: f64,
}

/// The answer to one utterance, without its words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputMetrics {
    /// How it ended.
    pub outcome: Outcome,
    /// Words of the text.
    pub words: u64,
    /// Characters of the text.
    pub characters: u64,
    /// Tokens decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Mean over tokens of the natural logarithm of their probability, 0 or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_logprob: Option<f64>,
    /// In `[0, 1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_speech_prob: Option<f64>,
    /// Length of the text over its length compressed: above 2.4 it repeats itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_ratio: Option<f64>,
    /// The temperature that gave the answer, in `[0, 2]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Attempts beyond the first.
    pub fallbacks: u64,
    /// Code of the language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// What one utterance took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SoftwareMetrics {
    /// From the endpointer's decision to the recognizer's start, ms.
    pub queue_ms: f64,
    /// Samples to spectrogram, ms.
    pub log_mel_ms: f64,
    /// Encoder, ms.
    pub encode_ms: f64,
    /// Decoder, ms.
    pub decode_ms: f64,
    /// Alignment of words, ms.
    pub align_ms: f64,
    /// Waiting for the cloud, ms.
    pub cloud_ms: f64,
    /// The recognizer from start to answer, ms.
    pub recognize_ms: f64,
    /// From the end of speech to the answer, the pause that was waited included, ms. Live sources only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_speech_to_final_ms: Option<f64>,
    /// Time of recognition over duration of audio.
    pub real_time_factor: f64,
    /// It was recognized before its end was sure.
    pub speculative: bool,
    /// Utterances that waited when this one was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<u64>,
    /// Memory of the process, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Processor time of the process over wall time since the last utterance; 1 is one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_share: Option<f64>,
    /// The processor's temperature, degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    /// The processor runs slower than it could, to stay cool or for want of power.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<bool>,
}
