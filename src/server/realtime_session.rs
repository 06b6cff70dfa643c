//! What a realtime session is set to.

use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use crate::asr::whisper::{DecodingOptions, LanguageChoice};
use crate::audio::SampleRate;
use crate::endpoint::EndpointRules;

/// Who cuts the audio into items.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TurnDetection {
    /// The client commits.
    Off,
    /// The server's endpointer.
    ServerVad(VadWish),
}

/// What a client may set of the endpointer; the rest are the server's own rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VadWish {
    threshold: Option<f32>,
    prefix_padding_ms: Option<u32>,
    silence_duration_ms: Option<u32>,
}

impl VadWish {
    pub(super) fn apply(&self, rules: &EndpointRules) -> EndpointRules {
        let mut rules = rules.clone();
        if let Some(threshold) = self.threshold {
            rules.threshold = threshold;
            rules.neg_threshold = rules.neg_threshold.min(threshold);
        }
        rules.pre_roll_ms = self.prefix_padding_ms.unwrap_or(rules.pre_roll_ms);
        if let Some(silence) = self.silence_duration_ms {
            rules.min_trailing_silence_ms = silence;
            rules.post_pad_ms = rules.post_pad_ms.min(silence);
        }
        rules
    }

    fn parse(value: &Value, rules: &EndpointRules) -> Result<Self, ApiError> {
        let ms = |name| value[name].as_u64().and_then(|ms| u32::try_from(ms).ok());
        let wish = Self {
            threshold: value["threshold"].as_f64().map(|t| t as f32),
            prefix_padding_ms: ms("prefix_padding_ms"),
            silence_duration_ms: ms("silence_duration_ms"),
        };
        wish.apply(rules).validate().map_err(|e| ApiError::invalid("session", e.to_string()))?;
        Ok(wish)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) rate: SampleRate,
    pub(super) turn_detection: TurnDetection,
    /// `None` until the client sets anything of it.
    pub(super) options: Option<DecodingOptions>,
    model: String,
    language: Option<String>,
    prompt: Option<String>,
}

impl Session {
    /// 24 kHz, cut by the server, as OpenAI's sessions begin.
    pub(super) fn new(model: &str) -> Self {
        Self {
            rate: SampleRate::new(24_000).unwrap_or(crate::audio::SAMPLE_RATE),
            turn_detection: TurnDetection::ServerVad(VadWish::default()),
            options: None,
            model: model.to_owned(),
            language: None,
            prompt: None,
        }
    }

    /// This session with those fields of `update` that are there.
    pub(super) fn updated(&self, update: &Value, shared: &Shared) -> Result<Self, ApiError> {
        let mut session = self.clone();
        if !matches!(update["type"].as_str(), None | Some("transcription")) {
            return Err(ApiError::invalid("session.type", "only transcription sessions are served here"));
        }
        let input = &update["audio"]["input"];
        match &input["format"] {
            Value::Null => {}
            format if format["type"] == "audio/pcm" => {
                let rate = format["rate"].as_u64().unwrap_or(24_000);
                let rate = u32::try_from(rate).ok().and_then(SampleRate::new);
                let error = || {
                    ApiError::invalid("session.audio.input.format", "the rate must be from 8000 to 192000")
                };
                session.rate = rate.ok_or_else(error)?;
            }
            _ => {
                return Err(ApiError::invalid("session.audio.input.format", "only audio/pcm is served here"));
            }
        }
        match input.get("turn_detection") {
            None => {}
            Some(Value::Null) => session.turn_detection = TurnDetection::Off,
            Some(wish) if matches!(wish["type"].as_str(), None | Some("server_vad")) => {
                session.turn_detection = TurnDetection::ServerVad(VadWish::parse(wish, &shared.rules)?);
            }
            Some(_) => {
                let message = "only server_vad or null is served here";
                return Err(ApiError::invalid("session.audio.input.turn_detection", message));
            }
        }
        session.transcribe_with(&input["transcription"], shared)?;
        Ok(session)
    }

    fn transcribe_with(&mut self, wish: &Value, shared: &Shared) -> Result<(), ApiError> {
        if let Some(model) = wish["model"].as_str() {
            shared.check_model(Some(model))?;
        }
        let mut options = self.options.clone().unwrap_or_else(|| shared.options.clone());
        if let Some(language) = wish["language"].as_str().filter(|l| !l.is_empty()) {
            let param = "session.audio.input.transcription.language";
            options.language =
                LanguageChoice::parse(language).map_err(|why| ApiError::invalid(param, why))?;
            if !shared.multilingual && options.language != LanguageChoice::Pinned("en".to_owned()) {
                return Err(ApiError::invalid(param, "the model of this server knows English only"));
            }
            self.language = Some(language.to_owned());
        }
        if let Some(prompt) = wish["prompt"].as_str() {
            self.prompt = Some(prompt.to_owned());
            options.initial_prompt = Some(prompt.to_owned()).filter(|p| !p.is_empty());
        }
        self.options = Some(options);
        Ok(())
    }

    /// As it stands, in OpenAI's shape.
    pub(super) fn describe(&self) -> Value {
        let turn_detection = match &self.turn_detection {
            TurnDetection::Off => Value::Null,
            TurnDetection::ServerVad(wish) => json!({
                "type": "server_vad",
                "threshold": wish.threshold,
                "prefix_padding_ms": wish.prefix_padding_ms,
                "silence_duration_ms": wish.silence_duration_ms,
            }),
        };
        json!({
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": "sess_1",
            "include": null,
            "audio": { "input": {
                "format": { "type": "audio/pcm", "rate": self.rate.hz() },
                "noise_reduction": null,
                "transcription": { "model": self.model, "language": self.language, "prompt": self.prompt },
                "turn_detection": turn_detection,
            } },
        })
    }
}
