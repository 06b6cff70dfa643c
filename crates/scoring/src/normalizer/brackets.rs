//! Removal of bracketed text: notes such as `[laughter]`, `<unk>` or `(inaudible)` are not speech.

use std::sync::LazyLock;

use regex::Regex;

use super::characters::pattern;

// The kinds need not agree: `<a]` is a pair, too.
static SQUARE_OR_ANGLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[<\[][^>\]]*[>\]]"));
static ROUND: LazyLock<Regex> = LazyLock::new(|| pattern(r"\([^)]+\)"));

/// `text` without what is in square, angle or round brackets; `()` itself stays.
pub(super) fn remove_bracketed(text: &str) -> String {
    let text = SQUARE_OR_ANGLE.replace_all(text, "");
    ROUND.replace_all(&text, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bracketed_text_goes_and_open_brackets_stay() {
        assert_eq!(remove_bracketed("a [b] <c> (d) e"), "a    e");
        assert_eq!(remove_bracketed("[a (b) c"), "[a  c");
        assert_eq!(remove_bracketed("() (("), "() ((");
        assert_eq!(remove_bracketed("<a] b"), " b");
    }
}
