//! Device profiles: one TOML file that says how a device captures, detects, recognizes.
//!
//! Every key is optional and carries its unit; an unknown key is an error. The defaults are the
//! library's own, so an empty file is a valid profile.

mod routing;
mod telemetry;
mod thermal;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use routing::{CloudConfig, ConsentConfig, RouteConfig, ShadowConfig, SpoolConfig};
use serde::Deserialize;
pub use telemetry::{Metered, OnMetered, SpeakerConfig, SyncWhen, TelemetryConfig};
pub use thermal::ThermalConfig;

use crate::asr::whisper::{Context, DecodingOptions, LanguageChoice, Precision, Task};
use crate::audio::ChannelSelect;
use crate::endpoint::EndpointRules;
use crate::pipeline::{PipelineOptions, Relief};

/// A parsed and validated profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// One line for people.
    pub description: String,
    /// The microphone.
    pub capture: CaptureConfig,
    /// The detector.
    pub vad: VadConfig,
    /// When an utterance begins and ends.
    pub endpoint: EndpointRules,
    /// The recognizer.
    pub whisper: WhisperConfig,
    /// Threads and queues.
    pub pipeline: PipelineConfig,
    /// What the user agreed to.
    pub consent: ConsentConfig,
    /// The cloud speech API.
    pub cloud: CloudConfig,
    /// Who is asked when.
    pub route: RouteConfig,
    /// What is kept on disk.
    pub spool: SpoolConfig,
    /// Who listens along.
    pub shadow: ShadowConfig,
    /// When a hot device does less.
    pub thermal: ThermalConfig,
    /// What the device reports, and to whom.
    pub telemetry: TelemetryConfig,
    /// Who speaks.
    pub speaker: SpeakerConfig,
}

/// The microphone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureConfig {
    /// Part of the device's name; the system's default microphone if empty.
    pub device: String,
    /// Channel to listen to, from 0; the mean of all if absent.
    pub channel: Option<usize>,
}

/// Which detector finds speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    /// Silero v6.2: the most accurate here.
    #[default]
    Silero,
    /// WebRTC's: a tenth of Silero's cost, but fires on steady noise.
    Webrtc,
    /// Energy over a tracked noise floor: for quiet places only.
    Energy,
}

/// The detector.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VadConfig {
    /// `silero`, `webrtc` or `energy`.
    pub detector: DetectorKind,
    /// Silero's weights: a name in the model store, or a file.
    pub model: String,
}

impl Default for VadConfig {
    fn default() -> Self {
        Self { detector: DetectorKind::Silero, model: "silero-vad".to_owned() }
    }
}

/// The recognizer.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WhisperConfig {
    /// A name in the model store, or a folder or file.
    pub model: String,
    /// A code, a name, `auto`, or `auto:en,de`.
    pub language: String,
    /// English text, whatever the language.
    pub translate: bool,
    /// Segment boundaries by the model.
    pub timestamps: bool,
    /// Times of single words.
    pub word_timestamps: bool,
    /// Names and words to expect.
    pub initial_prompt: Option<String>,
    /// Temperatures to fall back over, each in [0, 2].
    pub temperatures: Vec<f32>,
    /// How linear layers compute: `int8` or `f32`.
    pub precision: Precision,
    /// How much of the 30 s window is computed: `tail` (the speech and a few positions for the silence) or `full`.
    pub context: Context,
    /// See [`DecodingOptions::logprob_threshold`].
    pub logprob_threshold: f32,
    /// See [`DecodingOptions::compression_ratio_threshold`].
    pub compression_ratio_threshold: f32,
    /// See [`DecodingOptions::no_speech_threshold`].
    pub no_speech_threshold: f32,
}

impl Default for WhisperConfig {
    fn default() -> Self {
        let options = DecodingOptions::default();
        Self {
            model: "tiny.en".to_owned(),
            language: "en".to_owned(),
            translate: false,
            timestamps: options.timestamps,
            word_timestamps: options.word_timestamps,
            initial_prompt: None,
            temperatures: options.temperatures,
            precision: Precision::default(),
            context: options.context,
            logprob_threshold: options.logprob_threshold,
            compression_ratio_threshold: options.compression_ratio_threshold,
            no_speech_threshold: options.no_speech_threshold,
        }
    }
}

/// Threads and queues.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// Threads of the recognizer; 0 means one per fast core, less one where there are 4 or more.
    pub threads: usize,
    /// Audio that may wait for the recognizer before live utterances are dropped, ms.
    pub max_queued_ms: u64,
    /// How often an unfinished utterance is transcribed with `--partials`, ms.
    pub partial_interval_ms: u64,
    /// Silence after which a live utterance is recognized while the endpointer still waits, ms; 0 never. See
    /// [`PipelineOptions::speculate_after`].
    pub speculate_after_ms: u64,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self { threads: 0, max_queued_ms: 600_000, partial_interval_ms: 800, speculate_after_ms: 200 }
    }
}

/// Why a profile is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Cannot be read.
    #[error("cannot read the profile {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("the profile {name} is not valid:\n{source}")]
    Parse {
        /// The file.
        name: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value out of range.
    #[error("the profile {name} is not valid: {why}")]
    Value {
        /// The file.
        name: String,
        /// Which key, and its range.
        why: String,
    },
}

impl Profile {
    /// Reads a profile file.
    ///
    /// # Errors
    /// [`ProfileError`], which names the key and what it may be.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ProfileError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses and validates; `name` is for messages.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn parse(text: &str, name: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)
            .map_err(|source| ProfileError::Parse { name: name.to_owned(), source: Box::new(source) })?;
        profile.validate().map_err(|why| ProfileError::Value { name: name.to_owned(), why })?;
        Ok(profile)
    }

    fn validate(&self) -> Result<(), String> {
        self.endpoint.validate().map_err(|e| e.to_string())?;
        self.decoding()?;
        self.validate_routing()?;
        self.validate_telemetry()?;
        self.thermal.validate()?;
        if self.pipeline.threads > 256 {
            return Err("pipeline.threads must be at most 256".to_owned());
        }
        if !(1_000..=86_400_000).contains(&self.pipeline.max_queued_ms) {
            return Err("pipeline.max_queued_ms must be from 1000 to 86400000".to_owned());
        }
        if !(100..=60_000).contains(&self.pipeline.partial_interval_ms) {
            return Err("pipeline.partial_interval_ms must be from 100 to 60000".to_owned());
        }
        if self.pipeline.speculate_after_ms > 10_000 {
            return Err("pipeline.speculate_after_ms must be at most 10000, or 0 for never".to_owned());
        }
        Ok(())
    }

    /// The recognizer's options.
    ///
    /// # Errors
    /// Which key is out of range, in a sentence.
    pub fn decoding(&self) -> Result<DecodingOptions, String> {
        let w = &self.whisper;
        let temperatures_fit =
            !w.temperatures.is_empty() && w.temperatures.iter().all(|t| (0.0..=2.0).contains(t));
        if !temperatures_fit {
            return Err("whisper.temperatures must be one or more values from 0 to 2".to_owned());
        }
        for (key, value) in [
            ("whisper.logprob_threshold", w.logprob_threshold),
            ("whisper.compression_ratio_threshold", w.compression_ratio_threshold),
        ] {
            if !value.is_finite() {
                return Err(format!("{key} must be a number"));
            }
        }
        if !(0.0..=1.0).contains(&w.no_speech_threshold) {
            return Err("whisper.no_speech_threshold must be from 0 to 1".to_owned());
        }
        Ok(DecodingOptions {
            language: LanguageChoice::parse(&w.language).map_err(|why| format!("whisper.language: {why}"))?,
            task: if w.translate { Task::Translate } else { Task::Transcribe },
            context: self.whisper.context,
            timestamps: w.timestamps,
            word_timestamps: w.word_timestamps,
            initial_prompt: w.initial_prompt.clone(),
            temperatures: w.temperatures.clone(),
            logprob_threshold: w.logprob_threshold,
            compression_ratio_threshold: w.compression_ratio_threshold,
            no_speech_threshold: w.no_speech_threshold,
            ..DecodingOptions::default()
        })
    }

    /// The pipeline's options for a live or a recorded source. A recording waits for the recognizer, so
    /// ten seconds of audio in the queue are enough to keep it busy.
    pub fn pipeline_options(&self, live: bool, partials: bool) -> PipelineOptions {
        PipelineOptions {
            live,
            max_queued_s: (self.pipeline.max_queued_ms as f64 / 1e3).min(if live {
                f64::INFINITY
            } else {
                10.0
            }),
            partial_interval: partials.then(|| Duration::from_millis(self.pipeline.partial_interval_ms)),
            speculate_after: Some(Duration::from_millis(self.pipeline.speculate_after_ms))
                .filter(|d| !d.is_zero()),
            keep_input: live && self.telemetry.is_on(),
            relief: Relief::default(),
        }
    }

    /// Which channels are heard.
    pub fn channels(&self) -> ChannelSelect {
        self.capture.channel.map_or(ChannelSelect::Mix, ChannelSelect::Channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_profile_is_the_defaults() {
        let profile = Profile::parse("", "empty").unwrap();
        assert_eq!(profile.whisper.model, "tiny.en");
        assert_eq!(profile.decoding().unwrap(), DecodingOptions::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = Profile::parse("[endpoint]\npre_roll = 3\n", "x.toml").unwrap_err().to_string();
        assert!(error.contains("pre_roll") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_named_with_their_range() {
        for (text, key) in [
            ("[whisper]\nlanguage = \"xx\"", "whisper.language"),
            ("[whisper]\ntemperatures = []", "whisper.temperatures"),
            ("[whisper]\nno_speech_threshold = 2.0", "no_speech_threshold"),
            ("[pipeline]\nmax_queued_ms = 1", "max_queued_ms"),
            ("[endpoint]\nthreshold = 1.5", "threshold"),
            ("[route]\npolicy = \"cloud\"", "consent.cloud_audio"),
            ("[shadow]\nengine = \"cloud\"", "consent.cloud_audio"),
            (
                "[consent]\ncloud_audio = true\n[route]\npolicy = \"cloud-then-local\"\nbudget_ms = 1",
                "budget_ms",
            ),
            ("[shadow]\nsample = 1.5", "shadow.sample"),
            ("[thermal]\nmax_celsius = 8", "thermal.max_celsius"),
            ("[thermal]\nhysteresis_celsius = -1", "thermal.hysteresis_celsius"),
        ] {
            let error = Profile::parse(text, "x.toml").unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
