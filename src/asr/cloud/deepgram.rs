//! Deepgram's pre-recorded `/v1/listen`.
//!
//! Shapes: <https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded>,
//! errors: <https://developers.deepgram.com/docs/errors>.

use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

use super::attempt::Answer;
use super::{ApiKey, BadBody, CloudSettings, Provider, Upload, language};
use crate::asr::{Segment, Transcript, Word};

pub(super) struct Deepgram;

#[derive(Deserialize)]
struct Body {
    results: Results,
}

#[derive(Deserialize)]
struct Results {
    channels: Vec<Channel>,
}

#[derive(Deserialize)]
struct Channel {
    alternatives: Vec<Alternative>,
    detected_language: Option<String>,
}

#[derive(Deserialize)]
struct Alternative {
    transcript: String,
    confidence: Option<f32>,
    #[serde(default)]
    words: Vec<BodyWord>,
}

/// A word, as the streaming API gives it too.
#[derive(Deserialize)]
pub(super) struct BodyWord {
    word: String,
    punctuated_word: Option<String>,
    start: f64,
    end: f64,
    confidence: Option<f32>,
}

impl From<BodyWord> for Word {
    fn from(word: BodyWord) -> Self {
        let text = word.punctuated_word.unwrap_or(word.word);
        Self { start: word.start, end: word.end, word: format!(" {text}"), probability: word.confidence }
    }
}

/// How Deepgram is told the key.
pub(super) fn authorization(key: &ApiKey) -> HeaderValue {
    key.header("Token ")
}

impl Provider for Deepgram {
    fn name(&self) -> &'static str {
        "deepgram"
    }

    fn request(&self, client: &Client, settings: &CloudSettings, upload: &Upload) -> RequestBuilder {
        let mut url = settings.endpoint("v1/listen");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("punctuate", "true");
            if !settings.model.is_empty() {
                query.append_pair("model", &settings.model);
            }
            match settings.language.as_str() {
                "" => query.append_pair("detect_language", "true"),
                language => query.append_pair("language", language),
            };
        }
        let request =
            client.post(url).header("content-type", upload.format.media_type()).body(upload.bytes.clone());
        match &settings.key {
            Some(key) => request.header("authorization", authorization(key)),
            None => request,
        }
    }

    fn transcript(&self, answer: &Answer, upload: &Upload) -> Result<Transcript, BadBody> {
        let body: Body = answer.json()?;
        let channel = body.results.channels.into_iter().next();
        let channel = channel.ok_or_else(|| BadBody::Malformed("no channel in it".to_owned()))?;
        let best = channel.alternatives.into_iter().next();
        let best = best.ok_or_else(|| BadBody::Malformed("no alternative in it".to_owned()))?;
        let language = channel.detected_language.as_deref().and_then(language::code);
        let words: Vec<Word> = best.words.into_iter().map(Word::from).collect();
        let mut segment = Segment::plain(0.0, upload.seconds, &best.transcript);
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            (segment.start, segment.end) = (first.start, last.end);
        }
        segment.words = words;
        let mut transcript = Transcript::new(&best.transcript, language, vec![segment]);
        if !transcript.text.is_empty() {
            transcript.provider_confidence = best.confidence;
        }
        Ok(transcript)
    }
}
