//! The tests of significance against `tests/golden/significance.tsv`, which
//! `tests/golden/significance.py` makes with numpy and scipy.

use std::fs;
use std::path::PathBuf;

use super::*;

/// An utterance of so many reference words with so many errors.
pub(super) fn pair(errors_a: u64, errors_b: u64, words: u64) -> UtterancePair<'static> {
    let counts = |errors: u64| {
        let substitutions = errors.min(words);
        let insertions = errors - substitutions;
        EditCounts { substitutions, insertions, deletions: 0, reference_words: words }
    };
    UtterancePair::new(counts(errors_a), counts(errors_b))
}

/// Equal to nine digits, however small.
#[track_caller]
pub(super) fn assert_close(ours: f64, expected: f64, what: &str) {
    let tolerance = 1e-9 * expected.abs();
    assert!((ours - expected).abs() <= tolerance, "{what}: {ours} where {expected} is right");
}

/// Resamples drawn here. The bounds that the file allows are for this number.
const RESAMPLES: usize = 20_000;

/// Five standard deviations of a share of 20,000 resamples less one of 200,000, at its widest.
const SHARE_TOLERANCE: f64 = 0.0186;

/// One line of the file.
struct Case<'a> {
    name: &'a str,
    pairs: Vec<UtterancePair<'a>>,
    columns: Vec<(&'a str, &'a str)>,
}

impl<'a> Case<'a> {
    fn parse(header: &'a str, line: &'a str) -> Self {
        let columns: Vec<_> = header.split('\t').zip(line.split('\t')).collect();
        assert_eq!(columns.len(), header.split('\t').count(), "{line}");
        let mut case = Self { name: columns[0].1, pairs: Vec::new(), columns };
        case.pairs = case
            .text("pairs")
            .split(' ')
            .map(|utterance| {
                let mut parts = utterance.split(':');
                let mut number = || parts.next().and_then(|part| part.parse().ok()).expect("a number");
                let pair = pair(number(), number(), number());
                UtterancePair { group: parts.next(), ..pair }
            })
            .collect();
        case
    }

    fn text(&self, column: &str) -> &'a str {
        self.columns.iter().find(|(name, _)| *name == column).expect("a column of the file").1
    }

    /// `None` where the file has `-`, for what is not defined.
    fn number(&self, column: &str) -> Option<f64> {
        let text = self.text(column);
        (text != "-").then(|| text.parse().expect("a number"))
    }

    fn check(&self, column: &str, ours: Option<f64>) {
        let what = format!("{column} of {}", self.name);
        match (ours, self.number(column)) {
            (Some(ours), Some(expected)) => assert_close(ours, expected, &what),
            (ours, expected) => assert_eq!(ours, expected, "{what}"),
        }
    }
}

fn for_every_case(check: impl Fn(&Case<'_>)) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/significance.tsv");
    let file = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (header, lines) = file.split_once('\n').expect("a header");
    let cases: Vec<_> = lines.lines().map(|line| Case::parse(header, line)).collect();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    cases.iter().for_each(check);
}

#[test]
fn exact_figures_equal_those_of_scipy() {
    for_every_case(|case| {
        let comparison = compare(&case.pairs, 1, DEFAULT_CONFIDENCE, 0);
        assert_eq!(comparison.utterances, case.pairs.len());
        case.check("differing", Some(comparison.utterances_differing as f64));
        case.check("wer_a", comparison.wer_a);
        case.check("wer_b", comparison.wer_b);
        let difference = case.number("wer_b").zip(case.number("wer_a")).map(|(b, a)| b - a);
        assert_eq!(comparison.difference.is_some(), difference.is_some(), "{}", case.name);
        if let Some((ours, expected)) = comparison.difference.zip(difference) {
            assert!((ours - expected).abs() < 1e-9, "{}: {ours}, {expected}", case.name);
        }
        case.check("mean", comparison.mapsswe.map(|m| m.mean));
        case.check("deviation", comparison.mapsswe.map(|m| m.standard_deviation));
        case.check("z", comparison.mapsswe.map(|m| m.z));
        case.check("mapsswe_p", comparison.mapsswe.map(|m| m.p_value));
        case.check("only_a_right", Some(comparison.mcnemar.only_a_right as f64));
        case.check("only_b_right", Some(comparison.mcnemar.only_b_right as f64));
        case.check("mcnemar_p", Some(comparison.mcnemar.p_value));
    });
}

#[test]
fn bootstrap_intervals_are_those_of_numpy_but_for_chance() {
    for_every_case(|case| {
        let confidence = case.number("confidence").expect("a confidence");
        let ours = paired_bootstrap(&case.pairs, RESAMPLES, confidence, 1);
        assert_eq!(ours.is_some(), case.number("low").is_some(), "{}", case.name);
        let Some(ours) = ours else { return };
        let bound = |column: &str| case.number(column).expect("a bound beside an interval");
        // Quantiles at a share five standard deviations of chance to either side. The sliver is for
        // sums in another order.
        let within =
            |value: f64, least: &str, most: &str| value >= bound(least) - 1e-9 && value <= bound(most) + 1e-9;
        assert!(within(ours.low, "low_least", "low_most"), "low of {}: {ours:?}", case.name);
        assert!(within(ours.high, "high_least", "high_most"), "high of {}: {ours:?}", case.name);
        let off = ours.probability_of_improvement - bound("improvement");
        assert!(off.abs() < SHARE_TOLERANCE, "improvement of {}: {ours:?}", case.name);
    });
}

#[test]
fn nothing_to_compare_is_no_error() {
    let comparison = compare(&[], DEFAULT_RESAMPLES, DEFAULT_CONFIDENCE, 0);
    assert_eq!((comparison.utterances, comparison.difference), (0, None));
    assert_eq!((comparison.interval, comparison.mapsswe), (None, None));
}

#[test]
fn a_recognizer_is_no_better_than_itself() {
    let pairs: Vec<_> = (0..30).map(|n| pair(n % 4, n % 4, 9)).collect();
    let comparison = compare(&pairs, 1_000, DEFAULT_CONFIDENCE, 0);
    let interval = comparison.interval.unwrap();
    assert_eq!((interval.low, interval.high, interval.probability_of_improvement), (0.0, 0.0, 0.0));
    assert_eq!((comparison.difference, comparison.utterances_differing), (Some(0.0), 0));
    assert_eq!((comparison.mapsswe, comparison.mcnemar.p_value), (None, 1.0));
}

#[test]
fn serialized_field_names_are_the_documented_ones() {
    let json = serde_json::to_value(compare(&[pair(1, 0, 4), pair(0, 0, 4)], 10, 0.5, 0)).unwrap();
    let keys = |value: &serde_json::Value| {
        value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>().into_iter()
    };
    let names = "difference interval mapsswe mcnemar utterances utterances_differing wer_a wer_b";
    assert!(keys(&json).eq(names.split(' ')), "{json}");
    let names = "confidence high low probability_of_improvement resamples units";
    assert!(keys(&json["interval"]).eq(names.split(' ')), "{json}");
    assert!(keys(&json["mapsswe"]).eq("mean p_value segments standard_deviation z".split(' ')), "{json}");
    assert!(keys(&json["mcnemar"]).eq("only_a_right only_b_right p_value".split(' ')), "{json}");
}
