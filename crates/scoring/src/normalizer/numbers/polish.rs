//! After numbers are read: dollars joined with cents, and `1` written `one`.

use std::sync::LazyLock;

use regex::Regex;

use super::super::boundaries::{Bounded, replace_pattern};
use super::super::characters::pattern;

static MONEY_AND_CENTS: LazyLock<Regex> = LazyLock::new(|| pattern("([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})"));
// Any character may stand where the decimal point should: so the published rule has it.
static CENTS_ONLY: LazyLock<Regex> = LazyLock::new(|| pattern("[€£$]0.([0-9]{1,2})"));
static ONE: LazyLock<Regex> = LazyLock::new(|| pattern("1(s?)"));

/// `$2 and ¢7` as `$2.07`, `$0.50` as `¢50`, and a lone `1` as `one`.
pub(super) fn polish(text: &str) -> String {
    let text = replace_pattern(text, &MONEY_AND_CENTS, Bounded::End, |found| {
        format!("{}{}.{:0>2}", &found[1], &found[2], &found[3])
    });
    let text = replace_pattern(&text, &CENTS_ONLY, Bounded::End, |found| {
        let cents = found[1].strip_prefix('0').unwrap_or(&found[1]);
        format!("¢{}", if cents.is_empty() { "0" } else { cents })
    });
    replace_pattern(&text, &ONE, Bounded::Both, |found| format!("one{}", &found[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_join_their_dollars() {
        assert_eq!(polish("$2 and ¢7"), "$2.07");
        assert_eq!(polish("£12 ¢50 ¢5"), "£12.50 ¢5");
        assert_eq!(polish("$2 ¢700"), "$2 ¢700");
        assert_eq!(polish("$0.05 €0.0 $0.00"), "¢5 ¢0 ¢0");
    }

    #[test]
    fn lone_ones_are_words() {
        assert_eq!(polish("1 1s 11 $1 1.5 1st"), "one ones 11 $one one.5 1st");
    }
}
