//! Word times from cross-attention.
//!
//! Some heads of the decoder look at the audio of the word they write. Their weights over a window,
//! smoothed and averaged, give a matrix `[tokens, positions]`; the cheapest monotonic path through
//! its negative (dynamic time warping) says when each token was spoken. Words are then joined from
//! tokens, and punctuation to the word it touches.

use super::decoder::{DecoderState, Engine};
use super::dims::ModelDims;
use super::vocabulary::{SpecialTokens, Vocabulary};
use crate::asr::kernels::math;
use crate::asr::{Segment, Word};

/// Seconds an encoder position lasts.
const POSITION_S: f64 = 0.02;
/// Positions of the median filter, from the reference.
const MEDIAN_WIDTH: usize = 7;
/// Punctuation that belongs to the word after it, and to the word before it, from the reference.
const PREPENDED: &str = "\"'“¿([{-";
const APPENDED: &str = "\"'.。,，!！?？:：”)]}、";

/// Which heads to listen to.
pub(super) struct Aligner {
    heads: Vec<(usize, usize)>,
}

/// What an alignment needs of the window.
pub(super) struct AlignmentContext<'a> {
    pub(super) engine: Engine<'a>,
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) special: SpecialTokens,
    /// The language is written without spaces.
    pub(super) by_character: bool,
    /// Audio in the window.
    pub(super) seconds: f64,
}

impl Aligner {
    /// The given heads, or all of the decoder's upper half.
    pub(super) fn new(heads: Option<Vec<(usize, usize)>>, dims: &ModelDims) -> Self {
        let upper_half = || {
            (dims.n_text_layers / 2..dims.n_text_layers)
                .flat_map(|layer| (0..dims.n_heads).map(move |head| (layer, head)))
                .collect()
        };
        Self { heads: heads.unwrap_or_else(upper_half) }
    }

    /// Fills in the words of a window's segments, their times in seconds from the window's beginning.
    pub(super) fn align(
        &self,
        context: &AlignmentContext<'_>,
        state: &mut DecoderState,
        start_sequence: &[u32],
        segments: &mut [Segment],
    ) {
        let text: Vec<u32> = segments.iter().flat_map(|s| s.tokens.iter().copied()).collect();
        if text.is_empty() {
            return;
        }
        let mut tokens = start_sequence.to_vec();
        tokens.push(context.special.no_timestamps);
        let first = tokens.len();
        tokens.extend(&text);
        tokens.push(context.special.end_of_text);
        tokens.truncate(context.engine.decoder.capacity());

        let positions = ((context.seconds / POSITION_S).round() as usize).clamp(1, 1500);
        let (matrix, probabilities) =
            self.listen(context.engine, state, &tokens, positions, &context.special);
        // The row of a token is the step that wrote it: the one before its own.
        let rows = tokens.len() - first;
        let starts =
            token_starts(&matrix[(first - 1) * positions..(first - 1 + rows) * positions], positions);
        let words = group(&text, context);
        place(segments, &words, &starts, &probabilities[first - 1..]);
    }

    /// Runs the tokens through the decoder once: mean attention `[tokens, positions]`, and the
    /// probability that each step gave the token after it.
    fn listen(
        &self,
        engine: Engine<'_>,
        state: &mut DecoderState,
        tokens: &[u32],
        positions: usize,
        special: &SpecialTokens,
    ) -> (Vec<f32>, Vec<f32>) {
        state.rewind();
        let mut rows = vec![Vec::new(); self.heads.len()];
        engine.step_with_attention(state, tokens, &mut |layer, head, _, weights| {
            if let Some(at) = self.heads.iter().position(|h| *h == (layer, head)) {
                rows[at].push(weights[..positions].to_vec());
            }
        });
        let mut probabilities = Vec::with_capacity(tokens.len());
        let mut logits = Vec::new();
        for step in 0..tokens.len() - 1 {
            engine.logits(state, Some(step), &mut logits);
            let text = &logits[..=special.end_of_text as usize];
            let next = (tokens[step + 1].min(special.end_of_text)) as usize;
            probabilities.push((text[next] - math::log_sum_exp(engine.compute.isa, text)).exp());
        }
        let mut sum = vec![0f32; tokens.len() * positions];
        for rows in &mut rows {
            add_head(&mut sum, rows, positions);
        }
        (sum, probabilities)
    }
}

/// Adds one head's weights, standardized over tokens and median-filtered over positions.
fn add_head(sum: &mut [f32], rows: &mut [Vec<f32>], positions: usize) {
    // Weights over the audio alone, summing to 1, as if the window ended with it.
    for row in &mut *rows {
        let total = row.iter().sum::<f32>().max(1e-9);
        row.iter_mut().for_each(|weight| *weight /= total);
    }
    let n = rows.len() as f32;
    let mut column_mean = vec![0f32; positions];
    let mut column_std = vec![0f32; positions];
    for p in 0..positions {
        let mean = rows.iter().map(|r| r[p]).sum::<f32>() / n;
        column_mean[p] = mean;
        column_std[p] = (rows.iter().map(|r| (r[p] - mean).powi(2)).sum::<f32>() / n).sqrt().max(1e-9);
    }
    let mut standard = vec![0f32; positions];
    for (t, row) in rows.iter().enumerate() {
        for p in 0..positions {
            standard[p] = (row[p] - column_mean[p]) / column_std[p];
        }
        for (p, slot) in sum[t * positions..(t + 1) * positions].iter_mut().enumerate() {
            *slot += median(&standard, p);
        }
    }
}

/// The median of the values around `at`, mirrored at the ends.
fn median(values: &[f32], at: usize) -> f32 {
    let half = MEDIAN_WIDTH / 2;
    if values.len() <= half {
        return values[at];
    }
    let mut window = [0f32; MEDIAN_WIDTH];
    for (i, slot) in window.iter_mut().enumerate() {
        let p = (at + i).abs_diff(half);
        let last = values.len() - 1;
        *slot = values[if p > last { 2 * last - p } else { p }];
    }
    window.sort_unstable_by(f32::total_cmp);
    window[half]
}

/// For each row of `[rows, positions]`, the first position of the best monotonic path in it; one more for the end.
fn token_starts(matrix: &[f32], positions: usize) -> Vec<usize> {
    let rows = matrix.len() / positions;
    let width = positions + 1;
    let mut cost = vec![f32::INFINITY; (rows + 1) * width];
    let mut step = vec![0u8; (rows + 1) * width];
    cost[0] = 0.0;
    for r in 1..=rows {
        for p in 1..=positions {
            let diagonal = cost[(r - 1) * width + p - 1];
            let down = cost[(r - 1) * width + p];
            let right = cost[r * width + p - 1];
            let (best, from) = if diagonal < down && diagonal < right {
                (diagonal, 0)
            } else if down < diagonal && down < right {
                (down, 1)
            } else {
                (right, 2)
            };
            cost[r * width + p] = best - matrix[(r - 1) * positions + p - 1];
            step[r * width + p] = from;
        }
    }
    let mut starts = vec![0; rows + 1];
    starts[rows] = positions;
    let (mut r, mut p) = (rows, positions);
    while r > 0 && p > 0 {
        starts[r - 1] = p - 1;
        match step[r * width + p] {
            0 => (r, p) = (r - 1, p - 1),
            1 => r -= 1,
            _ => p -= 1,
        }
    }
    starts
}

/// A word: its text and how many tokens spell it.
struct Spelled {
    text: String,
    tokens: usize,
}

/// Joins tokens to words: whole characters first, then up to the next space, then punctuation.
fn group(tokens: &[u32], context: &AlignmentContext<'_>) -> Vec<Spelled> {
    let mut words: Vec<Spelled> = Vec::new();
    let mut bytes = Vec::new();
    let mut pending = 0;
    for (i, &token) in tokens.iter().enumerate() {
        bytes.extend_from_slice(context.vocabulary.bytes(token, &context.special));
        pending += 1;
        let last = i + 1 == tokens.len();
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text.to_owned(),
            // Bytes that no further byte can complete, or that none will.
            Err(e) if last || e.error_len().is_some() => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => continue,
        };
        let punctuation = text.trim().len() == 1 && text.trim().chars().all(|c| c.is_ascii_punctuation());
        let begins = words.is_empty() || text.starts_with(' ') || context.by_character || punctuation;
        match words.last_mut() {
            Some(word) if !begins => {
                word.text.push_str(&text);
                word.tokens += pending;
            }
            _ => words.push(Spelled { text, tokens: pending }),
        }
        bytes.clear();
        pending = 0;
    }
    join_punctuation(words)
}

fn join_punctuation(words: Vec<Spelled>) -> Vec<Spelled> {
    let mut joined: Vec<Spelled> = Vec::new();
    let mut opening: Option<Spelled> = None;
    for mut word in words {
        let trimmed = word.text.trim().to_owned();
        if let Some(before) = opening.take() {
            word.text.insert_str(0, &before.text);
            word.tokens += before.tokens;
        }
        if word.text.starts_with(' ') && !trimmed.is_empty() && PREPENDED.contains(&trimmed) {
            opening = Some(word);
        } else if let Some(before) =
            joined.last_mut().filter(|_| !trimmed.is_empty() && APPENDED.contains(&trimmed))
        {
            before.text.push_str(&word.text);
            before.tokens += word.tokens;
        } else {
            joined.push(word);
        }
    }
    joined.extend(opening);
    joined
}

/// Deals words out to the segments whose tokens they are, with times and probabilities.
fn place(segments: &mut [Segment], words: &[Spelled], starts: &[usize], probabilities: &[f32]) {
    let time = |token: usize| starts[token.min(starts.len() - 1)] as f64 * POSITION_S;
    let mut token = 0;
    let mut words = words.iter();
    let mut segment_end = 0;
    for segment in segments {
        segment_end += segment.tokens.len();
        while token < segment_end {
            let Some(word) = words.next() else { return };
            let next = token + word.tokens;
            let span = probabilities.get(token..next.min(probabilities.len())).unwrap_or(&[]);
            segment.words.push(Word {
                start: time(token),
                end: time(next).max(time(token)),
                word: word.text.clone(),
                probability: Some(span.iter().sum::<f32>() / span.len().max(1) as f32),
            });
            token = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_follows_the_bright_diagonal() {
        // Three tokens over six positions, two positions each.
        let mut matrix = vec![-1.0; 18];
        for (row, positions) in [(0, [0, 1]), (1, [2, 3]), (2, [4, 5])] {
            for p in positions {
                matrix[row * 6 + p] = 1.0;
            }
        }
        assert_eq!(token_starts(&matrix, 6), [0, 2, 4, 6]);
    }

    #[test]
    fn the_median_ignores_a_spike_and_keeps_a_step() {
        let mut values = vec![0.0; 20];
        values[10] = 9.0;
        assert_eq!(median(&values, 10), 0.0);
        values[10..].fill(1.0);
        assert_eq!((median(&values, 9), median(&values, 10)), (0.0, 1.0));
    }

    #[test]
    fn punctuation_joins_the_word_it_touches() {
        let words =
            [" Hello", ",", " \"", "you", "\"", "."].map(|text| Spelled { text: text.into(), tokens: 1 });
        let joined: Vec<_> = join_punctuation(words.into()).into_iter().map(|w| (w.text, w.tokens)).collect();
        assert_eq!(joined, [(" Hello,".to_owned(), 2), (" \"you\".".to_owned(), 4)]);
    }
}
