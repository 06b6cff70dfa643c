//! Scoring of transcripts: normalization, word alignment, edit counts and slot values.
//!
//! A word error rate means little until both texts are written the same way, so every comparison
//! begins with a [`Normalizer`]: [`EnglishNormalizer`] for English, [`BasicNormalizer`] for the
//! rest. [`count_edits`] and [`align`] then compare word by word, and [`EditCounts`] adds up over
//! utterances: a rate over many utterances is the sum of edits over the sum of reference words,
//! never the mean of rates. [`slot_values_found`] answers the narrower question whether the words
//! that a command depends on came through.
//!
//! Two recognizers are compared with [`disagreement`] where nobody wrote down what was said, and with
//! [`significance`] where somebody did; [`fleet`] says what holds for all devices, and gives a verdict; [`diff_texts`]
//! lays them side by side for people.
//!
//! Arguments are always in the order `reference`, `hypothesis`.
//!
//! Used on the device and on the collection server. No I/O, no state.

mod alignment;
mod diff;
mod disagreement;
mod edit_counts;
pub mod fleet;
pub mod normalizer;
pub mod significance;
mod slots;

pub use alignment::{AlignedWord, Alignment, align, count_edits, score};
pub use diff::{DiffCell, DiffRow, Mark, diff_texts, diff_words};
pub use disagreement::{Disagreement, disagreement};
pub use edit_counts::EditCounts;
pub use normalizer::{BasicNormalizer, EnglishNormalizer, MarkPolicy, Normalizer};
pub use slots::{SlotScore, slot_values_found};
