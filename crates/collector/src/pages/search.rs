//! Full text over the transcripts that people consented to.

use askama::Template;

use super::{FilterBar, Pager, Shell, show};

/// `/search`: search of transcripts.
#[derive(Clone, Debug, Template)]
#[template(path = "search.html")]
pub struct SearchPage {
    /// The frame.
    pub shell: Shell,
    /// What was asked; empty before the first search.
    pub query: String,
    /// Device, engine, version, range; action `/search`, [`FilterBar::kept`] has `q`.
    pub filters: FilterBar,
    /// What was found, the newest first.
    pub hits: Vec<Hit>,
    /// Where in the list.
    pub pager: Pager,
    /// Transcripts that can be searched.
    pub searchable: u64,
}

/// A transcript that matches.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Names the utterance.
    pub utterance_id: String,
    /// Where it was heard.
    pub device_id: String,
    /// When, ms since 1970-01-01 UTC.
    pub recorded_unix_ms: u64,
    /// Who understood it so: an engine, or `corrected by the user`.
    pub engine: String,
    /// Code of the language.
    pub language: Option<String>,
    /// The text in pieces; see [`highlight`].
    pub fragments: Vec<Fragment>,
    /// Where the recording is; `None` without consent to audio.
    pub clip_href: Option<String>,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The piece.
    pub text: String,
    /// Whether it is what was searched for.
    pub matched: bool,
}

/// Cuts `text` at words that begin with one of `terms`, without regard to case. Put together again the pieces are `text`.
///
/// ```
/// # use earwitness_collector::pages::highlight;
/// let pieces = highlight("Two large teas.", &["tea", "two"]);
/// let marked: Vec<_> = pieces.iter().filter(|piece| piece.matched).map(|piece| &*piece.text).collect();
/// assert_eq!(marked, ["Two", "teas"]);
/// ```
pub fn highlight(text: &str, terms: &[&str]) -> Vec<Fragment> {
    let terms: Vec<String> =
        terms.iter().map(|term| term.to_lowercase()).filter(|term| !term.is_empty()).collect();
    let mut fragments: Vec<Fragment> = Vec::new();
    for piece in words_and_gaps(text) {
        let lower = piece.to_lowercase();
        let matched = terms.iter().any(|term| lower.starts_with(term.as_str()));
        match fragments.last_mut() {
            Some(last) if last.matched == matched => last.text.push_str(piece),
            _ => fragments.push(Fragment { text: piece.to_owned(), matched }),
        }
    }
    fragments
}

/// Runs of letters and digits, and what is between them.
fn words_and_gaps(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || c == '\'' || c == '’';
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c| inside(c) != inside(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_begin_with_a_term_are_marked_and_others_are_not() {
        let marked = |text: &str, terms: &[&str]| -> Vec<String> {
            highlight(text, terms).into_iter().filter(|piece| piece.matched).map(|piece| piece.text).collect()
        };
        assert_eq!(marked("Łódź, łódź nocą", &["ŁÓDŹ"]), ["Łódź", "łódź"]);
        assert_eq!(marked("milkshake with oat-milk", &["milk"]), ["milkshake", "milk"]);
        assert_eq!(marked("nothing here", &["", "zebra"]), [""; 0]);
    }

    proptest! {
        #[test]
        fn pieces_put_together_are_the_text(text in ".{0,80}", terms in prop::collection::vec(".{0,6}", 0..4)) {
            let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
            let whole: String = highlight(&text, &terms).into_iter().map(|piece| piece.text).collect();
            prop_assert_eq!(whole, text);
        }
    }
}
