//! Scaled dot-product attention over keys and values that lie in blocks.
//!
//! A [`KvBlock`] holds [`KEYS`] positions of all heads: keys transposed, so that neighbouring lanes
//! are neighbouring positions, and values as they are. Each key has a bias, added to its logit:
//! minus infinity where there is no key, and `ln n` for one that speaks for n equal ones.

use super::f32::{Columns, Tile};
use super::math::softmax_unscaled;
use crate::isa::per_isa;

/// Positions of a block.
pub(crate) const KEYS: usize = 32;
/// Channels of a head, in every published Whisper model.
pub(crate) const HEAD: usize = 64;
/// Queries that are answered at once.
pub(crate) const QUERIES: usize = 32;

/// Keys `[head][channel][position]` and values `[head][position][channel]` of [`KEYS`] positions.
#[derive(Clone, Default)]
pub(crate) struct KvBlock {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl KvBlock {
    /// Without any key. Values are 0, so that a key that is not there adds nothing.
    pub(crate) fn new(heads: usize) -> Self {
        Self { keys: vec![0.0; heads * HEAD * KEYS], values: vec![0.0; heads * HEAD * KEYS] }
    }

    /// Stores the key and value, `[heads * 64]` each, of the block's `at`th position.
    pub(crate) fn set(&mut self, at: usize, key: &[f32], value: &[f32]) {
        for (lane, key) in key.iter().enumerate() {
            self.keys[lane * KEYS + at] = *key;
        }
        for (head, value) in value.chunks_exact(HEAD).enumerate() {
            self.values[(head * KEYS + at) * HEAD..][..HEAD].copy_from_slice(value);
        }
    }

    fn head_keys(&self, head: usize) -> &[f32] {
        &self.keys[head * HEAD * KEYS..][..HEAD * KEYS]
    }

    fn head_values(&self, head: usize) -> &[f32] {
        &self.values[head * HEAD * KEYS..][..HEAD * KEYS]
    }
}

/// Queries of one head: `rows` rows, `stride` apart in `values`, already scaled by 1/8.
#[derive(Clone, Copy)]
pub(crate) struct Queries<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) rows: usize,
}

per_isa! {
    /// Answers `queries` of `head` into `out`, rows `out_stride` apart; `bias` has [`KEYS`] values a block.
    /// Leaves in `weights` `[rows][blocks * KEYS]` the attention times a row's returned divisor in `totals`.
    pub(crate) fn attend(
        queries: Queries<'_>, head: usize, blocks: &[KvBlock], bias: &[f32], weights: &mut Vec<f32>,
        totals: &mut [f32], out: &mut [f32], out_stride: usize,
    ) = attend_body;
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "inputs, work space and outputs of one kernel")]
fn attend_body<T: Tile>(
    queries: Queries<'_>,
    head: usize,
    blocks: &[KvBlock],
    bias: &[f32],
    weights: &mut Vec<f32>,
    totals: &mut [f32],
    out: &mut [f32],
    out_stride: usize,
) {
    let width = blocks.len() * KEYS;
    weights.clear();
    weights.resize(queries.rows * width, 0.0);
    for (i, block) in blocks.iter().enumerate() {
        let b = Columns { values: block.head_keys(head), stride: KEYS, k: HEAD };
        T::multiply(queries.values, queries.stride, b, &mut weights[i * KEYS..], width, queries.rows, KEYS);
    }
    for (row, total) in weights.chunks_exact_mut(width).zip(&mut *totals) {
        *total = softmax_unscaled::<T>(row, &bias[..width]);
    }
    for row in 0..queries.rows {
        out[row * out_stride..][..HEAD].fill(0.0);
    }
    for (i, block) in blocks.iter().enumerate() {
        let b = Columns { values: block.head_values(head), stride: HEAD, k: KEYS };
        T::multiply(&weights[i * KEYS..], width, b, out, out_stride, queries.rows, HEAD);
    }
    for (row, total) in totals.iter().enumerate().take(queries.rows) {
        let scale = 1.0 / total;
        for value in &mut out[row * out_stride..][..HEAD] {
            *value *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn attention_equals_its_definition_on_every_instruction_set() {
        let (heads, keys, rows) = (2, 45, 11);
        let mut rng = fastrand::Rng::with_seed(7);
        let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.f32() * 2.0 - 1.0).collect() };
        let (q, k, v) = (random(rows * 128), random(keys * 128), random(keys * 128));
        let mut bias = vec![f32::NEG_INFINITY; 64];
        bias[..keys].copy_from_slice(&random(keys));
        let mut blocks = vec![KvBlock::new(heads), KvBlock::new(heads)];
        for at in 0..keys {
            blocks[at / KEYS].set(at % KEYS, &k[at * 128..][..128], &v[at * 128..][..128]);
        }
        for isa in Isa::available() {
            for head in 0..heads {
                let (mut weights, mut totals, mut out) = (Vec::new(), [0.0; 11], vec![9.0; rows * 70]);
                let queries = Queries { values: &q[head * HEAD..], stride: 128, rows };
                attend(isa, queries, head, &blocks, &bias, &mut weights, &mut totals, &mut out, 70);
                for row in 0..rows {
                    let dot = |at: usize| -> f64 {
                        (0..HEAD)
                            .map(|c| {
                                f64::from(q[row * 128 + head * HEAD + c] * k[at * 128 + head * HEAD + c])
                            })
                            .sum::<f64>()
                            + f64::from(bias[at])
                    };
                    let weight: Vec<f64> = (0..keys).map(|at| dot(at).exp()).collect();
                    let total: f64 = weight.iter().sum();
                    for c in 0..HEAD {
                        let exact: f64 =
                            (0..keys).map(|at| weight[at] * f64::from(v[at * 128 + head * HEAD + c])).sum();
                        let found = f64::from(out[row * 70 + c]);
                        assert!((found - exact / total).abs() < 1e-5, "{isa} {row} {c}");
                    }
                    let share = f64::from(weights[row * 64 + 3] / totals[row]);
                    assert!((share - weight[3] / total).abs() < 1e-6);
                    assert!(out[row * 70 + HEAD..].iter().take(6).all(|x| *x == 9.0 || row + 1 == rows));
                }
            }
        }
    }
}
