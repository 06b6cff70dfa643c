//! Which of a window's 1500 positions are computed: all, or the speech and a silent tail.
//!
//! Whisper was trained on 30 s windows, so a short utterance is followed by silence up to 30 s, and
//! a model that is shown less loops. But silent positions are alike: a few of them, spread over the
//! rest at their true places, speak for all, if the attention to each counts as many times as there
//! are positions that it stands for (`ln n` added to its logit).
//!
//! Not all are equally alike. Those just after the speech still hear it, and the last ones, where the window
//! ends, hold what attention rests on: so a margin is computed exactly, the spread is dense at first and
//! wider later, and the window's end is exact again.

use crate::asr::kernels::attention::KEYS;

/// Silent positions computed exactly after the audio's end, 20 ms each.
///
/// Chosen with the other numbers here on 576 recordings (read sentences, spoken orders and digits, two
/// readings; each as it is, 26 dB quieter, and in noise at 10 dB), by the share of words that differ from the
/// full window's in 32 bits. tiny.en, in %: full window in 8 bits 2.2; margin 50, evenly spread tail without
/// the window's end, 256 live positions 6.9; margin 100 6.6; with the end 5.5; with growing gaps 5.1 to 5.6;
/// as it is here 4.9, with a third of the inserted words of the first. base: 3.0 at first, 2.8 now. Differences
/// of half a point are chance.
const MARGIN: usize = 75;
/// Positions that are computed exactly at least: 6.4 s. A word of 0.4 s with the margin alone is often
/// repeated.
const LEAST_LIVE: usize = 320;
/// Silent positions computed for the rest of the window.
const TAIL_POSITIONS: usize = 64;
/// How many of them are the window's last ones.
const END_POSITIONS: usize = 2;
/// Each of the others stands for this many times as many positions as the one before it.
const GROWTH: f64 = 1.05;

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
        let mut positions = Self { places: (0..live).collect(), live, bias: vec![0.0; live] };
        if total - live > TAIL_POSITIONS {
            let end = total - END_POSITIONS;
            for (from, to) in stretches(live, end, TAIL_POSITIONS - END_POSITIONS) {
                positions.places.push((from + to - 1) / 2);
                positions.bias.push(((to - from) as f32).ln());
            }
            positions.places.extend(end..total);
        } else {
            positions.places.extend(live..total);
            positions.live = total;
        }
        positions.bias.resize(positions.places.len(), 0.0);
        positions.bias.resize(positions.places.len().next_multiple_of(KEYS), f32::NEG_INFINITY);
        positions
    }
}

/// Cuts `from..to` into `n` stretches of growing length, none of them empty.
fn stretches(from: usize, to: usize, n: usize) -> impl Iterator<Item = (usize, usize)> {
    let span = (to - from) as f64;
    let cut = move |i: usize| {
        let share = (GROWTH.powi(i as i32) - 1.0) / (GROWTH.powi(n as i32) - 1.0);
        from + ((span * share).round() as usize).clamp(i, to - from - (n - i))
    };
    let mut last = from;
    (1..=n).map(move |i| {
        let begin = last;
        last = cut(i).max(begin + 1);
        (begin, last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_stands_for_every_silent_position_once() {
        for speech in 0..1500 {
            let p = Positions::choose(Context::Tail, speech, 1500);
            assert!(p.places.windows(2).all(|w| w[0] < w[1]) && p.places.iter().all(|p| *p < 1500));
            assert_eq!(p.places[p.places.len() - 2..], [1498, 1499], "the window's end is computed");
            let weight: f32 = p.bias.iter().map(|b| b.exp()).sum();
            assert!((weight - 1500.0).abs() < 0.05, "{speech}: {weight}");
        }
    }

    #[test]
    fn the_speech_and_its_margin_are_exact_and_the_tail_gets_wider() {
        for (speech, live) in [(0, 320), (20, 320), (400, 475), (1300, 1375)] {
            let p = Positions::choose(Context::Tail, speech, 1500);
            assert_eq!((p.live, p.places.len()), (live, live + 64));
            assert!(p.bias[..live].iter().all(|b| *b == 0.0));
            let tail = &p.bias[live..live + 62];
            assert!(tail.last() > tail.first(), "{tail:?}");
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
