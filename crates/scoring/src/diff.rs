//! Two hypotheses side by side, word under word: the data for a report of what differs.
//!
//! Each hypothesis is aligned to the reference, and the two alignments are merged at the reference
//! words, so that a reader sees in one row what each recognizer made of a word. Without a reference
//! A takes its place. Words are compared exactly as they are: normalize first, or use [`diff_texts`].

use serde::Serialize;

use super::alignment::{AlignedWord, align};
use super::normalizer::Normalizer;

/// What a hypothesis did in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It has the word of the reference.
    Equal,
    /// It has another word instead.
    Substituted,
    /// It lacks the word.
    Deleted,
    /// It has a word where the reference has none.
    Inserted,
}

/// A hypothesis in one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffCell {
    /// Its word; `None` where the mark is [`Mark::Deleted`], and only there.
    pub word: Option<String>,
    /// How the word stands to the reference, or to A where there is no reference.
    pub mark: Mark,
}

/// One row of the table: a reference word with what became of it, or inserted words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffRow {
    /// The reference word; `None` in a row of inserted words, and everywhere without a reference.
    pub reference: Option<String>,
    /// Hypothesis A; `None` in a row that only an inserted word of B made.
    pub a: Option<DiffCell>,
    /// Hypothesis B; `None` in a row that only an inserted word of A made.
    pub b: Option<DiffCell>,
}

impl DiffRow {
    /// Whether A and B part ways here.
    pub fn differs(&self) -> bool {
        let word = |cell: &Option<DiffCell>| cell.as_ref().and_then(|cell| cell.word.clone());
        word(&self.a) != word(&self.b)
    }
}

/// Rows of aligned words, in text order.
///
/// Read down, each column gives back its input word by word. The marks of a column count up to what
/// [`count_edits`](super::count_edits) says of that hypothesis. Words that both insert at the same
/// place share rows as far as they align with each other.
///
/// With `reference` of `None`, `b` is aligned to `a`: every word of `a` is marked [`Mark::Equal`],
/// and the marks of `b` say how it differs from `a`.
pub fn diff_words<W: AsRef<str>>(reference: Option<&[W]>, a: &[W], b: &[W]) -> Vec<DiffRow> {
    let base = reference.unwrap_or(a);
    let (column_a, column_b) = (Column::new(base, a), Column::new(base, b));
    let mut rows = Vec::with_capacity(base.len());
    for place in 0..=base.len() {
        insertions(&column_a.inserted[place], &column_b.inserted[place], &mut rows);
        if place < base.len() {
            rows.push(DiffRow {
                reference: reference.map(|words| words[place].as_ref().to_owned()),
                a: Some(column_a.at[place].clone()),
                b: Some(column_b.at[place].clone()),
            });
        }
    }
    rows
}

/// [`diff_words`] of texts, each normalized and split at white space.
///
/// ```
/// # use earwitness_scoring::{diff_texts, EnglishNormalizer, Mark};
/// let rows = diff_texts(&EnglishNormalizer, Some("two large teas"), "two large teas", "to large");
/// let marks: Vec<_> = rows.iter().flat_map(|row| &row.b).map(|cell| cell.mark).collect();
/// assert_eq!(marks, [Mark::Substituted, Mark::Equal, Mark::Deleted]);
/// ```
pub fn diff_texts<N>(normalizer: &N, reference: Option<&str>, a: &str, b: &str) -> Vec<DiffRow>
where
    N: Normalizer + ?Sized,
{
    let reference = reference.map(|text| normalizer.normalize(text));
    let reference: Option<Vec<&str>> = reference.as_ref().map(|text| text.split_whitespace().collect());
    let (a, b) = (normalizer.normalize(a), normalizer.normalize(b));
    let a: Vec<&str> = a.split_whitespace().collect();
    let b: Vec<&str> = b.split_whitespace().collect();
    diff_words(reference.as_deref(), &a, &b)
}

/// A hypothesis by places of the base text.
struct Column<'a> {
    /// What became of each base word.
    at: Vec<DiffCell>,
    /// Words inserted before each base word, and after the last.
    inserted: Vec<Vec<&'a str>>,
}

impl<'a> Column<'a> {
    fn new<W: AsRef<str>>(base: &[W], hypothesis: &'a [W]) -> Self {
        let mut at = Vec::with_capacity(base.len());
        let mut inserted = vec![Vec::new(); base.len() + 1];
        let heard = |index: usize| hypothesis[index].as_ref();
        for step in align(base, hypothesis).words {
            let (word, mark) = match step {
                AlignedWord::Insertion { hypothesis } => {
                    inserted[at.len()].push(heard(hypothesis));
                    continue;
                }
                AlignedWord::Match { hypothesis, .. } => (Some(heard(hypothesis).to_owned()), Mark::Equal),
                AlignedWord::Substitution { hypothesis, .. } => {
                    (Some(heard(hypothesis).to_owned()), Mark::Substituted)
                }
                AlignedWord::Deletion { .. } => (None, Mark::Deleted),
            };
            at.push(DiffCell { word, mark });
        }
        Self { at, inserted }
    }
}

/// Rows for what the two insert at one place, aligned with each other.
fn insertions(a: &[&str], b: &[&str], rows: &mut Vec<DiffRow>) {
    let cell = |word: &str| Some(DiffCell { word: Some(word.to_owned()), mark: Mark::Inserted });
    rows.extend(align(a, b).words.into_iter().map(|step| {
        let (a, b) = match step {
            AlignedWord::Match { reference, hypothesis }
            | AlignedWord::Substitution { reference, hypothesis } => {
                (cell(a[reference]), cell(b[hypothesis]))
            }
            AlignedWord::Deletion { reference } => (cell(a[reference]), None),
            AlignedWord::Insertion { hypothesis } => (None, cell(b[hypothesis])),
        };
        DiffRow { reference: None, a, b }
    }));
}

#[cfg(test)]
mod tests;
