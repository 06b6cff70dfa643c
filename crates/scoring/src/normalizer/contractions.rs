//! Fillers dropped, contractions and titles written out: `she's gonna` as `she is going to`.
//!
//! The rules run one after the other, each over the whole text, and their order matters: `won't`
//! has to be gone before `n't` is looked for. Text is expected in lower case.

use super::boundaries::{Bounded, replace_literal};

/// Sounds that carry no word.
const FILLERS: [&str; 6] = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

/// Whole words and what they stand for.
const WHOLE_WORDS: [(&str, &str); 18] = [
    ("won't", "will not"),
    ("can't", "can not"),
    ("let's", "let us"),
    ("ain't", "aint"),
    ("y'all", "you all"),
    ("wanna", "want to"),
    ("kinda", "kind of"),
    ("sorta", "sort of"),
    ("dunno", "do not know"),
    ("gotta", "got to"),
    ("gonna", "going to"),
    ("i'ma", "i am going to"),
    ("imma", "i am going to"),
    ("woulda", "would have"),
    ("coulda", "could have"),
    ("shoulda", "should have"),
    ("cause", "because"),
    ("ma'am", "madam"),
];

/// Titles; each is followed by a space, so that `dr.smith` comes apart.
const TITLES: [(&str, &str); 21] = [
    ("mr", "mister "),
    ("mrs", "missus "),
    ("st", "saint "),
    ("dr", "doctor "),
    ("prof", "professor "),
    ("capt", "captain "),
    ("gov", "governor "),
    ("ald", "alderman "),
    ("gen", "general "),
    ("sen", "senator "),
    ("rep", "representative "),
    ("pres", "president "),
    ("rev", "reverend "),
    ("hon", "honorable "),
    ("asst", "assistant "),
    ("assoc", "associate "),
    ("lt", "lieutenant "),
    ("col", "colonel "),
    ("jr", "junior "),
    ("sr", "senior "),
    ("esq", "esquire "),
];

/// Endings of words. The longer ones, which tell `had` from `would`, come first.
const ENDINGS: [(&str, &str); 14] = [
    ("'d been", " had been"),
    ("'s been", " has been"),
    ("'d gone", " had gone"),
    ("'s gone", " has gone"),
    // "'s done" could be either, and is left to the rule for "'s".
    ("'d done", " had done"),
    ("'s got", " has got"),
    ("n't", " not"),
    ("'re", " are"),
    ("'s", " is"),
    ("'d", " would"),
    ("'ll", " will"),
    ("'t", " not"),
    ("'ve", " have"),
    ("'m", " am"),
];

/// `text` without fillers.
pub(super) fn drop_fillers(text: String) -> String {
    apply(text, Bounded::Both, FILLERS.map(|filler| (filler, "")))
}

/// `text` with contractions and titles written out.
pub(super) fn expand_contractions(text: String) -> String {
    let text = apply(text, Bounded::Both, WHOLE_WORDS);
    let text = apply(text, Bounded::Both, TITLES);
    if text.contains('\'') { apply(text, Bounded::End, ENDINGS) } else { text }
}

fn apply(
    text: String,
    bounded: Bounded,
    rules: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> String {
    rules.into_iter().fold(text, |text, (word, replacement)| {
        replace_literal(&text, word, bounded, replacement).unwrap_or(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> String {
        expand_contractions(text.to_owned())
    }

    #[test]
    fn irregular_contractions_come_before_regular_ones() {
        assert_eq!(expand("i won't, you don't"), "i will not, you do not");
        assert_eq!(expand("he'd been, he'd go"), "he had been, he would go");
        assert_eq!(expand("it's got it's"), "it has got it is");
    }

    #[test]
    fn titles_are_written_out_only_as_words() {
        assert_eq!(expand("mr. drake of st john"), "mister . drake of saint  john");
    }

    #[test]
    fn fillers_inside_words_stay() {
        assert_eq!(drop_fillers("um, umbrella hmm".to_owned()), ", umbrella ");
    }
}
