//! OpenAI's `/v1/audio/transcriptions`, as OpenAI, Groq, speaches, vLLM, LocalAI, whisper.cpp and
//! `earwitness serve` speak it.
//!
//! Shapes: <https://developers.openai.com/api/reference/resources/audio/subresources/transcriptions/methods/create>.
//! Servers differ in what they add, so every field but `text` is optional.

use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

use super::attempt::Answer;
use super::{BadBody, CloudSettings, Provider, Upload, language};
use crate::asr::{Segment, Transcript, Word};

pub(super) struct OpenAi;

#[derive(Deserialize)]
struct Body {
    text: String,
    language: Option<String>,
    #[serde(default)]
    segments: Option<Vec<BodySegment>>,
    #[serde(default)]
    words: Option<Vec<BodyWord>>,
    #[serde(default)]
    logprobs: Option<Vec<TokenLogprob>>,
}

#[derive(Deserialize)]
struct BodySegment {
    start: f64,
    end: f64,
    text: String,
    #[serde(default)]
    tokens: Vec<u32>,
    temperature: Option<f32>,
    avg_logprob: Option<f32>,
    compression_ratio: Option<f32>,
    no_speech_prob: Option<f32>,
    #[serde(default)]
    words: Option<Vec<BodyWord>>,
}

#[derive(Deserialize)]
struct BodyWord {
    word: String,
    start: f64,
    end: f64,
    probability: Option<f32>,
}

#[derive(Deserialize)]
struct TokenLogprob {
    logprob: f32,
}

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn request(&self, client: &Client, settings: &CloudSettings, upload: &Upload) -> RequestBuilder {
        let name = format!("utterance.{}", upload.format.extension());
        let part = Part::bytes(upload.bytes.clone()).file_name(name);
        // A constant media type is valid.
        let file = part.mime_str(upload.format.media_type()).unwrap_or_else(|_| Part::bytes(Vec::new()));
        let mut form = Form::new().part("file", file);
        let model = if settings.model.is_empty() { "whisper-1" } else { settings.model.as_str() };
        form = form.text("model", model.to_owned());
        // The models that came after Whisper give a plain text, and the certainty of its tokens if asked.
        if model.starts_with("gpt-") {
            form = form.text("response_format", "json");
            if model.starts_with("gpt-4o") {
                form = form.text("include[]", "logprobs");
            }
        } else {
            form = form.text("response_format", "verbose_json").text("timestamp_granularities[]", "segment");
            if settings.word_times {
                form = form.text("timestamp_granularities[]", "word");
            }
        }
        if !settings.language.is_empty() {
            form = form.text("language", settings.language.clone());
        }
        if let Some(prompt) = &settings.prompt {
            form = form.text("prompt", prompt.clone());
        }
        form = form.text("temperature", "0");
        let request = client.post(settings.endpoint("audio/transcriptions")).multipart(form);
        match &settings.key {
            Some(key) => request.header("authorization", key.header("Bearer ")),
            None => request,
        }
    }

    fn transcript(&self, answer: &Answer, upload: &Upload) -> Result<Transcript, BadBody> {
        let body: Body = answer.json()?;
        let mut segments: Vec<Segment> =
            body.segments.unwrap_or_default().into_iter().map(Segment::from).collect();
        if segments.is_empty() && !body.text.trim().is_empty() {
            segments.push(Segment::plain(0.0, upload.seconds, &body.text));
        }
        for word in body.words.unwrap_or_default() {
            place(&mut segments, word.into());
        }
        let language = body.language.as_deref().and_then(language::code);
        let mut transcript = Transcript::new(&body.text, language, segments);
        transcript.provider_confidence = body.logprobs.as_deref().and_then(confidence);
        Ok(transcript)
    }
}

impl From<BodySegment> for Segment {
    fn from(body: BodySegment) -> Self {
        Self {
            start: body.start,
            end: body.end,
            text: body.text.trim().to_owned(),
            tokens: body.tokens,
            temperature: body.temperature,
            avg_logprob: body.avg_logprob,
            no_speech_prob: body.no_speech_prob,
            compression_ratio: body.compression_ratio,
            words: body.words.unwrap_or_default().into_iter().map(Word::from).collect(),
        }
    }
}

impl From<BodyWord> for Word {
    fn from(body: BodyWord) -> Self {
        let word = body.word;
        let word = if word.starts_with(' ') { word } else { format!(" {word}") };
        Self { start: body.start, end: body.end, word, probability: body.probability }
    }
}

/// Puts a word of the whole text into the segment in which its middle lies, or the last one.
fn place(segments: &mut [Segment], word: Word) {
    let middle = f64::midpoint(word.start, word.end);
    let at = segments.iter().position(|s| middle < s.end).unwrap_or(segments.len().saturating_sub(1));
    if let Some(segment) = segments.get_mut(at) {
        segment.words.push(word);
    }
}

/// The geometric mean of the tokens' probabilities.
fn confidence(tokens: &[TokenLogprob]) -> Option<f32> {
    let sum: f32 = tokens.iter().map(|t| t.logprob).sum();
    (!tokens.is_empty()).then(|| (sum / tokens.len() as f32).exp().clamp(0.0, 1.0))
}
