//! [`Transcript`]: what a recognizer made of one utterance.

use std::fmt;

use serde::Serialize;

/// How a recognition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is text.
    Transcript,
    /// The engine judged that nobody spoke, and gave no text.
    NoSpeech,
    /// The engine found neither speech nor silence: an empty text.
    Empty,
}

/// A word with its times.
#[derive(Clone, PartialEq, Serialize)]
pub struct Word {
    /// Seconds from the utterance's first sample.
    pub start: f64,
    /// Seconds from the utterance's first sample.
    pub end: f64,
    /// The word with the punctuation that touches it and any space before it.
    pub word: String,
    /// Mean probability of its tokens, or the provider's confidence, in [0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f32>,
}

/// A timed piece of a transcript. What only a local decoder knows is absent if a cloud answered without it.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct Segment {
    /// Seconds from the utterance's first sample.
    pub start: f64,
    /// Seconds from the utterance's first sample.
    pub end: f64,
    /// The text, trimmed.
    pub text: String,
    /// Text tokens, without special and timestamp tokens; empty if the engine does not tell.
    pub tokens: Vec<u32>,
    /// Sampling temperature that gave the text: 0 is greedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Mean log-probability of the window's tokens, natural logarithm, at most 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_logprob: Option<f32>,
    /// Probability that the window holds no speech, in [0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_speech_prob: Option<f32>,
    /// Bytes of the window's text over bytes of its zlib form; loops exceed 2.4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_ratio: Option<f32>,
    /// Word times, when asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
}

/// What a recognizer made of one utterance.
#[derive(Clone, PartialEq, Serialize)]
pub struct Transcript {
    /// The whole text, trimmed.
    pub text: String,
    /// Language code (`en`), if the engine knows one.
    pub language: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The text in pieces; empty when there is no text.
    pub segments: Vec<Segment>,
    /// The provider's confidence in [0, 1], if it gives one; see [`Transcript::confidence`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_confidence: Option<f32>,
    /// Decoding attempts beyond the first, over all windows.
    pub fallbacks: u32,
    /// Windows that were decoded again from all 30 s, because the text of the shortened one was doubted.
    pub full_windows: u32,
}

impl Transcript {
    /// A transcript without text.
    pub fn without_text(outcome: Outcome, language: Option<String>) -> Self {
        Self {
            text: String::new(),
            language,
            outcome,
            segments: Vec::new(),
            provider_confidence: None,
            fallbacks: 0,
            full_windows: 0,
        }
    }

    /// What an engine answered: white space and line breaks become single spaces, and an empty text is
    /// [`Outcome::Empty`].
    pub fn new(text: &str, language: Option<String>, segments: Vec<Segment>) -> Self {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return Self::without_text(Outcome::Empty, language);
        }
        Self { text, segments, ..Self::without_text(Outcome::Transcript, language) }
    }

    /// Mean of the segments' `avg_logprob`, weighted by tokens, or by seconds if there are none; `None` if no
    /// segment has one.
    pub fn avg_logprob(&self) -> Option<f32> {
        avg_logprob(&self.segments)
    }

    /// How sure the engine is of the text, in [0, 1]: the provider's own figure, else the geometric mean of the
    /// tokens' probabilities. Figures of different engines are not comparable.
    pub fn confidence(&self) -> Option<f32> {
        self.provider_confidence.or_else(|| self.avg_logprob().map(f32::exp))
    }

    /// Moves all times by `seconds`.
    pub fn shift(&mut self, seconds: f64) {
        self.segments.iter_mut().for_each(|segment| segment.shift(seconds));
    }
}

/// See [`Transcript::avg_logprob`].
pub fn avg_logprob(segments: &[Segment]) -> Option<f32> {
    let weight = |s: &Segment| match s.tokens.len() {
        0 => (s.end - s.start).max(0.01) as f32,
        tokens => tokens as f32,
    };
    let known = || segments.iter().filter_map(|s| Some((weight(s), s.avg_logprob?)));
    let total: f32 = known().map(|(weight, _)| weight).sum();
    let sum: f32 = known().map(|(weight, logprob)| weight * logprob).sum();
    (total > 0.0).then(|| sum / total)
}

impl Segment {
    /// A piece of which no more is known than text and times.
    pub fn plain(start: f64, end: f64, text: &str) -> Self {
        Self { start, end, text: text.trim().to_owned(), ..Self::default() }
    }

    /// Moves its times and its words' by `seconds`.
    pub fn shift(&mut self, seconds: f64) {
        self.start += seconds;
        self.end += seconds;
        for word in &mut self.words {
            word.start += seconds;
            word.end += seconds;
        }
    }
}

/// Shows sizes only: text never enters a log line.
impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript")
            .field("chars", &self.text.chars().count())
            .field("language", &self.language)
            .field("outcome", &self.outcome)
            .field("segments", &self.segments.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("start", &self.start)
            .field("end", &self.end)
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word").field("start", &self.start).field("end", &self.end).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_text() {
        let word = Word { start: 0.0, end: 1.0, word: "secret".into(), probability: Some(1.0) };
        let segment = Segment {
            start: 0.0,
            end: 1.0,
            text: "secret".into(),
            tokens: vec![1],
            words: vec![word.clone()],
            ..Segment::default()
        };
        let transcript = Transcript {
            text: "secret".into(),
            language: Some("en".into()),
            outcome: Outcome::Transcript,
            segments: vec![segment.clone()],
            provider_confidence: None,
            fallbacks: 0,
            full_windows: 0,
        };
        for shown in [format!("{transcript:?}"), format!("{segment:?}"), format!("{word:?}")] {
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
