//! Before numbers are read: halves as decimals, and a space between letters and digits.

use std::sync::LazyLock;

use regex::Regex;

use super::super::boundaries::{Bounded, is_boundary, replace_pattern};
use super::super::characters::{SPACE_CLASS, pattern, split_words};
use super::vocabulary::can_precede_half;

static AND_A_HALF: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!("and{SPACE_CLASS}+a{SPACE_CLASS}+half")));
static LETTER_THEN_DIGIT: LazyLock<Regex> = LazyLock::new(|| pattern("([a-z])([0-9])"));
static DIGIT_THEN_LETTER: LazyLock<Regex> = LazyLock::new(|| pattern("([0-9])([a-z])"));
static SPACED_SUFFIX: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!("([0-9]){SPACE_CLASS}+(st|nd|rd|th|s)")));

/// `two and a half` as `two point five`, `b2b` as `b 2 b`, and `1960 s` as `1960s`.
pub(super) fn prepare(text: &str) -> String {
    let text = spell_halves(text);
    let text = LETTER_THEN_DIGIT.replace_all(&text, "$1 $2");
    let text = DIGIT_THEN_LETTER.replace_all(&text, "$1 $2");
    replace_pattern(&text, &SPACED_SUFFIX, Bounded::End, |found| format!("{}{}", &found[1], &found[2]))
}

/// Each `and a half` after a number word as `point five`. With nothing but white space before it
/// the phrase is dropped.
fn spell_halves(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = text;
    let halves = AND_A_HALF
        .find_iter(text)
        .filter(|found| is_boundary(text, found.start()) && is_boundary(text, found.end()));
    let mut copied = 0;
    for half in halves {
        let before = &text[copied..half.start()];
        copied = half.end();
        rest = &text[copied..];
        let Some(last_word) = split_words(before).next_back() else {
            continue;
        };
        parts.push(before);
        parts.push(if can_precede_half(last_word) { "point five" } else { "and a half" });
    }
    if split_words(rest).next().is_some() {
        parts.push(rest);
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_decimals_only_after_number_words() {
        assert_eq!(prepare("two and a half years"), "two  point five  years");
        assert_eq!(prepare("an hour and a half"), "an hour  and a half");
        assert_eq!(prepare("and a half past"), " past");
        assert_eq!(prepare("band a half"), "band a half");
    }

    #[test]
    fn letters_and_digits_come_apart_but_suffixes_do_not() {
        assert_eq!(prepare("b2b 1960s 3rd 4 x 5 seconds"), "b 2 b 1960s 3rd 4 x 5 seconds");
    }
}
