//! Two recognizers on the same speech: from sums in the store to intervals and a verdict.

use earwitness_scoring::EditCounts;
use earwitness_scoring::fleet::{
    Adjudication, Assessment, ClusterSums, ClusterTable, HeardPair, IntervalOptions, Margin, NoInterval,
    RatioInterval, Reference, SamplingDesign, assess, effective_probability, ratio_interval,
};
use std::collections::BTreeMap;

use crate::store::{DeviceSums, PairFilter, PairKey, SliceBy, Store, StoreError};

/// Draws of the bootstrap on a page: the bounds are then within a tenth of the interval's width of those of many more.
const RESAMPLES: usize = 1_000;
/// The same data give the same page.
const SEED: u64 = 20_261_127;

/// One slice's comparison.
pub(crate) struct Comparison {
    /// The slice's value; empty without slices.
    pub(crate) name: String,
    pub(crate) utterances: u64,
    pub(crate) devices: u64,
    /// Word edits between the texts over words of the longer.
    pub(crate) disagreement: Result<RatioInterval, NoInterval>,
    /// The plain rate, where there is no interval.
    pub(crate) disagreement_rate: Option<f64>,
    /// Mean of shadow less primary, ms.
    pub(crate) latency: Result<RatioInterval, NoInterval>,
    pub(crate) primary_cost: f64,
    pub(crate) shadow_cost: f64,
    pub(crate) references: References,
}

/// What people's references say.
pub(crate) struct References {
    pub(crate) utterances: u64,
    pub(crate) devices: u64,
    pub(crate) words: u64,
    pub(crate) primary_wer: Option<f64>,
    pub(crate) shadow_wer: Option<f64>,
    pub(crate) assessment: Assessment,
}

pub(crate) fn options() -> IntervalOptions {
    IntervalOptions { resamples: RESAMPLES, seed: SEED, ..IntervalOptions::default() }
}

/// The comparison of `key`, by slice.
pub(crate) async fn compare(
    store: &Store,
    key: &PairKey,
    filter: &PairFilter,
    by: SliceBy,
    design: &SamplingDesign,
    margin: Margin,
) -> Result<Vec<Comparison>, StoreError> {
    let mut slices: BTreeMap<String, Vec<DeviceSums>> = BTreeMap::new();
    for sums in store.pair_sums(key, filter, by).await? {
        slices.entry(sums.slice.clone()).or_default().push(sums);
    }
    let heard = heard(store, key, filter, by, design).await?;
    let compared = move || {
        let compared = slices.into_iter().map(|(name, sums)| {
            let references = references(&sums, heard.get(&name).map_or(&[], Vec::as_slice), margin);
            comparison(name, &sums, references)
        });
        compared.collect()
    };
    // Thousands of resamples: not on the threads that wait for sockets.
    let compared = tokio::task::spawn_blocking(compared).await;
    compared.map_err(|_| StoreError::Damaged("a comparison ended early".to_owned()))
}

fn comparison(name: String, sums: &[DeviceSums], references: References) -> Comparison {
    let interval = |of: fn(&DeviceSums) -> ClusterSums| {
        ratio_interval(&sums.iter().map(of).collect::<Vec<_>>(), &options())
    };
    let total = |of: fn(&DeviceSums) -> f64| sums.iter().map(of).sum::<f64>();
    let words = total(|s| s.longer_words);
    Comparison {
        name,
        utterances: sums.iter().map(|s| s.utterances as u64).sum(),
        devices: sums.len() as u64,
        disagreement: interval(|s| ClusterSums { numerator: s.edits, denominator: s.longer_words }),
        disagreement_rate: (words > 0.0).then(|| total(|s| s.edits) / words),
        latency: interval(|s| ClusterSums {
            numerator: s.latency_difference_ms,
            denominator: s.utterances as f64,
        }),
        primary_cost: total(|s| s.primary_cost),
        shadow_cost: total(|s| s.shadow_cost),
        references,
    }
}

/// A reference that counts, with the probability that it came to be made.
struct Heard {
    device_id: String,
    primary_words: u64,
    edits_between: u64,
    sample_ratio: f64,
    reference: Reference,
}

/// How many were judged, and how many of these gave a reference.
#[derive(Clone, Copy, Default)]
struct Response {
    judged: u64,
    answered: u64,
}

/// The references of each slice. People work the queue off by place; those who were heard out of turn, beyond the first
/// that nobody heard, do not count: they are no sample. What people could not tell is taken to be like what they could
/// of its kind (texts that agree, texts that differ): the answers stand for it, too.
async fn heard(
    store: &Store,
    key: &PairKey,
    filter: &PairFilter,
    by: SliceBy,
    design: &SamplingDesign,
) -> Result<BTreeMap<String, Vec<Heard>>, StoreError> {
    let reached = store.reached(key, filter, design).await?;
    let mut rows = store.judgements(key, filter, by).await?;
    rows.retain(|row| row.draw / design.inclusion_probability(row.edits_between) < reached);
    let mut responses: BTreeMap<(String, bool), Response> = BTreeMap::new();
    for row in &rows {
        let response = responses.entry((row.slice.clone(), row.edits_between > 0)).or_default();
        response.judged += 1;
        response.answered += u64::from(row.counts.is_some());
    }
    let mut slices: BTreeMap<String, Vec<Heard>> = BTreeMap::new();
    for row in rows {
        let Some((reference_words, primary_edits, shadow_edits)) = row.counts else { continue };
        let response = responses[&(row.slice.clone(), row.edits_between > 0)];
        let probability = effective_probability(design.inclusion_probability(row.edits_between), reached)
            * (response.answered as f64 / response.judged as f64);
        let counts =
            |errors: u64| EditCounts { substitutions: errors, reference_words, ..EditCounts::default() };
        slices.entry(row.slice).or_default().push(Heard {
            device_id: row.device_id,
            primary_words: row.primary_words,
            edits_between: row.edits_between,
            sample_ratio: row.sample_ratio,
            reference: Reference {
                inclusion_probability: probability,
                a: counts(primary_edits),
                b: counts(shadow_edits),
            },
        });
    }
    Ok(slices)
}

fn references(sums: &[DeviceSums], heard: &[Heard], margin: Margin) -> References {
    let mut adjudication = Adjudication::default();
    let mut words = 0;
    for pair in heard {
        let added = adjudication.add(&HeardPair {
            device: &pair.device_id,
            words_a: pair.primary_words,
            edits_between: pair.edits_between,
            sample_ratio: pair.sample_ratio,
            reference: Some(pair.reference),
        });
        match added {
            Ok(()) => words += pair.reference.a.reference_words,
            Err(error) => tracing::warn!(%error, "a judgement does not fit its pair and is left out"),
        }
    }
    // All other utterances that people could have heard: their words count.
    let mut rest = ClusterTable::default();
    for device in sums {
        let of_device = heard.iter().filter(|pair| pair.device_id == device.device_id);
        let known: f64 = of_device.map(|pair| pair.primary_words as f64 / pair.sample_ratio).sum();
        let words = (device.readable_words - known).max(0.0);
        rest.add(&device.device_id, ClusterSums { numerator: 0.0, denominator: words });
    }
    let whole = |table: &ClusterTable| {
        let mut whole = table.clone();
        whole.merge(&rest);
        whole
    };
    let rate = |table: &ClusterTable| {
        let whole = whole(table);
        let (errors, words) = whole.devices().fold((0.0, 0.0), |(errors, words), (_, sums)| {
            (errors + sums.numerator, words + sums.denominator)
        });
        (adjudication.references() > 0 && words > 0.0).then(|| errors / words)
    };
    let devices: std::collections::BTreeSet<&str> =
        heard.iter().map(|pair| pair.device_id.as_str()).collect();
    // Without any reference nothing is known: not that there is no difference.
    let difference = match adjudication.references() {
        0 => ClusterTable::default(),
        _ => whole(adjudication.difference()),
    };
    References {
        utterances: adjudication.references(),
        devices: devices.len() as u64,
        words,
        primary_wer: rate(adjudication.wer_a()),
        shadow_wer: rate(adjudication.wer_b()),
        assessment: assess(&difference, adjudication.references(), margin, &options()),
    }
}
