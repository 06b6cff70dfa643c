//! How long people waited for their texts.

use earwitness::pipeline::{RunSummary, UtteranceResult};

use super::exit;

/// The waits of one run, ms.
#[derive(Default)]
pub struct Waits {
    after_speech: Vec<f64>,
    after_endpoint: Vec<f64>,
}

impl Waits {
    /// Counts a final answer of a live source.
    pub fn add(&mut self, result: &UtteranceResult) {
        self.after_speech.extend(result.latency_ms);
        self.after_endpoint.extend(result.after_endpoint_ms);
    }

    /// Says on stderr how long it was; nothing without a text.
    pub fn report(&mut self, summary: &RunSummary) {
        if self.after_speech.is_empty() {
            return;
        }
        let n = self.after_speech.len();
        let [speech, endpoint] = [&mut self.after_speech, &mut self.after_endpoint].map(|waits| {
            waits.sort_by(f64::total_cmp);
            [0.5, 0.95].map(|share| percentile(waits, share))
        });
        exit::eprint_line(&format!(
            "{n} utterances, median (95th percentile): text {:.0} ms ({:.0}) after the end of speech, {:.1} ms ({:.1}) \
             after the pause was long enough. {} of {} early recognitions were the answer.",
            speech[0], speech[1], endpoint[0], endpoint[1], summary.speculations_used, summary.speculations,
        ));
    }
}

/// The nearest-rank percentile of sorted, non-empty values.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let waits: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!((percentile(&waits, 0.5), percentile(&waits, 0.95)), (10.0, 19.0));
        assert_eq!((percentile(&[7.0], 0.5), percentile(&[7.0], 0.95)), (7.0, 7.0));
    }
}
