//! Comparison of two recognizers on the same utterances: is B better than A, or was it luck?
//!
//! A difference of two word error rates says nothing by itself: on a hundred short commands a
//! percent is one or two words. Three answers stand side by side because each sees what the others
//! do not. [`paired_bootstrap`] says how large the difference may be, assumes no distribution and
//! knows that utterances of one speaker belong together. [`mapsswe`] is the test that the
//! literature quotes. [`mcnemar`] asks about whole utterances, which is what a user notices.
//!
//! Differences are always B minus A: below zero, B makes fewer errors. All three tests are paired,
//! so both recognizers must have heard every utterance, and their counts must come from the same
//! references under the same normalizer.

mod bootstrap;
mod mapsswe;
mod mcnemar;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::edit_counts::EditCounts;

pub use bootstrap::{DEFAULT_CONFIDENCE, DEFAULT_RESAMPLES, Interval, paired_bootstrap};
pub use mapsswe::{Mapsswe, mapsswe};
pub use mcnemar::{McNemar, mcnemar};

/// What two recognizers made of one utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UtterancePair<'a> {
    /// Edits of recognizer A, the one to compare with.
    pub a: EditCounts,
    /// Edits of recognizer B, the one in question, against the same reference.
    pub b: EditCounts,
    /// What makes utterances depend on each other, usually the speaker: the bootstrap draws all
    /// utterances of a group together. An utterance without one is a group by itself.
    pub group: Option<&'a str>,
}

impl UtterancePair<'_> {
    /// An utterance that depends on no other.
    pub fn new(a: EditCounts, b: EditCounts) -> Self {
        Self { a, b, group: None }
    }

    /// Errors of B less errors of A.
    fn extra_errors(&self) -> i64 {
        self.b.errors() as i64 - self.a.errors() as i64
    }
}

/// Recognizers A and B side by side, with what chance allows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Utterances that both heard.
    pub utterances: usize,
    /// Utterances in which their numbers of errors differ. Equal numbers need not be equal texts.
    pub utterances_differing: usize,
    /// Word error rate of A over all utterances, from pooled counts; `None` without reference words.
    pub wer_a: Option<f64>,
    /// Word error rate of B, likewise.
    pub wer_b: Option<f64>,
    /// `wer_b - wer_a`: below zero, B is better.
    pub difference: Option<f64>,
    /// Where the difference may lie, and how often B came out better; see [`paired_bootstrap`].
    pub interval: Option<Interval>,
    /// Test on errors per utterance; see [`mapsswe()`].
    pub mapsswe: Option<Mapsswe>,
    /// Test on utterances without an error; see [`mcnemar()`].
    pub mcnemar: McNemar,
}

/// Compares recognizers A and B by every test here.
///
/// The last three arguments are those of [`paired_bootstrap`]. Whatever the utterances do not
/// determine is `None`; no input is an error.
///
/// ```
/// # use earwitness_scoring::significance::*;
/// # use earwitness_scoring::EditCounts;
/// let edits = |substitutions| EditCounts { substitutions, reference_words: 8, ..Default::default() };
/// let pairs = [(2, 1), (3, 1), (0, 0), (1, 0), (2, 2)].map(|(a, b)| UtterancePair::new(edits(a), edits(b)));
/// let comparison = compare(&pairs, DEFAULT_RESAMPLES, DEFAULT_CONFIDENCE, 0);
/// assert_eq!(comparison.difference, Some(-0.1));
/// assert_eq!(comparison.utterances_differing, 3);
/// assert_eq!(comparison.mcnemar.p_value, 1.0); // one utterance more without an error is no evidence
/// ```
pub fn compare(pairs: &[UtterancePair<'_>], resamples: usize, confidence: f64, seed: u64) -> Comparison {
    let wer_a = pairs.iter().map(|pair| pair.a).sum::<EditCounts>().wer();
    let wer_b = pairs.iter().map(|pair| pair.b).sum::<EditCounts>().wer();
    Comparison {
        utterances: pairs.len(),
        utterances_differing: pairs.iter().filter(|pair| pair.extra_errors() != 0).count(),
        wer_a,
        wer_b,
        difference: wer_a.zip(wer_b).map(|(a, b)| b - a),
        interval: paired_bootstrap(pairs, resamples, confidence, seed),
        mapsswe: mapsswe(pairs),
        mcnemar: mcnemar(pairs),
    }
}
