//! Decoding one window: prompt, greedy or sampled tokens, and the tests that a text must pass.
//!
//! Temperature 0 is greedy. A text that is improbable, too compressible or a loop is decoded again
//! at the next temperature, by sampling; the best text seen is kept when none passes.

use std::io::Write;

use super::decoder::{DecoderState, Engine};
use super::filter::{LogitsFilter, NoTimestamps, Suppress, SuppressBlank, TimestampRules};
use super::options::DecodingOptions;
use super::repetition::looped;
use super::vocabulary::{SpecialTokens, Vocabulary};
use crate::asr::kernels::math;
use crate::asr::{RecognitionObserver, RecognizerError};
use crate::isa::Isa;

/// Steps of 20 ms by which the first timestamp may be late, from the reference: 1 s.
const MAX_INITIAL_TIMESTAMP: usize = 50;

/// More text tokens than [`LEAST_TOKENS`] and this many a second are not speech: fast readers reach 6.
const TOKENS_PER_S: f64 = 10.0;
/// See [`TOKENS_PER_S`]: a word may take several tokens, and punctuation one more.
const LEAST_TOKENS: f64 = 4.0;

/// What the decoder made of one window.
#[derive(Clone, Debug)]
pub(super) struct Hypothesis {
    /// Sampled tokens, timestamps included, the end left out.
    pub(super) tokens: Vec<u32>,
    pub(super) avg_logprob: f32,
    pub(super) no_speech_prob: f32,
    pub(super) compression_ratio: f32,
    pub(super) temperature: f32,
    /// It was cut because it repeated itself.
    pub(super) looped: bool,
    /// The model said that the text ends, rather than running out of tokens or looping.
    pub(super) complete: bool,
    /// Attempts before this one.
    pub(super) fallbacks: u32,
    /// It looks like what a shortened window makes of hard audio: the full one should be heard.
    pub(super) doubted: bool,
}

/// What decoding needs besides the decoder.
pub(super) struct DecodingContext<'a> {
    pub(super) engine: Engine<'a>,
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) special: SpecialTokens,
    pub(super) options: &'a DecodingOptions,
    pub(super) suppress: &'a Suppress,
}

impl DecodingContext<'_> {
    fn isa(&self) -> Isa {
        self.engine.compute.isa
    }

    /// Tokens that a window begins with, and where among them the transcript starts.
    pub(super) fn prompt(&self, language: Option<u32>) -> (Vec<u32>, usize) {
        let mut tokens = Vec::new();
        if let Some(text) = self.options.initial_prompt.as_deref().filter(|t| !t.trim().is_empty()) {
            let encoded = self.vocabulary.encode(&format!(" {}", text.trim()));
            let room = self.engine.decoder.capacity() / 2 - 1;
            tokens.push(self.special.start_of_previous);
            tokens.extend(&encoded[encoded.len().saturating_sub(room)..]);
        }
        let start = tokens.len();
        tokens.extend(self.start_sequence(language));
        if !self.options.timestamps {
            tokens.push(self.special.no_timestamps);
        }
        (tokens, start)
    }

    /// Start of transcript, and for multilingual models language and task.
    pub(super) fn start_sequence(&self, language: Option<u32>) -> Vec<u32> {
        let task = match self.options.task {
            super::Task::Transcribe => self.special.transcribe,
            super::Task::Translate => self.special.translate,
        };
        match language {
            Some(language) => vec![self.special.start_of_transcript, language, task],
            None => vec![self.special.start_of_transcript],
        }
    }

    /// Decodes with fallback over the temperatures.
    ///
    /// `shortened` has the seconds of audio if the window was shortened: a first text that is doubted
    /// is then returned at once. Loops of shortened windows are confident; what gives them away is
    /// repetition, compressibility, and more text than can be said in the time.
    pub(super) fn decode(
        &self,
        state: &mut DecoderState,
        language: Option<u32>,
        shortened: Option<f64>,
        observer: &mut dyn RecognitionObserver,
    ) -> Result<Hypothesis, RecognizerError> {
        let (prompt, start) = self.prompt(language);
        let mut best: Option<Hypothesis> = None;
        for (attempt, &temperature) in self.options.temperatures.iter().enumerate() {
            state.rewind();
            let mut hypothesis = self.attempt(state, &prompt, start, temperature, observer)?;
            hypothesis.fallbacks = attempt as u32;
            hypothesis.doubted =
                attempt == 0 && shortened.is_some_and(|seconds| self.doubts(&hypothesis, seconds));
            if hypothesis.doubted || !self.fails(&hypothesis) {
                return Ok(hypothesis);
            }
            tracing::debug!(
                temperature,
                avg_logprob = hypothesis.avg_logprob,
                compression_ratio = hypothesis.compression_ratio,
                looped = hypothesis.looped,
                "the text fails its tests"
            );
            let fallbacks = hypothesis.fallbacks;
            let better = best.as_ref().is_none_or(|b| self.rank(&hypothesis) > self.rank(b));
            if better {
                best = Some(hypothesis);
            }
            if let Some(best) = &mut best {
                best.fallbacks = fallbacks;
            }
        }
        best.ok_or_else(|| RecognizerError::Engine("no sampling temperature was given".into()))
    }

    fn doubts(&self, h: &Hypothesis, seconds: f64) -> bool {
        let text = h.tokens.iter().filter(|t| **t < self.special.end_of_text).count() as f64;
        h.looped
            || h.compression_ratio > self.options.compression_ratio_threshold
            || text > LEAST_TOKENS + TOKENS_PER_S * seconds
    }

    /// Whether the next temperature should be tried. Believed silence is left alone.
    fn fails(&self, h: &Hypothesis) -> bool {
        let improbable = h.avg_logprob < self.options.logprob_threshold;
        if improbable && h.no_speech_prob > self.options.no_speech_threshold {
            return false;
        }
        improbable || h.looped || h.compression_ratio > self.options.compression_ratio_threshold
    }

    /// Among failed texts: not looping first, then probable.
    fn rank(&self, h: &Hypothesis) -> (bool, bool, f32) {
        let compact = h.compression_ratio <= self.options.compression_ratio_threshold;
        (!h.looped, compact, h.avg_logprob)
    }

    fn attempt(
        &self,
        state: &mut DecoderState,
        prompt: &[u32],
        start: usize,
        temperature: f32,
        observer: &mut dyn RecognitionObserver,
    ) -> Result<Hypothesis, RecognizerError> {
        let isa = self.isa();
        let filters = self.filters();
        let mut rng = fastrand::Rng::with_seed(self.options.seed ^ u64::from(temperature.to_bits()));
        let mut logits = Vec::new();
        self.engine.step(state, prompt);
        self.engine.logits(state, Some(start), &mut logits);
        let no_speech_prob = probability(isa, &logits, self.special.no_speech as usize);
        self.engine.logits(state, None, &mut logits);
        let room = self.engine.decoder.capacity() - prompt.len();
        let limit = self.options.max_new_tokens.min(room);
        let mut tokens: Vec<u32> = Vec::with_capacity(limit);
        // Timestamps grow from turn to turn, so loops are looked for in the text alone.
        let mut text: Vec<u32> = Vec::with_capacity(limit);
        let mut sum_logprob = 0.0;
        let mut cut = None;
        let mut complete = false;
        while tokens.len() < limit {
            if observer.cancelled() {
                return Err(RecognizerError::Cancelled);
            }
            for filter in &filters {
                filter.apply(&mut logits, &tokens);
            }
            let token = pick(isa, &logits, temperature, &mut rng);
            sum_logprob += logits[token as usize] - math::log_sum_exp(isa, &logits);
            if token == self.special.end_of_text {
                complete = true;
                break;
            }
            tokens.push(token);
            if token < self.special.first_timestamp {
                text.push(token);
                cut = looped(&text);
                if cut.is_some() {
                    break;
                }
            }
            self.engine.step(state, &[token]);
            self.engine.logits(state, None, &mut logits);
        }
        let avg_logprob = sum_logprob / (tokens.len() + 1) as f32;
        if let Some(keep) = cut {
            tokens.truncate(self.place_of_text(&tokens, keep));
        }
        let text = self.vocabulary.decode(&tokens, &self.special);
        Ok(Hypothesis {
            avg_logprob,
            no_speech_prob,
            compression_ratio: compression_ratio(text.trim()),
            temperature,
            looped: cut.is_some(),
            complete,
            fallbacks: 0,
            doubted: false,
            tokens,
        })
    }

    /// Where among `tokens` the text token with `n` text tokens before it stands.
    fn place_of_text(&self, tokens: &[u32], n: usize) -> usize {
        let is_text = |(_, token): &(usize, &u32)| **token < self.special.first_timestamp;
        tokens.iter().enumerate().filter(is_text).nth(n).map_or(tokens.len(), |(at, _)| at)
    }

    fn filters(&self) -> Vec<Box<dyn LogitsFilter + '_>> {
        let timestamps: Box<dyn LogitsFilter> = if self.options.timestamps {
            Box::new(TimestampRules {
                special: self.special,
                max_initial: MAX_INITIAL_TIMESTAMP,
                isa: self.isa(),
            })
        } else {
            Box::new(NoTimestamps { special: self.special })
        };
        let blank =
            SuppressBlank { space: self.vocabulary.token(" "), end_of_text: self.special.end_of_text };
        vec![Box::new(self.suppress), Box::new(blank), timestamps]
    }

    /// The likeliest language of a window among `candidates` (codes; all if empty), and its probability.
    pub(super) fn detect_language(
        &self,
        state: &mut DecoderState,
        candidates: &[String],
    ) -> Result<(u32, f32), RecognizerError> {
        state.rewind();
        let mut logits = Vec::new();
        self.engine.step(state, &[self.special.start_of_transcript]);
        self.engine.logits(state, None, &mut logits);
        let all = self.special.first_language..self.special.first_language + self.special.n_languages;
        let allowed: Vec<u32> = if candidates.is_empty() {
            all.collect()
        } else {
            candidates.iter().filter_map(|c| self.special.language(c)).collect()
        };
        let scores: Vec<f32> = allowed.iter().map(|&t| logits[t as usize]).collect();
        let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).ok_or_else(|| {
            RecognizerError::Engine("none of the candidate languages is one of this model's".into())
        })?;
        Ok((allowed[best], (scores[best] - math::log_sum_exp(self.isa(), &scores)).exp()))
    }
}

impl LogitsFilter for &Suppress {
    fn apply(&self, logits: &mut [f32], sampled: &[u32]) {
        (**self).apply(logits, sampled);
    }
}

/// The likeliest token, or at a temperature one drawn from the softmax of `logits / temperature`.
fn pick(isa: Isa, logits: &[f32], temperature: f32, rng: &mut fastrand::Rng) -> u32 {
    let likeliest = || math::index_of_maximum(isa, logits) as u32;
    if temperature <= 0.0 {
        return likeliest();
    }
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |l: &f32| f64::from(((l - max) / temperature).exp());
    let total: f64 = logits.iter().map(weight).sum();
    let mut left = rng.f64() * total;
    for (token, l) in logits.iter().enumerate() {
        left -= weight(l);
        if left < 0.0 {
            return token as u32;
        }
    }
    likeliest()
}

fn probability(isa: Isa, logits: &[f32], token: usize) -> f32 {
    (logits[token] - math::log_sum_exp(isa, logits)).exp()
}

/// Bytes of `text` over bytes of its zlib form; 0 for an empty text.
pub(super) fn compression_ratio(text: &str) -> f32 {
    if text.is_empty() {
        return 0.0;
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(compressed) => text.len() as f32 / compressed.len() as f32,
        Err(_) => 0.0, // a vector does not fail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_takes_the_first_of_equals() {
        let mut rng = fastrand::Rng::with_seed(1);
        assert_eq!(pick(Isa::detect(), &[0.0, 3.0, 3.0], 0.0, &mut rng), 1);
    }

    #[test]
    fn sampling_follows_the_probabilities_and_never_takes_a_forbidden_token() {
        let mut rng = fastrand::Rng::with_seed(1);
        let logits = [1.0, f32::NEG_INFINITY, 0.0];
        let mut counts = [0u32; 3];
        for _ in 0..10_000 {
            counts[pick(Isa::detect(), &logits, 1.0, &mut rng) as usize] += 1;
        }
        // e / (e + 1) = 0.731
        assert!((f64::from(counts[0]) / 10_000.0 - 0.731).abs() < 0.02, "{counts:?}");
        assert_eq!(counts[1], 0);
    }

    #[test]
    fn repeated_text_compresses_more_than_speech() {
        assert!(compression_ratio(&"so the so the ".repeat(20)) > 2.4);
        assert!(
            compression_ratio("And so, my fellow Americans, ask not what your country can do for you.") < 1.5
        );
        assert_eq!(compression_ratio(""), 0.0);
    }
}
