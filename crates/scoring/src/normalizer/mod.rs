//! Text normalization before scoring: two spellings of the same words become the same text.
//!
//! [`EnglishNormalizer`] follows the English rules that Whisper's authors published with their
//! word error rates, [`BasicNormalizer`] their rules for every other language, so rates measured
//! here can be set beside published ones. Both give the same text as the Python package
//! `whisper-normalizer` 0.1.15, with its known oddities ("ninth" stays a word, "and a half" at the
//! very start is dropped, "archaeology" becomes `archeology</span>`): a normalizer with better
//! manners would make our rates incomparable.
//!
//! Text in, text out; a result can begin or end with a space, so split it on whitespace.

mod basic;
mod boundaries;
mod brackets;
mod characters;
mod contractions;
mod english;
mod numbers;
mod spelling;
#[cfg(test)]
mod tests;

pub use basic::{BasicNormalizer, MarkPolicy};
pub use english::EnglishNormalizer;

/// Writes texts in one agreed way, so that they can be compared word by word.
pub trait Normalizer {
    /// The normalized text: words separated by single spaces, possibly one more at either end.
    /// Never fails; any text will do.
    fn normalize(&self, text: &str) -> String;
}
