//! Replacement of whole words: matches that count only where a word begins or ends.
//!
//! The `regex` crate's `\b` has another idea of what a word is made of (see
//! [`characters`](super::characters)), so boundaries are checked here and not in the patterns.

use regex::{Captures, Regex};

use super::characters::is_word;

/// Whether exactly one side of byte `index` of `text` is part of a word.
pub(super) fn is_boundary(text: &str, index: usize) -> bool {
    let before = text[..index].chars().next_back().is_some_and(is_word);
    let after = text[index..].chars().next().is_some_and(is_word);
    before != after
}

/// Which ends of a match have to be word boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounded {
    /// Both ends.
    Both,
    /// The end only.
    End,
}

impl Bounded {
    fn holds(self, text: &str, start: usize, end: usize) -> bool {
        (self == Self::End || is_boundary(text, start)) && is_boundary(text, end)
    }
}

/// Replaces each bounded `word` by `replacement`; `None` when there is none.
pub(super) fn replace_literal(text: &str, word: &str, bounded: Bounded, replacement: &str) -> Option<String> {
    let mut found = text
        .match_indices(word)
        .map(|(start, _)| (start, start + word.len()))
        .filter(|&(start, end)| bounded.holds(text, start, end))
        .peekable();
    found.peek()?;
    let mut replaced = String::with_capacity(text.len() + replacement.len());
    let mut copied = 0;
    for (start, end) in found {
        replaced.push_str(&text[copied..start]);
        replaced.push_str(replacement);
        copied = end;
    }
    replaced.push_str(&text[copied..]);
    Some(replaced)
}

/// Replaces each bounded match of `pattern` by what `replacement` makes of it.
///
/// `pattern` must not match the empty text.
pub(super) fn replace_pattern(
    text: &str,
    pattern: &Regex,
    bounded: Bounded,
    replacement: impl Fn(&Captures) -> String,
) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut copied = 0;
    let mut search_from = 0;
    while let Some(captures) = pattern.captures_at(text, search_from) {
        let found = captures.get_match();
        if bounded.holds(text, found.start(), found.end()) {
            replaced.push_str(&text[copied..found.start()]);
            replaced.push_str(&replacement(&captures));
            copied = found.end();
            search_from = copied;
        } else {
            let first = text[found.start()..].chars().next();
            search_from = found.start() + first.map_or(1, char::len_utf8);
        }
    }
    replaced.push_str(&text[copied..]);
    replaced
}

#[cfg(test)]
mod tests {
    use super::super::characters::pattern;
    use super::*;

    #[test]
    fn literals_inside_longer_words_stay() {
        let replaced = replace_literal("st. stone best st", "st", Bounded::Both, "saint");
        assert_eq!(replaced.as_deref(), Some("saint. stone best saint"));
        assert_eq!(replace_literal("stone", "st", Bounded::Both, "x"), None);
        let ended = replace_literal("don't n'ts", "n't", Bounded::End, " not");
        assert_eq!(ended.as_deref(), Some("do not n'ts"));
    }

    #[test]
    fn a_rejected_match_does_not_hide_the_next_one() {
        let digits = pattern("x.([0-9])");
        let replaced = replace_pattern("x.x.71 xx.5", &digits, Bounded::End, |c| c[1].into());
        assert_eq!(replaced, "x.x.71 x5");
    }

    #[test]
    fn a_combining_mark_ends_a_word() {
        let replaced = replace_literal("um\u{301}", "um", Bounded::Both, "");
        assert_eq!(replaced.as_deref(), Some("\u{301}"));
    }
}
