//! Which of a window's 1500 positions are computed: all, or the speech and a silent tail.
//!
//! Whisper was trained on 30 s windows, so a short utterance is followed by silence up to 30 s, and
//! a model that is shown less loops. But silent positions are alike: a few of them, spread over the
//! rest at their true places, speak for all, if the attention to each counts as many times as there
//! are positions that it stands for (`ln n` added to its logit).

use crate::asr::kernels::attention::KEYS;

/// Silent positions computed for the rest of the window.
const TAIL_POSITIONS: usize = 64;
/// Silent positions computed exactly after the audio's end, 20 ms each: near the speech they are not
/// alike. On 100 spoken orders of 5 to 14 s, tiny.en in 8 bits found 292 of 332 values with 50, 288
/// with 75, 287 with 100 and with none; 294 with the full window.
const MARGIN: usize = 50;
/// Positions that are computed exactly at least: 5 s. A word of 0.4 s with the margin alone is often
/// repeated: on 60 spoken digits 49 wrong with tiny.en, against 23 with this and 26 with the full window.
const LEAST_LIVE: usize = 256;

/// How much of the window the encoder hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// The speech, and a few weighted positions for the silence after it.
    #[default]
    Tail,
    /// Every position: a short utterance costs what 30 s cost.
    Full,
}

/// The positions to compute.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Positions {
    /// Their places in the window, ascending.
    pub(super) places: Vec<usize>,
    /// How many of them, at the beginning, are computed from the audio; the others are silent.
    pub(super) live: usize,
    /// What is added to attention logits, for whole blocks of keys: minus infinity where there is no position.
    pub(super) bias: Vec<f32>,
}

impl Positions {
    /// For a window of `total` positions of which the first `speech` hold audio.
    pub(super) fn choose(context: Context, speech: usize, total: usize) -> Self {
        let live = match context {
            Context::Full => total,
            Context::Tail => (speech + MARGIN).max(LEAST_LIVE).min(total),
        };
        let rest = total - live;
        if rest <= TAIL_POSITIONS {
            return Self::new((0..total).collect(), total, 0.0);
        }
        let tail = (0..TAIL_POSITIONS).map(|i| live + (2 * i + 1) * rest / (2 * TAIL_POSITIONS));
        let weight = (rest as f32 / TAIL_POSITIONS as f32).ln();
        Self::new((0..live).chain(tail).collect(), live, weight)
    }

    fn new(places: Vec<usize>, live: usize, weight: f32) -> Self {
        let mut bias = vec![0.0; live];
        bias.resize(places.len(), weight);
        bias.resize(places.len().next_multiple_of(KEYS), f32::NEG_INFINITY);
        Self { places, live, bias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_stands_for_every_silent_position_once() {
        for (speech, live) in [(0, 256), (20, 256), (400, 450), (1300, 1350)] {
            let p = Positions::choose(Context::Tail, speech, 1500);
            assert_eq!((p.live, p.places.len()), (live, live + 64));
            assert!(p.places.windows(2).all(|w| w[0] < w[1]) && p.places.iter().all(|p| *p < 1500));
            let weight: f32 = p.bias.iter().map(|b| b.exp()).sum();
            assert!((weight - 1500.0).abs() < 0.05, "{weight}");
        }
    }

    #[test]
    fn a_nearly_full_window_is_full() {
        for (context, speech) in [(Context::Tail, 1400), (Context::Tail, 1500), (Context::Full, 10)] {
            let p = Positions::choose(context, speech, 1500);
            assert_eq!((p.live, p.places.len(), p.bias.len()), (1500, 1500, 1504));
        }
    }
}
