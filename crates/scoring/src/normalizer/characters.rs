//! Character classes, and the removal of symbols and diacritics.
//!
//! The classes are those of Python's `re` and `str`, which differ from the `regex` crate's: a
//! combining mark is not part of a word, a superscript digit is, and the four ASCII separators
//! (U+001C to U+001F) are white space.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

/// A regex class of white space: `\s` and the ASCII separators.
pub(super) const SPACE_CLASS: &str = r"[\s\x1c-\x1f]";

static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\p{L}\p{N}_]"));
static MARK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\p{M}"));
static NONSPACING_MARK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\p{Mn}"));
static SYMBOL_OR_PUNCTUATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\p{S}\p{P}]"));
static DECIMAL_DIGIT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\p{Nd}"));

/// Compiles one of the normalizer's own patterns.
pub(super) fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("the normalizer's patterns are constants, compiled by its tests")
}

fn is_in(class: &Regex, c: char) -> bool {
    class.is_match(c.encode_utf8(&mut [0; 4]))
}

/// Whether `c` can be part of a word: a letter, a number or `_`.
pub(super) fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { is_in(&WORD, c) }
}

/// Whether `c` is white space.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// The words of `text`: what stands between white space.
pub(super) fn split_words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// Every run of white space as one space.
pub(super) fn collapse_spaces(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    let mut after_space = false;
    for c in text.chars() {
        let space = is_space(c);
        if !space {
            collapsed.push(c);
        } else if !after_space {
            collapsed.push(' ');
        }
        after_space = space;
    }
    collapsed
}

/// The value of a decimal digit of any script, 0 to 9.
pub(super) fn digit_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.to_digit(10).map(|digit| digit as u8);
    }
    if !is_in(&DECIMAL_DIGIT, c) {
        return None;
    }
    // Unicode allots decimal digits in whole runs of ten, so the distance from the run's start
    // tells the value.
    let before = (0..c as u32)
        .rev()
        .map_while(char::from_u32)
        .take_while(|previous| is_in(&DECIMAL_DIGIT, *previous))
        .count();
    Some((before % 10) as u8)
}

/// What becomes of one decomposed or composed character.
enum Fate {
    Keep,
    Drop,
    Space,
    Spell(&'static str),
}

fn strip_fate(c: char, kept_symbols: &str) -> Fate {
    if kept_symbols.contains(c) {
        Fate::Keep
    } else if c.is_ascii() {
        symbol_fate(c, false)
    } else if let Some(spelled) = spelled_in_ascii(c) {
        Fate::Spell(spelled)
    } else if is_in(&NONSPACING_MARK, c) {
        Fate::Drop
    } else {
        symbol_fate(c, false)
    }
}

fn symbol_fate(c: char, keep_marks: bool) -> Fate {
    let symbol = if c.is_ascii() {
        c.is_ascii_punctuation()
    } else {
        is_in(&SYMBOL_OR_PUNCTUATION, c) || (!keep_marks && is_in(&MARK, c))
    };
    if symbol { Fate::Space } else { Fate::Keep }
}

/// Latin letters that no Unicode decomposition takes apart.
fn spelled_in_ascii(c: char) -> Option<&'static str> {
    Some(match c {
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'æ' => "ae",
        'Æ' => "AE",
        'ß' => "ss",
        'ẞ' => "SS",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        // The capital, too, becomes small: so the reference has it.
        'þ' | 'Þ' => "th",
        'ł' => "l",
        'Ł' => "L",
        _ => return None,
    })
}

fn rewrite(characters: impl Iterator<Item = char>, fate: impl Fn(char) -> Fate) -> String {
    let mut text = String::new();
    for c in characters {
        match fate(c) {
            Fate::Keep => text.push(c),
            Fate::Drop => {}
            Fate::Space => text.push(' '),
            Fate::Spell(spelled) => text.push_str(spelled),
        }
    }
    text
}

/// Decomposes `text` (NFKD), drops diacritics, and puts a space for every symbol, punctuation
/// character or other mark that is not in `kept_symbols`.
pub(super) fn strip_symbols_and_diacritics(text: &str, kept_symbols: &str) -> String {
    rewrite(text.nfkd(), |c| strip_fate(c, kept_symbols))
}

/// Composes `text` (NFKC) and puts a space for every symbol and punctuation character, and for
/// every mark unless `keep_marks`.
pub(super) fn blank_symbols(text: &str, keep_marks: bool) -> String {
    rewrite(text.nfkc(), |c| symbol_fate(c, keep_marks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_outside_words_and_superscripts_inside() {
        assert!(is_word('é') && is_word('²') && is_word('_') && is_word('7') && is_word('中'));
        assert!(!is_word('\u{301}') && !is_word('\'') && !is_word('Ⓐ') && !is_word('\u{200d}'));
    }

    #[test]
    fn digits_of_every_script_have_their_value() {
        assert_eq!(digit_value('٣'), Some(3));
        assert_eq!(digit_value('९'), Some(9));
        assert_eq!(digit_value('\u{1d7e1}'), Some(9));
        assert_eq!(digit_value('²'), None);
        assert_eq!(digit_value('a'), None);
    }

    #[test]
    fn separators_count_as_spaces() {
        assert_eq!(collapse_spaces("a \u{1c}\u{a0}\tb "), "a b ");
        assert_eq!(split_words(" a\u{1f}b\n").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn diacritics_go_and_kept_symbols_stay() {
        assert_eq!(strip_symbols_and_diacritics("Œuvre à 5€!", "€"), "OEuvre a 5€ ");
        assert_eq!(blank_symbols("naïve, हिन्दी", true), "naïve  हिन्दी");
    }
}
