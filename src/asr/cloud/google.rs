//! Google Speech-to-Text v1 `recognize`.
//!
//! Shapes: <https://cloud.google.com/speech-to-text/docs/reference/rest/v1/speech/recognize>,
//! errors: <https://cloud.google.com/apis/design/errors>. Empty fields are left out of answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use super::attempt::Answer;
use super::{BadBody, CloudSettings, Provider, Upload, language};
use crate::asr::{Segment, Transcript, Word};
use crate::audio::AudioFormat;

pub(super) struct Google;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Body {
    results: Vec<Piece>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Piece {
    alternatives: Vec<Alternative>,
    result_end_time: Option<String>,
    language_code: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Alternative {
    transcript: String,
    confidence: Option<f32>,
    words: Vec<BodyWord>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct BodyWord {
    start_time: Option<String>,
    end_time: Option<String>,
    word: String,
    confidence: Option<f32>,
}

impl Provider for Google {
    fn name(&self) -> &'static str {
        "google"
    }

    fn request(&self, client: &Client, settings: &CloudSettings, upload: &Upload) -> RequestBuilder {
        let encoding = match upload.format {
            AudioFormat::Flac => "FLAC",
            AudioFormat::Wav => "LINEAR16",
        };
        let mut config = json!({
            "encoding": encoding,
            "sampleRateHertz": crate::audio::SAMPLE_RATE.hz(),
            "languageCode": settings.language,
            "enableAutomaticPunctuation": true,
            "enableWordTimeOffsets": true,
        });
        if !settings.model.is_empty() {
            config["model"] = settings.model.as_str().into();
        }
        if let Some(prompt) = &settings.prompt {
            config["speechContexts"] = json!([{ "phrases": [prompt] }]);
        }
        let body = json!({ "config": config, "audio": { "content": STANDARD.encode(&upload.bytes) } });
        let request = client.post(settings.endpoint("v1/speech:recognize")).json(&body);
        match &settings.key {
            Some(key) => request.header("x-goog-api-key", key.header("")),
            None => request,
        }
    }

    fn transcript(&self, answer: &Answer, upload: &Upload) -> Result<Transcript, BadBody> {
        let body: Body = answer.json()?;
        let mut text = String::new();
        let mut segments: Vec<Segment> = Vec::new();
        let (mut certain, mut seconds) = (0.0, 0.0);
        let mut language = None;
        for piece in body.results {
            let Some(best) = piece.alternatives.into_iter().next() else { continue };
            // Later pieces bring the space before them.
            text.push_str(&best.transcript);
            language = language.or_else(|| piece.language_code.as_deref().and_then(language::code));
            let words: Vec<Word> = best.words.into_iter().map(Word::from).collect();
            let begin = words.first().map_or_else(|| segments.last().map_or(0.0, |s| s.end), |w| w.start);
            let said = words.last().map(|w| w.end);
            let end = said.or_else(|| time(piece.result_end_time.as_deref())).unwrap_or(upload.seconds);
            if let Some(confidence) = best.confidence {
                let weight = (end - begin).max(0.01) as f32;
                certain += confidence * weight;
                seconds += weight;
            }
            let mut segment = Segment::plain(begin, end, &best.transcript);
            segment.words = words;
            segments.push(segment);
        }
        let mut transcript = Transcript::new(&text, language, segments);
        transcript.provider_confidence = (seconds > 0.0).then(|| certain / seconds);
        Ok(transcript)
    }

    /// `google.rpc.RetryInfo` in an error's details.
    fn retry_after(&self, answer: &Answer) -> Option<Duration> {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        let details = body.pointer("/error/details")?.as_array()?;
        let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
        Duration::try_from_secs_f64(time(Some(delay))?).ok()
    }
}

impl From<BodyWord> for Word {
    fn from(word: BodyWord) -> Self {
        let start = time(word.start_time.as_deref()).unwrap_or(0.0);
        Self {
            start,
            end: time(word.end_time.as_deref()).unwrap_or(start),
            word: format!(" {}", word.word),
            probability: word.confidence,
        }
    }
}

/// `"1.300s"` in seconds.
fn time(text: Option<&str>) -> Option<f64> {
    text?.strip_suffix('s')?.parse().ok().filter(|seconds: &f64| seconds.is_finite())
}
