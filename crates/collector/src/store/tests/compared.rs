//! The difference of two recognizers' error rates, from pairs and judgements as they lie in the store.

use earwitness_scoring::fleet::{Margin, SamplingDesign};

use super::*;
use crate::compare::compare;

on_both! {
    utterances_that_nobody_may_read_do_not_make_the_difference_small,
    what_only_one_of_both_heard_is_judged,
    what_people_could_not_tell_does_not_make_the_difference_small,
    the_time_of_what_failed_is_not_compared,
}

const EVERYTHING: SamplingDesign = SamplingDesign { per_edit: 1.0, agreeing: 1.0 };

/// A pair of 10 words in which the shadow has one substitution, in texts that may be read or not.
struct Compared {
    n: u64,
    readable: bool,
    shadow_text: &'static str,
}

fn lines(of: &Compared) -> [RecordLine; 2] {
    let heard_nothing = of.shadow_text.is_empty();
    let record = ShadowRecord {
        utterance_id: format!("u-{}", of.n),
        primary_engine: "a".to_owned(),
        shadow_engine: "b".to_owned(),
        primary_outcome: Outcome::Transcript,
        shadow_outcome: if heard_nothing { Outcome::NoSpeech } else { Outcome::Transcript },
        substitutions: u64::from(!heard_nothing),
        deletions: if heard_nothing { 10 } else { 0 },
        primary_words: 10,
        shadow_words: if heard_nothing { 0 } else { 10 },
        primary_ms: 50.0,
        shadow_ms: 80.0,
        sample_ratio: 1.0,
        language: Some("en".to_owned()),
        ..ShadowRecord::default()
    };
    let at = now_ms() as u64;
    let mut shadow =
        RecordLine { recorded_unix_ms: at, record: Record::Shadow(Box::new(record)), consented: None };
    let mut primary = utterance(of.n);
    if of.readable {
        let text = "one two three four five six seven eight nine ten";
        primary.consented = Some(consented(text, None, 1));
        let mut of_shadow = consented("", None, 1);
        of_shadow.text = None;
        of_shadow.shadow_text = Some(of.shadow_text.to_owned()).filter(|text| !text.is_empty());
        shadow.consented = of_shadow.shadow_text.is_some().then_some(of_shadow);
    }
    [primary, shadow]
}

async fn store_all(f: &Fixture, device: &str, all: &[Compared]) {
    let lines: Vec<_> = all.iter().flat_map(lines).collect();
    f.store.append(device, batch(head(1), &lines)).await.unwrap();
    f.derive_all().await;
}

const ONE_WRONG: &str = "one two three four five six seven eight nine hen";

/// Every readable pair is judged; the primary is right.
async fn judge_all(f: &Fixture, knows: impl Fn(u64) -> bool) -> u64 {
    let mut judged = 0;
    while let (Some(candidate), _, _) = f.store.next_candidate(&EVERYTHING).await.unwrap() {
        let known = knows(judged);
        let judgement = Judgement {
            choice: if known { "primary" } else { "unsure" },
            reference: None,
            reference_words: known.then_some(10),
            primary_edits: known.then_some(0),
            shadow_edits: known.then_some(candidate.edits_between),
            inclusion_probability: 1.0,
        };
        f.store.judge(&candidate, "ann", &judgement).await.unwrap();
        judged += 1;
    }
    judged
}

async fn rates(f: &Fixture) -> (f64, f64) {
    let filter = PairFilter::default();
    let key = f.store.pair_keys(&filter).await.unwrap().remove(0);
    let margin = Margin::default();
    let all = compare(&f.store, &key, &filter, SliceBy::Nothing, &EVERYTHING, margin).await.unwrap();
    (all[0].references.primary_wer.unwrap(), all[0].references.shadow_wer.unwrap())
}

async fn utterances_that_nobody_may_read_do_not_make_the_difference_small(f: Fixture) {
    for device in ["pi", "laptop"] {
        let pair = |n| Compared { n, readable: n % 5 == 0, shadow_text: ONE_WRONG };
        store_all(&f, device, &(0..20).map(pair).collect::<Vec<_>>()).await;
    }
    assert_eq!(judge_all(&f, |_| true).await, 8);
    let (primary, shadow) = rates(&f).await;
    assert!(primary.abs() < 1e-9 && (shadow - 0.1).abs() < 1e-9, "{primary} {shadow}");
}

async fn what_only_one_of_both_heard_is_judged(f: Fixture) {
    let pair = |n| Compared { n, readable: true, shadow_text: if n % 2 == 0 { "" } else { ONE_WRONG } };
    store_all(&f, "pi", &(0..10).map(pair).collect::<Vec<_>>()).await;
    assert_eq!(judge_all(&f, |_| true).await, 10);
    let (_, shadow) = rates(&f).await;
    assert!((shadow - 0.55).abs() < 1e-9, "half of it is missed, a tenth of the rest is wrong: {shadow}");
}

async fn what_people_could_not_tell_does_not_make_the_difference_small(f: Fixture) {
    let pair = |n| Compared { n, readable: true, shadow_text: ONE_WRONG };
    store_all(&f, "pi", &(0..12).map(pair).collect::<Vec<_>>()).await;
    assert_eq!(judge_all(&f, |n| n % 3 == 0).await, 12);
    let (primary, shadow) = rates(&f).await;
    assert!(primary.abs() < 1e-9 && (shadow - 0.1).abs() < 1e-9, "{primary} {shadow}");
}

async fn the_time_of_what_failed_is_not_compared(f: Fixture) {
    let mut all: Vec<_> =
        (0..4).flat_map(|n| lines(&Compared { n, readable: false, shadow_text: ONE_WRONG })).collect();
    for line in &mut all[..4] {
        if let Record::Shadow(record) = &mut line.record {
            (record.shadow_outcome, record.shadow_ms) = (Outcome::Error, 1.0);
        }
    }
    f.store.append("pi", batch(head(1), &all)).await.unwrap();
    f.derive_all().await;
    let filter = PairFilter::default();
    let key = f.store.pair_keys(&filter).await.unwrap().remove(0);
    let sums = f.store.pair_sums(&key, &filter, SliceBy::Nothing).await.unwrap();
    assert_eq!((sums[0].utterances, sums[0].latency_difference_ms), (2, 60.0));
    assert_eq!(f.store.median_times(&key, &filter).await.unwrap(), (Some(50.0), Some(80.0)));
}
