//! A fleet of utterances of which people hear a sample.

use earwitness_scoring::EditCounts;
use earwitness_scoring::fleet::{
    Adjudication, HeardPair, PairCounts, Reference, SamplingDesign, SamplingKey,
};

use super::Draws;

/// One utterance as it truly was.
struct Utterance {
    device: String,
    name: String,
    words_a: u64,
    edits_between: u64,
    a: EditCounts,
    b: EditCounts,
}

/// Everything that was said to a fleet.
pub struct Population {
    utterances: Vec<Utterance>,
    counts: PairCounts,
}

impl Population {
    /// Devices differ in how well A and B hear on them; B is better by about 1 point of 7.
    pub fn draw(devices: usize, per_device: u64, seed: u64) -> Self {
        let mut draws = Draws::seeded(seed);
        let (mut utterances, mut counts) = (Vec::new(), PairCounts::default());
        for device in 0..devices {
            let [both, only_a, only_b] = [0.04, 0.03, 0.02].map(|mean| draws.rate(mean, 0.03));
            for number in 0..draws.whole(per_device / 3, per_device * 5 / 3) {
                let words = draws.whole(1, 14);
                let [both, only_a, only_b] = [both, only_a, only_b].map(|rate| draws.binomial(words, rate));
                // Some errors are words too many or too few, so that the words of A are not those that were said.
                let missing = draws.binomial(both + only_a, 0.4).min(words);
                let edits = |own: u64| EditCounts {
                    substitutions: both + own,
                    reference_words: words,
                    ..EditCounts::default()
                };
                counts.add(only_a + only_b, 1);
                utterances.push(Utterance {
                    device: format!("device-{device:03}"),
                    name: number.to_string(),
                    words_a: words - missing,
                    edits_between: only_a + only_b,
                    a: edits(only_a),
                    b: edits(only_b),
                });
            }
        }
        Self { utterances, counts }
    }

    /// Difference of word error rates, B minus A, over all utterances.
    pub fn truth(&self) -> f64 {
        rate(self.utterances.iter())
    }

    /// The design that hears about so many.
    pub fn design(&self, references: f64) -> SamplingDesign {
        SamplingDesign::for_budget(&self.counts, references, 0.1)
    }
}

fn rate<'a>(utterances: impl Iterator<Item = &'a Utterance>) -> f64 {
    let (extra, words) = utterances.fold((0.0, 0.0), |(extra, words), utterance| {
        let difference = utterance.b.errors() as f64 - utterance.a.errors() as f64;
        (extra + difference, words + utterance.a.reference_words as f64)
    });
    extra / words
}

/// The sample under a key, and the plain difference over what was heard, as if it were all.
pub fn heard(population: &Population, design: &SamplingDesign, key: u64) -> (Adjudication, f64) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&key.to_le_bytes());
    let key = SamplingKey::new(bytes);
    let (mut adjudication, mut picked) = (Adjudication::default(), Vec::new());
    for utterance in &population.utterances {
        let probability = design.inclusion_probability(utterance.edits_between);
        let reference = (key.number(&utterance.device, &utterance.name) <= probability).then(|| {
            picked.push(utterance);
            Reference { inclusion_probability: probability, a: utterance.a, b: utterance.b }
        });
        let pair = HeardPair {
            device: &utterance.device,
            words_a: utterance.words_a,
            edits_between: utterance.edits_between,
            sample_ratio: 1.0,
            reference,
        };
        adjudication.add(&pair).expect("a pair that can be");
    }
    let plain = rate(picked.iter().copied());
    (adjudication, plain)
}
