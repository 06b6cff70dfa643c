//! Logit filters: what the decoder may say next.
//!
//! Each sets the logits of forbidden tokens to minus infinity, given the tokens sampled so far in
//! this window. The rules are Whisper's own; applied in the order suppress, blank, timestamps.

use super::vocabulary::{SpecialTokens, Vocabulary};
use crate::asr::kernels::math;
use crate::isa::Isa;

/// Forbids tokens, given those sampled so far.
pub(super) trait LogitsFilter {
    fn apply(&self, logits: &mut [f32], sampled: &[u32]);
}

/// Forbids the same tokens at every step.
pub(super) struct Suppress(Vec<u32>);

impl Suppress {
    /// Special tokens that are no text, and `non_speech`, symbols that stand for sounds or
    /// speakers: brackets, notes, dashes at the beginning of a word.
    pub(super) fn new(special: &SpecialTokens, non_speech: &[u32]) -> Self {
        let mut tokens: Vec<u32> = (special.start_of_transcript..special.no_timestamps).collect();
        tokens.extend(non_speech);
        Self(tokens)
    }
}

impl LogitsFilter for Suppress {
    fn apply(&self, logits: &mut [f32], _sampled: &[u32]) {
        for &token in &self.0 {
            logits[token as usize] = f32::NEG_INFINITY;
        }
    }
}

/// Text tokens that are annotation, not speech, as OpenAI chose them.
pub fn non_speech_tokens(vocabulary: &Vocabulary) -> Vec<u32> {
    const SYMBOLS: &str = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 << >> <<< >>> \
                           -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
    const ONLY_AT_WORD_START: [&str; 2] = [" -", " '"];
    // Notes and their kin: the first of the tokens that spell one is enough to forbid it.
    const MUSIC: [&str; 7] = ["♩", "♪", "♫", "♬", "♭", "♮", "♯"];
    let mut tokens = Vec::new();
    for symbol in SYMBOLS.split_whitespace() {
        tokens.extend(vocabulary.token(symbol));
        tokens.extend(vocabulary.token(&format!(" {symbol}")));
    }
    tokens.extend(ONLY_AT_WORD_START.iter().filter_map(|symbol| vocabulary.token(symbol)));
    for note in MUSIC {
        for text in [note.to_owned(), format!(" {note}")] {
            tokens.extend(vocabulary.encode(&text).first());
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// Forbids an empty answer: the first token is neither a lone space nor the end.
pub(super) struct SuppressBlank {
    pub(super) space: Option<u32>,
    pub(super) end_of_text: u32,
}

impl LogitsFilter for SuppressBlank {
    fn apply(&self, logits: &mut [f32], sampled: &[u32]) {
        if sampled.is_empty() {
            for token in self.space.into_iter().chain([self.end_of_text]) {
                logits[token as usize] = f32::NEG_INFINITY;
            }
        }
    }
}

/// Forbids timestamps altogether.
pub(super) struct NoTimestamps {
    pub(super) special: SpecialTokens,
}

impl LogitsFilter for NoTimestamps {
    fn apply(&self, logits: &mut [f32], _sampled: &[u32]) {
        logits[self.special.no_timestamps as usize..].fill(f32::NEG_INFINITY);
    }
}

/// Timestamps come in pairs, never go back, begin the text, and win when together they are likelier
/// than any text.
pub(super) struct TimestampRules {
    pub(super) special: SpecialTokens,
    /// Steps of 20 ms that the first timestamp may be late: 50, from the reference.
    pub(super) max_initial: usize,
    pub(super) isa: Isa,
}

impl LogitsFilter for TimestampRules {
    fn apply(&self, logits: &mut [f32], sampled: &[u32]) {
        let first = self.special.first_timestamp as usize;
        logits[self.special.no_timestamps as usize] = f32::NEG_INFINITY;
        let is_timestamp = |token: &u32| *token as usize >= first;
        let last_is = sampled.last().is_some_and(is_timestamp);
        let before_is = sampled.len() < 2 || is_timestamp(&sampled[sampled.len() - 2]);
        if last_is && before_is {
            logits[first..].fill(f32::NEG_INFINITY);
        } else if last_is {
            logits[..self.special.end_of_text as usize].fill(f32::NEG_INFINITY);
        }
        if let Some(latest) = sampled.iter().rev().find(|t| is_timestamp(t)) {
            // A pair may repeat its own time; text must have moved on.
            let lowest = *latest as usize + usize::from(!last_is || before_is);
            logits[first..lowest.min(first + super::vocabulary::N_TIMESTAMPS)].fill(f32::NEG_INFINITY);
        }
        if sampled.is_empty() {
            logits[..first].fill(f32::NEG_INFINITY);
            logits[first + self.max_initial + 1..].fill(f32::NEG_INFINITY);
        }
        let (text, timestamps) = logits.split_at_mut(first);
        let likeliest_text = math::maximum(self.isa, text);
        if math::log_sum_exp(self.isa, timestamps) > likeliest_text {
            text.fill(f32::NEG_INFINITY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCAB: usize = 51_864;

    fn allowed(sampled: &[u32], set: impl Fn(&mut Vec<f32>)) -> Vec<f32> {
        let mut logits = vec![0.0; VOCAB];
        set(&mut logits);
        let rules = TimestampRules { special: SpecialTokens::of(VOCAB), max_initial: 50, isa: Isa::detect() };
        rules.apply(&mut logits, sampled);
        logits
    }

    fn t(steps: u32) -> u32 {
        SpecialTokens::of(VOCAB).first_timestamp + steps
    }

    #[test]
    fn the_first_token_is_an_early_timestamp() {
        let logits = allowed(&[], |_| {});
        assert!(logits[..t(0) as usize].iter().all(|&l| l == f32::NEG_INFINITY));
        assert_eq!(logits[t(50) as usize], 0.0);
        assert_eq!(logits[t(51) as usize], f32::NEG_INFINITY);
    }

    #[test]
    fn text_follows_an_opening_timestamp() {
        let logits = allowed(&[t(0)], |_| {});
        assert_eq!(logits[100], 0.0);
        assert_eq!(logits[t(10) as usize], f32::NEG_INFINITY);
    }

    #[test]
    fn a_closing_timestamp_is_followed_by_a_timestamp_or_the_end() {
        let logits = allowed(&[t(0), 100, t(30)], |l| l[50_256] = 30.0);
        assert_eq!(logits[100], f32::NEG_INFINITY);
        assert_eq!(logits[50_256], 30.0);
        assert_eq!(logits[t(29) as usize], f32::NEG_INFINITY);
        assert_eq!(logits[t(30) as usize], 0.0);
    }

    #[test]
    fn text_never_ends_where_it_began() {
        let logits = allowed(&[t(10), 100], |l| l[200] = 30.0);
        assert_eq!(logits[t(10) as usize], f32::NEG_INFINITY);
        assert_eq!(logits[t(11) as usize], 0.0);
        assert_eq!(logits[200], 30.0);
    }

    #[test]
    fn timestamps_win_when_together_they_are_likelier_than_any_text() {
        // 1,490 timestamps at 0 sum to ln(1490) = 7.3.
        let logits = allowed(&[t(0), 100], |l| l[200] = 7.0);
        assert_eq!(logits[200], f32::NEG_INFINITY);
        let logits = allowed(&[t(0), 100], |l| l[200] = 8.0);
        assert_eq!(logits[200], 8.0);
    }
}
