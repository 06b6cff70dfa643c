//! The English normalizer: the order in which the rules are applied.

use std::sync::LazyLock;

use regex::Regex;

use super::Normalizer;
use super::brackets::remove_bracketed;
use super::characters::{SPACE_CLASS, collapse_spaces, pattern, strip_symbols_and_diacritics};
use super::contractions::{drop_fillers, expand_contractions};
use super::numbers::write_numbers_in_digits;
use super::spelling::americanize;

/// Symbols that the number rules still need.
const NUMERIC_SYMBOLS: &str = ".%$¢€£";

static SPACE_BEFORE_APOSTROPHE: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("{SPACE_CLASS}+'")));
static COMMA_BETWEEN_DIGITS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d),(\d)"));
static PERIOD_BEFORE_NO_DIGIT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\.([^0-9]|$)"));
static SYMBOL_BEFORE_NO_DIGIT: LazyLock<Regex> = LazyLock::new(|| pattern("[.$¢€£]([^0-9])"));
static PERCENT_AFTER_NO_DIGIT: LazyLock<Regex> = LazyLock::new(|| pattern("([^0-9])%"));

/// Lower case, fillers and bracketed text gone, contractions written out, numbers in digits,
/// American spelling.
///
/// ```
/// # use earwitness_scoring::{EnglishNormalizer, Normalizer};
/// let text = EnglishNormalizer.normalize("Um, that'll be twenty-five dollars and ten cents.");
/// assert_eq!(text, "that will be $25.10");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EnglishNormalizer;

impl Normalizer for EnglishNormalizer {
    fn normalize(&self, text: &str) -> String {
        let text = remove_bracketed(&text.to_lowercase());
        let text = drop_fillers(text);
        let text = SPACE_BEFORE_APOSTROPHE.replace_all(&text, "'");
        let text = expand_contractions(text.into_owned());
        let text = COMMA_BETWEEN_DIGITS.replace_all(&text, "$1$2");
        let text = PERIOD_BEFORE_NO_DIGIT.replace_all(&text, " $1");
        let text = strip_symbols_and_diacritics(&text, NUMERIC_SYMBOLS);
        let text = americanize(&write_numbers_in_digits(&text));
        let text = SYMBOL_BEFORE_NO_DIGIT.replace_all(&text, " $1");
        let text = PERCENT_AFTER_NO_DIGIT.replace_all(&text, "$1 ");
        collapse_spaces(&text)
    }
}
