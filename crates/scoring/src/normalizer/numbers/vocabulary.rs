//! What each number word means.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The part a word can play in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberWord {
    /// `zero`, and `oh` between digits.
    Zero,
    /// `one` to `nineteen`.
    Unit(u8),
    /// `first`, `twelfth`, `sixes`: ends the number.
    SuffixedUnit(u8, &'static str),
    /// `twenty` to `ninety`.
    Tens(u8),
    /// `twentieth`, `sixties`: ends the number.
    SuffixedTens(u8, &'static str),
    /// `hundred` to `decillion`, as a count of zeros.
    Scale(u32),
    /// `hundredth`, `millions`: ends the number.
    SuffixedScale(u32, &'static str),
    /// `minus`, `plus`: before a number.
    Sign(char),
    /// `dollars`, `cents`: after a number.
    Currency(char),
    /// `percent`.
    Percent,
    /// `per`, which makes a percentage with `cent`.
    Per,
    /// `and`, which numbers swallow after a scale.
    And,
    /// `double` and `triple`, as a count.
    Repeat(u8),
    /// The decimal `point`.
    Point,
}

const UNITS: [&str; 19] = [
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

// "ninth" is missing because the published rules form it as "nineth".
const ORDINAL_UNITS: [(&str, u8, &str); 20] = [
    ("zeroth", 0, "th"),
    ("first", 1, "st"),
    ("second", 2, "nd"),
    ("third", 3, "rd"),
    ("fourth", 4, "th"),
    ("fifth", 5, "th"),
    ("sixth", 6, "th"),
    ("seventh", 7, "th"),
    ("eighth", 8, "th"),
    ("nineth", 9, "th"),
    ("tenth", 10, "th"),
    ("eleventh", 11, "th"),
    ("twelfth", 12, "th"),
    ("thirteenth", 13, "th"),
    ("fourteenth", 14, "th"),
    ("fifteenth", 15, "th"),
    ("sixteenth", 16, "th"),
    ("seventeenth", 17, "th"),
    ("eighteenth", 18, "th"),
    ("nineteenth", 19, "th"),
];

const TENS: [(&str, u8); 8] = [
    ("twent", 20),
    ("thirt", 30),
    ("fort", 40),
    ("fift", 50),
    ("sixt", 60),
    ("sevent", 70),
    ("eight", 80),
    ("ninet", 90),
];

const SCALES: [(&str, u32); 12] = [
    ("hundred", 2),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
    ("trillion", 12),
    ("quadrillion", 15),
    ("quintillion", 18),
    ("sextillion", 21),
    ("septillion", 24),
    ("octillion", 27),
    ("nonillion", 30),
    ("decillion", 33),
];

const OTHERS: [(&str, NumberWord); 22] = [
    ("o", NumberWord::Zero),
    ("oh", NumberWord::Zero),
    ("zero", NumberWord::Zero),
    ("minus", NumberWord::Sign('-')),
    ("negative", NumberWord::Sign('-')),
    ("plus", NumberWord::Sign('+')),
    ("positive", NumberWord::Sign('+')),
    ("pound", NumberWord::Currency('£')),
    ("pounds", NumberWord::Currency('£')),
    ("euro", NumberWord::Currency('€')),
    ("euros", NumberWord::Currency('€')),
    ("dollar", NumberWord::Currency('$')),
    ("dollars", NumberWord::Currency('$')),
    ("cent", NumberWord::Currency('¢')),
    ("cents", NumberWord::Currency('¢')),
    ("percent", NumberWord::Percent),
    ("per", NumberWord::Per),
    ("and", NumberWord::And),
    ("double", NumberWord::Repeat(2)),
    ("triple", NumberWord::Repeat(3)),
    ("point", NumberWord::Point),
    ("sixes", NumberWord::SuffixedUnit(6, "s")),
];

static MEANINGS: LazyLock<HashMap<String, NumberWord>> = LazyLock::new(|| {
    let mut meanings = HashMap::new();
    for (name, value) in UNITS.iter().zip(1..) {
        meanings.insert((*name).to_owned(), NumberWord::Unit(value));
        if value != 6 {
            meanings.insert(format!("{name}s"), NumberWord::SuffixedUnit(value, "s"));
        }
    }
    for (name, value, suffix) in ORDINAL_UNITS {
        meanings.insert(name.to_owned(), NumberWord::SuffixedUnit(value, suffix));
    }
    for (stem, value) in TENS {
        meanings.insert(format!("{stem}y"), NumberWord::Tens(value));
        meanings.insert(format!("{stem}ies"), NumberWord::SuffixedTens(value, "s"));
        meanings.insert(format!("{stem}ieth"), NumberWord::SuffixedTens(value, "th"));
    }
    for (name, zeros) in SCALES {
        meanings.insert(name.to_owned(), NumberWord::Scale(zeros));
        meanings.insert(format!("{name}s"), NumberWord::SuffixedScale(zeros, "s"));
        meanings.insert(format!("{name}th"), NumberWord::SuffixedScale(zeros, "th"));
    }
    meanings.extend(OTHERS.map(|(name, meaning)| (name.to_owned(), meaning)));
    meanings
});

/// What `word` means in a number; `None` for a word that is no number word.
pub(super) fn meaning(word: &str) -> Option<NumberWord> {
    MEANINGS.get(word).copied()
}

/// Whether `and a half` after `word` means `point five`.
pub(super) fn can_precede_half(word: &str) -> bool {
    matches!(
        meaning(word),
        Some(NumberWord::Zero | NumberWord::Unit(_) | NumberWord::Tens(_) | NumberWord::Scale(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_and_ordinals_keep_their_suffix() {
        assert_eq!(meaning("sixes"), Some(NumberWord::SuffixedUnit(6, "s")));
        assert_eq!(meaning("sixs"), None);
        assert_eq!(meaning("forties"), Some(NumberWord::SuffixedTens(40, "s")));
        assert_eq!(meaning("eightieth"), Some(NumberWord::SuffixedTens(80, "th")));
        assert_eq!(meaning("hundredth"), Some(NumberWord::SuffixedScale(2, "th")));
        assert_eq!(meaning("ninth"), None);
    }

    #[test]
    fn no_word_has_two_meanings() {
        let forms = 2 * UNITS.len() - 1 + ORDINAL_UNITS.len() + 3 * (TENS.len() + SCALES.len());
        assert_eq!(MEANINGS.len(), forms + OTHERS.len());
    }
}
