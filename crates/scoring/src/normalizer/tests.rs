use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// Reads `tests/golden/<name>`: input, tab, expected, both with escapes.
fn golden(name: &str) -> Vec<(String, String)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let lines = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    lines
        .lines()
        .map(|line| {
            let (input, expected) = line.split_once('\t').expect("a tab in every line");
            (unescape(input), unescape(expected))
        })
        .collect()
}

/// Undoes `\\` and `\u{hex}`.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        if let Some(after) = escape.strip_prefix('\\') {
            plain.push('\\');
            rest = after;
        } else {
            let (code, after) = escape
                .strip_prefix("u{")
                .and_then(|code| code.split_once('}'))
                .expect("an escape is a backslash or u{hex}");
            let code = u32::from_str_radix(code, 16).expect("hexadecimal");
            plain.push(char::from_u32(code).expect("a character"));
            rest = after;
        }
    }
    plain + rest
}

fn assert_golden(name: &str, least: usize, normalizer: &impl Normalizer) {
    let pairs = golden(name);
    assert!(pairs.len() >= least, "{name} has only {} lines", pairs.len());
    let wrong: Vec<_> = pairs
        .iter()
        .map(|(input, expected)| (input, expected, normalizer.normalize(input)))
        .filter(|(_, expected, ours)| *expected != ours)
        .collect();
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
}

#[test]
fn english_equals_the_reference_implementation() {
    assert_golden("normalizer_en.tsv", 300, &EnglishNormalizer);
}

#[test]
fn basic_equals_the_reference_implementation() {
    assert_golden("normalizer_basic.tsv", 100, &BasicNormalizer::default());
}

/// Words that meet the rules far more often than random text does.
fn rule_words() -> impl Strategy<Value = String> {
    let words = "one two sixes twenty thirtieth hundred thousands million zero oh point and a half \
                 double triple minus per cent percent dollars pounds $5 £0.5 7% 1,000 3.14 won't \
                 he'd been 's um mr. (x) [y <z> é ½ ٣ \u{301} ß ² . ' % $ 0 1 1s colour st";
    let words: Vec<&str> = words.split_whitespace().collect();
    prop::collection::vec((prop::sample::select(words), " |  |-|\n|".prop_map(String::from)), 0..14)
        .prop_map(|pairs| pairs.iter().map(|(word, gap)| format!("{word}{gap}")).collect())
}

fn lowercase_words() -> impl Strategy<Value = String> {
    "[bcfjkqvxz]{3,8}( [bcfjkqvxz]{3,8}){0,8}"
}

fn assert_single_spaces(text: &str) {
    assert!(!text.contains("  "), "{text:?}");
    assert!(text.chars().all(|c| c == ' ' || !characters::is_space(c)), "{text:?}");
}

proptest! {
    #[test]
    fn any_text_is_normalized_to_single_spaces(text in any::<String>()) {
        assert_single_spaces(&EnglishNormalizer.normalize(&text));
        for marks in [MarkPolicy::Space, MarkPolicy::Keep, MarkPolicy::Strip] {
            assert_single_spaces(&BasicNormalizer { marks }.normalize(&text));
        }
    }

    #[test]
    fn any_text_full_of_rules_is_normalized_to_single_spaces(text in rule_words()) {
        assert_single_spaces(&EnglishNormalizer.normalize(&text));
        assert_single_spaces(&BasicNormalizer::default().normalize(&text));
    }

    #[test]
    fn plain_words_stay_as_they_are(text in lowercase_words()) {
        prop_assert_eq!(EnglishNormalizer.normalize(&text), text.as_str());
        prop_assert_eq!(BasicNormalizer::default().normalize(&text), text);
    }

    #[test]
    fn normalizing_basic_text_twice_changes_nothing(text in "[ -~À-ž]{0,60}") {
        let once = BasicNormalizer::default().normalize(&text);
        prop_assert_eq!(BasicNormalizer::default().normalize(&once), once);
    }

    #[test]
    fn cardinals_are_the_same_in_words_and_digits(number in 0_u32..100_000) {
        let spelled = EnglishNormalizer.normalize(&spell(number));
        prop_assert_eq!(&spelled, &EnglishNormalizer.normalize(&number.to_string()));
        prop_assert_eq!(EnglishNormalizer.normalize(&spelled), spelled);
    }
}

/// `number` in English words.
fn spell(number: u32) -> String {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] =
        ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let with_rest = |head: String, rest: u32, joint: &str| {
        if rest == 0 { head } else { format!("{head}{joint}{}", spell(rest)) }
    };
    match number {
        0..20 => SMALL[number as usize].to_owned(),
        20..100 => with_rest(TENS[number as usize / 10].to_owned(), number % 10, "-"),
        100..1000 => with_rest(format!("{} hundred", spell(number / 100)), number % 100, " and "),
        _ => with_rest(format!("{} thousand", spell(number / 1000)), number % 1000, " "),
    }
}
