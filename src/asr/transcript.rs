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
    /// Mean probability of its tokens, in [0, 1].
    pub probability: f32,
}

/// A timed piece of a transcript.
#[derive(Clone, PartialEq, Serialize)]
pub struct Segment {
    /// Seconds from the utterance's first sample.
    pub start: f64,
    /// Seconds from the utterance's first sample.
    pub end: f64,
    /// The text, trimmed.
    pub text: String,
    /// Text tokens, without special and timestamp tokens.
    pub tokens: Vec<u32>,
    /// Sampling temperature that gave the text: 0 is greedy.
    pub temperature: f32,
    /// Mean log-probability of the window's tokens, natural logarithm, at most 0.
    pub avg_logprob: f32,
    /// Probability that the window holds no speech, in [0, 1].
    pub no_speech_prob: f32,
    /// Bytes of the window's text over bytes of its zlib form; loops exceed 2.4.
    pub compression_ratio: f32,
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
    /// Decoding attempts beyond the first, over all windows.
    pub fallbacks: u32,
    /// Windows that were decoded again from all 30 s, because the text of the shortened one was doubted.
    pub full_windows: u32,
}

impl Transcript {
    /// A transcript without text.
    pub fn without_text(outcome: Outcome, language: Option<String>) -> Self {
        Self { text: String::new(), language, outcome, segments: Vec::new(), fallbacks: 0, full_windows: 0 }
    }

    /// Mean of the segments' `avg_logprob`, weighted by tokens; `None` without text.
    pub fn avg_logprob(&self) -> Option<f32> {
        let tokens: usize = self.segments.iter().map(|s| s.tokens.len()).sum();
        let sum: f32 = self.segments.iter().map(|s| s.avg_logprob * s.tokens.len() as f32).sum();
        (tokens > 0).then(|| sum / tokens as f32)
    }

    /// Moves all times by `seconds`.
    pub fn shift(&mut self, seconds: f64) {
        self.segments.iter_mut().for_each(|segment| segment.shift(seconds));
    }
}

impl Segment {
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
        let word = Word { start: 0.0, end: 1.0, word: "secret".into(), probability: 1.0 };
        let segment = Segment {
            start: 0.0,
            end: 1.0,
            text: "secret".into(),
            tokens: vec![1],
            temperature: 0.0,
            avg_logprob: -0.1,
            no_speech_prob: 0.0,
            compression_ratio: 1.0,
            words: vec![word.clone()],
        };
        let transcript = Transcript {
            text: "secret".into(),
            language: Some("en".into()),
            outcome: Outcome::Transcript,
            segments: vec![segment.clone()],
            fallbacks: 0,
            full_windows: 0,
        };
        for shown in [format!("{transcript:?}"), format!("{segment:?}"), format!("{word:?}")] {
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
