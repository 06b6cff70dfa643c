//! British spellings as American ones.
//!
//! `british_to_american.tsv` has one pair a line, British first, sorted. The pairs are those that
//! Whisper's authors score with, unchanged, including one flawed entry (`archaeology`).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::characters::split_words;

static AMERICAN: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    include_str!("british_to_american.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
});

/// The words of `text` in American spelling, one space between them.
pub(super) fn americanize(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for word in split_words(text) {
        if !spelled.is_empty() {
            spelled.push(' ');
        }
        spelled.push_str(AMERICAN.get(word).copied().unwrap_or(word));
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_change_and_others_stay() {
        assert_eq!(americanize("  colour  of colourblind\tgrey"), "color of colourblind gray");
    }

    #[test]
    fn table_is_sorted_and_no_american_spelling_is_mapped_again() {
        let lines: Vec<&str> = include_str!("british_to_american.tsv").lines().collect();
        assert_eq!(lines.len(), AMERICAN.len());
        assert_eq!(lines.len(), 1738);
        assert!(lines.is_sorted_by_key(|line| line.split('\t').next()));
        assert!(AMERICAN.values().all(|american| !AMERICAN.contains_key(american)));
    }
}
