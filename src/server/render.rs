//! Answers in OpenAI's shapes.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::form::{Form, ResponseFormat};
use crate::asr::whisper::{Task, find_language, join};
use crate::asr::{Segment, Word};
use crate::subtitles;

/// The transcript of one recording, as far as it has come.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) segments: Vec<Segment>,
    pub(super) language: Option<String>,
    pub(super) seconds: f64,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        join(&self.segments, self.language.as_deref())
    }

    /// Adds an utterance's text and gives what it adds to the whole, with the space before it; `None` if nothing.
    pub(super) fn add(&mut self, segments: Vec<Segment>, language: Option<String>) -> Option<String> {
        if segments.is_empty() {
            return None;
        }
        let before = self.text();
        self.language = self.language.take().or(language);
        self.segments.extend(segments);
        let whole = self.text();
        // The first text may settle the language, and with it how all are joined.
        Some(whole.strip_prefix(&before).unwrap_or(&whole).to_owned())
    }

    /// What OpenAI bills by; here it tells how much was heard.
    pub(super) fn usage(&self) -> Value {
        json!({ "type": "duration", "seconds": self.seconds.ceil() })
    }

    pub(super) fn respond(&self, form: &Form, task: Task) -> Response {
        let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        match form.format {
            ResponseFormat::Json => {
                Json(json!({ "text": self.text(), "usage": self.usage() })).into_response()
            }
            ResponseFormat::VerboseJson => Json(self.verbose(form, task)).into_response(),
            ResponseFormat::Text => (plain, format!("{}\n", self.text())).into_response(),
            ResponseFormat::Srt => (plain, subtitles::srt(&self.segments)).into_response(),
            ResponseFormat::Vtt => {
                let kind = [(header::CONTENT_TYPE, "text/vtt; charset=utf-8")];
                (kind, subtitles::vtt(&self.segments)).into_response()
            }
        }
    }

    fn verbose(&self, form: &Form, task: Task) -> Value {
        let language = match task {
            Task::Translate => Some("en"),
            Task::Transcribe => self.language.as_deref(),
        };
        let mut body = json!({
            "task": match task { Task::Translate => "translate", Task::Transcribe => "transcribe" },
            "language": language.map(name_of).unwrap_or_default(),
            "duration": self.seconds,
            "text": self.text(),
            "usage": self.usage(),
        });
        if form.segments {
            body["segments"] = self.segments.iter().enumerate().map(|(i, s)| segment(i, s)).collect();
        }
        if form.words {
            body["words"] = self.segments.iter().flat_map(|s| &s.words).map(word).collect();
        }
        body
    }
}

/// `english` for `en`, as OpenAI writes it.
fn name_of(code: &str) -> String {
    find_language(code).map_or_else(|| code.to_owned(), |language| language.name.to_lowercase())
}

fn segment(id: usize, segment: &Segment) -> Value {
    json!({
        "id": id,
        "seek": (segment.start * 100.0).round() as u64,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": segment.tokens,
        "temperature": segment.temperature.unwrap_or(0.0),
        "avg_logprob": segment.avg_logprob.unwrap_or(0.0),
        "compression_ratio": segment.compression_ratio.unwrap_or(0.0),
        "no_speech_prob": segment.no_speech_prob.unwrap_or(0.0),
    })
}

fn word(word: &Word) -> Value {
    json!({ "word": word.word.trim(), "start": word.start, "end": word.end, "probability": word.probability })
}
