//! The normalizer for languages other than English.

use super::Normalizer;
use super::brackets::remove_bracketed;
use super::characters::{blank_symbols, collapse_spaces, strip_symbols_and_diacritics};

/// What becomes of combining marks (Unicode category M).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum MarkPolicy {
    /// A space for every mark that has no composed letter: the published rules, and the default.
    /// It breaks words of scripts that write vowels as marks.
    #[default]
    Space,
    /// Marks stay: for Hindi, Tamil, Thai and other scripts that need them.
    Keep,
    /// Letters are decomposed and lose their diacritics: `é` becomes `e`.
    Strip,
}

/// Lower case, no bracketed text, spaces for symbols and punctuation.
///
/// Words are what spaces separate: Chinese, Japanese, Thai and others come out as long words and
/// need a rate over characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct BasicNormalizer {
    /// What becomes of combining marks.
    pub marks: MarkPolicy,
}

impl Normalizer for BasicNormalizer {
    fn normalize(&self, text: &str) -> String {
        let text = remove_bracketed(&text.to_lowercase());
        let text = match self.marks {
            MarkPolicy::Space => blank_symbols(&text, false),
            MarkPolicy::Keep => blank_symbols(&text, true),
            MarkPolicy::Strip => strip_symbols_and_diacritics(&text, ""),
        };
        // Composition can bring capitals back, as in the letters of a trade mark sign.
        collapse_spaces(&text.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_follow_the_policy() {
        let text = "Crème, हिन्दी";
        let normalized = |marks| BasicNormalizer { marks }.normalize(text);
        assert_eq!(normalized(MarkPolicy::Keep), "crème हिन्दी");
        assert_eq!(normalized(MarkPolicy::Space), "crème ह न द ");
        assert_eq!(normalized(MarkPolicy::Strip), "creme ह नद ");
    }
}
