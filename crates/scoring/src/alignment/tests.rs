use proptest::prelude::*;

use super::*;
use crate::EnglishNormalizer;

fn split(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Levenshtein distance by the textbook recursion over a full table.
fn plain_distance(left: &[u8], right: &[u8]) -> u64 {
    let mut table = vec![vec![0_u64; right.len() + 1]; left.len() + 1];
    for row in 0..=left.len() {
        for column in 0..=right.len() {
            table[row][column] = if row == 0 || column == 0 {
                (row + column) as u64
            } else {
                let differs = u64::from(left[row - 1] != right[column - 1]);
                let replaced = table[row - 1][column - 1] + differs;
                let gap = table[row - 1][column].min(table[row][column - 1]) + 1;
                replaced.min(gap)
            };
        }
    }
    table[left.len()][right.len()]
}

fn names(words: &[u8]) -> Vec<String> {
    words.iter().map(|word| format!("w{word}")).collect()
}

fn words(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    (1_u8..12).prop_flat_map(move |kinds| prop::collection::vec(0..kinds, 0..longest))
}

/// Checks that `alignment` walks through both texts in order and says the truth of each pair.
fn assert_walks_both_texts(alignment: &Alignment, reference: &[u8], hypothesis: &[u8]) {
    let (mut next_reference, mut next_hypothesis) = (0, 0);
    for step in &alignment.words {
        let (r, h) = match *step {
            AlignedWord::Match { reference: r, hypothesis: h } => {
                assert_eq!(reference[r], hypothesis[h]);
                (Some(r), Some(h))
            }
            AlignedWord::Substitution { reference: r, hypothesis: h } => {
                assert_ne!(reference[r], hypothesis[h]);
                (Some(r), Some(h))
            }
            AlignedWord::Deletion { reference: r } => (Some(r), None),
            AlignedWord::Insertion { hypothesis: h } => (None, Some(h)),
        };
        if let Some(r) = r {
            assert_eq!(r, next_reference);
            next_reference += 1;
        }
        if let Some(h) = h {
            assert_eq!(h, next_hypothesis);
            next_hypothesis += 1;
        }
    }
    assert_eq!(next_reference, reference.len());
    assert_eq!(next_hypothesis, hypothesis.len());
}

#[test]
fn each_kind_of_edit_is_counted_as_itself() {
    let alignment = align(&split("the cat sat on mats"), &split("a the cat sit mats"));
    let counts = alignment.counts;
    assert_eq!(counts.insertions, 1);
    assert_eq!(counts.deletions, 1);
    assert_eq!(counts.substitutions, 1);
    assert_eq!(counts.reference_words, 5);
    assert_eq!(counts.wer(), Some(0.6));
    assert_eq!(alignment.words[0], AlignedWord::Insertion { hypothesis: 0 });
    let last = AlignedWord::Match { reference: 4, hypothesis: 4 };
    assert_eq!(alignment.words.last(), Some(&last));
}

#[test]
fn empty_texts_are_all_deletions_or_insertions() {
    let none: [&str; 0] = [];
    assert_eq!(count_edits(&none, &none), EditCounts::default());
    assert_eq!(count_edits(&["a", "b"], &none).deletions, 2);
    assert_eq!(count_edits(&none, &["a", "b"]).insertions, 2);
    assert_eq!(align(&["a", "b"], &none).words.len(), 2);
    assert_eq!(align(&none, &["a"]).counts.wer(), None);
}

#[test]
fn scoring_normalizes_both_texts() {
    let counts =
        score(&EnglishNormalizer, "Mr. Brown can't pay $20.", "mister brown cannot pay twenty dollars");
    assert_eq!(counts.errors(), 2);
    assert_eq!(counts.reference_words, 6);
}

proptest! {
    #[test]
    fn counts_agree_with_the_textbook_distance(r in words(40), h in words(40)) {
        let counts = count_edits(&names(&r), &names(&h));
        prop_assert_eq!(counts.errors(), plain_distance(&r, &h));
        prop_assert_eq!(counts.reference_words, r.len() as u64);
    }

    #[test]
    fn alignment_walks_both_texts_and_agrees_with_the_counts(r in words(60), h in words(60)) {
        let alignment = align(&names(&r), &names(&h));
        assert_walks_both_texts(&alignment, &r, &h);
        prop_assert_eq!(alignment.counts, count_edits(&names(&r), &names(&h)));
    }

    #[test]
    fn swapping_the_texts_keeps_the_distance(r in words(40), h in words(40)) {
        let forth = count_edits(&names(&r), &names(&h));
        let back = count_edits(&names(&h), &names(&r));
        prop_assert_eq!(forth.errors(), back.errors());
        let change = h.len() as i64 - r.len() as i64;
        prop_assert_eq!(forth.insertions as i64 - forth.deletions as i64, change);
        prop_assert_eq!(back.deletions as i64 - back.insertions as i64, change);
    }

    #[test]
    fn distance_obeys_its_bounds(r in words(30), h in words(30), third in words(30)) {
        let distance = |a: &[u8], b: &[u8]| count_edits(&names(a), &names(b)).errors();
        prop_assert!(distance(&r, &h) <= distance(&r, &third) + distance(&third, &h));
        prop_assert!(distance(&r, &h) >= r.len().abs_diff(h.len()) as u64);
        prop_assert!(distance(&r, &h) <= r.len().max(h.len()) as u64);
        prop_assert_eq!(distance(&r, &r), 0);
    }
}
