//! The multipart form of a transcription request.

use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;
use axum::http::StatusCode;

use super::error::ApiError;
use crate::asr::whisper::{DecodingOptions, LanguageChoice, Task};

/// How the text is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ResponseFormat {
    #[default]
    Json,
    Text,
    Srt,
    VerboseJson,
    Vtt,
}

impl ResponseFormat {
    fn parse(text: &str) -> Result<Self, ApiError> {
        Ok(match text {
            "json" => Self::Json,
            "text" => Self::Text,
            "srt" => Self::Srt,
            "verbose_json" => Self::VerboseJson,
            "vtt" => Self::Vtt,
            _ => {
                let message =
                    format!("response_format `{text}` is none of json, text, srt, verbose_json, vtt");
                return Err(ApiError::invalid("response_format", message));
            }
        })
    }
}

/// What a client asked for.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) file: Option<Vec<u8>>,
    pub(super) model: Option<String>,
    pub(super) format: ResponseFormat,
    pub(super) stream: bool,
    pub(super) words: bool,
    pub(super) segments: bool,
    language: Option<String>,
    prompt: Option<String>,
    temperature: Option<f32>,
}

impl Form {
    /// Reads all parts. Names that are not known are left alone, as clients of other servers send them.
    pub(super) async fn read(mut parts: Multipart, limit: usize) -> Result<Self, ApiError> {
        let mut form = Self::default();
        let mut wrong = None;
        while let Some(mut part) = parts.next_field().await.map_err(|e| refused(&e, limit))? {
            if wrong.is_some() {
                // A client that is still sending must be able to read the answer.
                while part.chunk().await.map_err(|e| refused(&e, limit))?.is_some() {}
                continue;
            }
            let name = part.name().unwrap_or_default().to_owned();
            if name == "file" {
                form.file = Some(part.bytes().await.map_err(|e| refused(&e, limit))?.to_vec());
            } else {
                let value = part.text().await.map_err(|e| refused(&e, limit))?;
                wrong = form.set(&name, value).err();
            }
        }
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        if !form.words && !form.segments {
            form.segments = true;
        }
        if form.words && form.format != ResponseFormat::VerboseJson {
            let message = "word times need response_format=verbose_json";
            return Err(ApiError::invalid("timestamp_granularities", message));
        }
        if form.stream && !matches!(form.format, ResponseFormat::Json | ResponseFormat::Text) {
            return Err(ApiError::invalid("stream", "a stream needs response_format=json or text"));
        }
        Ok(form)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), ApiError> {
        match name {
            // faster-whisper-server's name for it.
            "model" | "model_name" => self.model = Some(value),
            "language" => self.language = Some(value).filter(|v| !v.is_empty()),
            "prompt" => self.prompt = Some(value).filter(|v| !v.is_empty()),
            "response_format" => self.format = ResponseFormat::parse(&value)?,
            "stream" => self.stream = flag("stream", &value)?,
            "temperature" => {
                let temperature = value.parse().ok().filter(|t| (0.0..=1.0).contains(t));
                let error = || ApiError::invalid("temperature", "temperature must be from 0 to 1");
                self.temperature = Some(temperature.ok_or_else(error)?);
            }
            "timestamp_granularities[]" | "timestamp_granularities" => match value.as_str() {
                "word" => self.words = true,
                "segment" => self.segments = true,
                _ => {
                    let message = format!("timestamp_granularities `{value}` is neither word nor segment");
                    return Err(ApiError::invalid("timestamp_granularities", message));
                }
            },
            _ => {}
        }
        Ok(())
    }

    /// The server's own options with what this request asks for.
    pub(super) fn options(
        &self,
        base: &DecodingOptions,
        task: Task,
        multilingual: bool,
    ) -> Result<DecodingOptions, ApiError> {
        let mut options = DecodingOptions { task, word_timestamps: self.words, ..base.clone() };
        if let Some(language) = &self.language {
            options.language =
                LanguageChoice::parse(language).map_err(|why| ApiError::invalid("language", why))?;
        }
        let english = options.language == LanguageChoice::Pinned("en".to_owned());
        if !multilingual && (!english || task == Task::Translate) {
            let message =
                "the model of this server knows English only: start it with a multilingual one, such as base";
            return Err(ApiError::invalid(if english { "model" } else { "language" }, message));
        }
        // A translation of English is asked for by clients that do not know what was spoken.
        if task == Task::Translate && self.language.is_none() {
            options.language = LanguageChoice::Detect(Vec::new());
        }
        if self.prompt.is_some() {
            options.initial_prompt.clone_from(&self.prompt);
        }
        // 0 is the clients' default and means what it means at OpenAI: fall back when a text is doubted.
        if let Some(temperature) = self.temperature.filter(|t| *t > 0.0) {
            options.temperatures = vec![temperature];
        }
        Ok(options)
    }
}

fn flag(name: &'static str, value: &str) -> Result<bool, ApiError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" | "" => Ok(false),
        _ => Err(ApiError::invalid(name, format!("{name} must be true or false"))),
    }
}

fn refused(error: &MultipartError, limit: usize) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(limit),
        _ => ApiError::invalid("file", format!("the form cannot be read: {}", error.body_text())),
    }
}
