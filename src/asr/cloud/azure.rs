//! Azure speech to text, REST for short audio.
//!
//! Shapes: <https://learn.microsoft.com/azure/ai-services/speech-service/rest-speech-to-text-short>.
//! Times are in units of 100 ns and come as numbers or as texts. FLAC is not among its formats.

use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Deserializer};

use super::attempt::Answer;
use super::{BadBody, CloudSettings, Provider, Upload};
use crate::asr::{Outcome, Segment, Transcript, Word};

pub(super) struct Azure;

/// Ticks of 100 ns in a second.
const TICKS: f64 = 1e7;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    recognition_status: String,
    display_text: Option<String>,
    #[serde(default, deserialize_with = "number")]
    offset: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    duration: Option<f64>,
    #[serde(default, rename = "NBest")]
    n_best: Vec<Hypothesis>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Hypothesis {
    #[serde(default, deserialize_with = "number")]
    confidence: Option<f64>,
    display: Option<String>,
    #[serde(default)]
    words: Vec<BodyWord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BodyWord {
    word: String,
    #[serde(default, deserialize_with = "number")]
    offset: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    duration: Option<f64>,
}

/// A number, or a text that is one.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        Some(Either::Number(value)) => Some(value),
        Some(Either::Text(text)) => text.trim().parse().ok(),
        None => None,
    })
}

impl Provider for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn takes_flac(&self) -> bool {
        false
    }

    fn request(&self, client: &Client, settings: &CloudSettings, upload: &Upload) -> RequestBuilder {
        let mut url = settings.endpoint("speech/recognition/conversation/cognitiveservices/v1");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("language", &settings.language).append_pair("format", "detailed");
            if settings.word_times {
                query.append_pair("wordLevelTimestamps", "true");
            }
            // Azure's models are endpoints of the account's own.
            if !settings.model.is_empty() {
                query.append_pair("cid", &settings.model);
            }
        }
        let request = client
            .post(url)
            .header("content-type", "audio/wav; codecs=audio/pcm; samplerate=16000")
            .header("accept", "application/json")
            .body(upload.bytes.clone());
        match &settings.key {
            Some(key) => request.header("ocp-apim-subscription-key", key.header("")),
            None => request,
        }
    }

    fn transcript(&self, answer: &Answer, upload: &Upload) -> Result<Transcript, BadBody> {
        let body: Body = answer.json()?;
        match body.recognition_status.as_str() {
            "Success" => {}
            "NoMatch" | "InitialSilenceTimeout" | "BabbleTimeout" | "EndOfDictation" => {
                return Ok(Transcript::without_text(Outcome::Empty, None));
            }
            "Error" | "TooManyRequests" => return Err(BadBody::Trouble(body.recognition_status)),
            _ => return Err(BadBody::Malformed("an unknown RecognitionStatus".to_owned())),
        }
        let best = body.n_best.into_iter().next();
        let (display, confidence, words) = match best {
            Some(best) => (best.display, best.confidence, best.words),
            None => (None, None, Vec::new()),
        };
        let text = display.or(body.display_text).unwrap_or_default();
        let start = body.offset.unwrap_or(0.0) / TICKS;
        let end = body.duration.map_or(upload.seconds, |duration| start + duration / TICKS);
        let mut segment = Segment::plain(start, end, &text);
        segment.words = words.into_iter().map(Word::from).collect();
        let mut transcript = Transcript::new(&text, None, vec![segment]);
        transcript.provider_confidence = confidence.map(|c| c as f32);
        Ok(transcript)
    }
}

impl From<BodyWord> for Word {
    fn from(word: BodyWord) -> Self {
        let start = word.offset.unwrap_or(0.0) / TICKS;
        let end = start + word.duration.unwrap_or(0.0) / TICKS;
        Self { start, end, word: format!(" {}", word.word), probability: None }
    }
}
