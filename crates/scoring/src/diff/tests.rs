use super::*;
use crate::{BasicNormalizer, EditCounts, count_edits};

/// One line for each row: reference, A and B, with a sign for the mark.
fn drawn(reference: Option<&str>, a: &str, b: &str) -> Vec<String> {
    let cell = |cell: &Option<DiffCell>| match cell {
        None => ".".to_owned(),
        Some(DiffCell { word, mark }) => {
            let sign = match mark {
                Mark::Equal => "=",
                Mark::Substituted => "~",
                Mark::Deleted => "-",
                Mark::Inserted => "+",
            };
            format!("{sign}{}", word.as_deref().unwrap_or_default())
        }
    };
    diff_texts(&BasicNormalizer::default(), reference, a, b)
        .iter()
        .map(|row| format!("{} {} {}", row.reference.as_deref().unwrap_or("."), cell(&row.a), cell(&row.b)))
        .collect()
}

#[test]
fn hypotheses_meet_at_the_reference_words() {
    let rows = drawn(Some("a large iced mocha"), "A large mocha", "large nice mocha.");
    assert_eq!(rows, ["a =a -", "large =large =large", "iced - ~nice", "mocha =mocha =mocha"]);
}

#[test]
fn insertions_at_one_place_share_rows_where_they_align() {
    let rows = drawn(Some("tea"), "so um the tea now", "um a tea");
    assert_eq!(rows, [". +so .", ". +um +um", ". +the +a", "tea =tea =tea", ". +now ."]);
    assert_eq!(drawn(Some("tea"), "tea", "tea oh"), ["tea =tea =tea", ". . +oh"]);
}

#[test]
fn without_a_reference_b_is_aligned_to_a() {
    let rows = drawn(None, "one two three", "zero one three tree");
    assert_eq!(rows, [". . +zero", ". =one =one", ". =two ~three", ". =three ~tree"]);
}

#[test]
fn empty_texts_have_rows_for_the_others_only() {
    assert!(drawn(None, "", "").is_empty());
    assert!(drawn(Some(""), "", "").is_empty());
    assert_eq!(drawn(Some("a b"), "", "b"), ["a - -", "b - =b"]);
    assert_eq!(drawn(Some(""), "a", ""), [". +a ."]);
}

#[test]
fn rows_differ_where_the_words_of_the_hypotheses_do() {
    let rows = diff_words(Some(&["x", "y", "z"]), &["q", "y"], &["q", "z", "z"]);
    assert_eq!(rows.iter().map(DiffRow::differs).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn serialized_names_are_the_documented_ones() {
    let rows = diff_words(Some(&["x"]), &[], &["y", "x"]);
    let json = serde_json::to_string(&rows).unwrap();
    let inserted = r#"{"reference":null,"a":null,"b":{"word":"y","mark":"inserted"}}"#;
    let deleted = r#"{"reference":"x","a":{"word":null,"mark":"deleted"},"b":{"word":"x","mark":"equal"}}"#;
    assert_eq!(json, format!("[{inserted},{deleted}]"));
}

/// Checks one column of `rows` against its input, and its marks against the counts.
fn assert_column_is(
    rows: &[DiffRow],
    cell: fn(&DiffRow) -> &Option<DiffCell>,
    base: &[String],
    text: &[String],
) {
    let cells = || rows.iter().flat_map(cell);
    assert!(cells().flat_map(|cell| &cell.word).eq(text), "{rows:#?}");
    let count = |mark| cells().filter(|cell| cell.mark == mark).count() as u64;
    let counts = EditCounts {
        substitutions: count(Mark::Substituted),
        deletions: count(Mark::Deleted),
        insertions: count(Mark::Inserted),
        reference_words: base.len() as u64,
    };
    assert_eq!(counts, count_edits(base, text), "{rows:#?}");
    assert!(cells().all(|cell| cell.word.is_none() == (cell.mark == Mark::Deleted)), "{rows:#?}");
}

/// Checks that no row is empty and that each mark is the truth about the words of its row.
fn assert_marks_are_true(rows: &[DiffRow], base: fn(&DiffRow) -> Option<&String>) {
    for row in rows {
        assert!(row.a.is_some() || row.b.is_some(), "{row:?}");
        for cell in row.a.iter().chain(&row.b) {
            let mark = match (base(row), cell.word.as_ref()) {
                (None, _) => Mark::Inserted,
                (_, None) => Mark::Deleted,
                (base, word) if base == word => Mark::Equal,
                _ => Mark::Substituted,
            };
            assert_eq!(cell.mark, mark, "{row:?}");
        }
    }
}

#[test]
fn columns_give_back_the_texts_whatever_they_are() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..4_000 {
        let kinds = random.u8(1..8);
        let longest = random.usize(1..16);
        let mut text = || -> Vec<String> {
            (0..random.usize(..longest)).map(|_| format!("w{}", random.u8(..kinds))).collect()
        };
        let (reference, a, b) = (text(), text(), text());

        let rows = diff_words(Some(&reference), &a, &b);
        assert!(rows.iter().flat_map(|row| &row.reference).eq(&reference), "{rows:#?}");
        assert_column_is(&rows, |row| &row.a, &reference, &a);
        assert_column_is(&rows, |row| &row.b, &reference, &b);
        assert_marks_are_true(&rows, |row| row.reference.as_ref());

        let rows = diff_words(None, &a, &b);
        assert!(rows.iter().all(|row| row.reference.is_none()), "{rows:#?}");
        assert_column_is(&rows, |row| &row.a, &a, &a);
        assert_column_is(&rows, |row| &row.b, &a, &b);
        assert_marks_are_true(&rows, |row| row.a.as_ref().and_then(|cell| cell.word.as_ref()));
    }
}
