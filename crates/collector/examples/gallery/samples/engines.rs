//! Two engines, and what people judge.

use earwitness_scoring::fleet::{OutcomeClass, OutcomeMatrix};
use earwitness_scoring::{BasicNormalizer, diff_texts};

use super::*;

pub(super) fn disagreement(kind: Kind, index: usize) -> DisagreementRow {
    let (primary, shadow) = SAID[index % SAID.len()];
    let (primary, shadow) = (kind.text(index, primary), kind.text(index + 2, shadow));
    let words = diff_texts(&BasicNormalizer::default(), None, &primary, &shadow);
    let outcome = |text: &str| if text.is_empty() { "empty" } else { "transcript" }.to_owned();
    DisagreementRow {
        utterance_id: kind.text(index + 1, &format!("9f3a61c2-{}", 118 - index)),
        device_id: kind.text(index + 2, DEVICES[index % 4]),
        recorded_unix_ms: NOW - (index as u64 * 47 + 6) * MINUTE,
        edits: 1 + index as u64 % 3,
        longer_words: 10 - index as u64,
        primary_outcome: kind.text(index + 3, &outcome(&primary)),
        shadow_outcome: kind.text(index + 4, &outcome(&shadow)),
        language: Some(kind.text(index, "en")),
        snr_db: kind.number(index, 14.2 - index as f64),
        words: (index != 2).then_some(words),
        clip_href: (index.is_multiple_of(2) && index != 2)
            .then(|| format!("/clips/{}", segment(&kind.text(index, "9f3a61c2-118")))),
    }
}

/// Two pairs, the first with this verdict.
pub fn shadow(kind: Kind, verdict: Verdict) -> ShadowPage {
    let mut filters = filters(kind, "/shadow", true);
    filters.kept = vec![("primary", kind.text(0, ENGINES[0])), ("shadow", kind.text(1, ENGINES[1]))];
    let (value, half) = match verdict {
        Verdict::Better => (-0.013, 0.006),
        Verdict::NotWorse => (0.0011, 0.0052),
        Verdict::Worse => (0.019, 0.007),
        Verdict::Inconclusive => (-0.004, 0.017),
    };
    let difference =
        kind.estimate(3, value, half).filter(|_| kind != Kind::Hostile || verdict == Verdict::Better);
    let pair = |n: usize| PairSummary {
        primary_engine: kind.text(n, ENGINES[0]),
        shadow_engine: kind.text(n + 1, ENGINES[1 + n]),
        href: filters.href_with(&[("shadow", ENGINES[1 + n % 2])]),
        chosen: n == 0,
        utterances: [8214, 611][n],
        devices: [21, 3][n],
        disagreement: kind.estimate(n, [0.083, 0.121][n], [0.006, 0.034][n]),
        verdict: if n == 0 { verdict } else { Verdict::Inconclusive },
    };
    let rows = |dimension: usize, names: &[&str]| -> Vec<SliceRow> {
        let row = |(n, name): (usize, &&str)| SliceRow {
            name: kind.text(n, name),
            utterances: 2400 / (n as u64 + 1),
            devices: 12 / (n as u64 + 1),
            disagreement: kind.estimate(n, 0.06 + 0.02 * n as f64, 0.008 * (n + 1) as f64),
            wer_difference: kind
                .estimate(n, value + 0.003 * (n as f64 - dimension as f64), half * (1.0 + 0.6 * n as f64))
                .filter(|_| n != 3),
            verdict: if n == 0 { verdict } else { Verdict::Inconclusive },
        };
        names.iter().enumerate().map(row).collect()
    };
    let groups: [(&str, &[&str]); 5] = [
        ("Profile", &["kiosk", "kitchen", "vehicle"]),
        ("App version", &VERSIONS[..3]),
        ("Language", &["en", "pl"]),
        ("Signal to noise", &["above 20 dB", "10 to 20 dB", "5 to 10 dB", "below 5 dB"]),
        ("Duration", &["below 2 s", "2 to 5 s", "above 5 s"]),
    ];
    let detail = PairDetail {
        primary_engine: kind.text(0, ENGINES[0]),
        shadow_engine: kind.text(1, ENGINES[1]),
        utterances: 8214,
        devices: 21,
        disagreement: kind.estimate(0, 0.083, 0.006),
        no_interval: None,
        primary_p50_ms: kind.number(0, 240.0),
        shadow_p50_ms: kind.number(1, 512.0),
        latency_difference_ms: kind.estimate(2, 281.0, 22.0),
        primary_cost_per_1000: Some(0.0),
        shadow_cost_per_1000: kind.number(3, 0.42),
        outcomes: outcomes(),
        wer: WerComparison {
            utterances: 214,
            devices: 9,
            reference_words: 1733,
            primary_wer: kind.number(0, 0.091),
            shadow_wer: kind.number(1, 0.087),
            difference,
            margin: 0.01,
            verdict,
            missing: (verdict == Verdict::Inconclusive)
                .then(|| kind.text(0, "about 900 more references at this disagreement, or a wider margin.")),
        },
        slices: groups
            .iter()
            .enumerate()
            .map(|(n, (dimension, names))| SliceGroup {
                dimension: kind.text(n, dimension),
                rows: rows(n, names),
            })
            .collect(),
    };
    let next_href = Some(filters.href_with(&[("page", "2")]));
    ShadowPage {
        shell: shell(kind, Section::Shadow),
        pairs: kind.some(2, pair),
        detail: (kind != Kind::Empty).then_some(detail),
        disagreements: kind.some(6, |n| disagreement(kind, n)),
        pager: Pager { first: 1, last: 6, total: Some(702), previous_href: None, next_href },
        filters,
    }
}

pub(super) fn adjudicate(kind: Kind) -> AdjudicatePage {
    AdjudicatePage {
        shell: shell(kind, Section::Adjudicate),
        item: (kind != Kind::Empty).then(|| AdjudicationItem {
            item_id: kind.text(1, "a1b2"),
            order: kind.text(5, "kd83hd"),
            clip_href: Some("/clips/9f3a61c2-118".into()),
            duration_ms: kind.number(0, 3410.0).unwrap_or(0.0),
            language: Some(kind.text(1, "en")),
            text_a: kind.text(2, "Two large trees and a slice of apple pie."),
            text_b: kind.text(4, "Two large teas and a slice of apple pie, please."),
        }),
        progress: (kind != Kind::Empty).then_some(Progress {
            done: 11,
            total: 40,
            inclusion_probability: 0.2,
        }),
        judged_by_you: 57,
    }
}

fn outcomes() -> OutcomeMatrix {
    use OutcomeClass::{Empty, Error, NoSpeech, Other, Timeout, Transcript};
    let mut matrix = OutcomeMatrix::default();
    for (primary, shadow, utterances) in [
        (Transcript, Transcript, 7420),
        (Transcript, NoSpeech, 61),
        (Transcript, Empty, 22),
        (Transcript, Timeout, 14),
        (Transcript, Error, 2),
        (NoSpeech, Transcript, 118),
        (NoSpeech, NoSpeech, 402),
        (NoSpeech, Empty, 9),
        (Empty, Transcript, 31),
        (Empty, NoSpeech, 12),
        (Empty, Empty, 58),
        (Timeout, Transcript, 19),
        (Timeout, Timeout, 3),
        (Error, Transcript, 37),
        (Error, NoSpeech, 1),
        (Error, Error, 5),
        (Other, Transcript, 4),
    ] {
        matrix.add(primary, shadow, utterances);
    }
    matrix
}
