//! The same pairs scored by others: word edits by jiwer, and the tests of significance by NIST's toolkit. The files are
//! made by `tests/golden/alignment.py` and `tests/golden/sctk.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use earwitness_scoring::significance::{UtterancePair, mapsswe, mcnemar};
use earwitness_scoring::{EditCounts, align, count_edits};

/// Columns of every line after the header.
fn rows(name: &str) -> Vec<Vec<String>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let file = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let rows: Vec<Vec<String>> =
        file.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    assert!(!rows.is_empty(), "{} has no lines", path.display());
    rows
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn edits(reference: &str, hypothesis: &str) -> EditCounts {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (reference, hypothesis) = (words(reference), words(hypothesis));
    let counts = count_edits(&reference, &hypothesis);
    assert_eq!(align(&reference, &hypothesis).counts, counts);
    counts
}

#[test]
fn substitutions_deletions_and_insertions_are_those_of_jiwer() {
    let rows = rows("alignment.tsv");
    assert!(rows.len() > 4_000, "{} pairs", rows.len());
    for row in rows {
        let [reference, hypothesis, counts @ ..] = &row[..] else { panic!("{row:?}") };
        let ours = edits(reference, hypothesis);
        let theirs: Vec<u64> = counts.iter().map(|count| number(count)).collect();
        assert_eq!(
            vec![ours.substitutions, ours.deletions, ours.insertions],
            theirs,
            "{reference} / {hypothesis}"
        );
    }
}

/// Utterances of one set, with the edits that sclite counts for A and for B.
struct Scored {
    pair: UtterancePair<'static>,
    sclite: (u64, u64),
}

fn sets() -> BTreeMap<String, Vec<Scored>> {
    let mut sets: BTreeMap<String, Vec<Scored>> = BTreeMap::new();
    for row in rows("sctk_pairs.tsv") {
        let [set, reference, a, b, edits_a, edits_b] = &row[..] else { panic!("{row:?}") };
        let pair = UtterancePair::new(edits(reference, a), edits(reference, b));
        let scored = Scored { pair, sclite: (number(edits_a), number(edits_b)) };
        sets.entry(set.clone()).or_default().push(scored);
    }
    sets
}

#[test]
fn sclite_never_finds_fewer_edits_and_seldom_more() {
    let (mut utterances, mut more) = (0, 0);
    for scored in sets().into_values().flatten() {
        for (ours, theirs) in [(scored.pair.a, scored.sclite.0), (scored.pair.b, scored.sclite.1)] {
            assert!(ours.errors() <= theirs, "{ours:?}, sclite {theirs}");
            utterances += 1;
            more += u64::from(ours.errors() < theirs);
        }
    }
    assert!(utterances > 2_500 && more * 200 <= utterances, "{more} of {utterances}");
}

/// A chance as `sc_stats -u` prints it: three decimals, or `<0.001`.
#[track_caller]
fn assert_chance(ours: f64, printed: &str, tolerance: f64, what: &str) {
    let theirs = if printed == "<0.001" { 0.0..=0.001 } else { number(printed)..=number(printed) };
    let near = ours >= theirs.start() - tolerance && ours <= theirs.end() + tolerance;
    assert!(near, "{what}: {ours}, printed {printed}");
}

#[test]
fn mcnemars_test_is_that_of_sc_stats() {
    let sets = sets();
    let mut chances = 0;
    for row in rows("sctk.tsv") {
        let pairs: Vec<_> = sets[&row[0]].iter().map(|scored| scored.pair).collect();
        let ours = mcnemar(&pairs);
        let both_right = pairs.iter().filter(|p| p.a.errors() == 0 && p.b.errors() == 0).count() as u64;
        let both_wrong = pairs.len() as u64 - both_right - ours.only_a_right - ours.only_b_right;
        let ours_table = [both_right, ours.only_a_right, ours.only_b_right, both_wrong];
        let theirs: Vec<u64> = row[6..10].iter().map(|count| number(count)).collect();
        assert_eq!(ours_table.to_vec(), theirs, "{}", row[0]);
        // Beyond 20 its factorials overflow; see `tests/golden/sctk.py`.
        if ours.only_a_right + ours.only_b_right <= 20 {
            assert_chance(ours.p_value, &row[10], 0.0006, &row[0]);
            chances += 1;
        }
    }
    assert!(chances >= 4, "{chances} chances compared");
}

/// Commands of one or two words are one segment each for `sc_stats` too, but it leaves out those without an error, so it gets
/// the same numbers from the rest.
#[test]
fn the_matched_pairs_test_is_that_of_sc_stats_on_the_same_segments() {
    let sets = sets();
    let mut exact = 0;
    for row in rows("sctk.tsv").iter().filter(|row| row[0].starts_with("short")) {
        let pairs: Vec<_> = sets[&row[0]]
            .iter()
            .map(|scored| scored.pair)
            .filter(|pair| pair.a.errors() + pair.b.errors() > 0)
            .collect();
        let ours = mapsswe(&pairs).expect("differences that vary");
        assert_eq!(ours.segments, number::<usize>(&row[1]), "{}", row[0]);
        // sc_stats takes B from A.
        let figures = [-ours.mean, ours.standard_deviation, -ours.z];
        for (ours, theirs) in figures.into_iter().zip(&row[2..5]) {
            assert!(
                (ours - number::<f64>(theirs)).abs() <= 0.0005 + 1e-9,
                "{}: {ours}, not {theirs}",
                row[0]
            );
        }
        // Its z is cut to two decimals first; the normal distribution's two tails change by at most 0.008 within that.
        assert_chance(ours.p_value, &row[5], 0.008, &row[0]);
        exact += 1;
    }
    assert_eq!(exact, 8);
}

/// With whole utterances as segments, error-free ones included, z is less extreme where almost all have errors of one
/// recognizer only, and close otherwise.
#[test]
fn whole_utterances_as_segments_give_nearly_the_z_of_sc_stats() {
    let sets = sets();
    for row in rows("sctk.tsv") {
        let pairs: Vec<_> = sets[&row[0]].iter().map(|scored| scored.pair).collect();
        let (ours, theirs) = (-mapsswe(&pairs).expect("a test").z, number::<f64>(&row[4]));
        assert!((ours - theirs).abs() < 0.15 + 0.3 * theirs.abs(), "{}: {ours}, sc_stats {theirs}", row[0]);
    }
}
